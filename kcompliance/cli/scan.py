"""`kcompliance scan`."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kcompliance.cli.target_options import NodeName, NodeRoot, PlatformOption, chosen_node
from kcompliance.cli.terminal import (
    CONFIGURED_FORMAT,
    Format,
    FormatOption,
    ProgressOption,
    ProgressStyle,
    note,
    progress,
    put,
    put_table,
)
from kcompliance.errors import NothingToScan, UsageError
from kcompliance.model.control import Platform
from kcompliance.model.finding import Severity

if TYPE_CHECKING:
    from kcompliance.baseline import Baseline
    from kcompliance.cli.config import Config
    from kcompliance.collect.interface import Collection
    from kcompliance.model.control import Control
    from kcompliance.model.reading import Unreadable
    from kcompliance.report import ChosenFramework, Outcome

__all__ = ["ScanOptions", "run_scan", "scan"]


def _use_config(ctx: typer.Context, path: Path | None) -> Path | None:
    """Options that the command line and the environment leave open come from the file."""
    if ctx.resilient_parsing:
        return path
    from kcompliance.cli.config import read_config

    config = read_config(path)
    ctx.obj = config
    CONFIGURED_FORMAT.set(config.options.get("format_"))
    if config.path is not None:
        note(f"using {config.path}")
    ctx.default_map = {**(ctx.default_map or {}), **config.options}
    return path


def scan(
    ctx: typer.Context,
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TARGET",
            help="A file, a folder, a saved bundle, - for standard input, kube[:CONTEXT], "
            "aks:RESOURCE_ID, aks:subscription/ID, eks:REGION/NAME, eks:ARN, "
            "elasticsearch+https://HOST/PATTERN, or @NAME from kcompliance.yaml; may be left out "
            "with --node-root.",
            show_default=False,
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            help="Configuration file; else ./kcompliance.yaml where there is one.",
            envvar="KCOMPLIANCE_CONFIG",
            callback=_use_config,
            is_eager=True,
            dir_okay=False,
        ),
    ] = None,
    platform: PlatformOption = None,
    node_root: NodeRoot = None,
    node_name: NodeName = None,
    as_of: Annotated[
        str | None,
        typer.Option(
            help="Judge as of this moment (RFC 3339, or now); a bundle's own otherwise.",
            envvar="KCOMPLIANCE_AS_OF",
        ),
    ] = None,
    controls: Annotated[
        list[str] | None,
        typer.Option(
            "--control",
            help="Only this control; may be repeated.",
            envvar="KCOMPLIANCE_CONTROL",
            metavar="ID",
        ),
    ] = None,
    frameworks: Annotated[
        list[str] | None,
        typer.Option(
            "--framework",
            help="Only what this framework asks for, such as cis-kubernetes:1.12; repeatable.",
            envvar="KCOMPLIANCE_FRAMEWORK",
            metavar="ID[:VERSION]",
        ),
    ] = None,
    parameters: Annotated[
        list[str] | None,
        typer.Option(
            "--param",
            help="Set a control's parameter; see kcompliance controls show.",
            envvar="KCOMPLIANCE_PARAM",
            metavar="[CONTROL.]NAME=VALUE",
        ),
    ] = None,
    severity: Annotated[
        Severity,
        typer.Option(
            help="Show findings from this severity on; the exit code still counts all.",
            envvar="KCOMPLIANCE_SEVERITY",
        ),
    ] = Severity.LOW,
    fail_on: Annotated[
        Severity,
        typer.Option(
            help="Exit with 1 for fails from this severity on.", envvar="KCOMPLIANCE_FAIL_ON"
        ),
    ] = Severity.LOW,
    allow_manual: Annotated[
        bool,
        typer.Option(
            "--allow-manual",
            help="Let questions that need a human answer not count as incomplete.",
            envvar="KCOMPLIANCE_ALLOW_MANUAL",
        ),
    ] = False,
    approved: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="What was approved, as kcompliance approve wrote it; else kcompliance.lock beside "
            "the configuration or in this folder, where there is one.",
            envvar="KCOMPLIANCE_APPROVED",
        ),
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(
            metavar="SCAN.json",
            help="Tell what is new since this scan, which was written with --format json.",
            envvar="KCOMPLIANCE_BASELINE",
        ),
    ] = None,
    new_only: Annotated[
        bool,
        typer.Option(
            "--new-only",
            help="Let fails that the baseline has too not count for the exit code.",
            envvar="KCOMPLIANCE_NEW_ONLY",
        ),
    ] = False,
    format_: FormatOption = Format.TABLE,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Write to this file, whole or not at all.",
            envvar="KCOMPLIANCE_OUTPUT",
        ),
    ] = None,
    save_bundle: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Save all that was read as a new folder, to be scanned again as a TARGET.",
            envvar="KCOMPLIANCE_SAVE_BUNDLE",
        ),
    ] = None,
    progress_style: ProgressOption = ProgressStyle.AUTO,
    verbose: Annotated[
        bool,
        typer.Option("--verbose", "-v", help="Show the evidence of passes too."),
    ] = False,
) -> None:
    """Check whether a cluster's audit trail can be trusted. Only reads, never writes to a target.

    Examples:

      kcompliance scan kube:prod --save-bundle evidence/

      kcompliance scan /etc/kubernetes --fail-on high --format json -o scan.json

    Exit codes: 0 good, 1 fails from --fail-on on, 3 something could not be read or needs a human,
    2 usage, 4 nothing could be evaluated.
    """
    run_scan(
        ScanOptions(
            targets=tuple(targets or ()),
            platform=platform,
            node_root=node_root,
            node_name=node_name,
            as_of=as_of,
            controls=tuple(controls or ()),
            frameworks=tuple(frameworks or ()),
            parameters=tuple(parameters or ()),
            severity=severity,
            fail_on=fail_on,
            allow_manual=allow_manual,
            approved=approved,
            baseline=baseline,
            new_only=new_only,
            format=format_,
            output=output,
            save_bundle=save_bundle,
            progress=progress_style,
            verbose=verbose,
        ),
        ctx.obj,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanOptions:
    """What the user asked of `scan`."""

    targets: tuple[str, ...]
    platform: Platform | None = None
    node_root: str | None = None
    node_name: str | None = None
    as_of: str | None = None
    controls: tuple[str, ...] = ()
    frameworks: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    severity: Severity = Severity.LOW
    fail_on: Severity = Severity.LOW
    allow_manual: bool = False
    approved: Path | None = None
    baseline: Path | None = None
    new_only: bool = False
    format: Format = Format.TABLE
    output: Path | None = None
    save_bundle: Path | None = None
    progress: ProgressStyle = ProgressStyle.AUTO
    verbose: bool = False


def run_scan(options: ScanOptions, config: "Config") -> None:
    """Choose, collect, evaluate, report; ends with `typer.Exit`."""
    from kcompliance.cli.approved_lock import refuse_missing, to_be_compared
    from kcompliance.cli.choices import choose_controls, choose_frameworks, choose_parameters
    from kcompliance.cli.declarations import with_declarations
    from kcompliance.collect.bundle import write_bundle
    from kcompliance.collect.targets import collect
    from kcompliance.report import render_json, render_table

    now = datetime.now(UTC).replace(microsecond=0)
    frameworks = choose_frameworks(options.frameworks)
    controls = choose_controls(options.controls, frameworks)
    if not controls:
        raise NothingToScan(
            f"no control answers {', '.join(options.frameworks)}",
            "nothing would be checked: choose other controls or frameworks",
        )
    choose_parameters(options.parameters, config.parameters, {})
    refuse_missing(options.approved)
    baseline = _baseline(options)
    node = chosen_node(options.targets, options.node_root, options.node_name)
    with progress(options.progress) as tell:
        collection = collect(options.targets, config.targets, options.platform, now, tell, node)
    collection = replace(
        collection,
        as_of=collection.as_of if options.as_of is None else _moment(options.as_of, now),
        parameters=choose_parameters(options.parameters, config.parameters, collection.parameters),
    )
    collection = to_be_compared(collection, options.approved, config.path, now)
    collection = with_declarations(collection, config.path, config.declarations)
    if options.save_bundle is not None:
        write_bundle(collection, options.save_bundle)
    _refuse_nothing(collection)
    outcome = _outcome(collection, controls, frameworks, options, baseline)
    if options.format is Format.JSON:
        put(render_json(outcome), options.output)
    else:
        put_table(render_table(outcome, verbose=options.verbose), options.output)
    raise typer.Exit(outcome.exit_code)


def _baseline(options: ScanOptions) -> "Baseline | None":
    """Read before anything else, so that a wrong one costs no scan."""
    from kcompliance.baseline import MAX_BASELINE_BYTES, read_baseline

    if options.baseline is None:
        if options.new_only:
            raise UsageError("--new-only needs a --baseline", "give the report of a former scan")
        return None
    try:
        with options.baseline.open("rb") as file:
            data = file.read(MAX_BASELINE_BYTES + 1)
    except OSError as error:
        raise UsageError(f'cannot read "{options.baseline}": {error.strerror}') from error
    if len(data) > MAX_BASELINE_BYTES:
        raise UsageError(f'"{options.baseline}" is too large for a report of a scan')
    return read_baseline(data, str(options.baseline))


def _outcome(
    collection: "Collection",
    controls: "tuple[Control, ...]",
    frameworks: "tuple[ChosenFramework, ...]",
    options: ScanOptions,
    baseline: "Baseline | None",
) -> "Outcome":
    from kcompliance.cli.choices import asked_by
    from kcompliance.cli.declarations import declared_for, without_declarations
    from kcompliance.controls import published_policies
    from kcompliance.model.assemble import assemble
    from kcompliance.report import Outcome, Target
    from kcompliance.scan import evaluate, exit_code, not_known
    from kcompliance.waivers import STALE, declare, review, stale_findings

    published = published_policies()
    targets = tuple(
        Target(
            cluster=assemble(
                found.name, without_declarations(found.captures), found.platform, published
            ),
            captures=found.captures,
        )
        for found in collection.targets
    )
    seen = tuple(
        item
        for item in evaluate([t.cluster for t in targets], controls, collection.parameters)
        if not frameworks or asked_by(frameworks, item.aspect)
    )
    declared = declared_for(collection.targets)
    reviewed = review(seen, declared, collection.as_of)
    stale = tuple(stale_findings(reviewed))
    judged = (*declare(seen, declared, collection.as_of), *stale)
    return Outcome(
        as_of=collection.as_of,
        targets=targets,
        controls=(*controls, STALE) if stale else controls,
        judged=judged,
        parameters=collection.parameters,
        frameworks=frameworks,
        shown_from=options.severity,
        declarations=reviewed,
        baseline=baseline,
        new_only=options.new_only,
        exit_code=exit_code(
            judged,
            options.fail_on,
            allow_manual=options.allow_manual,
            known=baseline.knows if baseline is not None and options.new_only else not_known,
        ),
    )


def _moment(text: str, now: datetime) -> datetime:
    if text == "now":
        return now
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f'--as-of "{text}" is no moment', "for example 2026-01-31T12:00:00Z, or now"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _refuse_nothing(collection: "Collection") -> None:
    """Where not one thing was read there is nothing to judge, and no report that looks like one."""
    from kcompliance.model.reading import Kind, Raw, Unreadable

    not_of_it = (Kind.ENDPOINT, Kind.ELASTICSEARCH_STORE, Kind.DECLARATIONS, Kind.APPROVED)
    captures = [capture for target in collection.targets for capture in target.captures]
    if any(isinstance(c, Raw) and c.origin.kind not in not_of_it for c in captures):
        return
    gaps = [capture for capture in captures if isinstance(capture, Unreadable)]
    names = ", ".join(target.name for target in collection.targets)
    if not gaps:
        raise NothingToScan(f"nothing that kcompliance knows is in {names}", _WHAT_IS_KNOWN)
    others = len({gap.reason for gap in gaps}) - 1
    more = f" (and {others} other reasons)" if others else ""
    raise NothingToScan(
        f"nothing to judge: {gaps[0].origin.resource}: {gaps[0].reason}{more}", _hint(gaps)
    )


def _hint(gaps: "list[Unreadable]") -> str:
    for gap in gaps:
        if gap.permission:
            return f"it needs: {gap.permission}"
        if gap.origin.collector == "kubernetes":
            return "try:  kubectl config get-contexts  and  kubectl --context NAME version"
    return _WHAT_IS_KNOWN


_WHAT_IS_KNOWN = (
    "a scan needs a kube-apiserver manifest, command line or configuration (kubeadm, k3s, RKE2), "
    "an audit policy, answers of Azure, AWS or Elasticsearch, a saved bundle, or a target that "
    "answers: kube:, aks:, eks: or elasticsearch+https:"
)
