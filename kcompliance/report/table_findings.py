"""The findings of a scan for people: those of one cause stand together, the worst first."""

from collections.abc import Iterable, Iterator

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kcompliance.model.finding import Evidence, Severity, Status
from kcompliance.model.verdict import Judged
from kcompliance.report.interface import Target
from kcompliance.report.printable import printable
from kcompliance.report.table_declarations import waiver_words
from kcompliance.sorted_records import SortedRecords
from kcompliance.waivers import STALE

__all__ = ["STATUS_ORDER", "STYLES", "TableFindings"]

STYLES = {
    Status.PASS: "green",
    Status.FAIL: "bold red",
    Status.MANUAL: "yellow",
    Status.NOT_APPLICABLE: "dim",
    Status.ERROR: "bold magenta",
}
STATUS_ORDER = (Status.ERROR, Status.FAIL, Status.MANUAL, Status.NOT_APPLICABLE, Status.PASS)
_SAID_OF_ALL = {
    Status.ERROR: "these could not look",
    Status.MANUAL: "these ask the same question",
}
_NEEDS_SOMEBODY = (Status.ERROR, Status.FAIL, Status.MANUAL)


class _Told(msgspec.Struct, kw_only=True):
    """A group of findings as it will be shown: all text is safe to print."""

    status: Status
    controls: dict[str, str]
    """Their titles by their ids."""
    place: str
    place_of_several: str
    """The same where there are several targets: with the name of its own."""
    because: str
    known: bool
    details: list[str]
    waiver: str | None
    waived_until: str | None
    question: str | None
    permission: str | None
    evidence: list[tuple[str, str]]
    """What is quoted, and the beginning of its digest."""
    notes: list[str]
    remedy: str | None


class TableFindings:
    """Findings as the table will show them.

    `verbose` shows passes with their evidence too, and what does not apply, which is else counted.
    With `new_only` fails that are known take a line each, as passes do.
    """

    def __init__(self, shown_from: Severity, *, verbose: bool, new_only: bool) -> None:
        self._shown_from = shown_from
        self._verbose = verbose
        self._new_only = new_only
        self._order: dict[str, int] = {}
        self._targets = 0
        self._blocks = SortedRecords()
        self._lines = SortedRecords()

    def add_target(self, target: Target) -> None:
        """Of what was read only the number of targets matters here."""
        self._targets += 1

    def add(self, judged: Iterable[Judged]) -> None:
        """Keep what is to be shown. Waived fails stand behind the others."""
        shown = []
        for item in judged:
            self._order.setdefault(item.control.id, len(self._order))
            if item.aspect.severity >= self._shown_from:
                shown.append(item)
        for group in _grouped(shown):
            first = group[0]
            key = (STATUS_ORDER.index(first.status), first.waived, self._order[first.control.id])
            forgiven = first.known and self._new_only
            if self._verbose or (first.status in _NEEDS_SOMEBODY and not forgiven):
                self._blocks.put(key, msgspec.json.encode(_told(group, verbose=self._verbose)))
            elif first.status is not Status.NOT_APPLICABLE:
                self._lines.put(key, msgspec.json.encode(_told(group, verbose=False)))

    def parts(self) -> Iterator[RenderableType]:
        """What needs somebody in blocks, and what is good in lines."""
        several = self._targets > 1
        for record in self._blocks:
            yield from (_block(_of(record), several=several), Text())
        line = None
        for record in self._lines:
            line = _line(_of(record), several=several)
            yield line
        if line is not None:
            yield Text()


def _grouped(shown: Iterable[Judged]) -> Iterable[list[Judged]]:
    """Of what the very same is to be said stands together.

    That is aspects of one control, and of all controls what one unreadable thing takes from them
    or one answer would settle.
    """
    groups: dict[tuple[object, ...], list[Judged]] = {}
    for item in shown:
        finding = item.finding
        control = "" if finding.status in _SAID_OF_ALL else item.control.id
        said = (finding.status, finding.resource, finding.because, finding.question, item.waiver)
        groups.setdefault((item.target, control, *said, item.known), []).append(item)
    return groups.values()


# --- what is kept --------------------------------------------------------------------------------


def _of(record: bytes) -> _Told:
    return msgspec.json.decode(record, type=_Told)


