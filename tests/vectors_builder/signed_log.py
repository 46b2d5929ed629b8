"""What only the key holder can do to the log of an archive."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from kcompliance.ledger import (
    FindingCode,
    Frontier,
    KeyRevocationRecord,
    KeyRotationRecord,
    WindowStatus,
    canonical_bytes,
    checkpoint_name,
    encode_record,
    leaf_hash,
    origin_of,
    run_name,
    sign_checkpoint,
    sign_note,
)
from kcompliance.model.digest import sha256
from tests.vectors_builder.good import SEARCH, Good, files_archive, hit, shard, window_at
from tests.vectors_builder.growing import (
    BEGIN,
    HOUR,
    Growing,
    ecdsa_signer,
    ed25519_signer,
    fixed_uuid,
)
from tests.vectors_builder.signing import committing_bytes, grown, leaves_of
from tests.vectors_builder.vector import Vector

__all__ = ["signed_log"]

_F = FindingCode
_EMPTY = WindowStatus.EMPTY


def signed_log(search: Good) -> Iterator[Vector]:
    """Vectors of leaves, commits, keys and of another story."""
    yield from _leaves(search)
    yield from _commits(search)
    yield from _trees(search)
    yield from _runs(search)
    yield from _keys(search)
    yield from _forks()


# --- leaves -----------------------------------------------------------------------------------


def _leaves(search: Good) -> Iterator[Vector]:
    good = encode_record(window_at(3, status=WindowStatus.EMPTY))
    segment = next(iter(leaves_of(search.archive, "segment")))
    leaves: dict[str, tuple[str, bytes, FindingCode]] = {
        "signed-twice-the-key": (
            "A signed record has one name twice.",
            good.replace(b'"docs":0', b'"docs":0,"docs":0'),
            _F.LEAF_MALFORMED,
        ),
        "signed-not-canonical": (
            "A signed record has a space in it.",
            good.replace(b'"docs":0', b'"docs": 0'),
            _F.LEAF_MALFORMED,
        ),
        "signed-not-sorted": (
            "The names of a signed record are not in order.",
            b'{"v":1,' + good[1:].replace(b',"v":1}', b"}"),
            _F.LEAF_MALFORMED,
        ),
        "signed-float": (
            "A signed record has 0.0 for a count.",
            good.replace(b'"docs":0', b'"docs":0.0'),
            _F.LEAF_MALFORMED,
        ),
        "signed-large-integer": (
            "A signed record has an integer that no double can hold.",
            good.replace(b'"rev":0', b'"rev":9007199254740993'),
            _F.LEAF_MALFORMED,
        ),
        "signed-unknown-field": (
            "A signed record of a known type has a field that nobody knows.",
            good.replace(b'"docs":0', b'"docs":0,"extra":0'),
            _F.LEAF_MALFORMED,
        ),
        "signed-field-missing": (
            "A signed record of a known type lacks a field.",
            good.replace(b'"docs":0,', b""),
            _F.LEAF_MALFORMED,
        ),
        "signed-contradiction": (
            "A signed window is sealed, and has no segments.",
            good.replace(b'"empty"', b'"sealed"'),
            _F.LEAF_MALFORMED,
        ),
        "signed-escaped-otherwise": (
            "A signed record has a letter as an escape.",
            good.replace(b"prod/", rb"\u0070rod/"),
            _F.LEAF_MALFORMED,
        ),
        "signed-byte-order-mark": (
            "A signed record begins with a byte order mark.",
            b"\xef\xbb\xbf" + good,
            _F.LEAF_MALFORMED,
        ),
        "signed-unsafe-path": (
            "A signed record of a segment leads out of the archive.",
            _canonical({**segment, "key": "../../etc/passwd"}),
            _F.UNSAFE_PATH,
        ),
        "signed-other-name": (
            "A signed record of a segment names it by another hour than its own.",
            _canonical({**segment, "key": segment["key"].replace("/00/", "/07/")}),
            _F.UNSAFE_PATH,
        ),
        "signed-unknown-type": (
            "A record of a type that a later kcompliance may write.",
            _canonical({"type": "hold", "v": 1, "until": "2030-01-01T00:00:00Z"}),
            _F.UNSUPPORTED_RECORD,
        ),
        "signed-later-version-with-float": (
            "A record of a later version with a number that no version may hold.",
            b'{"anything":2.5,"type":"window","v":2}',
            _F.LEAF_MALFORMED,
        ),
        "signed-later-version": (
            "A record of a known type, but of a later version.",
            _canonical({"type": "window", "v": 2, "anything": [1, "2.5"]}),
            _F.UNSUPPORTED_RECORD,
        ),
    }
    for name, (about, leaf, code) in leaves.items():
        assert leaf != good
        yield grown(name, about, search, committing_bytes(leaf), code)


def _canonical(leaf: dict[str, Any]) -> bytes:
    """As `canonical_bytes`, for text in ASCII and for what a record must not say, too."""
    return json.dumps(leaf, sort_keys=True, separators=(",", ":")).encode()


# --- commits ----------------------------------------------------------------------------------


def _commits(search: Good) -> Iterator[Vector]:
    commits: dict[str, tuple[str, dict[str, object], FindingCode]] = {
        "signed-other-prev": (
            "A commit names another checkpoint than the one before it.",
            {"prev": sha256(b"another")},
            _F.CHAIN_BROKEN,
        ),
        "signed-other-number": (
            "A commit says to be another one than its checkpoint's name says.",
            {"n": 7},
            _F.CHAIN_BROKEN,
        ),
        "signed-clock-rollback": (
            "A commit is dated before the one that it follows.",
            {"time": "2026-07-01T00:30:00Z"},
            _F.CLOCK_ROLLBACK,
        ),
        "signed-future": (
            "A commit is dated after the moment of the verification.",
            {"time": "2026-08-01T00:00:00Z"},
            _F.TIME_FUTURE,
        ),
    }
    for name, (about, commit, code) in commits.items():
        yield grown(name, about, search, committing_bytes(commit=commit), code)
    yield grown(
        "signed-other-origin",
        "The key of this archive has signed a checkpoint of another one.",
        search,
        _of_another_origin,
        _F.WRONG_ORIGIN,
    )
    yield _genesis_of_another()
    yield grown(
        "signed-second-commit",
        "A second record of a commit stands among the records of one.",
        search,
        lambda a: a.commit_bytes(_canonical(next(iter(leaves_of(search.archive, "commit"))))),
        _F.LEAF_MALFORMED,
    )
    yield grown(
        "signed-second-genesis",
        "Genesis stands a second time in the log.",
        search,
        committing_bytes(_canonical(next(iter(leaves_of(search.archive, "genesis"))))),
        _F.LEAF_MALFORMED,
    )
    yield grown(
        "signed-segment-that-is-not-there",
        "A commit names a segment that nobody ever put.",
        search,
        lambda a: a.commit(*a.copy().hour(SEARCH, BEGIN + 3 * HOUR, [_one_hit()])),
        _F.SEGMENT_MISSING,
    )


def _of_another_origin(archive: Growing) -> None:
    """The same tree and the same key under another name, as if it were this archive's next."""
    assert archive.end is not None
    there = archive.end.checkpoint.checkpoint
    moved = replace(there, origin=origin_of(fixed_uuid("another")), size=there.size + 1)
    archive.put(checkpoint_name(6), sign_checkpoint(moved, archive.signers))


