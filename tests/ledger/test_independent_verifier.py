"""An archive's log read by code that shares nothing with the product, with the same verdict.

Only hashlib, json, base64 and cryptography: what a stranger would write from docs/format.md.
"""

import base64
import hashlib
import json
import re
from collections.abc import Callable

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from kcompliance.ledger import (
    Checkpoint,
    CheckpointName,
    CommitRecord,
    Fault,
    Frontier,
    KeyRing,
    KeySigner,
    LogName,
    SignedCheckpoint,
    TrustedKey,
    batch_fault,
    checkpoint_name,
    decode_leaves,
    faults_of,
    inclusion_proof,
    leaf_hash,
    open_checkpoint,
    parse_name,
    read_batch,
    sign_checkpoint,
)
from tests.ledger.samples import (
    ORIGIN,
    SIGNER,
    SampleArchive,
    ecdsa_signer,
    ed25519_signer,
    sample_archive,
    stream,
    window,
)

Objects = dict[str, bytes]


# --- the stranger ---------------------------------------------------------------------------------


def stranger_root(leaves: list[bytes]) -> bytes:
    if len(leaves) < 2:
        return hashlib.sha256(b"".join(b"\0" + leaf for leaf in leaves)).digest()
    half = 1 << (len(leaves) - 1).bit_length() - 1
    halves = stranger_root(leaves[:half]) + stranger_root(leaves[half:])
    return hashlib.sha256(b"\1" + halves).digest()


