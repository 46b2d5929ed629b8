"""`kcompliance policy`: explain and lint here, coverage, replay and test beside it."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kcompliance.cli.policy_coverage import coverage
from kcompliance.cli.policy_files import (
    PolicyRefused,
    VersionOption,
    kubernetes_version,
    loaded_policy,
    read_whole,
)
from kcompliance.cli.policy_replay import replay
from kcompliance.cli.policy_test import run_tests
from kcompliance.cli.terminal import Format, FormatOption, put, put_table
from kcompliance.errors import ExitCode, NothingToScan, UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from kcompliance.model.audit_policy import Decision, Lint, Loaded, PolicyEvaluator
    from kcompliance.model.request import Request

__all__ = ["PolicyRefused", "app"]

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Ask what an audit policy records, what is wrong with it, and what another would cost.",
)


@app.command()
def explain(
    policy: Annotated[Path, typer.Option(help="The audit policy file.", show_default=False)],
    user: Annotated[
        str | None, typer.Option(help="The user's name; without one it is a failed login.")
    ] = None,
    groups: Annotated[
        list[str] | None, typer.Option("--group", help="A group of the user; may be repeated.")
    ] = None,
    verb: Annotated[
        str | None, typer.Option(help="As the server sees it: get, list, create, …")
    ] = None,
    resource: Annotated[
        str | None, typer.Option(help="Resource, with its subresource if any: pods/exec.")
    ] = None,
    api_group: Annotated[str, typer.Option(help="API group; the core group if left out.")] = "",
    namespace: Annotated[str, typer.Option(help="Empty for cluster-wide requests.")] = "",
    name: Annotated[str, typer.Option(help="The object's name; empty for collections.")] = "",
    path: Annotated[
        str | None, typer.Option(help="A path that is no resource, such as /healthz.")
    ] = None,
    requests: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|-", help="Many at once: one audit event a line, in any wrapper."
        ),
    ] = None,
    version: VersionOption = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Tell what a policy records of a request: level, stages, and the rule that decides.

    Examples:

      kcompliance policy explain --policy p.yaml --user jo --verb create --resource pods/exec

      kcompliance policy explain --policy p.yaml --user jo --verb get --path /healthz

      kcompliance policy explain --policy audit-policy.yaml --requests audit.log --format json

    Exit codes: 0 told, 1 the policy is refused, 2 usage, 4 a file could not be read.
    """
    from kcompliance.model.audit_policy import PolicyEvaluator
    from kcompliance.model.digest import sha256
    from kcompliance.report.json_policy import render_explain

    if requests == "-" and str(policy) == "-":
        raise UsageError("--policy and --requests cannot both be standard input")
    data = read_whole(str(policy))
    loaded = loaded_policy(data, str(policy), kubernetes_version(version))
    single = (user, groups, verb, resource, api_group, namespace, name, path)
    if requests is not None and any(single):
        raise UsageError("--requests brings users and requests of its own: leave the others out")
    evaluator = PolicyEvaluator(loaded.policy)
    asked: Iterable[Request] = (
        _recorded_requests(requests)
        if requests is not None
        else [_one_request(user, groups, verb, resource, api_group, namespace, name, path)]
    )
    if format_ is Format.JSON:
        warnings = [warning.message for warning in loaded.warnings]
        put(render_explain(sha256(data), warnings, _decided(evaluator, asked)))
    else:
        asked = list(asked)
        put_table(_decision_table(asked, _decided(evaluator, asked)))


def _decided(evaluator: "PolicyEvaluator", asked: "Iterable[Request]") -> "list[Decision]":
    """All decisions before anything is printed; equal ones are one object, as there are few."""
    known: dict[Decision, Decision] = {}
    decisions = (evaluator.decide(request) for request in asked)
    return [known.setdefault(decision, decision) for decision in decisions]


