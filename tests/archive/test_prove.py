"""Proofs stand alone, are checked by others' code too, and any change of one is told."""

import base64
import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256

from kcompliance.archive.catalogue import ArchivedSegment, read_catalogue
from kcompliance.archive.proof_files import read_proofs, write_proofs
from kcompliance.archive.prove import (
    CheckedProof,
    EventProof,
    Proof,
    check_proof,
    prove_events,
    prove_segment,
)
from kcompliance.archive.tlog_proof import TlogProof, format_tlog_proof, parse_tlog_proof
from kcompliance.errors import UsageError
from kcompliance.ledger import (
    Fault,
    KeySigner,
    Pin,
    Refused,
    inclusion_proof,
    leaf_hash,
    node_hash,
    origin_of,
)
from tests.archive.small_archive import SmallArchive, event_line, small_archive
from tests.ledger.samples import JULY, OTHER_ID, STREAM, ecdsa_signer, ed25519_signer


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> SmallArchive:
    return small_archive(tmp_path_factory.mktemp("archives") / "archive")


def segments_of(archive: SmallArchive) -> list[ArchivedSegment]:
    catalogue = read_catalogue(archive.store, archive.pinned())
    return list(catalogue.streams[STREAM].segments.values())


def prove(archive: SmallArchive, text: str, most: int = 10) -> list[Proof]:
    catalogue = read_catalogue(archive.store, archive.pinned(), leaf_hashes=True)
    segments = segments_of(archive)
    found = prove_events(catalogue, archive.store, segments, text, most=most)
    return [proof for _, proof in found]


@pytest.fixture(scope="module")
def proof(archive: SmallArchive) -> Proof:
    (proof,) = prove(archive, "a2-3")
    return proof


def event_of(proof: Proof) -> EventProof:
    assert proof.event is not None
    return proof.event


def good(proof: Proof, archive: SmallArchive) -> CheckedProof:
    checked = check_proof(proof, archive.pinned())
    assert isinstance(checked, CheckedProof)
    return checked


# --- what is proven ----------------------------------------------------------------------------


def test_every_event_of_every_segment_can_be_proven(archive: SmallArchive) -> None:
    for hour in (0, 2):
        for number in range(5):
            line = event_line(hour, number)
            (proof,) = prove(archive, f"a{hour}-{number}")
            checked = good(proof, archive)
            assert checked.event is not None
            assert (checked.event.line, checked.event.index) == (line, number)
            assert checked.record.start is not None
            assert checked.record.start.hour == hour


def test_every_segment_can_be_proven_against_the_last_checkpoint(archive: SmallArchive) -> None:
    catalogue = read_catalogue(archive.store, archive.pinned(), leaf_hashes=True)
    for segment in segments_of(archive):
        checked = good(prove_segment(catalogue, segment), archive)
        assert checked.record == segment.record
        assert checked.checkpoint == archive.end.checkpoint


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b'{"_id":"x","_source":{}}', "x"),
        (b'{"_id":"","_source":{"auditID":"x"}}', "x"),
        (b'{"_source":{"kubernetes":{"audit":{"auditID":"x"}}}}', "x"),
        (b'{"_source":{"kubernetes.audit.auditID":"x"}}', "x"),
        (b'{"category":"kube-audit","properties":{"log":"{\\"auditID\\":\\"x\\"}\\n"}}', "x"),
        (b'{"_source":{"AuditId":"x"}}', "x"),
        (b'{"_source":{"auditID":"\\u0078"}}', "x"),
        ('{"_id":"\\"ä","_source":{}}'.encode(), '"ä'),
        (b'{"_id":"a\\/b","_source":{}}', "a/b"),
    ],
    ids=["id", "native", "nested", "dotted", "aks", "column", "escaped", "not ascii", "slash"],
)
def test_an_event_is_found_in_whatever_it_is_wrapped(
    tmp_path: Path, line: bytes, text: str
) -> None:
    archive = SmallArchive(tmp_path / "archive")
    others = [b'{"_id":"xx","_source":{"auditID":"xy","note":"x"}}', b"no json: x \\u0078"]
    archive.commit(archive.segment(JULY, [*others[:1], line]))

    (proof,) = prove(archive, text)

    assert event_of(proof).line == line
    good(proof, archive)


