"""`approve` for people."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from kcompliance.model.approval.approved import ApprovedServerV1
from kcompliance.report.json_approve import ApprovalReport, TargetApproval
from kcompliance.report.json_scan import utc
from kcompliance.report.printable import printable

__all__ = ["table_of_approval"]


def table_of_approval(report: ApprovalReport) -> RenderableType:
    """What is approved, what that changes, and whether it was written."""
    lines = [line for target in report.targets for line in (*_target(target), "")]
    if report.written:
        lines.append(f"written to {report.lock}: commit it where it is reviewed")
    else:
        lines.append("nothing was written: leave out --dry-run")
    return Group(*(Text(printable(line)) for line in lines))


def _target(target: TargetApproval) -> Iterator[str]:
    now, before = target.now, target.before
    yield target.name
    yield f"  approved  by {now.approved_by} on {utc(now.approved_at)}"
    for label, value in (("reason", now.reason), ("commit", now.commit)):
        if value:
            yield f"  {label:<8}  {value}"
    for policy in now.policies:
        rules = len(policy.canonical.rules)
        counted = "1 rule" if rules == 1 else f"{rules} rules"
        yield f"  policy    {policy.name}: {counted}, sha256 {policy.sha256}"
    for server in now.servers:
        yield f"  server    {', '.join(server.names)}: {_server(server)}"
    for cloud in now.clouds:
        yield f"  cluster   {cloud.id}"
        for setting in cloud.settings:
            logs = f"{', '.join(setting.logs)} to " if setting.logs else ""
            yield f"    {setting.name}: {logs}{', '.join(setting.destinations)}"
    for store in now.stores:
        yield f"  store     {store.name}"
        for name, ways in store.governed.items():
            yield f"    {name}: {'; or '.join(', '.join(way) for way in ways)}"
        yield from (f"    {each.name}: sha256 {each.sha256}" for each in store.documents)
    yield from (f"  note      {note}" for note in target.notes)
    if before is None:
        yield "  changes   nothing of it was approved before"
        return
    since = f"what {before.approved_by} approved on {utc(before.approved_at)}"
    changes = target.changes.lines
    yield f"  changes   of {since}:{'' if changes else ' none'}"
    yield from (f"    {line}" for line in changes)


def _server(server: ApprovedServerV1) -> str:
    text = f"{len(server.flags)} audit settings"
    return f"{text}, posts to {server.webhook.server}" if server.webhook else text
