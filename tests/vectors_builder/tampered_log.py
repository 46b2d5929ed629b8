"""What somebody does to the log of an archive who can write there, but has not got its key."""

from collections.abc import Iterator

from kcompliance.ledger import (
    FindingCode,
    SignedCheckpoint,
    checkpoint_name,
    parse_checkpoint,
    sign_checkpoint,
)
from tests.vectors_builder.good import Good
from tests.vectors_builder.growing import Objects, ed25519_signer
from tests.vectors_builder.tampering import edited, first_named, vector, without
from tests.vectors_builder.vector import Vector

__all__ = ["tampered_log"]

_F = FindingCode


def tampered_log(files: Good, search: Good) -> Iterator[Vector]:
    """Vectors of records and checkpoints."""
    yield from _records(search)
    yield from _checkpoints(files, search)
    yield from _rollbacks(files)


# --- records ----------------------------------------------------------------------------------


def _records(search: Good) -> Iterator[Vector]:
    objects = search.archive.objects
    log = first_named(objects, "log/000000000001-")
    changes: dict[str, tuple[str, Objects, FindingCode]] = {
        "log-missing": (
            "The records of a commit are gone.",
            without(objects, log),
            _F.LEAF_MISSING,
        ),
        "leaf-edited": (
            "A record counts fewer events.",
            edited(objects, log, lambda data: data.replace(b'"docs":7', b'"docs":6', 1)),
            _F.LEAF_MALFORMED,
        ),
        "leaf-edited-in-sense": (
            "A record names another tool, which no rule forbids.",
            edited(objects, log, lambda data: data.replace(b"ance/0.1.0", b"ance/0.2.0", 1)),
            _F.ROOT_MISMATCH,
        ),
        "leaf-removed": (
            "The last record of a commit is gone.",
            edited(objects, log, lambda data: data[: data[:-1].rindex(b"\n") + 1]),
            _F.LEAF_MISSING,
        ),
        "leaves-swapped": (
            "Two records of a commit have changed places.",
            edited(objects, log, _swapped),
            _F.ROOT_MISMATCH,
        ),
        "leaf-twice-the-key": (
            "A record has one name twice: which value counts depends on who reads it.",
            edited(objects, log, lambda data: data.replace(b'"docs":7', b'"docs":7,"docs":7', 1)),
            _F.LEAF_MALFORMED,
        ),
        "leaf-not-canonical": (
            "A record has a space after a comma.",
            edited(objects, log, lambda data: data.replace(b',"docs":7', b', "docs":7', 1)),
            _F.LEAF_MALFORMED,
        ),
        "frontier-edited": (
            "The first line of a commit's records starts elsewhere.",
            edited(objects, log, lambda data: data.replace(b'"start":2}', b'"start":4}')),
            _F.ROOT_MISMATCH,
        ),
    }
    for name, (about, changed, code) in changes.items():
        yield vector(name, about, "search", changed, code)


def _swapped(data: bytes) -> bytes:
    lines = data.split(b"\n")
    lines[3], lines[4] = lines[4], lines[3]
    return b"\n".join(lines)


# --- checkpoints ------------------------------------------------------------------------------