def stranger_signed(vkey: str, text: bytes, signature: bytes) -> bool:
    key = base64.b64decode(vkey.split("+", 2)[2])
    try:
        if key[0] == 1:
            ed25519.Ed25519PublicKey.from_public_bytes(key[1:]).verify(signature, text)
        else:
            public = serialization.load_der_public_key(key[1:])
            assert isinstance(public, ec.EllipticCurvePublicKey)
            public.verify(signature, text, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def stranger_accepts(objects: Objects, origin: str, vkey: str) -> bool:
    """One key, all commits from the first on: signatures, tree and chain."""
    leaves: list[bytes] = []
    previous = None
    for name in sorted(name for name in objects if name.startswith("cp/")):
        found = re.fullmatch(
            rb"((.+)\n(0|[1-9]\d*)\n(.{44})\n)\n\xe2\x80\x94 (\S+) (\S+)\n", objects[name]
        )
        if not found or found[2].decode() != origin or found[5].decode() != origin:
            return False
        signature = base64.b64decode(found[6], validate=True)
        root = base64.b64decode(found[4], validate=True)
        if base64.b64encode(signature) != found[6] or base64.b64encode(root) != found[4]:
            return False
        if signature[:4].hex() != vkey.split("+")[1]:
            return False
        log = objects.get(f"log/{name[3:15]}-{root.hex()}.ndjson", b"")
        lines = log.split(b"\n")
        if not stranger_signed(vkey, found[1], signature[4:]) or lines.pop() != b"":
            return False
        if not lines or json.loads(lines[0])["start"] != len(leaves):
            return False
        leaves += lines[1:]
        if len(leaves) != int(found[3]) or stranger_root(leaves) != root:
            return False
        commit = next(
            json.loads(line) for line in lines[1:] if json.loads(line)["type"] == "commit"
        )
        if commit["prev"] != previous:
            return False
        previous = hashlib.sha256(objects[name]).hexdigest()
    return previous is not None


# --- the same walk with the product's parts -------------------------------------------------------


def product_accepts(objects: Objects, origin: str, signer: KeySigner) -> bool:
    ring = KeyRing((TrustedKey(key=signer.key),))
    frontier, previous, seen = Frontier(), None, False
    for name in sorted(objects):
        if not isinstance(parsed := parse_name(name), CheckpointName):
            continue
        signed = open_checkpoint(objects[name], origin=origin, keys=ring)
        if isinstance(signed, Fault):
            return False
        batch = read_batch(log_of(objects, parsed.number, signed))
        if isinstance(batch, Fault) or batch_fault(batch, signed.checkpoint, previous=frontier):
            return False
        leaves = decode_leaves(batch)
        commits = [leaf.record for leaf in leaves if isinstance(leaf.record, CommitRecord)]
        if faults_of(leaves) or [commit.prev for commit in commits] != [previous]:
            return False
        frontier, previous, seen = batch.after, signed.sha256, True
    return seen


def log_of(objects: Objects, number: int, signed: SignedCheckpoint) -> bytes:
    wanted = LogName(number, signed.checkpoint.root)
    return next((data for name, data in objects.items() if parse_name(name) == wanted), b"")


def both(objects: Objects, signer: KeySigner = SIGNER, origin: str = ORIGIN) -> bool:
    verdict = stranger_accepts(objects, origin, str(signer.key))
    assert product_accepts(objects, origin, signer) is verdict
    return verdict


@pytest.mark.parametrize("signer", [ed25519_signer(), ecdsa_signer()])
def test_both_accept_a_good_archive(signer: KeySigner) -> None:
    archive = SampleArchive()
    for hour in range(5):
        archive.commit(stream(), window(hour), signers=[signer])
        assert both(archive.objects, signer)


ARCHIVE = sample_archive()
LOGS = sorted(name for name in ARCHIVE.objects if name.startswith("log/"))


def without(name: str) -> Objects:
    return {other: data for other, data in ARCHIVE.objects.items() if other != name}


def edited(name: str, edit: Callable[[bytes], bytes]) -> Objects:
    data = edit(ARCHIVE.objects[name])
    assert data != ARCHIVE.objects[name]
    return ARCHIVE.objects | {name: data}


RESIGNED = Checkpoint(origin=ORIGIN, size=ARCHIVE.frontier.size, root=ARCHIVE.frontier.root)
TAMPERED: dict[str, Objects] = {
    "everything gone": {},
    "all checkpoints gone": {name: ARCHIVE.objects[name] for name in LOGS},
    "the first checkpoint gone": without(checkpoint_name(0)),
    "a middle checkpoint gone": without(checkpoint_name(1)),
    "the first records gone": without(LOGS[0]),
    "the last records gone": without(LOGS[3]),
    "a middle heartbeat's records gone": without(LOGS[2]),
    "a checkpoint in another's place": ARCHIVE.objects
    | {checkpoint_name(1): ARCHIVE.objects[checkpoint_name(0)]},
    "a checkpoint re-signed by another": ARCHIVE.objects
    | {checkpoint_name(3): sign_checkpoint(RESIGNED, [ed25519_signer(seed=9)])},
    "a record edited": edited(LOGS[1], lambda data: data.replace(b'"docs":5', b'"docs":4')),
    "a record gone": edited(LOGS[3], lambda data: data[: data[:-1].rindex(b"\n") + 1]),
    "records swapped": edited(
        LOGS[3], lambda data: b"\n".join([*data.split(b"\n")[:2], *data.split(b"\n")[4:1:-1]])
    ),
    "the frontier's start edited": edited(
        LOGS[1], lambda data: data.replace(b'"start":4', b'"start":5')
    ),
}


def test_both_accept_the_archive_that_is_tampered_with() -> None:
    assert both(ARCHIVE.objects)


@pytest.mark.parametrize("case", TAMPERED)
def test_both_refuse(case: str) -> None:
    assert not both(TAMPERED[case])


def test_the_product_finds_every_changed_byte_of_a_log() -> None:
    for name, data in ARCHIVE.objects.items():
        for place in range(len(data)):
            changed = bytearray(data)
            changed[place] ^= 1
            assert not product_accepts(ARCHIVE.objects | {name: bytes(changed)}, ORIGIN, SIGNER)


def stranger_included(leaf: bytes, index: int, size: int, proof: list[bytes]) -> bytes:
    """The root by RFC 6962's own definition of a path, from the leaf up, with no loop of 9162."""
    if size == 1:
        return hashlib.sha256(b"\0" + leaf).digest()
    half = 1 << (size - 1).bit_length() - 1
    if index < half:
        left, right = stranger_included(leaf, index, half, proof[:-1]), proof[-1]
    else:
        left, right = proof[-1], stranger_included(leaf, index - half, size - half, proof[:-1])
    return hashlib.sha256(b"\1" + left + right).digest()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 13])
def test_a_stranger_can_check_a_proof_of_inclusion(size: int) -> None:
    lines = [b"line %d" % number for number in range(size)]
    for index, line in enumerate(lines):
        proof = inclusion_proof([leaf_hash(each) for each in lines], index)
        assert stranger_included(line, index, size, list(proof)) == stranger_root(lines)