def test_what_users_of_the_cluster_wrote_is_no_id(tmp_path: Path) -> None:
    archive = SmallArchive(tmp_path / "archive")
    line = b'{"_id":"1","_source":{"auditID":"y","requestObject":{"auditID":"x"}}}'
    archive.commit(archive.segment(JULY, [line]))

    assert prove(archive, "x") == []


def test_the_stages_of_one_request_are_proven_each(tmp_path: Path) -> None:
    archive = SmallArchive(tmp_path / "archive")
    stages = [event_line(0, 1, stage=stage) for stage in ("RequestReceived", "ResponseComplete")]
    archive.hour(0, [event_line(0, 0), *stages, event_line(0, 2)])

    proofs = prove(archive, "a0-1")

    assert [event_of(proof).line for proof in proofs] == stages
    assert [event_of(proof).index for proof in proofs] == [1, 2]
    assert len(prove(archive, "a0-1", most=1)) == 1
    places = write_proofs(tmp_path / "out", proofs)
    assert places == (tmp_path / "out/1", tmp_path / "out/2")
    assert [each for _, each in read_proofs(tmp_path / "out")] == proofs


# --- checked by code that is not ours ----------------------------------------------------------


def _tree(hashes: list[bytes]) -> bytes:
    """RFC 6962 section 2.1 as it is written, over leaf hashes."""
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return hashlib.sha256(b"\1" + _tree(hashes[:split]) + _tree(hashes[split:])).digest()