def _checkpoints(files: Good, search: Good) -> Iterator[Vector]:
    objects, last = search.archive.objects, checkpoint_name(5)
    yield vector(
        "checkpoint-missing",
        "A checkpoint in the middle is gone.",
        "search",
        without(objects, checkpoint_name(2)),
        _F.CHAIN_BROKEN,
    )
    yield vector(
        "checkpoint-in-anothers-place",
        "A checkpoint lies where the next one was.",
        "search",
        objects | {checkpoint_name(3): objects[checkpoint_name(2)]},
        _F.SIZE_REGRESSION,
    )
    stranger = ed25519_signer(search.archive.origin, 99)
    yield vector(
        "checkpoint-resigned",
        "The last checkpoint is signed anew, by another key.",
        "search",
        objects | {last: sign_checkpoint(_checkpoint(objects[last]).checkpoint, [stranger])},
        _F.SIG_INVALID,
    )
    own = search.archive.signers[0]
    both = sign_checkpoint(_checkpoint(objects[last]).checkpoint, [own, stranger])
    tricks: dict[str, tuple[str, bytes, FindingCode]] = {
        "note-unknown-signature": (
            "Beside the good signature a checkpoint has one by a key that nobody knows.",
            both,
            _F.CHECKPOINT_MALFORMED,
        ),
        "note-carriage-returns": (
            "The lines of a checkpoint end with CR LF.",
            objects[last].replace(b"\n", b"\r\n"),
            _F.CHECKPOINT_MALFORMED,
        ),
        "note-leading-zero": (
            "The size of a checkpoint has a leading zero.",
            objects[last].replace(b"\n", b"\n0", 1),
            _F.CHECKPOINT_MALFORMED,
        ),
        "note-no-line-feed": (
            "A checkpoint lacks its last line feed.",
            objects[last][:-1],
            _F.CHECKPOINT_MALFORMED,
        ),
        "note-other-base64": (
            "The root of a checkpoint has bits set that base64 does not count.",
            _other_base64(objects[last]),
            _F.CHECKPOINT_MALFORMED,
        ),
        "note-signature-twice": (
            "The signature line of a checkpoint stands there twice.",
            objects[last] + objects[last].split(b"\n\n")[1],
            _F.CHECKPOINT_MALFORMED,
        ),
        "note-edited-size": (
            "A checkpoint covers one record more than was signed.",
            _one_more(objects[last]),
            _F.SIG_INVALID,
        ),
    }
    for name, (about, note, code) in tricks.items():
        yield vector(name, about, "search", objects | {last: note}, code)
    theirs = files.archive.objects[checkpoint_name(2)]
    yield vector(
        "checkpoint-foreign",
        "A checkpoint of another archive lies at the next free number.",
        "search",
        objects | {checkpoint_name(6): theirs},
        _F.WRONG_ORIGIN,
    )
    yield vector(
        "stepped-over",
        "As before; then a writer stepped over it, and its commit is good.",
        "search",
        _stepped_over(search, theirs),
        _F.WRONG_ORIGIN,
    )
    yield vector(
        "everything-gone",
        "There is no object left.",
        "search",
        {},
        _F.NO_CHECKPOINT,
    )


def _checkpoint(data: bytes) -> SignedCheckpoint:
    signed = parse_checkpoint(data)
    assert isinstance(signed, SignedCheckpoint)
    return signed


def _other_base64(data: bytes) -> bytes:
    """32 bytes leave two bits of the 43rd character unused: the next letter says the same."""
    lines = data.split(b"\n")
    root = lines[2]
    lines[2] = root[:42] + bytes([root[42] + 1]) + root[43:]
    return b"\n".join(lines)


def _one_more(data: bytes) -> bytes:
    origin, size, rest = data.split(b"\n", 2)
    return b"%s\n%d\n%s" % (origin, int(size) + 1, rest)


def _stepped_over(search: Good, foreign: bytes) -> Objects:
    archive = search.archive.copy()
    archive.put(checkpoint_name(6), foreign)
    archive.read_end()
    archive.commit()
    return archive.objects


# --- an older state of the archive --------------------------------------------------------------


def _rollbacks(files: Good) -> Iterator[Vector]:
    before = files.after[1]
    cut = "The last commit is gone, with its records, its run and its segment: as it was before."
    yield vector("rollback", cut, "files", before, _F.ROLLBACK_VS_PIN)
    yield vector(
        "rollback-without-pin",
        cut + " Without a pin that cannot be seen: all that is left is that nothing vouches.",
        "files",
        before,
        _F.UNANCHORED,
        trust="files-without-pin",
    )
    yield vector(
        "rollback-in-trust",
        cut + " Who asks for no outside memory is told that all is well.",
        "files",
        before,
        trust="files-outside-0",
    )
    kept = {key: data for key, data in files.archive.objects.items() if not key.startswith("cp/")}
    checkpoints = {key: data for key, data in before.items() if key.startswith("cp/")}
    yield vector(
        "rollback-checkpoint",
        "The last checkpoint is gone, and what it covered is still there.",
        "files",
        kept | checkpoints,
        _F.ROLLBACK_VS_PIN,
    )
