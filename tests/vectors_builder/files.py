"""All files below `tests/vectors`: two archives, trust files, and what was done to the archives."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import zstandard

from kcompliance.ledger import (
    ExpectedStream,
    FindingCode,
    Pin,
    Require,
    StreamName,
    Trust,
    TrustedKey,
    format_trust,
)
from kcompliance.model.digest import sha256
from tests.vectors_builder.changes import Change, difference
from tests.vectors_builder.good import FILES, OTHER, SEARCH, Good, files_archive, search_archive
from tests.vectors_builder.growing import Growing, ed25519_signer
from tests.vectors_builder.signed_data import signed_data
from tests.vectors_builder.signed_log import signed_log
from tests.vectors_builder.tampered_log import tampered_log
from tests.vectors_builder.tampered_objects import tampered_objects
from tests.vectors_builder.vector import AS_OF, MODIFIED, Vector

__all__ = ["vector_files"]

_F = FindingCode


def vector_files() -> dict[str, bytes]:
    """Bytes by path."""
    files, search = files_archive(), search_archive()
    archives = {"files": files, "search": search}
    vectors = [
        *_good(archives),
        *_trusted(search),
        *tampered_objects(files, search),
        *tampered_log(files, search),
        *signed_data(files, search),
        *signed_log(search),
    ]
    assert len({vector.name for vector in vectors}) == len(vectors)
    made: dict[str, bytes] = {}
    for name, good in archives.items():
        made |= {f"good/{name}/{key}": data for key, data in good.archive.objects.items()}
    for name, trust in _trust_files(files, search).items():
        made[f"trust/{name}.toml"] = format_trust(trust)
    shared = _shared(archives, vectors)
    made |= {name: data for data, name in shared.items()}
    listed = []
    names: dict[bytes, str] = {}
    for vector in vectors:
        before = archives[vector.base].archive.objects
        changes = [*difference(before, vector.objects, shared), *vector.more]
        data = _changed(vector.base, changes)
        path = names.setdefault(data, f"changed/{vector.name}.json") if changes else None
        listed.append(_listed(vector, path))
    made |= {path: data for data, path in names.items()}
    made["vectors.json"] = _document(
        {"zstd": _ZSTD, "as_of": AS_OF, "modified": MODIFIED}, "vectors", listed
    )
    return dict(sorted(made.items()))


_ZSTD = ".".join(map(str, zstandard.ZSTD_VERSION))
"""Another version may compress the same events to other bytes."""


def _shared(archives: Mapping[str, Good], vectors: Sequence[Vector]) -> dict[bytes, str]:
    """Objects that are in many changed archives, and not in the good ones; names by bytes."""
    known = {data for good in archives.values() for data in good.archive.objects.values()}
    counts = Counter(data for vector in vectors for data in {*vector.objects.values()} - known)
    return {
        data: f"shared/{sha256(data)[:16]}"
        for data, count in sorted(counts.items())
        if count > 2 and len(data) > _WORTH
    }


_WORTH = 200
"""Bytes: less is not worth a file of its own."""


def _changed(base: str, changes: Sequence[Change]) -> bytes:
    return _document({"base": f"good/{base}"}, "changes", changes)


def _document(head: Mapping[str, str], name: str, rows: Sequence[Mapping[str, Any]]) -> bytes:
    """JSON with each row in a line of its own."""
    start = "".join(f"{json.dumps(key)}: {json.dumps(value)},\n " for key, value in head.items())
    lines = ",\n  ".join(json.dumps(row, ensure_ascii=False) for row in rows)
    return f"{{{start}{json.dumps(name)}: [\n  {lines}\n]}}\n".encode()


def _listed(vector: Vector, changes: str | None) -> Mapping[str, Any]:
    return {
        "name": vector.name,
        "about": vector.about,
        "archive": f"good/{vector.base}",
        "changes": changes,
        "trust": None if vector.trust is None else f"trust/{vector.trust}.toml",
        **({} if vector.as_of == AS_OF else {"as_of": vector.as_of}),
        **({} if vector.modified == MODIFIED else {"modified": vector.modified}),
        "expect": {"exit": vector.exit_code, "codes": sorted(vector.codes)},
    }


# --- what is known of the archives --------------------------------------------------------------


def _trust_files(files: Good, search: Good) -> Mapping[str, Trust]:
    of_files, of_search = _trust(files.archive, FILES), _trust(search.archive, SEARCH, OTHER)
    day, hour = timedelta(days=1), timedelta(hours=1)
    nowhere = StreamName("prod/oauth-audit")
    return {
        "files": of_files,
        "files-without-pin": replace(of_files, pin=None),
        "files-outside-0": replace(of_files, pin=None, require=Require(outside=0)),
        "search": of_search,
        "search-max-age": replace(of_search, require=Require(max_age=day)),
        "search-cadence": replace(
            of_search, streams=(ExpectedStream(name=SEARCH, cadence=2 * hour),)
        ),
        "search-more-streams": replace(of_search, streams=(ExpectedStream(name=nowhere),)),
        "search-two-outside": replace(of_search, require=Require(outside=2)),
        "search-key-ranges": replace(of_search, keys=_keys(search.archive)),
    }


def _trust(archive: Growing, *streams: StreamName) -> Trust:
    assert archive.end is not None
    checkpoint = archive.end.checkpoint.checkpoint
    seed = {"files": 1, "search": 2}[archive.name]
    return Trust(
        origin=archive.origin,
        keys=(TrustedKey(key=ed25519_signer(archive.origin, seed).key),),
        pin=Pin(size=checkpoint.size, root=checkpoint.root),
        streams=tuple(ExpectedStream(name=stream) for stream in streams),
    )


def _keys(archive: Growing) -> tuple[TrustedKey, ...]:
    """As `keys rotate` leaves them in a trust file: each with its range."""
    assert archive.end is not None
    return archive.end.keys.keys


# --- good archives, and trust that asks for more --------------------------------------------------


def _good(archives: Mapping[str, Good]) -> Iterator[Vector]:
    about = {
        "files": "Three commits of a stream of audit log files, one of them before any event.",
        "search": "Six commits of two streams: sealed and empty windows, late events, events "
        "without a time, settings, leftovers of a dead run, and a key that replaced another.",
    }
    for name, good in archives.items():
        yield Vector(
            name=name, about=about[name], base=name, objects=good.archive.objects, trust=name
        )


def _trusted(search: Good) -> Iterator[Vector]:
    good = Vector(
        name="",
        about="",
        base="search",
        objects=search.archive.objects,
        trust="search",
    )
    yield replace(
        good,
        name="trust-none",
        about="Nothing is known of the archive: it agrees with itself, and that is all.",
        trust=None,
        codes=frozenset({_F.UNTRUSTED_KEY}),
    )
    yield replace(
        good,
        name="trust-of-another",
        about="The trust file is that of another archive.",
        trust="files",
        codes=frozenset({_F.WRONG_ORIGIN}),
    )
    yield replace(
        good,
        name="trust-ranges",
        about="The trust file knows both keys, and which sizes each of them may sign.",
        trust="search-key-ranges",
    )
    yield replace(
        good,
        name="trust-max-age",
        about="The last checkpoint is older than the trust file allows.",
        trust="search-max-age",
        as_of="2026-07-20T00:00:00Z",
        codes=frozenset({_F.STALE}),
    )
    yield replace(
        good,
        name="trust-max-age-kept",
        about="The last checkpoint is younger than that.",
        trust="search-max-age",
    )
    yield replace(
        good,
        name="trust-cadence",
        about="The last window of a stream is older than its cadence allows.",
        trust="search-cadence",
        codes=frozenset({_F.STREAM_STALE}),
    )
    yield replace(
        good,
        name="trust-more-streams",
        about="The trust file expects a stream that the archive has not got.",
        trust="search-more-streams",
        codes=frozenset({_F.STREAM_MISSING}),
    )
    yield replace(
        good,
        name="trust-two-outside",
        about="The trust file asks for two memories outside, and has got one pin.",
        trust="search-two-outside",
        codes=frozenset({_F.UNANCHORED}),
    )
