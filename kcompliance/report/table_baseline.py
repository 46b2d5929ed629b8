"""The comparison with a former scan in the report for people."""

from collections.abc import Iterator

from rich.text import Text

from kcompliance.model.finding import Status
from kcompliance.report.interface import Outcome
from kcompliance.report.printable import printable

__all__ = ["baseline_lines"]


def baseline_lines(outcome: Outcome) -> Iterator[Text]:
    """What is new since the baseline and what is mended; nothing without one."""
    if outcome.comparison is None:
        return
    known = outcome.tally.known
    new = outcome.tally.count(Status.FAIL) - known
    gone = outcome.comparison.no_longer()
    mended = sum(status is Status.PASS for status in gone.values())
    text = Text("BASELINE: ", "bold red" if new else "green")
    words = f"{new} new, {known} known, {mended} mended since {outcome.comparison.baseline.as_of}"
    if len(gone) > mended:
        words += f"; of {len(gone) - mended} that failed then nothing good is known now"
    yield text.append(printable(words), "bold default")
    if outcome.new_only and known:
        yield Text("known fails do not count for the exit code (--new-only)", "yellow")
