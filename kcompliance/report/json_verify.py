"""A verification as JSON, `kcompliance/verify/v1`: its own types, so that ours may change."""

import json
from datetime import datetime

import msgspec

from kcompliance import __version__
from kcompliance.archive.verify import Gap, OutsideMemory, Verification, VerifiedStream
from kcompliance.ledger import Fault, format_time

__all__ = ["VERIFY_SCHEMA", "VerifyReport", "render_verify"]

VERIFY_SCHEMA = "kcompliance/verify/v1"
_BOUNDS = {"start": "from", "end": "to"}


class VerifierV1(msgspec.Struct, kw_only=True):
    """What verified."""

    name: str
    version: str


class VerifiedCheckpointV1(msgspec.Struct, kw_only=True):
    """The last checkpoint that was believed: what to pin next; `root` in hex."""

    n: int
    size: int
    root: str
    time: str | None


class OutsideMemoryV1(msgspec.Struct, kw_only=True):
    """What something outside the archive says of it.

    `kind` is pin, worm, tsa or witness; `result` is fits, contradicts, not-compared (what it
    remembers could not be read, or confirms nothing) or not-checked (by this version).
    """

    kind: str
    result: str
    detail: str


class GapV1(msgspec.Struct, kw_only=True, rename=_BOUNDS):
    """What no window covers: times, or the offsets of a file."""

    start: str | None
    end: str | None
    detail: str


class StreamV1(msgspec.Struct, kw_only=True, rename=_BOUNDS):
    """What is archived of a stream; `windows` counts them, `docs` their events."""

    name: str
    start: str | None
    end: str | None
    windows: int
    docs: int
    gaps: list[GapV1]


class CheckedV1(msgspec.Struct, kw_only=True):
    """What was read to its last byte and is as recorded; `docs` are events in such segments."""

    objects: int
    bytes: int
    docs: int


class VerifyFindingV1(msgspec.Struct, kw_only=True, rename=_BOUNDS):
    """One finding; `caused_by` names the object whose own finding brought it about."""

    code: str
    severity: str
    object: str | None
    stream: str | None
    start: str | None
    end: str | None
    detail: str
    caused_by: str | None


class VerifyReport(msgspec.Struct, kw_only=True):
    """The whole document; `subset` is n/t at level 2, and null at all others."""

    schema: str
    tool: VerifierV1
    archive: str
    origin: str | None
    level: int
    subset: str | None
    live: bool
    as_of: str
    exit_code: int
    checkpoint: VerifiedCheckpointV1 | None
    outside_memory: list[OutsideMemoryV1]
    streams: list[StreamV1]
    checked: CheckedV1
    findings: list[VerifyFindingV1]


def render_verify(found: Verification) -> str:
    """One JSON document, ending with a line feed."""
    document = msgspec.to_builtins(_report(found))
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _report(found: Verification) -> VerifyReport:
    request, checkpoint = found.request, found.checkpoint
    return VerifyReport(
        schema=VERIFY_SCHEMA,
        tool=VerifierV1(name="kcompliance", version=__version__),
        archive=found.archive,
        origin=found.origin,
        level=request.level,
        subset=None if request.subset is None else str(request.subset),
        live=request.live,
        as_of=format_time(request.as_of),
        exit_code=int(found.exit_code),
        checkpoint=None
        if checkpoint is None
        else VerifiedCheckpointV1(
            n=checkpoint.number,
            size=checkpoint.size,
            root=checkpoint.root.hex(),
            time=_time(checkpoint.time),
        ),
        outside_memory=[_memory(each) for each in found.outside_memory],
        streams=[_stream(each) for each in found.streams],
        checked=CheckedV1(
            objects=found.checked.objects, bytes=found.checked.bytes, docs=found.checked.docs
        ),
        findings=[_finding(each) for each in found.findings],
    )


def _memory(memory: OutsideMemory) -> OutsideMemoryV1:
    return OutsideMemoryV1(kind=memory.kind, result=memory.result.value, detail=memory.detail)


def _stream(stream: VerifiedStream) -> StreamV1:
    return StreamV1(
        name=stream.name,
        start=_time(stream.start),
        end=_time(stream.end),
        windows=stream.windows,
        docs=stream.docs,
        gaps=[_gap(each) for each in stream.gaps],
    )


def _gap(gap: Gap) -> GapV1:
    return GapV1(start=gap.start, end=gap.end, detail=gap.detail)


def _finding(fault: Fault) -> VerifyFindingV1:
    return VerifyFindingV1(
        code=fault.code.value,
        severity=fault.code.severity.value,
        object=fault.object,
        stream=fault.stream,
        start=fault.start,
        end=fault.end,
        detail=fault.detail,
        caused_by=fault.caused_by,
    )


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else format_time(moment)