def _told(group: list[Judged], *, verbose: bool) -> _Told:
    """A question is told in short: there are many, and what it rests on is seldom asked."""
    item = group[0]
    finding = item.finding
    in_full = verbose or finding.status is not Status.MANUAL
    resource = finding.resource
    whose = resource if resource.startswith(item.target) else f"{item.target}: {resource}"
    return _Told(
        status=finding.status,
        controls={each.control.id: each.control.title for each in group},
        place=_safe(resource),
        place_of_several=_safe(whose),
        because=_safe(finding.because),
        known=item.known,
        details=_details(group),
        waiver=_safe(waiver_words(item.waiver.value)) if item.waiver else None,
        waived_until=str(item.waiver.value.expires) if item.waiver else None,
        question=_safe(finding.question or "") or None,
        permission=_safe(finding.permission or "") or None,
        evidence=[_quoted(each) for each in finding.evidence[: 5 if in_full else 0]],
        notes=[_safe(note) for note in finding.notes[:5]],
        remedy=_remedy(item) if in_full else None,
    )


def _safe(text: str) -> str:
    """Printable, and text that can be encoded: a name in the file system may be neither."""
    return printable(text).encode(errors="backslashreplace").decode()


def _details(group: list[Judged]) -> list[str]:
    item = group[0]
    details = [max(each.aspect.severity for each in group).value]
    one_control = len({each.control.id for each in group}) == 1
    if one_control and len(item.control.aspects) > 1:
        details += [each.aspect.title for each in group]
    if item.aspect.only_for:
        details.append(f"asked by {', '.join(item.aspect.only_for)} only")
    return details


def _quoted(evidence: Evidence) -> tuple[str, str]:
    quote = f": {evidence.quote}" if evidence.quote else ""
    text = f"{evidence.raw.origin.resource}  {evidence.location}{quote}"
    return _safe(text), evidence.raw.sha256[:12]


def _remedy(item: Judged) -> str | None:
    if item.status not in (Status.FAIL, Status.MANUAL):
        return None
    if item.control.id == STALE.id:
        return item.control.remediation
    return f"kcompliance controls show {item.control.id}"


# --- how it looks --------------------------------------------------------------------------------


def _block(told: _Told, *, several: bool) -> RenderableType:
    rows = Table.grid(padding=(0, 1, 0, 0))
    rows.add_column(no_wrap=True, style="cyan")
    rows.add_column(overflow="fold")
    rows.add_row("   = because:", Text(told.because))
    if told.waiver:
        rows.add_row("   = waived:", Text(told.waiver, "yellow"))
    if told.question:
        rows.add_row("   = question:", Text(told.question, "yellow"))
    if told.permission:
        rows.add_row("   = grant:", Text(told.permission))
    for quote, digest in told.evidence:
        rows.add_row("   = evidence:", Text(quote).append(f"  sha256 {digest}…", "dim"))
    for note in told.notes:
        rows.add_row("   = note:", Text(note))
    if told.remedy:
        rows.add_row("   = remedy:", Text(told.remedy))
    return Group(_head(told), _arrow(told, several=several), rows)


def _head(told: _Told) -> Text:
    text = Text(f"{told.status.value}[{', '.join(told.controls)}]", STYLES[told.status])
    together = _SAID_OF_ALL.get(told.status, "")
    title = next(iter(told.controls.values())) if len(told.controls) == 1 else together
    text.append(f" {title}", "bold default")
    if told.waived_until:
        text.append(f" [waived until {told.waived_until}]", "yellow")
    return text.append(" [known]", "dim") if told.known else text


def _place(told: _Told, *, several: bool) -> str:
    """The resource; among several targets, whose it is."""
    return told.place_of_several if several else told.place


def _arrow(told: _Told, *, several: bool) -> RenderableType:
    row = Table.grid(padding=(0, 1, 0, 0))
    row.add_column(no_wrap=True, style="cyan")
    row.add_column(overflow="fold")  # a name may be longer than a line
    place = Text(_place(told, several=several))
    row.add_row("  -->", place.append(f"  ({'; '.join(told.details)})", "dim"))
    return row


def _line(told: _Told, *, several: bool) -> Text:
    text = Text(f"{told.status.value}[{next(iter(told.controls))}]", STYLES[told.status])
    text.append(f" {_place(told, several=several)}: {told.because}", "default")
    return text.append(" [known]", "dim") if told.known else text
