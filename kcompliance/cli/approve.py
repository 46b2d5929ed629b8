"""`kcompliance approve`."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kcompliance.cli.actor import default_actor
from kcompliance.cli.command_config import CommandConfig
from kcompliance.cli.target_options import NodeName, NodeRoot, PlatformOption, chosen_node
from kcompliance.cli.terminal import (
    Format,
    FormatOption,
    ProgressOption,
    ProgressStyle,
    progress,
    put,
    put_table,
)
from kcompliance.errors import ExitCode, KcomplianceError, NothingToScan, UsageError
from kcompliance.model.control import Platform

if TYPE_CHECKING:
    from kcompliance.checks.approvable import Approvable
    from kcompliance.collect.interface import Collection
    from kcompliance.model.approval.approved import ApprovedTargetV1
    from kcompliance.model.finding import Finding
    from kcompliance.report.json_approve import ApprovalReport, TargetApproval

__all__ = ["approve"]

_LONGEST = 1000
_MOST_TOLD = 10


class NotApproved(KcomplianceError):
    """What is to be approved cannot be seen, or not surely."""

    exit_code = ExitCode.INCOMPLETE

    @property
    def code(self) -> str:
        """A stable name for machines."""
        return "not-approved"


class ServerRefuses(NotApproved):
    """No kube-apiserver starts with what was given."""

    exit_code = ExitCode.FINDINGS


def approve(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TARGET",
            help="As for scan: a file, a folder, a saved bundle, -, kube[:CONTEXT], "
            "aks:RESOURCE_ID, aks:subscription/ID, eks:REGION/NAME, eks:ARN, "
            "elasticsearch+https://HOST/PATTERN, or @NAME from kcompliance.yaml. Name it as the "
            "scans will.",
            show_default=False,
        ),
    ] = None,
    config: CommandConfig = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where approvals are kept; else kcompliance.lock beside the configuration, else "
            "in this folder. Those of other targets stay in it.",
            envvar="KCOMPLIANCE_APPROVED",
        ),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Who approves; the user and the machine if left out.",
            envvar="KCOMPLIANCE_BY",
        ),
    ] = None,
    reason: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="Why, such as the number of the change.",
            envvar="KCOMPLIANCE_REASON",
        ),
    ] = None,
    commit: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="The commit that was reviewed.",
            envvar=["KCOMPLIANCE_COMMIT", "CI_COMMIT_SHA", "GITHUB_SHA"],
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be approved, and write nothing.")
    ] = False,
    platform: PlatformOption = None,
    node_root: NodeRoot = None,
    node_name: NodeName = None,
    format_: FormatOption = Format.TABLE,
    progress_style: ProgressOption = ProgressStyle.AUTO,
) -> None:
    """Approve of how the audit trail of a cluster is kept, as it is now.

    Of a cluster of one's own that are audit policy, flags and webhook; of AKS the diagnostic
    settings, of EKS the logging of its control plane and the subscription filters; of a declared
    store the policies and ingest pipelines that govern its indices.

    Writes them to kcompliance.lock, with which every later scan compares (KC-PRO-002), and shows
    what that changes of what was approved before. Keep the file in a repository with review, never
    on the cluster. Only reads, never writes to a target.

    Examples:

      kcompliance approve @prod --reason CHG-1234 --out kcompliance.lock

      kcompliance approve eks:eu-central-1/prod --by jo@example.org

      kcompliance approve evidence/ --by jo@example.org --dry-run

    Exit codes: 0 approved, or shown with --dry-run, 1 kube-apiserver does not start with what was
    given, 3 something of it could not be read, found or told apart, 2 usage or a lock that cannot
    be understood, 4 nothing at all could be read. Nothing is written unless it is 0.
    """
    report = _approve(
        _Asked(
            targets=tuple(targets or ()),
            config=config,
            out=out,
            by=_one_line("--by", by) or default_actor(),
            reason=_one_line("--reason", reason),
            commit=_one_line("--commit", commit),
            dry_run=dry_run,
            platform=platform,
            node_root=node_root,
            node_name=node_name,
            progress=progress_style,
        )
    )
    if format_ is Format.JSON:
        from kcompliance.report.json_approve import render_approve

        put(render_approve(report))
    else:
        from kcompliance.report.table_approve import table_of_approval

        put_table(table_of_approval(report), wrap=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What the user asked of `approve`."""

    targets: tuple[str, ...]
    config: Path | None
    out: Path | None
    by: str
    reason: str | None
    commit: str | None
    dry_run: bool
    platform: Platform | None
    node_root: str | None
    node_name: str | None
    progress: ProgressStyle


