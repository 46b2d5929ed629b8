"""Checkpoints, who may sign them, and attacks 38, 41 and 42."""

import base64
from hashlib import sha256

import pytest

from kcompliance.ledger import (
    Checkpoint,
    Fault,
    FindingCode,
    KeyRevocationRecord,
    KeyRing,
    KeyRotationRecord,
    KeySigner,
    SignedCheckpoint,
    TrustedKey,
    archive_id_of,
    introduced_keys,
    open_checkpoint,
    origin_of,
    parse_checkpoint,
    sign_checkpoint,
)
from tests.ledger.samples import (
    ARCHIVE_ID,
    JULY,
    NEXT_SIGNER,
    ORIGIN,
    OTHER_ID,
    SIGNER,
    ecdsa_signer,
    ed25519_signer,
    window,
)
from tests.ledger.test_note import REKOR_NOTE

ROOT = sha256(b"root").digest()
ROOT64 = base64.b64encode(ROOT).decode()
AT_10 = Checkpoint(origin=ORIGIN, size=10, root=ROOT)
GOOD = sign_checkpoint(AT_10, [SIGNER])
STRANGER = ed25519_signer(seed=9)
MALFORMED, INVALID = FindingCode.CHECKPOINT_MALFORMED, FindingCode.SIG_INVALID
OUT_OF_RANGE, ORIGIN_WRONG = FindingCode.KEY_OUT_OF_RANGE, FindingCode.WRONG_ORIGIN


def trusting(*signers: KeySigner, from_size: int = 0, to_size: int | None = None) -> KeyRing:
    return KeyRing(
        tuple(
            TrustedKey(key=signer.key, from_size=from_size, to_size=to_size) for signer in signers
        )
    )


RING = trusting(SIGNER)


def code(data: bytes, ring: KeyRing = RING, *introduced: KeySigner) -> FindingCode | None:
    opened = open_checkpoint(
        data, origin=ORIGIN, keys=ring, introduced=[signer.key for signer in introduced]
    )
    return opened.code if isinstance(opened, Fault) else None


def signed_by(signer: KeySigner, text: bytes) -> bytes:
    """A signed text, whatever it is: what a reader must not rely on a writer to check."""
    signature = base64.b64encode(signer.key.id + signer.sign(text)).decode()
    return text + f"\n— {signer.key.name} {signature}\n".encode()


def test_a_checkpoint_is_three_lines_and_a_signature() -> None:
    assert GOOD.startswith(f"{ORIGIN}\n10\n{ROOT64}\n\n— {ORIGIN} ".encode())
    opened = open_checkpoint(GOOD, origin=ORIGIN, keys=RING)
    assert isinstance(opened, SignedCheckpoint)
    assert opened.checkpoint == AT_10
    assert opened.sha256 == sha256(GOOD).hexdigest()


@pytest.mark.parametrize("signer", [ed25519_signer(seed=3), ecdsa_signer()])
def test_both_kinds_of_key_sign_checkpoints(signer: KeySigner) -> None:
    assert code(sign_checkpoint(AT_10, [signer]), trusting(signer)) is None


def test_the_published_checkpoint_of_rekor_is_read() -> None:
    read = parse_checkpoint(REKOR_NOTE)
    assert isinstance(read, SignedCheckpoint)
    assert (read.checkpoint.origin, read.checkpoint.size) == ("Rekor", 798034)


def test_origins_are_those_of_archives() -> None:
    assert archive_id_of(origin_of(ARCHIVE_ID)) == ARCHIVE_ID
    for origin in ("", "Rekor", str(ARCHIVE_ID), ORIGIN.upper(), ORIGIN + "/", "kcompliance/x"):
        assert archive_id_of(origin) is None
    assert archive_id_of("kcompliance/0190d2a4-0000-7000-8000-000000000001") is None


# --- attack 38 ------------------------------------------------------------------------------------

