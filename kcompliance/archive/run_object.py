"""`run/<run uuid>.json`: what a run was about to do, signed, put before its first upload.

It explains the objects that a run leaves when it dies before its commit: nobody without the key
can pass an object off as one of those. The object is the canonical JSON (RFC 8785) of
`{"run": …, "signatures": [line…]}`. What is signed is the signed note (https://c2sp.org/signed-note)
whose text is the canonical JSON of `run` and a line feed; the lines are its signature lines.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from kcompliance.archive.interface import Window
from kcompliance.ledger import (
    MAX_RECORD_BYTES,
    KeyRing,
    Refused,
    RunReference,
    Signer,
    StreamName,
    canonical_bytes,
    format_time,
    parse_canonical,
    parse_note,
    parse_stream_name,
    parse_time,
    sign_note,
)
from kcompliance.ledger.canonical import JsonObject
from kcompliance.ledger.names import parse_uuid
from kcompliance.model.digest import sha256

__all__ = [
    "MAX_RUN_BYTES",
    "Intent",
    "WindowRange",
    "ranges_of",
    "read_intent",
    "reference_to",
    "write_intent",
]

MAX_RUN_BYTES = MAX_RECORD_BYTES
"""Of a run object; the windows of a run that has more are divided among several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRange:
    """Windows that follow each other, `[start, end)`; both None: events without a time.

    For files, whose windows have no time before they are read, there is one of both None.
    """

    start: datetime | None
    end: datetime | None

    def holds(self, window_start: datetime | None) -> bool:
        """Whether a window that begins then is one of these."""
        if self.start is None or self.end is None:
            return True
        return window_start is not None and self.start <= window_start < self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What a run, up to its one commit, is about to archive."""

    id: UUID
    origin: str
    stream: StreamName | None
    """None: a run that writes no events (a heartbeat, a change of keys)."""
    windows: tuple[WindowRange, ...]
    time: datetime
    actor: str
    tool: str


def ranges_of(windows: Sequence[Window]) -> tuple[WindowRange, ...]:
    """The windows, those that follow each other as one range."""
    ranges: list[WindowRange] = []
    for window in windows:
        last = ranges[-1] if ranges else None
        if last is not None and last.end is not None and last.end == window.start:
            ranges[-1] = WindowRange(start=last.start, end=window.end)
        else:
            ranges.append(WindowRange(start=window.start, end=window.end))
    return tuple(dict.fromkeys(ranges))


def write_intent(intent: Intent, signers: Sequence[Signer]) -> bytes:
    """The bytes of the object."""
    run = _to_json(intent)
    note = sign_note(canonical_bytes(run) + b"\n", signers)
    lines = [line.decode() for line in note.rpartition(b"\n\n")[2].splitlines()]
    return canonical_bytes({"run": run, "signatures": lines})


def read_intent(data: bytes, *, keys: KeyRing, origin: str | None = None) -> Intent | Refused:
    """The intent, if one of these keys signed it for this archive, whatever size it may sign.

    A key that was replaced later has signed the intents of its time. Without `origin` that of an
    archive is good too which these keys (their public parts) began and lost to another writer.
    """
    document = parse_canonical(data, limit=MAX_RUN_BYTES)
    if isinstance(document, Refused):
        return document
    run, lines = document.get("run"), document.get("signatures")
    if not isinstance(run, dict) or not isinstance(lines, list) or len(document) != 2:
        return Refused("not exactly run and signatures")
    text = canonical_bytes(run) + b"\n"
    signatures = "".join(f"{line}\n" for line in lines)
    note = parse_note(text + b"\n" + signatures.encode(errors="replace"))
    if isinstance(note, Refused):
        return note
    intent = _from_json(run)
    if intent is None or origin not in {None, intent.origin}:
        return Refused("not the intent of a run of this archive")
    named = [replace(each.key, name=intent.origin) for each in keys.keys]
    signed = any(
        (key.name, key.id) == (line.name, line.key_id) and key.verifies(note.text, line.signature)
        for line in note.signatures
        for key in named
    )
    return intent if signed else Refused("no trusted key signed it")


def reference_to(intent: Intent, data: bytes) -> RunReference:
    """How a commit names this object."""
    return RunReference(id=intent.id, size=len(data), sha256=sha256(data))


def _to_json(intent: Intent) -> JsonObject:
    return {
        "type": "run",
        "v": 1,
        "id": str(intent.id),
        "origin": intent.origin,
        "stream": intent.stream,
        "windows": [
            {"from": _time_text(each.start), "to": _time_text(each.end)} for each in intent.windows
        ],
        "time": format_time(intent.time),
        "actor": intent.actor,
        "tool": intent.tool,
    }


def _from_json(run: JsonObject) -> Intent | None:
    try:
        return _strictly_from_json(run)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _strictly_from_json(run: JsonObject) -> Intent | None:
    windows = tuple(
        WindowRange(start=_read_time(each["from"]), end=_read_time(each["to"]))
        for each in run["windows"]
    )
    id_, time = parse_uuid(run["id"]), parse_time(run["time"])
    stream = None if run["stream"] is None else parse_stream_name(run["stream"])
    if id_ is None or time is None or (stream is None) != (run["stream"] is None):
        return None
    intent = Intent(
        id=id_,
        origin=run["origin"],
        stream=stream,
        windows=windows,
        time=time,
        actor=run["actor"],
        tool=run["tool"],
    )
    return intent if _to_json(intent) == run else None


def _time_text(moment: datetime | None) -> str | None:
    return None if moment is None else format_time(moment)


def _read_time(text: str | None) -> datetime | None:
    time = None if text is None else parse_time(text)
    if text is not None and time is None:
        raise ValueError(text)
    return time