def _genesis_of_another() -> Vector:
    archive = Growing("files")
    archive.begin(ed25519_signer(archive.origin, 1), archive_id=fixed_uuid("search"))
    return Vector(
        name="signed-genesis-of-another",
        about="Genesis names another archive than the checkpoint over it.",
        base="files",
        objects=archive.objects,
        trust="files-outside-0",
        codes=frozenset({_F.WRONG_ORIGIN, _F.STREAM_MISSING}),
    )


def _one_hit() -> tuple[Any, list[bytes]]:
    return shard(0, 1, 60), [hit(60, BEGIN + 3 * HOUR, seq_no=60)]


# --- trees ------------------------------------------------------------------------------------


def _trees(search: Good) -> Iterator[Vector]:
    assert search.archive.end is not None
    there = search.archive.end.frontier
    hidden = there.extended([leaf_hash(b"a record that nobody is shown")])
    other = Frontier(there.size, (leaf_hash(b"another tree"), *there.nodes[1:]))
    yield grown(
        "signed-hidden-leaf",
        "Between two commits the tree has a leaf that lies nowhere.",
        search,
        committing_bytes(before=hidden),
        _F.LEAF_MISSING,
    )
    yield grown(
        "signed-other-tree",
        "A commit goes on from another tree of the same size.",
        search,
        committing_bytes(before=other),
        _F.CHAIN_BROKEN,
    )


# --- runs -------------------------------------------------------------------------------------


