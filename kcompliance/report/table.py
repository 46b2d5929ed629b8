"""The scan for people: one block a finding, and a summary that cannot be taken for better."""

from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from kcompliance.model.finding import Status
from kcompliance.model.verdict import item_verdicts, unanswered_items
from kcompliance.report.interface import ChosenFramework, Outcome
from kcompliance.report.printable import printable
from kcompliance.report.table_baseline import baseline_lines
from kcompliance.report.table_declarations import declarations_table, waived_line
from kcompliance.report.table_findings import STATUS_ORDER, STYLES, TableFindings

__all__ = ["render_table"]

_WORDS = {
    Status.PASS: "pass",
    Status.FAIL: "fail",
    Status.MANUAL: "manual",
    Status.ERROR: "error",
    Status.NOT_APPLICABLE: "not applicable",
}


def render_table(outcome: Outcome, kept: TableFindings) -> Iterator[RenderableType]:
    """What could not be seen, what is wrong and what is open first, then what is good.

    In parts, one below the other, so that findings of many clusters are never held at once.
    """
    yield from kept.parts()
    for chosen in outcome.frameworks:
        yield from (_framework(chosen, outcome), Text())
    if outcome.declarations:
        yield from (declarations_table(outcome.declarations), Text())
    yield from _summary(outcome)


def _framework(chosen: ChosenFramework, outcome: Outcome) -> RenderableType:
    version = f" {chosen.version}" if chosen.version else ""
    table = Table(
        title=f"{chosen.framework.title}{version}", title_justify="left", box=None, padding=(0, 1)
    )
    for column in ("item", "verdict", "title"):
        table.add_column(column, overflow="fold")
    verdicts = item_verdicts(chosen.framework, chosen.version, outcome.tally.verdicts)
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
    errors, manuals = outcome.tally.count(Status.ERROR), outcome.tally.count(Status.MANUAL)
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
    if not outcome.tally.total:
        yield Text("NOTHING CHECKED: no control was chosen", STYLES[Status.ERROR])
    hidden = outcome.tally.below(outcome.shown_from)
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
    tally = outcome.tally
    text = Text(f"{_counted(controls, 'control')}, {_counted(tally.total, 'finding')}: ")
    of_which = {
        Status.FAIL: f"{tally.waived} waived" if tally.waived else "",
        Status.PASS: f"{tally.attested} attested" if tally.attested else "",
    }
    counts = [(status, tally.count(status)) for status in STATUS_ORDER]
    for index, (status, count) in enumerate(counts):
        text.append(", " if index else "")
        text.append(f"{count} {_WORDS[status]}", STYLES[status] if count else "dim")
        if of_them := of_which.get(status):
            text.append(f" ({of_them})", "yellow")
    return text


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