def _one_line(option: str, text: str | None) -> str | None:
    """What a person wrote, if it is a line that a file and a report can hold."""
    text = (text or "").strip()
    if len(text) > _LONGEST or not text.isprintable():
        raise UsageError(f"{option} is not a line of at most {_LONGEST} printable characters")
    return text or None


def _approve(asked: _Asked) -> "ApprovalReport":
    """Collect, look, compare, write."""
    from kcompliance.cli.approved_lock import lock_at
    from kcompliance.cli.config import read_config
    from kcompliance.collect.targets import collect
    from kcompliance.model.approval.approved import APPROVED_FILE, WrongLock, read_lock, write_lock
    from kcompliance.report.json_approve import ApprovalReport

    config = read_config(asked.config)
    folder = config.path.parent if config.path is not None else Path()
    out = asked.out or folder / APPROVED_FILE
    now = datetime.now(UTC).replace(microsecond=0)
    lock = lock_at(out, now)
    before = lock.targets if lock is not None else {}
    node = chosen_node(asked.targets, asked.node_root, asked.node_name)
    with progress(asked.progress) as tell:
        found = _look(collect(asked.targets, config.targets, asked.platform, now, tell, node))
    report = ApprovalReport(
        lock=str(out),
        written=not asked.dry_run,
        targets=tuple(
            _target(asked, name, each, before.get(name), now) for name, each in found.items()
        ),
    )
    text = write_lock({**before, **{each.name: each.now for each in report.targets}})
    try:
        read_lock(text.encode())  # so that no scan finds a lock that it cannot read
    except (WrongLock, UnicodeEncodeError) as error:
        raise NotApproved(f"nothing was approved: the lock would not hold: {error}") from error
    if not asked.dry_run:
        put(text, out)
    return report


def _target(
    asked: _Asked,
    name: str,
    found: "Approvable",
    before: "ApprovedTargetV1 | None",
    now: datetime,
) -> "TargetApproval":
    from kcompliance.model.approval.approved import ApprovedTargetV1
    from kcompliance.model.approval.difference import ApprovalChanges, compare_approvals
    from kcompliance.report.json_approve import TargetApproval

    approved = ApprovedTargetV1(
        approved_at=now,
        approved_by=asked.by,
        commit=asked.commit,
        reason=asked.reason,
        policies=found.policies,
        servers=found.servers,
        clouds=found.clouds,
        stores=found.stores,
    )
    changes = compare_approvals(before, approved) if before else ApprovalChanges()
    return TargetApproval(
        name=name, now=approved, before=before, changes=changes, notes=found.notes
    )


def _look(collection: "Collection") -> "dict[str, Approvable]":
    """What of each target can be approved; raises where that is not all of it."""
    from kcompliance.checks.approvable import Approvable, approvable
    from kcompliance.model.assemble import assemble

    found: dict[str, Approvable] = {}
    obstacles: list[Finding] = []
    anything = False
    for target in collection.targets:
        _refuse_name(target.name, found)
        cluster = assemble(target.name, target.captures, target.platform)
        anything = anything or bool(cluster.policies or cluster.api_servers or cluster.texts)
        answer = approvable(cluster)
        if isinstance(answer, Approvable):
            found[target.name] = answer
        else:
            obstacles += answer
    if obstacles:
        raise _obstacle(obstacles, anything=anything)
    return found


def _refuse_name(name: str, found: "dict[str, Approvable]") -> None:
    if name in found:
        raise UsageError(
            f'two targets are called "{name}", and one approval cannot be of both',
            "approve them one by one, each into a file of its own",
        )
    try:
        name.encode()
    except UnicodeEncodeError:
        raise UsageError(
            "the name of a target is no text, so no lock can hold it", "rename the file"
        ) from None


def _obstacle(obstacles: "list[Finding]", *, anything: bool) -> KcomplianceError:
    """All that stands in the way, as one error."""
    from kcompliance.model.finding import Status

    told = [f"{each.resource}: {each.because}" for each in obstacles[:_MOST_TOLD]]
    more = len(obstacles) - len(told)
    message = f"nothing was approved: {'; '.join(told)}" + (f"; and {more} more" if more else "")
    granted = next((each.permission for each in obstacles if each.permission), None)
    question = next((each.question for each in obstacles if each.question), None)
    hint = f"it needs: {granted}" if granted else question
    if any(each.status is Status.FAIL for each in obstacles):
        return ServerRefuses(message, hint)
    if not anything:
        return NothingToScan(message, hint)
    return NotApproved(message, hint)