def _climb(result: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """The root from the leaf up, by where the leaf lies in each half: top down, recursively."""
    if size == 1:
        assert path == []
        return result
    split = 1
    while split * 2 < size:
        split *= 2
    if index < split:
        return hashlib.sha256(b"\1" + _climb(result, index, split, path[:-1]) + path[-1]).digest()
    right = _climb(result, index - split, size - split, path[:-1])
    return hashlib.sha256(b"\1" + path[-1] + right).digest()


def _leaf(data: bytes) -> bytes:
    return hashlib.sha256(b"\0" + data).digest()


@pytest.mark.parametrize("make", [ed25519_signer, ecdsa_signer], ids=["ed25519", "ecdsa"])
def test_a_proof_holds_for_a_verifier_of_another_make(
    tmp_path: Path, make: Callable[[], KeySigner]
) -> None:
    signer = make()
    archive = SmallArchive(tmp_path / "archive", signer=signer)
    lines = [event_line(0, number) for number in range(7)]
    archive.hour(0, lines)
    archive.hour(1)
    folder = tmp_path / "proof"
    write_proofs(folder, prove(archive, "a0-5"))

    # The checkpoint, under the public key.
    head, note, signatures = (folder / "segment.tlog-proof").read_bytes().split(b"\n\n")
    text = note + b"\n"
    signature = base64.b64decode(signatures.split()[-1])[4:]
    public = signer._private.public_key()
    if isinstance(public, ed25519.Ed25519PublicKey):
        public.verify(signature, text)
    else:
        public.verify(signature, text, ec.ECDSA(SHA256()))
    _, size, root = text.decode().splitlines()
    # The record in its tree, which is made anew from the batches of the log.
    leaves: list[bytes] = []
    for batch in sorted((archive.folder / "log").iterdir()):
        leaves += batch.read_bytes().splitlines()[1:]
    assert _tree([_leaf(leaf) for leaf in leaves]) == base64.b64decode(root)
    header, index, *path = head.decode().splitlines()
    record = (folder / "segment.leaf").read_bytes()
    hashes = [base64.b64decode(each) for each in path]
    assert header == "c2sp.org/tlog-proof@v1"
    number = int(index.removeprefix("index "))
    assert _climb(_leaf(record), number, int(size), hashes) == base64.b64decode(root)
    assert leaves[number] == record
    # The event among the lines of the segment.
    event = json.loads((folder / "event.proof").read_text())
    line = (folder / "event.json").read_bytes()
    events_root = json.loads(record)["events_root"]
    climbed = _climb(_leaf(line), event["index"], 7, [bytes.fromhex(h) for h in event["hashes"]])
    assert climbed.hex() == events_root == _tree([_leaf(each) for each in lines]).hex()
    assert line == lines[5]

    # And the lines of Python that the guide gives.
    code = re.search(r"```python\n(.*?)```", (folder / "VERIFY.md").read_text(), re.DOTALL)
    assert code is not None
    (folder / "archive.key.pub").write_bytes(
        public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )

    def follow_the_guide() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-I", "-c", code[1]],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )

    done = follow_the_guide()
    assert done.returncode == 0, done.stderr
    assert json.loads(record)["key"] in done.stdout
    (folder / "event.json").write_bytes(line.replace(b"a0-5", b"a0-6"))
    assert follow_the_guide().returncode != 0


# --- tricks ------------------------------------------------------------------------------------


def _event(proof: Proof, **changes: object) -> Proof:
    return replace(proof, event=replace(event_of(proof), **changes))  # type: ignore[arg-type]


def _tlog(proof: Proof, **changes: object) -> Proof:
    return replace(proof, tlog=replace(proof.tlog, **changes))  # type: ignore[arg-type]


def _garbled(hashes: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return (hashes[0][:-1] + bytes([hashes[0][-1] ^ 1]), *hashes[1:])


def _bigger(proof: Proof) -> Proof:
    origin, size, *rest = proof.tlog.checkpoint.split(b"\n")
    note = b"\n".join([origin, b"%d" % (int(size) * 2), *rest])
    return _tlog(proof, checkpoint=note)


TRICKS: dict[str, tuple[Callable[[Proof], Proof], str]] = {
    "index + 1": (lambda p: _tlog(p, index=p.tlog.index + 1), "PROOF_INVALID"),
    "index of no leaf": (lambda p: _tlog(p, index=10**6), "PROOF_INVALID"),
    "size x 2": (_bigger, "SIG_INVALID"),
    "extra node": (lambda p: _tlog(p, hashes=(*p.tlog.hashes, b"\0" * 32)), "PROOF_INVALID"),
    "missing node": (lambda p: _tlog(p, hashes=p.tlog.hashes[:-1]), "PROOF_INVALID"),
    "garbled node": (lambda p: _tlog(p, hashes=_garbled(p.tlog.hashes)), "PROOF_INVALID"),
    "no nodes": (lambda p: _tlog(p, hashes=()), "PROOF_INVALID"),
    "node passed as leaf": (
        lambda p: replace(
            _tlog(p, index=p.tlog.index // 2, hashes=p.tlog.hashes[1:]),
            leaf=b"\1" + leaf_hash(p.leaf) + p.tlog.hashes[0],
        ),
        "PROOF_INVALID",
    ),
    "altered record": (
        lambda p: replace(p, leaf=p.leaf.replace(b'"docs":5', b'"docs":4')),
        "PROOF_INVALID",
    ),
    "event: other line": (lambda p: _event(p, line=event_line(2, 4)), "PROOF_INVALID"),
    "event: index + 1": (lambda p: _event(p, index=event_of(p).index + 1), "PROOF_INVALID"),
    "event: size x 2": (lambda p: _event(p, size=event_of(p).size * 2), "PROOF_INVALID"),
    "event: other root": (lambda p: _event(p, root=b"\7" * 32), "PROOF_INVALID"),
    "event: other segment": (lambda p: _event(p, segment="0" * 64), "PROOF_INVALID"),
    "event: extra node": (
        lambda p: _event(p, hashes=(*event_of(p).hashes, b"\0" * 32)),
        "PROOF_INVALID",
    ),
    "event: missing node": (lambda p: _event(p, hashes=event_of(p).hashes[1:]), "PROOF_INVALID"),
    "event: garbled node": (
        lambda p: _event(p, hashes=_garbled(event_of(p).hashes)),
        "PROOF_INVALID",
    ),
    "event: node passed as line": (
        lambda p: _event(
            p,
            line=b"\1" + leaf_hash(event_of(p).line) + event_of(p).hashes[0],
            index=event_of(p).index // 2,
            hashes=event_of(p).hashes[1:],
        ),
        "PROOF_INVALID",
    ),
    "unsigned": (
        lambda p: _tlog(p, checkpoint=p.tlog.checkpoint.rpartition(b"\n\n")[0] + b"\n\n"),
        "CHECKPOINT_MALFORMED",
    ),
}


@pytest.mark.parametrize("trick", TRICKS)
def test_a_changed_proof_proves_nothing(
    archive: SmallArchive, proof: Proof, trick: str, tmp_path: Path
) -> None:
    change, code = TRICKS[trick]
    changed = change(proof)
    assert changed != proof

    fault = check_proof(changed, archive.pinned())

    assert isinstance(fault, Fault)
    assert fault.code == code
    # The same from files.
    write_proofs(tmp_path / "proof", [changed])
    ((_, read),) = read_proofs(tmp_path / "proof")
    assert isinstance(read, Proof)
    again = check_proof(read, archive.pinned())
    assert isinstance(again, Fault)
    assert again.code == code


def test_the_tricks_are_tried_on_a_proof_that_holds(archive: SmallArchive, proof: Proof) -> None:
    good(proof, archive)
    assert len(proof.tlog.hashes) >= 2
    assert len(event_of(proof).hashes) >= 2
    joined = node_hash(leaf_hash(proof.leaf), proof.tlog.hashes[0])
    assert joined != leaf_hash(b"\1" + leaf_hash(proof.leaf) + proof.tlog.hashes[0])


def test_another_events_proof_does_not_fit(archive: SmallArchive, proof: Proof) -> None:
    (other,) = prove(archive, "a0-3")
    swapped = replace(proof, event=other.event)

    fault = check_proof(swapped, archive.pinned())

    assert isinstance(fault, Fault)
    assert fault.code == "PROOF_INVALID"


def test_a_record_that_is_no_segment_is_no_proof(archive: SmallArchive, proof: Proof) -> None:
    """Genesis is in the tree as well, and its inclusion can be proven; it holds no event."""
    catalogue = read_catalogue(archive.store, archive.pinned(), leaf_hashes=True)
    first = sorted((archive.folder / "log").iterdir())[0].read_bytes().splitlines()[1]
    hashes = inclusion_proof(catalogue.leaf_hashes, 0)
    fault = check_proof(
        Proof(leaf=first, tlog=replace(proof.tlog, index=0, hashes=hashes)), archive.pinned()
    )

    assert isinstance(fault, Fault)
    assert "not the record of a segment" in fault.detail


@pytest.mark.parametrize(
    ("trust", "code"),
    [
        (lambda t: replace(t, origin=origin_of(OTHER_ID)), "WRONG_ORIGIN"),
        (
            lambda t: replace(t, keys=(replace(t.keys[0], key=ed25519_signer(seed=9).key),)),
            "SIG_INVALID",
        ),
        (lambda t: replace(t, keys=(replace(t.keys[0], to_size=2),)), "KEY_OUT_OF_RANGE"),
        (lambda t: replace(t, pin=Pin(size=t.pin.size, root=b"\1" * 32)), "FORK_VS_PIN"),
    ],
    ids=["origin", "key", "range", "pin"],
)
def test_only_the_trust_file_says_whose_signature_counts(
    archive: SmallArchive, proof: Proof, trust: Callable[..., object], code: str
) -> None:
    fault = check_proof(proof, trust(archive.pinned()))  # type: ignore[arg-type]

    assert isinstance(fault, Fault)
    assert fault.code == code


# --- files -------------------------------------------------------------------------------------


def test_a_segment_is_proven_in_one_text(
    archive: SmallArchive, proof: Proof, tmp_path: Path
) -> None:
    path = tmp_path / "a.tlog-proof"
    alone = replace(proof, event=None)

    write_proofs(path, [alone])

    ((_, read),) = read_proofs(path)
    assert isinstance(read, Proof)
    assert good(read, archive).record == good(alone, archive).record
    assert path.read_bytes().startswith(b"c2sp.org/tlog-proof@v1\nextra ")
    with pytest.raises(UsageError, match="is there already"):
        write_proofs(path, [alone])
    with pytest.raises(UsageError, match="one segment only"):
        write_proofs(tmp_path / "b.tlog-proof", [proof])
    path.write_bytes(path.read_bytes().replace(b"\nextra ", b"\nextraa "))
    ((_, damaged),) = read_proofs(path)
    assert isinstance(damaged, Fault)


def test_a_folder_is_new_or_empty(proof: Proof, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    write_proofs(tmp_path / "empty", [proof])

    with pytest.raises(UsageError, match="is there already"):
        write_proofs(tmp_path / "empty", [proof])

    names = ["VERIFY.md", "event.json", "event.proof", "segment.leaf", "segment.tlog-proof"]
    assert sorted(each.name for each in (tmp_path / "empty").iterdir()) == names
    assert [each.name for each in tmp_path.iterdir()] == ["empty"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("segment.leaf", None),
        ("segment.leaf", b"x" * 70_000),
        ("segment.tlog-proof", b""),
        ("segment.tlog-proof", b"\xff" * 100),
        ("event.json", None),
        ("event.proof", None),
        ("event.proof", b"{}"),
        ("event.proof", b"[" * 60_000),
        ("event.proof", b"x" * 70_000),
    ],
)
def test_damaged_files_are_a_fault_and_no_more(
    proof: Proof, tmp_path: Path, name: str, content: bytes | None
) -> None:
    folder = tmp_path / "proof"
    write_proofs(folder, [proof])
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)

    ((_, read),) = read_proofs(folder)

    assert isinstance(read, Fault)
    assert read.code == "PROOF_INVALID"


def test_a_link_is_not_followed(proof: Proof, tmp_path: Path) -> None:
    folder = tmp_path / "proof"
    write_proofs(folder, [proof])
    shutil.move(folder / "event.json", tmp_path / "elsewhere")
    (folder / "event.json").symlink_to(tmp_path / "elsewhere")

    ((_, read),) = read_proofs(folder)

    assert isinstance(read, Fault)


def test_a_place_without_a_proof_is_told(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "missing"):
        with pytest.raises(UsageError, match="proof"):
            read_proofs(place)


# --- the text ----------------------------------------------------------------------------------

SPECIFIED = TlogProof(
    index=73894,
    hashes=tuple(
        base64.b64decode(each)
        for each in (
            "gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=",
            "B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=",
        )
    ),
    checkpoint="example.com/fancylog\n109482\n"
    "sFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=\n\n— example.com/fancylog hI2DJw==\n".encode(),
    extra=b"age-v1.2.1",
)


def test_a_text_is_as_the_specification_has_it() -> None:
    text = format_tlog_proof(SPECIFIED)

    lines = text.decode().split("\n")
    assert lines[:4] == [
        "c2sp.org/tlog-proof@v1",
        f"extra {base64.b64encode(b'age-v1.2.1').decode()}",
        "index 73894",
        "gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=",
    ]
    assert lines[5:7] == ["", "example.com/fancylog"]
    assert parse_tlog_proof(text) == SPECIFIED
    alone = replace(SPECIFIED, extra=None, index=0, hashes=())
    assert format_tlog_proof(alone).startswith(b"c2sp.org/tlog-proof@v1\nindex 0\n\nexample.com")
    assert parse_tlog_proof(format_tlog_proof(alone)) == alone


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"@v1", b"@v2"),
        (b"index 73894", b"index 073894"),
        (b"index 73894", b"index -1"),
        (b"index 73894", b"index 99999999999999999"),
        (b"index 73894\n", b""),
        (b"extra ", b"extra ="),
        (b"PlQ=", b"PlR="),
        (b"PlQ=", b"PlQ"),
        (b"\n\nexample", b"\nexample"),
        (b"gSKy", b"\nSKy"),
        (
            b"index 73894\n",
            b"index 73894\n" + b"B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=\n" * 64,
        ),
    ],
)
def test_a_text_is_read_strictly(old: bytes, new: bytes) -> None:
    text = format_tlog_proof(SPECIFIED).replace(old, new, 1)

    read = parse_tlog_proof(text)

    assert isinstance(read, Refused) or read.checkpoint != SPECIFIED.checkpoint
