"""The scan for people: one block a finding, and a summary that cannot be taken for better."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kcompliance.model.finding import Evidence, Status
from kcompliance.model.verdict import Judged, item_verdicts, unanswered_items
from kcompliance.report.interface import ChosenFramework, Outcome
from kcompliance.report.printable import printable
from kcompliance.report.table_baseline import baseline_lines
from kcompliance.report.table_declarations import declarations_table, waived_line, waiver_words
from kcompliance.waivers import STALE

__all__ = ["STYLES", "render_table"]

STYLES = {
    Status.PASS: "green",
    Status.FAIL: "bold red",
    Status.MANUAL: "yellow",
    Status.NOT_APPLICABLE: "dim",
    Status.ERROR: "bold magenta",
}
_ORDER = (Status.ERROR, Status.FAIL, Status.MANUAL, Status.NOT_APPLICABLE, Status.PASS)
_SAID_OF_ALL = {
    Status.ERROR: "these could not look",
    Status.MANUAL: "these ask the same question",
}
_NEEDS_SOMEBODY = (Status.ERROR, Status.FAIL, Status.MANUAL)
_WORDS = {
    Status.PASS: "pass",
    Status.FAIL: "fail",
    Status.MANUAL: "manual",
    Status.ERROR: "error",
    Status.NOT_APPLICABLE: "not applicable",
}


def render_table(outcome: Outcome, *, verbose: bool) -> RenderableType:
    """What could not be seen, what is wrong and what is open first, then what is good.

    Waived fails stand behind the others.

    `verbose` shows passes with their evidence too, and what does not apply, which is else counted.
    """
    parts: list[RenderableType] = []
    lines: list[RenderableType] = []
    several = len(outcome.targets) > 1
    for group in _grouped(outcome):
        place = _place(group[0], with_target=several)
        known = outcome.is_known(group[0])
        if verbose or (
            group[0].finding.status in _NEEDS_SOMEBODY and not (known and outcome.new_only)
        ):
            parts += [_block(group, place, known=known, verbose=verbose), Text()]
        elif group[0].finding.status is not Status.NOT_APPLICABLE:
            lines.append(_line(group[0], place, known=known))
    if lines:
        parts += [*lines, Text()]
    for chosen in outcome.frameworks:
        parts += [_framework(chosen, outcome), Text()]
    if outcome.declarations:
        parts += [declarations_table(outcome.declarations), Text()]
    return Group(*parts, *_summary(outcome))


def _grouped(outcome: Outcome) -> list[list[Judged]]:
    """Of what the very same is to be said stands together.

    That is aspects of one control, and of all controls what one unreadable thing takes from them
    or one answer would settle.
    """
    groups: dict[tuple[object, ...], list[Judged]] = {}
    for item in sorted(outcome.shown, key=_rank):
        finding = item.finding
        control = "" if finding.status in _SAID_OF_ALL else item.control.id
        said = (finding.status, finding.resource, finding.because, finding.question, item.waiver)
        key = (item.target, control, *said, outcome.is_known(item))
        groups.setdefault(key, []).append(item)
    return list(groups.values())


def _rank(item: Judged) -> tuple[int, bool]:
    return _ORDER.index(item.finding.status), item.waiver is not None


def _block(group: list[Judged], place: str, *, known: bool, verbose: bool) -> RenderableType:
    """A question is told in short: there are many, and what it rests on is seldom asked."""
    item = group[0]
    finding = item.finding
    rows = Table.grid(padding=(0, 1, 0, 0))
    rows.add_column(no_wrap=True, style="cyan")
    rows.add_column(overflow="fold")
    rows.add_row("   = because:", Text(printable(finding.because)))
    if item.waiver:
        rows.add_row("   = waived:", Text(waiver_words(item.waiver.value), "yellow"))
    if finding.question:
        rows.add_row("   = question:", Text(printable(finding.question), "yellow"))
    if finding.permission:
        rows.add_row("   = grant:", Text(printable(finding.permission)))
    in_full = verbose or finding.status is not Status.MANUAL
    for evidence in finding.evidence[: 5 if in_full else 0]:
        rows.add_row("   = evidence:", _evidence(evidence))
    for note in finding.notes[:5]:
        rows.add_row("   = note:", Text(printable(note)))
    if finding.status in (Status.FAIL, Status.MANUAL) and in_full:
        built_in = item.control.id == STALE.id
        show = f"kcompliance controls show {item.control.id}"
        rows.add_row("   = remedy:", Text(item.control.remediation if built_in else show))
    return Group(_head(group, known=known), _arrow(group, place), rows)


def _head(group: list[Judged], *, known: bool) -> Text:
    status = group[0].finding.status
    controls = {item.control.id: item.control.title for item in group}
    text = Text(f"{status.value}[{', '.join(controls)}]", STYLES[status])
    together = _SAID_OF_ALL.get(status, "")
    title = next(iter(controls.values())) if len(controls) == 1 else together
    text.append(f" {title}", "bold default")
    waiver = group[0].waiver
    if waiver:
        text.append(f" [waived until {waiver.value.expires}]", "yellow")
    return text.append(" [known]", "dim") if known else text


def _place(item: Judged, *, with_target: bool) -> str:
    """The resource; among several targets, whose it is."""
    resource = item.finding.resource
    if with_target and not resource.startswith(item.target):
        resource = f"{item.target}: {resource}"
    return printable(resource)


def _arrow(group: list[Judged], place: str) -> RenderableType:
    item = group[0]
    details = [max(each.aspect.severity for each in group).value]
    one_control = len({each.control.id for each in group}) == 1
    if one_control and len(item.control.aspects) > 1:
        details += [each.aspect.title for each in group]
    if item.aspect.only_for:
        details.append(f"asked by {', '.join(item.aspect.only_for)} only")
    row = Table.grid(padding=(0, 1, 0, 0))
    row.add_column(no_wrap=True, style="cyan")
    row.add_column(overflow="fold")  # a name may be longer than a line
    row.add_row("  -->", Text(place).append(f"  ({'; '.join(details)})", "dim"))
    return row


def _evidence(evidence: Evidence) -> Text:
    text = Text(printable(f"{evidence.raw.origin.resource}  {evidence.location}"))
    if evidence.quote:
        text.append(printable(f": {evidence.quote}"))
    return text.append(f"  sha256 {evidence.raw.sha256[:12]}…", "dim")


def _line(item: Judged, place: str, *, known: bool) -> Text:
    finding = item.finding
    text = Text(f"{finding.status.value}[{item.control.id}]", STYLES[finding.status])
    text.append(f" {place}: {printable(finding.because)}", "default")
    return text.append(" [known]", "dim") if known else text


def _framework(chosen: ChosenFramework, outcome: Outcome) -> RenderableType:
    version = f" {chosen.version}" if chosen.version else ""
    table = Table(
        title=f"{chosen.framework.title}{version}", title_justify="left", box=None, padding=(0, 1)
    )
    for column in ("item", "verdict", "title"):
        table.add_column(column, overflow="fold")
    verdicts = item_verdicts(chosen.framework, chosen.version, outcome.judged)
    for verdict in verdicts:
        status = Text(verdict.status.value, STYLES[verdict.status])
        status.append(" (waived)" if verdict.waived else "", "yellow")
        table.add_row(verdict.item.id, status, verdict.item.title)
    for item in unanswered_items(chosen.framework, chosen.version, verdicts):
        table.add_row(item.id, Text("no control", "dim"), item.title)
    return table


# --- the summary ---------------------------------------------------------------------------------


def _summary(outcome: Outcome) -> Iterator[Text]:
    """What could not be seen stands before what was."""
    errors, manuals = outcome.count(Status.ERROR), outcome.count(Status.MANUAL)
    if errors:
        text = Text("INCOMPLETE: ", STYLES[Status.ERROR])
        yield text.append(
            f"{_counted(errors, 'thing')} could not be seen, and no verdict covers that",
            "bold default",
        )
    if manuals:
        questions = "1 question needs" if manuals == 1 else f"{manuals} questions need"
        yield Text(f"UNANSWERED: {questions} a human", STYLES[Status.MANUAL])
    yield from waived_line(outcome)
    yield from baseline_lines(outcome)
    if not outcome.judged:
        yield Text("NOTHING CHECKED: no control was chosen", STYLES[Status.ERROR])
    hidden = len(outcome.judged) - len(outcome.shown)
    if hidden:
        below = outcome.shown_from.value
        words = f"{_counted(hidden, 'finding')} below {below}: not shown here, but counted"
        yield Text(words, "dim")
    for control, given in outcome.parameters.items():
        for name, value in given.items():
            yield Text(printable(f"not the default: {control}.{name} = {value}"), "yellow")
    yield _counts(outcome)


def _counts(outcome: Outcome) -> Text:
    controls = len(outcome.controls)
    findings = len(outcome.judged)
    text = Text(f"{_counted(controls, 'control')}, {_counted(findings, 'finding')}: ")
    waived, attested = len(outcome.waived), len(outcome.attested)
    of_which = {
        Status.FAIL: f"{waived} waived" if waived else "",
        Status.PASS: f"{attested} attested" if attested else "",
    }
    counts = [(status, outcome.count(status)) for status in _ORDER]
    for index, (status, count) in enumerate(counts):
        text.append(", " if index else "")
        text.append(f"{count} {_WORDS[status]}", STYLES[status] if count else "dim")
        if of_them := of_which.get(status):
            text.append(f" ({of_them})", "yellow")
    return text


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
