"""Stores the input of a scan as a folder, and reads it back (`kcompliance/bundle/v1`).

`bundle.json` names every capture, the unreadable ones too; `raw/<sha256>` holds the bytes. A
bundle is hostile input like any other: digests are checked, nothing outside the folder is opened.
"""

import json
import shutil
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from kcompliance import __version__
from kcompliance.collect.interface import Collected, Collection
from kcompliance.errors import BundleError, OutputError
from kcompliance.model.control import Platform
from kcompliance.model.digest import parse_sha256, sha256
from kcompliance.model.reading import Absent, Capture, Kind, Origin, Raw, Unreadable

__all__ = ["BUNDLE_FILE", "BUNDLE_SCHEMA", "Bundle", "is_bundle", "read_bundle", "write_bundle"]

BUNDLE_FILE = "bundle.json"
BUNDLE_SCHEMA = "kcompliance/bundle/v1"
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
    """Write a new folder, whole or not at all.

    Raises OutputError where something is there already or the disk refuses.
    """
    if folder.exists() or folder.is_symlink():
        raise OutputError(
            f'cannot save a bundle as "{folder}": it exists', "name a folder that does not exist"
        )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            _fill(collection, work)
            work.rename(folder)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise OutputError(f'cannot save a bundle as "{folder}": {error.strerror}') from error


def _fill(collection: Collection, folder: Path) -> None:
    (folder / "raw").mkdir()
    for target in collection.targets:
        for capture in target.captures:
            if isinstance(capture, Raw):
                (folder / "raw" / capture.sha256).write_bytes(capture.content)
    index = Bundle(
        schema=BUNDLE_SCHEMA,
        tool="kcompliance",
        version=__version__,
        as_of=collection.as_of,
        parameters={control: dict(given) for control, given in collection.parameters.items()},
        targets=[
            TargetV1(
                name=target.name,
                platform=target.platform,
                readings=[_reading(capture) for capture in target.captures],
            )
            for target in collection.targets
        ],
    )
    text = json.dumps(msgspec.to_builtins(index), indent=2, ensure_ascii=False)
    (folder / BUNDLE_FILE).write_text(text + "\n", encoding="utf-8")


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


def read_bundle(folder: Path) -> Collection:
    """The collection as it was saved.

    Raises BundleError where a byte is not the one that was saved, or the format is not ours.
    """
    index = _index(folder)
    return Collection(
        as_of=index.as_of,
        parameters=index.parameters,
        targets=tuple(
            Collected(
                name=target.name,
                platform=target.platform,
                captures=tuple(_capture(folder, reading) for reading in target.readings),
            )
            for target in index.targets
        ),
    )


def _index(folder: Path) -> Bundle:
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
    return index


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
