"""Attestations and waivers in the report for people."""

from collections.abc import Iterable, Iterator

from rich.table import Table
from rich.text import Text

from kcompliance.model.finding import Status
from kcompliance.model.waiver import Attestation, DeclarationState, Waiver
from kcompliance.report.interface import Outcome
from kcompliance.report.printable import printable
from kcompliance.waivers import Reviewed

__all__ = ["declarations_table", "waived_line", "waiver_words"]

_STYLES = {
    DeclarationState.USED: "green",
    DeclarationState.UNUSED: "bold red",
    DeclarationState.EXPIRED: "bold red",
    DeclarationState.NOT_YET: "yellow",
    DeclarationState.OPEN: "bold magenta",
    DeclarationState.NOT_JUDGED: "dim",
}


def waiver_words(waiver: Waiver) -> str:
    """Until when a fail is waived, by whom and why."""
    return f"{_until(waiver)}: {printable(' '.join(waiver.reason.split()))}"


def waived_line(outcome: Outcome) -> Iterator[Text]:
    """How many of the fails are waived, until when and by whom; nothing where none is."""
    waived = outcome.tally.waived
    if not waived:
        return
    fails = outcome.tally.count(Status.FAIL)
    by_waiver = _by_waiver(outcome)
    text = Text("WAIVED: ", "yellow")
    total = f"{waived} of {fails} fails" if fails > 1 else "the only fail"
    if len(by_waiver) == 1:
        yield text.append(f"{total}, {_until(next(iter(by_waiver)))}", "bold default")
        return
    yield text.append(total, "bold default")
    for waiver, count in by_waiver.items():
        yield Text(f"  {count} {_until(waiver)}")


def _by_waiver(outcome: Outcome) -> dict[Waiver, int]:
    """In the order of the findings: by control."""
    order = [control.id for control in outcome.controls]
    met = outcome.tally.waivers.items()
    return dict(sorted(met, key=lambda item: order.index(item[0].control)))


def _until(waiver: Waiver) -> str:
    words = f"until {waiver.expires} by {waiver.owner}, approved by {waiver.approver}"
    return printable(words)


def declarations_table(reviewed: Iterable[Reviewed]) -> Table:
    """Each attestation and waiver of the scan, and what became of it."""
    table = Table(title="Attestations and waivers", title_justify="left", box=None, padding=(0, 1))
    for column in ("state", "what", "about", "by", "written in", "because"):
        table.add_column(column, overflow="fold")
    for item in reviewed:
        value = item.declared.value
        attestation = isinstance(value, Attestation)
        table.add_row(
            Text(item.state.value, _STYLES[item.state]),
            "attestation" if attestation else "waiver",
            Text(printable(value.about)),
            Text(printable(_who(value))),
            Text(printable(f"{item.declared.raw.origin.resource} line {value.line}")),
            Text(printable(item.because)),
        )
    return table


def _who(value: Attestation | Waiver) -> str:
    if isinstance(value, Attestation):
        return value.by
    return f"{value.owner}, {value.approver}"
