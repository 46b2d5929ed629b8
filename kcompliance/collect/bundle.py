"""Stores the input of a scan as a folder, and reads it back (`kcompliance/bundle/v1`).

`bundle.json` names every capture, the unreadable ones too; `raw/<sha256>` holds the bytes. A
bundle is hostile input like any other: digests are checked, nothing outside the folder is opened.
Targets are saved as they come and read when their turn comes, so that a bundle of many clusters
takes no more memory than one of the largest.
"""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias

import msgspec

from kcompliance import __version__
from kcompliance.collect.interface import Collected, Collection
from kcompliance.errors import BundleError, OutputError
from kcompliance.json_pieces import json_pieces
from kcompliance.model.control import Platform
from kcompliance.model.digest import Sha256, parse_sha256, sha256
from kcompliance.model.reading import Absent, Capture, Kind, Origin, Raw, Unreadable
from kcompliance.sorted_records import SortedRecords

__all__ = [
    "BROKEN",
    "BUNDLE_FILE",
    "BUNDLE_SCHEMA",
    "Bundle",
    "BundleWriter",
    "InPlaceOf",
    "broken_target",
    "is_bundle",
    "read_bundle",
    "write_bundle",
]

BUNDLE_FILE = "bundle.json"
BUNDLE_SCHEMA = "kcompliance/bundle/v1"
BROKEN = "bundle"
"""The collector of the only capture of a target whose bundle cannot be read."""
MAX_INDEX_BYTES = 64 * 1024 * 1024
MAX_RAW_BYTES = 128 * 1024 * 1024


class ReadingV1(msgspec.Struct, kw_only=True):
    """One capture; `sha256` names its bytes below raw/ where it was seen."""

    kind: str
    resource: str
    collector: str
    collected_at: datetime
    status: Literal["seen", "unreadable", "absent"]
    sha256: str | None
    reason: str | None
    permission: str | None
    redactions: list[str]


class TargetV1(msgspec.Struct, kw_only=True):
    """One target, and the platform where the user named it."""

    name: str
    platform: Platform | None
    readings: list[ReadingV1]


class Bundle(msgspec.Struct, kw_only=True):
    """The whole index; `parameters` are by control id, as they were given."""

    schema: str
    tool: str
    version: str
    as_of: datetime
    parameters: dict[str, dict[str, Any]]
    targets: list[TargetV1]


def is_bundle(folder: Path) -> bool:
    """Whether a folder is a bundle rather than a folder of files."""
    return (folder / BUNDLE_FILE).is_file()


# --- writing -------------------------------------------------------------------------------------


def write_bundle(collection: Collection, folder: Path) -> None:
    """Write a collection as a new folder, whole or not at all. Raises OutputError."""
    with BundleWriter(folder, collection.as_of, collection.parameters) as writer:
        for target in collection.targets:
            writer.add(target)


class BundleWriter:
    """A bundle that is being written: a context, at whose good end the folder is there.

    Raises OutputError where something is there already or the disk refuses.
    """

    def __init__(
        self, folder: Path, as_of: datetime, parameters: Mapping[str, Mapping[str, Any]]
    ) -> None:
        self._folder = folder
        self._index = Bundle(
            schema=BUNDLE_SCHEMA,
            tool="kcompliance",
            version=__version__,
            as_of=as_of,
            parameters={control: dict(given) for control, given in parameters.items()},
            targets=[],
        )
        self._targets = SortedRecords()

    def __enter__(self) -> Self:
        folder = self._folder
        if folder.exists() or folder.is_symlink():
            raise OutputError(
                f'cannot save a bundle as "{folder}": it exists',
                "name a folder that does not exist",
            )
        with self._told():
            folder.parent.mkdir(parents=True, exist_ok=True)
            self._work = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
            (self._work / "raw").mkdir()
        return self

    def add(self, target: Collected) -> None:
        """Save one target; nothing of it is kept in memory."""
        with self._told():
            for capture in target.captures:
                if isinstance(capture, Raw):
                    (self._work / "raw" / capture.sha256).write_bytes(capture.content)
        saved = TargetV1(
            name=target.name,
            platform=target.platform,
            readings=[_reading(capture) for capture in target.captures],
        )
        self._targets.put((), _text(saved).encode())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                with self._told():
                    self._finish()
        finally:
            shutil.rmtree(self._work, ignore_errors=True)

    def _finish(self) -> None:
        fields = {name: _text(value) for name, value in msgspec.to_builtins(self._index).items()}
        targets = (record.decode() for record in self._targets)
        with (self._work / BUNDLE_FILE).open("w", encoding="utf-8") as file:
            file.writelines(json_pieces((fields | {"targets": targets}).items()))
        self._work.rename(self._folder)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            message = f'cannot save a bundle as "{self._folder}": {error.strerror}'
            raise OutputError(message) from error


def _text(value: Any) -> str:
    return json.dumps(msgspec.to_builtins(value), indent=2, ensure_ascii=False)


def _reading(capture: Capture) -> ReadingV1:
    origin = capture.origin
    status: Literal["seen", "unreadable", "absent"] = "seen"
    if isinstance(capture, Unreadable):
        status = "unreadable"
    elif isinstance(capture, Absent):
        status = "absent"
    return ReadingV1(
        kind=origin.kind.value,
        resource=origin.resource,
        collector=origin.collector,
        collected_at=origin.collected_at,
        status=status,
        sha256=capture.sha256 if isinstance(capture, Raw) else None,
        reason=None if isinstance(capture, Raw) else capture.reason,
        permission=capture.permission if isinstance(capture, Unreadable) else None,
        redactions=list(capture.redactions) if isinstance(capture, Raw) else [],
    )