BODIES = {
    "an extension line": f"{ORIGIN}\n10\n{ROOT64}\nextension\n",
    "an empty extension line": f"{ORIGIN}\n10\n{ROOT64}\n\n",
    "two lines": f"{ORIGIN}\n10\n",
    "no origin": f"\n10\n{ROOT64}\n",
    "leading zero": f"{ORIGIN}\n010\n{ROOT64}\n",
    "two zeros": f"{ORIGIN}\n00\n{ROOT64}\n",
    "a sign": f"{ORIGIN}\n+10\n{ROOT64}\n",
    "a negative size": f"{ORIGIN}\n-10\n{ROOT64}\n",
    "a space before the size": f"{ORIGIN}\n 10\n{ROOT64}\n",
    "a space after the size": f"{ORIGIN}\n10 \n{ROOT64}\n",
    "an underscore": f"{ORIGIN}\n1_0\n{ROOT64}\n",
    "digits of another script": f"{ORIGIN}\n\u0661\u0660\n{ROOT64}\n",
    "a hexadecimal size": f"{ORIGIN}\n0xa\n{ROOT64}\n",
    "no size": f"{ORIGIN}\n\n{ROOT64}\n",
    "2^53": f"{ORIGIN}\n{2**53}\n{ROOT64}\n",
    "a size of thousands of digits": f"{ORIGIN}\n{'9' * 5000}\n{ROOT64}\n",
    "a root of 31 bytes": f"{ORIGIN}\n10\n{base64.b64encode(ROOT[1:]).decode()}\n",
    "a root of 33 bytes": f"{ORIGIN}\n10\n{base64.b64encode(ROOT + b'!').decode()}\n",
    "a root in hex": f"{ORIGIN}\n10\n{ROOT.hex()}\n",
    "a root without padding": f"{ORIGIN}\n10\n{ROOT64.rstrip('=')}\n",
    "a root with spare bits": f"{ORIGIN}\n10\n{ROOT64[:-2] + chr(ord(ROOT64[-2]) + 1)}=\n",
    "a root beyond ASCII": f"{ORIGIN}\n10\nп{ROOT64[1:]}\n",
    "no root": f"{ORIGIN}\n10\n\n",
}


@pytest.mark.parametrize("trick", BODIES)
def test_attack_38_bodies_that_are_no_checkpoint_even_when_signed(trick: str) -> None:
    assert code(signed_by(SIGNER, AT_10.text)) is None
    assert code(signed_by(SIGNER, BODIES[trick].encode())) is MALFORMED


NOTES = {
    "CRLF": (GOOD.replace(b"\n", b"\r\n"), MALFORMED),
    "missing final LF": (GOOD[:-1], MALFORMED),
    "two blank lines": (GOOD.replace(b"\n\n", b"\n\n\n"), MALFORMED),
    "two blank lines, signed": (signed_by(SIGNER, AT_10.text + b"\n"), MALFORMED),
    "the signature twice": (GOOD + GOOD.split(b"\n\n")[1], MALFORMED),
    "10 000 signatures": (GOOD + GOOD.split(b"\n\n")[1] * 10_000, MALFORMED),
    "base64 with spare bits": (GOOD[:-3] + bytes([GOOD[-3] + 1]) + b"=\n", MALFORMED),
    "known key with bad signature and unknown key with good": (
        signed_by(SIGNER, AT_10.text + b"\n").replace(b"\n\n\n", b"\n\n")
        + signed_by(STRANGER, AT_10.text).split(b"\n\n")[1],
        INVALID,
    ),
    "unknown key besides the known": (sign_checkpoint(AT_10, [SIGNER, STRANGER]), MALFORMED),
    "unknown key before the known": (sign_checkpoint(AT_10, [STRANGER, SIGNER]), MALFORMED),
    "re-signed by another key": (sign_checkpoint(AT_10, [STRANGER]), INVALID),
    "known name, id of another key": (sign_checkpoint(AT_10, [ecdsa_signer()]), INVALID),
    "signature of another size": (GOOD.replace(b"\n10\n", b"\n11\n"), INVALID),
    "signature of another root": (
        GOOD.replace(ROOT64.encode(), base64.b64encode(sha256(b"x").digest())),
        INVALID,
    ),
    "a signature cut short": (
        AT_10.text + f"\n— {ORIGIN} {base64.b64encode(SIGNER.key.id + b'x').decode()}\n".encode(),
        INVALID,
    ),
    "the same key under another name": (
        sign_checkpoint(AT_10, [ed25519_signer(origin_of(OTHER_ID))]),
        INVALID,
    ),
    "no note at all": (b"\x1f\x8b\x08", MALFORMED),
    "nothing": (b"", MALFORMED),
}


