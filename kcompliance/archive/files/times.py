"""When events happened, out of their lines.

Only the event's own fields count, never those of the objects within it, which clients write. An
event may say anything: a time before there was Kubernetes, or after tomorrow, is none.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec

from kcompliance.model.audit_event import AuditEvent, events_in

__all__ = ["Span", "span_of"]

Span = tuple[datetime | None, datetime | None]
"""The least and the greatest time; both None where no line has any."""

_Moment = Annotated[datetime, msgspec.Meta(tz=True)]
_NOTHING: Final = (None, None)
_MOST_DECODED: Final = 4 * 1024 * 1024
"""What a line decodes to takes many times its size."""
_EARLIEST: Final = datetime(2014, 6, 1, tzinfo=UTC)


class _Times(msgspec.Struct, gc=False):
    """All else of a line is passed over, about 1 GB/s."""

    received: _Moment | None = msgspec.field(default=None, name="requestReceivedTimestamp")
    recorded: _Moment | None = msgspec.field(default=None, name="time")
    """Of a record of Azure Monitor."""
    stage: _Moment | None = msgspec.field(default=None, name="stageTimestamp")

    @property
    def time(self) -> datetime | None:
        """The first of them that is there."""
        return self.received or self.recorded or self.stage


_DECODER: Final = msgspec.json.Decoder(_Times)
_JUNK: Final = (ValueError, RecursionError)


def span_of(lines: bytes, count: int, latest: datetime) -> Span:
    """The times of `count` whole lines, none of them blank, as far as they have any."""
    try:
        # NOTE: this knows no line ends, so that a broken line might take the next one with it.
        times = [each.time for each in _DECODER.decode_lines(lines)]
    except _JUNK:
        times = []
    if len(times) != count or None in times:
        times = [_time_of(line) for line in lines.split(b"\n") if line]
    plausible = [each for each in times if each is not None and _EARLIEST <= each <= latest]
    if not plausible:
        return _NOTHING
    return min(plausible).astimezone(UTC), max(plausible).astimezone(UTC)


def _time_of(line: bytes) -> datetime | None:
    try:
        time = _DECODER.decode(line).time
    except _JUNK:
        time = None
    return time or _wrapped_time(line)


def _wrapped_time(line: bytes) -> datetime | None:
    """Of an event in some shipper's wrapping, or of one of whose times another is junk."""
    if len(line) > _MOST_DECODED:
        return None
    try:
        data = msgspec.json.decode(line)
    except _JUNK:
        return None
    return _first_time(
        text
        for event in events_in(data)
        if isinstance(event, AuditEvent)
        for text in (event.received, event.stage_time)
        if text is not None
    )


def _first_time(texts: Iterable[str]) -> datetime | None:
    for text in texts:
        try:
            return msgspec.convert(text, _Moment)
        except _JUNK:
            continue
    return None