# --- reading -------------------------------------------------------------------------------------


InPlaceOf: TypeAlias = Callable[[BundleError, str | None], Collected]
"""What stands for a target that cannot be read; its name if the bundle has others too."""


def broken_target(
    name: str, place: str, error: BundleError, now: datetime, platform: Platform | None
) -> Collected:
    """What stands among others for a target whose bundle, at `place`, cannot be read."""
    origin = Origin(kind=Kind.FILE, resource=place, collector=BROKEN, collected_at=now)
    captures = (Unreadable(origin=origin, reason=error.message),)
    return Collected(name=name, captures=captures, platform=platform)


def read_bundle(folder: Path, in_place_of: InPlaceOf | None = None) -> Collection:
    """The collection as it was saved; each target is read when its turn comes.

    Raises BundleError, now or when the targets are gone through, where a byte is not the one that
    was saved, or the format is not ours. With `in_place_of` only what is wrong already now.
    """
    index, digest = _index(folder)
    return Collection(
        as_of=index.as_of,
        parameters=index.parameters,
        targets=_targets(folder, digest, in_place_of),
    )


def _targets(folder: Path, digest: Sha256, in_place_of: InPlaceOf | None) -> Iterator[Collected]:
    """Of many bundles not even the index is kept until its turn comes."""
    try:
        index = _same_index(folder, digest)
    except BundleError as error:
        if in_place_of is None:
            raise
        yield in_place_of(error, None)
        return
    for target in index.targets:
        yield _target(folder, target, in_place_of, several=len(index.targets) > 1)


def _same_index(folder: Path, digest: Sha256) -> Bundle:
    index, found = _index(folder)
    if found != digest:
        raise BundleError(f'"{folder / BUNDLE_FILE}" was changed while it was read')
    return index


def _target(
    folder: Path, target: TargetV1, in_place_of: InPlaceOf | None, *, several: bool
) -> Collected:
    try:
        captures = tuple(_capture(folder, reading) for reading in target.readings)
    except BundleError as error:
        if in_place_of is None:
            raise
        return in_place_of(error, target.name if several else None)
    return Collected(name=target.name, platform=target.platform, captures=captures, saved=True)


def _index(folder: Path) -> tuple[Bundle, Sha256]:
    file = folder / BUNDLE_FILE
    try:
        data = _bounded_read(file, MAX_INDEX_BYTES)
        schema: Mapping[str, Any] = msgspec.json.decode(data, type=dict[str, Any])
        if schema.get("schema") != BUNDLE_SCHEMA:
            raise BundleError(
                f'"{file}" has the schema "{schema.get("schema")}", not "{BUNDLE_SCHEMA}"',
                "it was saved by another version of kcompliance: scan it with that one",
            )
        index = msgspec.json.decode(data, type=Bundle)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError(f'"{file}" is damaged: {error}') from error
    if index.as_of.tzinfo is None:
        raise BundleError(f'"{file}" is damaged: as_of has no time zone')
    return index, sha256(data)


def _capture(folder: Path, reading: ReadingV1) -> Capture:
    try:
        kind = Kind(reading.kind)
    except ValueError:
        raise BundleError(
            f'"{folder}" holds a reading of the unknown kind "{reading.kind}"',
            "it was saved by a newer version of kcompliance: update this one",
        ) from None
    if reading.collected_at.tzinfo is None:
        raise BundleError(f'"{folder}" is damaged: collected_at has no time zone')
    origin = Origin(
        kind=kind,
        resource=reading.resource,
        collector=reading.collector,
        collected_at=reading.collected_at,
    )
    match reading.status:
        case "unreadable":
            reason = reading.reason or "could not be read"
            return Unreadable(origin=origin, reason=reason, permission=reading.permission)
        case "absent":
            return Absent(origin=origin, reason=reading.reason or "not there")
        case "seen":
            content = _content(folder, reading)
            return Raw(origin=origin, content=content, redactions=tuple(reading.redactions))


def _content(folder: Path, reading: ReadingV1) -> bytes:
    digest = parse_sha256(reading.sha256 or "")
    if digest is None:
        raise BundleError(f'"{folder / BUNDLE_FILE}" is damaged: no digest for {reading.resource}')
    if (folder / "raw").is_symlink():
        raise BundleError(f'"{folder / "raw"}" is a symbolic link, which a bundle never has')
    content = _bounded_read(folder / "raw" / digest, MAX_RAW_BYTES)
    if sha256(content) != digest:
        raise BundleError(
            f'"{folder / "raw" / digest}" was changed: its bytes no longer have this digest',
            "do not trust this bundle; ask for a new one",
        )
    return content


def _bounded_read(file: Path, most: int) -> bytes:
    if file.is_symlink():
        raise BundleError(f'"{file}" is a symbolic link, which a bundle never has')
    if file.exists() and not file.is_file():
        raise BundleError(f'"{file}" is no regular file')
    try:
        with file.open("rb") as stream:
            data = stream.read(most + 1)
    except OSError as error:
        raise BundleError(f'cannot read "{file}": {error.strerror}') from error
    if len(data) > most:
        raise BundleError(f'"{file}" is larger than {most} bytes')
    return data
