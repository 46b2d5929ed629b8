"""`archive prove` and `archive prove --check` as JSON, with types of their own."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from kcompliance.archive.catalogue import ArchivedSegment, Catalogue
from kcompliance.archive.prove import CheckedProof, EventProof
from kcompliance.ledger import Fault
from kcompliance.report.json_archive import CheckpointV1, checkpoint_of, rendered

__all__ = [
    "PROOF_CHECK_SCHEMA",
    "PROVE_SCHEMA",
    "MadeProof",
    "ProofCheck",
    "ProveReport",
    "TriedProof",
    "render_check",
    "render_prove",
]

PROVE_SCHEMA = "kcompliance/prove/v1"
PROOF_CHECK_SCHEMA = "kcompliance/proof-check/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeProof:
    """A proof that was written."""

    place: Path
    segment: ArchivedSegment
    event: EventProof | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedProof:
    """A proof that was checked."""

    place: Path
    result: CheckedProof | Fault


# --- documents ----------------------------------------------------------------------------------


class ProvenEventV1(msgspec.Struct, kw_only=True):
    """The line of an event in its segment."""

    index: int
    size: int


class ProofV1(msgspec.Struct, kw_only=True):
    """A proof that was written, and of what."""

    place: str
    stream: str
    segment: str
    leaf: int
    event: ProvenEventV1 | None


class ProveReport(msgspec.Struct, kw_only=True):
    """The whole document of `archive prove`."""

    schema: str
    archive: str
    origin: str
    trusted: bool
    checkpoint: CheckpointV1
    proofs: list[ProofV1]
    exit_code: int


class TriedV1(msgspec.Struct, kw_only=True):
    """A proof that was checked: `result` is `good` or the code of what is wrong."""

    place: str
    result: str
    detail: str
    proven: ProofV1 | None


class ProofCheck(msgspec.Struct, kw_only=True):
    """The whole document of `archive prove --check`."""

    schema: str
    origin: str
    proofs: list[TriedV1]
    exit_code: int


# --- rendering ----------------------------------------------------------------------------------


def render_prove(catalogue: Catalogue, made: Sequence[MadeProof], exit_code: int) -> str:
    """One JSON document, ending with a line feed."""
    return rendered(
        ProveReport(
            schema=PROVE_SCHEMA,
            archive=catalogue.url,
            origin=catalogue.origin,
            trusted=catalogue.trusted,
            checkpoint=checkpoint_of(catalogue),
            proofs=[
                ProofV1(
                    place=str(each.place),
                    stream=each.segment.record.stream,
                    segment=each.segment.record.sha256,
                    leaf=each.segment.leaf,
                    event=_proven_event(each.event),
                )
                for each in made
            ],
            exit_code=exit_code,
        )
    )


def render_check(origin: str, tried: Iterable[TriedProof], exit_code: int) -> str:
    """One JSON document, ending with a line feed."""
    return rendered(
        ProofCheck(
            schema=PROOF_CHECK_SCHEMA,
            origin=origin,
            proofs=[_tried(each) for each in tried],
            exit_code=exit_code,
        )
    )


def _tried(tried: TriedProof) -> TriedV1:
    result = tried.result
    if isinstance(result, Fault):
        return TriedV1(
            place=str(tried.place), result=result.code.value, detail=result.detail, proven=None
        )
    checkpoint = result.checkpoint.checkpoint
    what = "its segment" if result.event is None else "its event"
    return TriedV1(
        place=str(tried.place),
        result="good",
        detail=f"the tree of {checkpoint.size} records holds {what}",
        proven=ProofV1(
            place=str(tried.place),
            stream=result.record.stream,
            segment=result.record.sha256,
            leaf=result.index,
            event=_proven_event(result.event),
        ),
    )


def _proven_event(event: EventProof | None) -> ProvenEventV1 | None:
    return None if event is None else ProvenEventV1(index=event.index, size=event.size)