@pytest.mark.parametrize("trick", NOTES)
def test_attack_38_notes(trick: str) -> None:
    data, expected = NOTES[trick]
    assert code(data) is expected


def test_every_changed_byte_of_a_checkpoint_is_found() -> None:
    for place in range(len(GOOD)):
        for bit in range(8):
            changed = bytearray(GOOD)
            changed[place] ^= 1 << bit
            assert code(bytes(changed)) is not None


def test_every_byte_that_is_lost_or_added_is_found() -> None:
    for place in range(len(GOOD)):
        assert code(GOOD[:place] + GOOD[place + 1 :]) is not None
        assert code(GOOD[:place]) is not None
        assert code(GOOD[:place] + GOOD[place : place + 1] + GOOD[place:]) is not None


def test_what_cannot_be_a_checkpoint_is_never_written() -> None:
    for checkpoint in (
        Checkpoint(origin="", size=1, root=ROOT),
        Checkpoint(origin="a\nb", size=1, root=ROOT),
        Checkpoint(origin=ORIGIN, size=-1, root=ROOT),
        Checkpoint(origin=ORIGIN, size=2**53, root=ROOT),
        Checkpoint(origin=ORIGIN, size=1, root=ROOT[1:]),
    ):
        with pytest.raises(ValueError, match="checkpoint"):
            sign_checkpoint(checkpoint, [SIGNER])
    with pytest.raises(ValueError, match="one key"):
        sign_checkpoint(AT_10, [SIGNER, SIGNER])


# --- attack 41: a valid checkpoint of another archive, by the same key ----------------------------


@pytest.mark.parametrize(
    "origin", [origin_of(OTHER_ID), ORIGIN + "x", ORIGIN.upper(), "Rekor", ORIGIN + " "]
)
def test_attack_41_a_checkpoint_of_another_archive(origin: str) -> None:
    other = Checkpoint(origin=origin, size=10, root=ROOT)
    under_its_own_name = ed25519_signer(origin.strip().replace(" ", "_"))
    for signer in (under_its_own_name, SIGNER):
        data = sign_checkpoint(other, [signer])
        assert code(data, trusting(SIGNER, under_its_own_name)) is ORIGIN_WRONG


def test_attack_41_an_ecdsa_key_of_another_archive_does_not_sign_for_this_one() -> None:
    elsewhere = ecdsa_signer(origin_of(OTHER_ID))
    data = sign_checkpoint(AT_10, [elsewhere])
    assert code(data, trusting(elsewhere)) is INVALID
    assert code(data, trusting(ecdsa_signer())) is INVALID


# --- attack 42: keys beyond their range -----------------------------------------------------------

RANGES = {
    "for ever": (0, None, None),
    "from this size on": (10, None, None),
    "up to this size": (0, 11, None),
    "retired before": (0, 10, OUT_OF_RANGE),
    "retired long before": (0, 3, OUT_OF_RANGE),
    "not yet": (11, None, OUT_OF_RANGE),
}


@pytest.mark.parametrize("case", RANGES)
def test_attack_42_a_key_signs_in_its_range_only(case: str) -> None:
    from_size, to_size, expected = RANGES[case]
    assert code(GOOD, trusting(SIGNER, from_size=from_size, to_size=to_size)) is expected