@app.command()
def lint(
    policy: Annotated[
        str, typer.Argument(metavar="FILE|-", help="The audit policy file.", show_default=False)
    ],
    version: VersionOption = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Find fields that are dropped, rules that never fire, and requests that no rule names.

    Examples:

      kcompliance policy lint audit-policy.yaml

      kubectl get configmap audit -o jsonpath='{.data.policy\\.yaml}' | kcompliance policy lint -

    Exit codes: 0 nothing but remarks, 1 something is wrong or the server refuses the file, 2 usage,
    4 the file could not be read.
    """
    from kcompliance.model.audit_policy import Refused, lint_policy, load_policy
    from kcompliance.model.digest import sha256
    from kcompliance.report.json_policy import render_lint

    data = read_whole(policy)
    known = kubernetes_version(version)
    if format_ is Format.JSON:
        loaded = load_policy(data, known)
        if isinstance(loaded, Refused):
            put(render_lint(sha256(data), (), loaded.reasons, (), ExitCode.FINDINGS))
            raise typer.Exit(ExitCode.FINDINGS)
    accepted = loaded_policy(data, policy, known)
    remarks = lint_policy(accepted, known)
    wrong = any(not remark.informational for remark in remarks)
    code = ExitCode.FINDINGS if wrong else ExitCode.GOOD
    if format_ is Format.JSON:
        warnings = [warning.message for warning in accepted.warnings]
        put(render_lint(sha256(data), warnings, (), remarks, code))
    else:
        put_table(_lint_table(policy, accepted, remarks), wrap=False)
    raise typer.Exit(code)


app.command()(coverage)
app.command()(replay)
app.command("test")(run_tests)


# --- input ---------------------------------------------------------------------------------------


def _one_request(
    user: str | None,
    groups: list[str] | None,
    verb: str | None,
    resource: str | None,
    api_group: str,
    namespace: str,
    name: str,
    path: str | None,
) -> "Request":
    from kcompliance.model.request import NonResource, ObjectAttributes, Request, User

    if (resource is None) == (path is None):
        raise UsageError("give either --resource or --path, or many requests with --requests")
    if path is not None and (api_group or namespace or name):
        raise UsageError("--path goes with none of --api-group, --namespace, --name")
    if groups and user is None:
        raise UsageError("--group needs --user: a failed login has no groups")
    if verb is None:
        raise UsageError("--verb is missing", "for example --verb get")
    target: NonResource | ObjectAttributes
    if path is not None:
        target = NonResource(path=path)
    else:
        kind, _, subresource = (resource or "").partition("/")
        target = ObjectAttributes(
            group=api_group,
            namespace=namespace,
            resource=kind,
            subresource=subresource,
            name=name,
        )
    who = None if user is None else User(name=user, groups=tuple(groups or ()))
    return Request(user=who, verb=verb, target=target)


def _recorded_requests(name: str) -> "Iterator[Request]":
    from kcompliance.model.audit_event import NotAnEvent, read_events

    for line, event in read_events(_lines(name)):
        if isinstance(event, NotAnEvent):
            raise NothingToScan(
                f'"{name}" line {line} is no audit event: {event.reason}',
                "one audit.k8s.io/v1 event a line, as kube-apiserver writes them",
            )
        yield event.request


def _lines(name: str) -> Iterable[bytes]:
    if name == "-":
        yield from sys.stdin.buffer
        return
    try:
        with Path(name).open("rb") as file:
            yield from file
    except FileNotFoundError:
        raise UsageError(f'no such file: "{name}"') from None
    except OSError as error:
        raise NothingToScan(f'cannot read "{name}": {error.strerror}') from error


# --- output --------------------------------------------------------------------------------------


def _decision_table(asked: "list[Request]", decisions: "list[Decision]") -> "RenderableType":
    from rich.table import Table
    from rich.text import Text

    from kcompliance.report.printable import printable

    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("user", "request", "level", "stages", "decided by"):
        table.add_column(column, overflow="fold")
    for request, decision in zip(asked, decisions, strict=True):
        rule = f"rule {decision.rule}, line {decision.line}"
        table.add_row(
            Text(printable(request.user.name) if request.user else "(failed login)"),
            Text(printable(str(request))),
            decision.level.value,
            ", ".join(decision.stages) or "nothing is written",
            rule if decision.rule is not None else "no rule matches",
        )
    return table


def _lint_table(name: str, loaded: "Loaded", remarks: "tuple[Lint, ...]") -> "RenderableType":
    from rich.console import Group
    from rich.text import Text

    from kcompliance.report.printable import printable

    lines = []
    for remark in remarks:
        head = Text(remark.code, "dim" if remark.informational else "bold red")
        where = f"{name}:{remark.line}" if remark.line else name
        head.append(f"  {where}  ", "cyan")
        head.append(printable(remark.message), "default")
        lines.append(head)
    wrong = sum(not remark.informational for remark in remarks)
    told = len(remarks) - wrong
    rules = len(loaded.policy.rules)
    lines.append(Text(f"{rules} rules: {wrong} wrong, {told} worth knowing"))
    return Group(*lines)