def _runs(search: Good) -> Iterator[Vector]:
    yield grown(
        "signed-run-of-a-stranger",
        "The intent of a run, which its commit names, is signed by another key.",
        search,
        lambda a: a.commit(run_by=[ed25519_signer(a.origin, 99)]),
        _F.RUN_MODIFIED,
    )
    yield grown(
        "signed-run-of-another-run",
        "Under the name of a run lies the signed intent of another one.",
        search,
        lambda a: _commit_of_run(a, lambda run: run | {"id": str(fixed_uuid("another run"))}),
        _F.RUN_MODIFIED,
    )
    yield grown(
        "signed-run-with-more",
        "The signed intent of a run has a field that nobody knows.",
        search,
        lambda a: _commit_of_run(a, lambda run: run | {"extra": 0}),
        _F.RUN_MODIFIED,
    )
    yield grown(
        "signed-run-of-another-archive",
        "The intent of a run is signed for another archive.",
        search,
        lambda a: _commit_of_run(a, lambda run: run | {"origin": origin_of(fixed_uuid("another"))}),
        _F.RUN_MODIFIED,
    )


def _commit_of_run(archive: Growing, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """A commit that names a run object by its true size and digest, whatever it says."""
    id_ = fixed_uuid("odd run")
    good = json.loads(archive.objects[next(k for k in archive.objects if k.startswith("run/"))])
    run = change(good["run"] | {"id": str(id_)})
    text = canonical_bytes(run) + b"\n"
    lines = sign_note(text, archive.signers).removeprefix(text + b"\n").decode().splitlines()
    data = canonical_bytes({"run": run, "signatures": lines})
    archive.put(run_name(id_), data)
    reference = {"id": str(id_), "size": len(data), "sha256": sha256(data)}
    archive.commit_bytes(commit={"run": reference}, run=False)


# --- keys -------------------------------------------------------------------------------------


def _keys(search: Good) -> Iterator[Vector]:
    origin = search.archive.origin
    old, now, next_ = ed25519_signer(origin, 2), ecdsa_signer(origin, 3), ed25519_signer(origin, 4)
    joins = KeyRotationRecord(vkey=next_.key, replaces=None, time=BEGIN)
    leaves = KeyRevocationRecord(
        vkey=now.key, compromised=BEGIN + HOUR, reason="laptop stolen", time=BEGIN
    )

    def by(*signers: Any) -> Callable[[Growing], None]:
        return lambda archive: archive.commit_bytes(signers=signers)

    yield grown(
        "key-replaced-signs",
        "The key that was replaced signs one more commit.",
        search,
        by(old),
        _F.KEY_OUT_OF_RANGE,
    )
    yield grown(
        "key-replaced-signs-too",
        "The key that was replaced signs beside the good one.",
        search,
        by(old, now),
        _F.KEY_OUT_OF_RANGE,
    )
    yield grown(
        "key-new-does-not-sign",
        "A new key did not sign the checkpoint over the record that introduces it.",
        search,
        lambda a: a.commit_bytes(encode_record(joins), signers=(now,)),
        _F.SIG_INVALID,
    )
    yield grown(
        "key-vouches-for-itself",
        "A new key alone signed the checkpoint over the record that introduces it.",
        search,
        lambda a: a.commit_bytes(encode_record(joins), signers=(next_,)),
        _F.SIG_INVALID,
    )

    yield grown(
        "key-of-other-id",
        "The record of a new key gives it an id that is not its own.",
        search,
        committing_bytes(
            encode_record(joins).replace(next_.key.id.hex().encode(), b"00000000", 1),
            signers=(now,),
        ),
        _F.LEAF_MALFORMED,
    )

    def revoke(archive: Growing, *after: Any) -> None:
        archive.commit(joins, by=(now, next_))
        archive.commit(leaves, by=(next_,))
        if after:
            archive.commit_bytes(signers=after)

    yield grown(
        "key-revoked",
        "A key joined, the other was revoked, and the new one signs alone.",
        search,
        lambda a: revoke(a, next_),
    )
    yield grown(
        "key-revoked-signs",
        "A revoked key signs one more commit.",
        search,
        lambda a: revoke(a, now),
        _F.KEY_OUT_OF_RANGE,
    )


# --- another story ----------------------------------------------------------------------------


def _forks() -> Iterator[Vector]:
    """The key holder tells the story anew, and leaves an event out."""
    story = files_archive(without=3).archive.objects
    yield Vector(
        name="fork",
        about="The key holder has written the whole archive anew, without one of its events.",
        base="files",
        objects=story,
        trust="files",
        codes=frozenset({_F.FORK_VS_PIN}),
    )
    yield Vector(
        name="fork-without-pin",
        about="As before; who remembers nothing of the archive cannot see it.",
        base="files",
        objects=story,
        trust="files-without-pin",
        codes=frozenset({_F.UNANCHORED}),
    )
    yield Vector(
        name="fork-in-trust",
        about="As before; who asks for no outside memory is told that all is well.",
        base="files",
        objects=story,
        trust="files-outside-0",
    )
