"""Proofs on disk: a folder with a few files and the way to check them, or one text.

    segment.leaf        the segment's record, the very bytes that the log's tree was made of
    segment.tlog-proof  its place in the tree, and the signed checkpoint (c2sp.org/tlog-proof)
    event.json          the event's line, without a line feed
    event.proof         its place among the lines of the segment
    VERIFY.md           how to check all that with a few lines of Python

Several proofs lie in folders `1`, `2`, … of one folder.
"""

import json
import os
import shutil
import stat
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from kcompliance.archive.prove import EventProof, Proof
from kcompliance.archive.tlog_proof import (
    MAX_PROOF_BYTES,
    TlogProof,
    format_tlog_proof,
    parse_tlog_proof,
)
from kcompliance.archive.zstd_frames import MAX_FRAME_CONTENT
from kcompliance.errors import OutputError, UsageError
from kcompliance.ledger import (
    MAX_INTEGER,
    MAX_RECORD_BYTES,
    Fault,
    FindingCode,
    Refused,
)
from kcompliance.model.digest import parse_sha256

__all__ = ["EVENT_PROOF_SCHEMA", "TEXT_SUFFIX", "EventProofV1", "read_proofs", "write_proofs"]

EVENT_PROOF_SCHEMA: Final = "kcompliance/event-proof/v1"
TEXT_SUFFIX: Final = ".tlog-proof"
"""Of a proof in one text."""

_LEAF: Final = "segment.leaf"
_TLOG: Final = f"segment{TEXT_SUFFIX}"
_EVENT: Final = "event.json"
_EVENT_PROOF: Final = "event.proof"
_MOST_PROOFS: Final = 10_000
_MOST_HASHES: Final = 63


