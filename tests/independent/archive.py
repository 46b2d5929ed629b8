"""A whole archive: what is wrong with it, and the events that it holds."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.independent.coverage import holes
from tests.independent.log import Log, read_log
from tests.independent.notes import read_note
from tests.independent.segments import content_of, lines_of
from tests.independent.tree import leaf_hash, root
from tests.independent.trust import Trust
from tests.independent.words import Bad, canonical, kind_of, moment, parse

__all__ = ["Verdict", "events", "verify"]

_CLOCKS = timedelta(minutes=5)
_GRACE = timedelta(hours=1)
_RUN = {"type", "v", "id", "origin", "stream", "windows", "time", "actor", "tool"}


@dataclass
class Verdict:
    """Good where there are no problems at all."""

    grave: list[str] = field(default_factory=list)
    """It was tampered with, or is corrupt."""
    open: list[str] = field(default_factory=list)
    """It is incomplete, or nobody vouches for it."""

    @property
    def exit_code(self) -> int:
        return 1 if self.grave else 3 if self.open else 0


@dataclass
class _Archive:
    """What lies in a folder, and what its log says."""

    objects: dict[str, bytes]
    ages: dict[str, datetime]
    log: Log
    verdict: Verdict
    named: set[str] = field(default_factory=set)
    """The objects that are explained."""


def verify(folder: Path, trust: Trust | None, as_of: datetime) -> Verdict:
    """Judge an archive, with all that is known of it, at a moment."""
    archive = _read(folder, trust)
    _check_objects(archive)
    _check_strangers(archive, as_of)
    _check_streams(archive)
    _check_trust(archive, trust, as_of)
    verdict, log = archive.verdict, archive.log
    verdict.grave += log.grave
    verdict.open += log.unknown
    return verdict


def events(folder: Path, trust: Trust | None, stream: str) -> Iterator[bytes]:
    """The lines of a stream, window by window as they begin; Bad for a bad segment."""
    archive = _read(folder, trust)
    windows = [
        each
        for each in archive.log.records
        if each["type"] == "window" and each["stream"] == stream
    ]
    segments = {
        each["sha256"]: each
        for each in archive.log.records
        if each["type"] == "segment" and each["stream"] == stream
    }
    for window in sorted(windows, key=_order):
        for digest in window["segments"]:
            record = segments[digest]
            yield from lines_of(record, archive.objects[record["key"]])


def _order(window: dict[str, Any]) -> tuple[bool, Any, int]:
    """Ranges of a file by their bytes, all else by time; what has neither comes last."""
    part = window["partitions"][0] if window["partitions"] else {}
    if "file" in part:
        return False, (part["file"], part["start"]), 0
    return window["from"] is None, (window["from"] or "", 0), window["rev"]


# --- reading ----------------------------------------------------------------------------------


def _read(folder: Path, trust: Trust | None) -> _Archive:
    objects, ages, verdict = {}, {}, Verdict()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            verdict.grave.append(f"{name}: no regular file")
        elif path.is_file() and not path.name.startswith(".partial-"):
            objects[name] = path.read_bytes()
            ages[name] = datetime.fromtimestamp(os.lstat(path).st_mtime, UTC)
    log = read_log(objects, trust.origin if trust else None, list(trust.keys) if trust else [])
    named = {name for each in log.commits for name in (each.name, each.batch.name)} | log.told
    return _Archive(objects, ages, log, verdict, named)


# --- objects ----------------------------------------------------------------------------------


def _check_objects(archive: _Archive) -> None:
    for record in archive.log.records:
        if record["type"] == "commit":
            _check(archive, f"run/{record['run']['id']}.json", record["run"], "run")
        if record["type"] in {"segment", "metadata"}:
            _check(archive, record["key"], record, record["type"])
    for record in archive.log.records:
        for left in record["objects"] if record["type"] == "abandoned" else []:
            if left["key"] in archive.objects and left["key"] not in archive.named:
                _check(archive, left["key"], left, "abandoned")


def _check(archive: _Archive, key: str, record: dict[str, Any], kind: str) -> None:
    archive.named.add(key)
    data = archive.objects.get(key)
    try:
        if data is None:
            raise Bad("it is not there")
        if (len(data), hashlib.sha256(data).hexdigest()) != (record["size"], record["sha256"]):
            raise Bad("other bytes than were recorded")
        if kind == "segment":
            lines_of(record, data)
        elif kind == "metadata":
            content_of(record, data)
        elif kind == "run":
            _check_run(archive.log, data, record["id"])
    except Bad as error:
        archive.verdict.grave.append(f"{key}: {error}")


def _check_run(log: Log, data: bytes, id_: str) -> None:
    """A key that was ever trusted signed the intent of this very run."""
    document = parse(data)
    run, lines = document.get("run"), document.get("signatures")
    if document.keys() != {"run", "signatures"} or not isinstance(lines, list):
        raise Bad("no run object")
    if (
        not isinstance(run, dict)
        or run.keys() != _RUN
        or not all(isinstance(x, str) for x in lines)
    ):
        raise Bad("no run object")
    note = canonical(run) + b"\n\n" + "".join(f"{line}\n" for line in lines).encode()
    text, signatures = read_note(note)
    if (run["type"], run["v"], run["id"], run["origin"]) != ("run", 1, id_, log.origin):
        raise Bad("the intent of another run")
    for line in signatures:
        for key in log.keys:
            named = (key.vkey.name, key.vkey.id) == (line.name, line.id)
            if named and key.vkey.verifies(text, line.signature):
                return
    raise Bad("no trusted key signed it")


def _check_strangers(archive: _Archive, as_of: datetime) -> None:
    if not archive.log.commits:
        return
    for name, modified in archive.ages.items():
        if name in archive.named:
            continue
        is_young = -_CLOCKS <= as_of - modified < _GRACE
        if kind_of(name) in {"seg", "meta", "log", "run"} and is_young:
            archive.verdict.open.append(f"{name}: no record names it yet")
        elif archive.log.unknown and kind_of(name) is not None:
            archive.verdict.open.append(f"{name}: no record that is known here names it")
        else:
            archive.verdict.grave.append(f"{name}: no record names it")


# --- streams ----------------------------------------------------------------------------------


def _check_streams(archive: _Archive) -> None:
    records = archive.log.records
    segments = {
        (each["stream"], each["sha256"]): each for each in records if each["type"] == "segment"
    }
    windows: dict[str, list[dict[str, Any]]] = {}
    for each in records:
        if each["type"] == "window":
            windows.setdefault(each["stream"], []).append(each)
    for stream, found in sorted(windows.items()):
        archive.verdict.open += [f"{stream}: {hole}" for hole in holes(found)]
        for window in found:
            _check_window(archive, window, segments)


def _check_window(
    archive: _Archive, window: dict[str, Any], segments: dict[tuple[str, str], dict[str, Any]]
) -> None:
    """The segments of a window are there, are its own, and hold as many events as it has."""
    named = [segments.get((window["stream"], digest)) for digest in window["segments"]]
    found = [each for each in named if each is not None]
    of_files = any("file" in part for part in window["partitions"])
    bounds = [(each["from"], each["to"]) for each in found]
    if len(found) != len(named) or sum(each["docs"] for each in found) != window["docs"]:
        archive.verdict.grave.append("a window whose segments do not add up to it")
    elif not of_files and any(each != (window["from"], window["to"]) for each in bounds):
        archive.verdict.grave.append("a window with the segment of another")


# --- what is known from outside -----------------------------------------------------------------


def _check_trust(archive: _Archive, trust: Trust | None, as_of: datetime) -> None:
    verdict, log = archive.verdict, archive.log
    times = [moment(each["time"]) for each in log.records if each["type"] == "commit"]
    if any(time > as_of + _CLOCKS for time in times):
        verdict.grave.append("a commit is dated in the future")
    if trust is None:
        verdict.open.append("nobody but the archive itself vouches for its keys")
        return
    fits = 0
    if trust.pin is not None:
        size, pinned = trust.pin
        if len(log.leaves) < size:
            verdict.grave.append("smaller than the pin remembers")
        elif root([leaf_hash(leaf) for leaf in log.leaves[:size]]) != pinned:
            verdict.grave.append("another tree than the pin remembers")
        else:
            fits = 1
    if fits < trust.outside:
        verdict.open.append("too few memories outside the archive confirm it")
    if trust.max_age is not None and (not times or as_of - times[-1] > trust.max_age):
        verdict.open.append("the last commit is too old")
    for stream, cadence in trust.streams.items():
        records = [each for each in log.records if each.get("stream") == stream]
        ends = [moment(each["to"]) for each in records if each["type"] == "window" and each["to"]]
        if not any(each["type"] in {"stream", "window"} for each in records):
            verdict.open.append(f"{stream}: it is not there")
        elif cadence is not None and (not ends or as_of - max(ends) > cadence):
            verdict.open.append(f"{stream}: its last window is too old")