def test_attack_42_one_key_out_of_range_beside_a_good_one() -> None:
    ring = KeyRing((*trusting(SIGNER, to_size=10).keys, *trusting(NEXT_SIGNER).keys))
    assert code(sign_checkpoint(AT_10, [SIGNER, NEXT_SIGNER]), ring) is OUT_OF_RANGE


ROTATION = KeyRotationRecord(vkey=NEXT_SIGNER.key, replaces=SIGNER.key, time=JULY)


def test_a_rotation_is_signed_by_both_keys() -> None:
    assert introduced_keys([window(), ROTATION]) == (NEXT_SIGNER.key,)
    both = sign_checkpoint(AT_10, [SIGNER, NEXT_SIGNER])
    assert code(both, RING, NEXT_SIGNER) is None
    assert code(both, RING) is MALFORMED
    assert code(GOOD, RING, NEXT_SIGNER) is INVALID


@pytest.mark.parametrize("bad", [SIGNER, NEXT_SIGNER])
def test_one_bad_signature_of_a_known_key_is_enough(bad: KeySigner) -> None:
    good = NEXT_SIGNER if bad is SIGNER else SIGNER
    line = signed_by(bad, b"another text\n").split(b"\n\n")[1]
    data = sign_checkpoint(AT_10, [good]) + line
    assert code(data, trusting(SIGNER, NEXT_SIGNER)) is INVALID
    assert code(data, trusting(good), bad) is INVALID
    assert code(data, trusting(good)) is MALFORMED


def test_the_largest_tree_is_taken() -> None:
    largest = Checkpoint(origin=ORIGIN, size=2**53 - 1, root=ROOT)
    assert code(sign_checkpoint(largest, [SIGNER])) is None


def test_a_key_never_vouches_for_itself() -> None:
    alone = sign_checkpoint(AT_10, [NEXT_SIGNER])
    assert code(alone, RING, NEXT_SIGNER) is INVALID
    assert code(alone, KeyRing(()), NEXT_SIGNER) is INVALID


def test_attack_42_after_a_rotation_only_the_new_key_signs() -> None:
    ring = RING.after([window(), ROTATION], size=10)
    later = Checkpoint(origin=ORIGIN, size=11, root=ROOT)
    assert code(sign_checkpoint(AT_10, [SIGNER, NEXT_SIGNER]), ring) is None
    assert code(sign_checkpoint(later, [NEXT_SIGNER]), ring) is None
    assert code(sign_checkpoint(later, [SIGNER]), ring) is OUT_OF_RANGE
    assert code(sign_checkpoint(later, [SIGNER, NEXT_SIGNER]), ring) is OUT_OF_RANGE
    earlier = Checkpoint(origin=ORIGIN, size=9, root=ROOT)
    assert code(sign_checkpoint(earlier, [SIGNER]), ring) is None
    assert code(sign_checkpoint(earlier, [NEXT_SIGNER]), ring) is OUT_OF_RANGE


def test_attack_42_after_a_revocation_the_key_signs_no_more_and_never_comes_back() -> None:
    revocation = KeyRevocationRecord(vkey=SIGNER.key, compromised=JULY, reason="stolen", time=JULY)
    comes_back = KeyRotationRecord(vkey=SIGNER.key, replaces=None, time=JULY)
    ring = RING.after([ROTATION, revocation], size=10).after([comes_back], size=12)
    later = Checkpoint(origin=ORIGIN, size=20, root=ROOT)
    assert code(sign_checkpoint(later, [SIGNER]), ring) is OUT_OF_RANGE
    assert code(sign_checkpoint(later, [NEXT_SIGNER]), ring) is None


def test_the_log_never_widens_what_the_trust_file_grants() -> None:
    ring = trusting(SIGNER, NEXT_SIGNER, to_size=5).after([ROTATION], size=10)
    assert [key.to_size for key in ring.keys] == [5, 5]
    joins = KeyRotationRecord(vkey=STRANGER.key, replaces=None, time=JULY)
    assert RING.after([joins], size=10).keys[0] == RING.keys[0]