class EventProofV1(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`event.proof`: the line's place in the tree over the lines of a segment (RFC 9162)."""

    schema: str
    segment: str
    """The sha256 of the segment, as its record names it."""
    index: int
    size: int
    """How many lines the segment has."""
    root: str
    """The record's `events_root`, in hex."""
    hashes: list[str]
    """In hex, from the line's sibling up to the root's child."""


# --- writing ----------------------------------------------------------------------------------


def write_proofs(place: Path, proofs: Sequence[Proof]) -> tuple[Path, ...]:
    """Write proofs to a new or empty folder, or one of a segment to a new `.tlog-proof`.

    Whole or not at all. The places of the single proofs, in their order. Raises `UsageError`
    where the place does not fit, and `OutputError`.
    """
    if place.suffix == TEXT_SUFFIX:
        return (_write_text(place, proofs),)
    if os.path.lexists(place) and not (place.is_dir() and not any(place.iterdir())):
        raise UsageError(f'"{place}" is there already', "name a new or an empty folder with --out")
    names = [""] if len(proofs) == 1 else [str(number + 1) for number in range(len(proofs))]
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
        try:
            work.chmod(0o755)
            for name, proof in zip(names, proofs, strict=True):
                _fill(work / name, proof)
            work.rename(place)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise OutputError(f'cannot write "{place}": {error.strerror}') from error
    return tuple(place / name for name in names)


def _write_text(place: Path, proofs: Sequence[Proof]) -> Path:
    """One text, with the leaf in its `extra` line."""
    if len(proofs) != 1 or proofs[0].event is not None:
        raise UsageError(
            f'"{place}" can hold the proof of one segment only', "name a folder for events"
        )
    tlog = proofs[0].tlog
    text = format_tlog_proof(
        TlogProof(
            index=tlog.index,
            hashes=tlog.hashes,
            checkpoint=tlog.checkpoint,
            extra=proofs[0].leaf,
        )
    )
    try:
        with place.open("xb") as file:
            file.write(text)
    except FileExistsError as error:
        raise UsageError(f'"{place}" is there already', "name a new file with --out") from error
    except OSError as error:
        raise OutputError(f'cannot write "{place}": {error.strerror}') from error
    return place


def _fill(folder: Path, proof: Proof) -> None:
    folder.mkdir(exist_ok=True)
    (folder / _LEAF).write_bytes(proof.leaf)
    (folder / _TLOG).write_bytes(format_tlog_proof(proof.tlog))
    event = proof.event
    if event is not None:
        (folder / _EVENT).write_bytes(event.line)
        document = EventProofV1(
            schema=EVENT_PROOF_SCHEMA,
            segment=event.segment,
            index=event.index,
            size=event.size,
            root=event.root.hex(),
            hashes=[each.hex() for each in event.hashes],
        )
        text = json.dumps(msgspec.to_builtins(document), indent=2)
        (folder / _EVENT_PROOF).write_text(f"{text}\n", encoding="utf-8")
    guide = _GUIDE.format(event=_GUIDE_EVENT if event is not None else "")
    (folder / "VERIFY.md").write_text(guide, encoding="utf-8")


# --- reading ----------------------------------------------------------------------------------


def read_proofs(place: Path) -> tuple[tuple[Path, Proof | Fault], ...]:
    """The proofs that lie there, each with its place; PROOF_INVALID for one that is damaged.

    Raises `UsageError` where there is none at all.
    """
    if place.is_file():
        return ((place, _read_text(place)),)
    if not place.is_dir():
        raise UsageError(f'there is no proof "{place}"', "name what archive prove --out has made")
    if (place / _TLOG).is_file() or (place / _LEAF).is_file():
        return ((place, _read_folder(place)),)
    numbers = sorted(
        (int(each.name), each)
        for each in place.iterdir()
        if each.name.isascii() and each.name.isdigit() and len(each.name) < 10 and each.is_dir()
    )
    if not numbers or len(numbers) > _MOST_PROOFS:
        raise UsageError(f'no proof is in "{place}"', "name what archive prove --out has made")
    return tuple((each, _read_folder(each)) for _, each in numbers)


class _UnfitError(Exception):
    """Never leaves this module."""


def _read_text(place: Path) -> Proof | Fault:
    try:
        tlog = _parsed_tlog(_read(place, MAX_PROOF_BYTES))
    except _UnfitError as error:
        return _invalid(place, error)
    if tlog.extra is None:
        return _invalid(place, _UnfitError("it lacks the line extra, which holds the record"))
    return Proof(leaf=tlog.extra, tlog=tlog)


def _read_folder(folder: Path) -> Proof | Fault:
    try:
        leaf = _read(folder / _LEAF, MAX_RECORD_BYTES)
        tlog = _parsed_tlog(_read(folder / _TLOG, MAX_PROOF_BYTES))
        there = [os.path.lexists(folder / name) for name in (_EVENT, _EVENT_PROOF)]
        event = None
        if any(there):
            line = _read(folder / _EVENT, MAX_FRAME_CONTENT)
            event = _parsed_event(line, _read(folder / _EVENT_PROOF, MAX_RECORD_BYTES))
        return Proof(leaf=leaf, tlog=tlog, event=event)
    except _UnfitError as error:
        return _invalid(folder, error)


def _parsed_tlog(data: bytes) -> TlogProof:
    tlog = parse_tlog_proof(data)
    if isinstance(tlog, Refused):
        raise _UnfitError(f"the proof is {tlog.reason}")
    return tlog


def _parsed_event(line: bytes, data: bytes) -> EventProof:
    try:
        read = msgspec.json.decode(data, type=EventProofV1)
    except (ValueError, RecursionError) as error:
        raise _UnfitError(f"{_EVENT_PROOF} is no such document") from error
    segment, root = parse_sha256(read.segment), parse_sha256(read.root)
    hashes = [parse_sha256(each) for each in read.hashes[: _MOST_HASHES + 1]]
    fits = 0 <= read.index < read.size <= MAX_INTEGER and len(hashes) <= _MOST_HASHES
    if read.schema != EVENT_PROOF_SCHEMA or segment is None or root is None or not fits:
        raise _UnfitError(f"{_EVENT_PROOF} says what cannot be")
    return EventProof(
        line=line,
        segment=segment,
        index=read.index,
        size=read.size,
        root=bytes.fromhex(root),
        hashes=tuple(_unhexed(each) for each in hashes),
    )


def _unhexed(digest: str | None) -> bytes:
    if digest is None:
        raise _UnfitError(f"{_EVENT_PROOF} names what is no hash")
    return bytes.fromhex(digest)


def _read(path: Path, most: int) -> bytes:
    try:
        # A pipe must not be waited for, and a link may lead to anything.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise _UnfitError(f"{path.name} is not a regular file")
            data = file.read(most + 1)
    except OSError as error:
        raise _UnfitError(f"{path.name} cannot be read: {error.strerror}") from error
    if len(data) > most:
        raise _UnfitError(f"{path.name} is longer than {most} bytes")
    return data


def _invalid(place: Path, error: _UnfitError) -> Fault:
    return Fault(code=FindingCode.PROOF_INVALID, detail=str(error), object=str(place))


# --- the guide --------------------------------------------------------------------------------

_GUIDE: Final = """\
# How to check this proof

With kcompliance, and the trust file that you were given on another way than this folder:

    kcompliance archive prove --check . --trust trust.toml

Without kcompliance, with Python and `pip install cryptography`. Put the archive's public key here
as `archive.key.pub`, from whom you trust: never from the archive, nor with this folder.

```python
import base64, hashlib, json
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

def leaf(data):
    return hashlib.sha256(b"\\0" + data).digest()

def root(result, index, size, hashes):  # RFC 9162, section 2.1.3.2
    last = size - 1
    assert 0 <= index <= last
    for each in hashes:
        assert last > 0
        if index & 1 or index == last:
            result = hashlib.sha256(b"\\1" + each + result).digest()
            while index and not index & 1:
                index, last = index >> 1, last >> 1
        else:
            result = hashlib.sha256(b"\\1" + result + each).digest()
        index, last = index >> 1, last >> 1
    assert last == 0
    return result

def signed(key, text, line):
    signature = base64.b64decode(line.split()[-1])[4:]
    scheme = [ec.ECDSA(SHA256())] if isinstance(key, ec.EllipticCurvePublicKey) else []
    try:
        key.verify(signature, text, *scheme)
    except InvalidSignature:
        return False
    return True

# 1. A key that you trust signed the checkpoint.
proof, note, lines = open("segment.tlog-proof", "rb").read().split(b"\\n\\n")
note += b"\\n"
key = load_pem_public_key(open("archive.key.pub", "rb").read())
assert any(signed(key, note, line) for line in lines.decode().splitlines())
origin, size, tree = note.decode().splitlines()

# 2. The checkpoint's tree has the segment's record.
head, index, *hashes = proof.decode().splitlines()
record = open("segment.leaf", "rb").read()
path = [base64.b64decode(each) for each in hashes]
assert head == "c2sp.org/tlog-proof@v1"
assert root(leaf(record), int(index.split()[1]), int(size), path) == base64.b64decode(tree)
segment = json.loads(record)
assert segment["type"] == "segment"
{event}
print("good:", origin, "holds", segment["key"])
```

It shows that this is in the archive as it was signed. It does not show that nothing was left out.
"""
# Filled in by `str.format`: the braces of the guide itself are only those of {event}.
_GUIDE_EVENT: Final = """
# 3. The segment has the event.
event = json.load(open("event.proof"))
line = open("event.json", "rb").read()
path = [bytes.fromhex(each) for each in event["hashes"]]
found = root(leaf(line), event["index"], segment["docs"], path)
assert found.hex() == segment["events_root"]
"""
