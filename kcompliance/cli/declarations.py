"""The attestations and waivers of a scan: from the configuration, else as a bundle kept them.

They become a capture of each target, so a bundle keeps them as it keeps all that a scan rests on,
and a re-scan comes to the same findings.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from kcompliance.collect.interface import Collected, Collection
from kcompliance.controls import load_controls
from kcompliance.errors import BundleError, ConfigError
from kcompliance.model.declaration_entries import (
    EntryError,
    declarations_from_json,
    declarations_to_json,
    read_declarations,
)
from kcompliance.model.reading import Capture, Kind, Origin, Raw, Seen
from kcompliance.model.strict_yaml import entry_lines
from kcompliance.model.waiver import LONGEST, Attestation, Declarations, Waiver
from kcompliance.waivers import Declared

__all__ = ["configured", "declared_for", "with_declarations", "without_declarations"]


def configured(
    path: Path,
    data: bytes,
    attestations: Sequence[Any] | None,
    waivers: Sequence[Any] | None,
    targets: Iterable[str],
) -> Declarations | None:
    """What the file declares, from its bytes and entries; None where it has neither key.

    Raises ConfigError, naming the line.
    """
    if attestations is None and waivers is None:
        return None
    try:
        read = read_declarations(
            list(zip(entry_lines(data, "attestations"), attestations or (), strict=True)),
            list(zip(entry_lines(data, "waivers"), waivers or (), strict=True)),
            load_controls(),
        )
    except EntryError as error:
        raise ConfigError(f'"{path}" is wrong: {error}', error.hint) from error
    for each in read:
        _refuse_unknown_target(path, each, targets)
    return read


def _refuse_unknown_target(
    path: Path, declaration: Attestation | Waiver, targets: Iterable[str]
) -> None:
    name = declaration.target or ""
    if not name.startswith("@") or any(sign in name for sign in "*?["):
        return
    if name.removeprefix("@") not in targets:
        known = ", ".join(f"@{target}" for target in sorted(targets)) or "none"
        problem = f'line {declaration.line}: no target "{name}" in this file'
        raise ConfigError(f'"{path}" is wrong: {problem}', f"there are: {known}")


def with_declarations(
    collection: Collection, path: Path | None, declarations: Declarations | None
) -> Collection:
    """The collection with what the configuration declares in the place of what bundles kept.

    Where the configuration declares nothing, not even empty lists, what bundles kept stays. Raises
    ConfigError for a waiver that has no end in sight.
    """
    if path is None or declarations is None:
        return collection
    _refuse_endless(collection.as_of, path, declarations)
    added: tuple[Capture, ...] = ()
    if any(True for _ in declarations):
        # They count as of the moment that is judged: the same file gives the same bytes again.
        origin = Origin(
            kind=Kind.DECLARATIONS,
            resource=str(path),
            collector="configuration",
            collected_at=collection.as_of,
        )
        added = (Raw(origin=origin, content=declarations_to_json(declarations)),)

    def declaring(found: Collected) -> Collected:
        return replace(found, captures=(*without_declarations(found.captures), *added))

    return replace(collection, targets=map(declaring, collection.targets))


def _refuse_endless(as_of: datetime, path: Path, declarations: Declarations) -> None:
    day = as_of.astimezone(UTC).date()
    for each in declarations:
        if each.date is None and each.expires - day > LONGEST:
            problem = f"line {each.line}: it expires on {each.expires}, more than {LONGEST.days}"
            raise ConfigError(
                f'"{path}" is wrong: {problem} days after {day}, as of which is judged',
                "give it an earlier end, or the date on which it was approved",
            )


def without_declarations(captures: Sequence[Capture]) -> tuple[Capture, ...]:
    """The captures of a target itself."""
    return tuple(capture for capture in captures if not _is_declarations(capture))


def _is_declarations(capture: Capture) -> bool:
    return isinstance(capture, Raw) and capture.origin.kind is Kind.DECLARATIONS


def declared_for(found: Collected) -> Declared:
    """What is declared for a target. Raises BundleError where a bundle kept what cannot be."""
    return [
        seen
        for capture in found.captures
        if isinstance(capture, Raw) and capture.origin.kind is Kind.DECLARATIONS
        for seen in _kept(capture)
    ]


def _kept(raw: Raw) -> list[Seen[Attestation] | Seen[Waiver]]:
    try:
        read = declarations_from_json(raw.content, load_controls())
    except (EntryError, msgspec.DecodeError, ValueError, RecursionError) as error:
        raise BundleError(
            f"the attestations and waivers that a bundle kept of {raw.origin.resource} "
            f"cannot be understood: {error}",
            "declare your own with --config; empty lists are enough",
        ) from error
    kept: list[Seen[Attestation] | Seen[Waiver]] = []
    kept += [Seen(value=each, raw=raw) for each in read.attestations]
    kept += [Seen(value=each, raw=raw) for each in read.waivers]
    return kept
