"""Attacks on checkpoints, records, keys and clocks: 7 to 14, 19, 20, 27, 28, 37, 38, 39, 41, 42."""

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from kcompliance.errors import ExitCode
from kcompliance.ledger import (
    Checkpoint,
    FindingCode,
    KeyRevocationRecord,
    KeyRotationRecord,
    Require,
    TrustedKey,
    encode_record,
    inclusion_fault,
    inclusion_proof,
    leaf_hash,
    merkle_root,
    origin_of,
    sign_checkpoint,
)
from kcompliance.stores.filesystem import FilesystemStore
from kcompliance.stores.memory import MemoryStore
from tests.archive.building import Builder, objects_of, stream_record, window_at, window_record
from tests.attacks.victim import HOURS, Victim, builder_of, objects
from tests.ledger.samples import (
    JULY,
    NEXT_SIGNER,
    ORIGIN,
    OTHER_ID,
    SIGNER,
    ed25519_signer,
)

LAST = HOURS
"""The number of the last commit."""


def cut_tail(victim: Victim) -> None:
    """Delete the last commit with all that it brought."""
    runs = sorted((victim.folder / "run").iterdir())
    victim.delete(victim.segments[-1], victim.log(LAST), victim.cp(LAST), runs[-1])


# --- rollback, forks ----------------------------------------------------------------------------


def test_07_the_tail_is_cut_off_and_a_pin_remembers_it(victim: Victim) -> None:
    cut_tail(victim)

    victim.must_be("ROLLBACK_VS_PIN", victim.cp(LAST))
    victim.must_be("ROLLBACK_VS_PIN", victim.cp(LAST), level=0)


def test_07_the_tail_is_cut_off_and_the_archive_is_older_than_it_may_be(victim: Victim) -> None:
    cut_tail(victim)
    require = Require(outside=0, max_age=timedelta(minutes=65))
    trust = victim.builder.trust(pin=False, require=require)

    victim.must_be("STALE", exit_code=ExitCode.INCOMPLETE, trust=trust)


def test_07_the_tail_is_cut_off_and_nothing_remembers_it(victim: Victim) -> None:
    """Not to be found by anybody: the verdict says at least that nothing confirms the archive."""
    cut_tail(victim)

    victim.must_be("UNANCHORED", exit_code=ExitCode.INCOMPLETE, trust=victim.unpinned)


def test_08_everything_is_deleted(victim: Victim) -> None:
    for path in victim.folder.rglob("*"):
        if path.is_file():
            path.unlink()

    victim.must_be("NO_CHECKPOINT", "cp/")
    victim.must_be("NO_CHECKPOINT", "cp/", trust=victim.unpinned)
    victim.must_be("NO_CHECKPOINT", "cp/", trusting=False)


def test_09_middle_records_are_deleted(victim: Victim) -> None:
    path = victim.log(2)
    victim.delete(path)

    victim.must_be("LEAF_MISSING", path)


def test_09_one_record_is_deleted(victim: Victim) -> None:
    path = victim.log(2)
    victim.write(path, b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))

    victim.must_be("LEAF_MISSING", path)


def test_09_a_middle_checkpoint_is_deleted(victim: Victim) -> None:
    path = victim.cp(2)
    victim.delete(path)

    victim.must_be("CHAIN_BROKEN", path)


def _regenerated(victim: Victim, sign: Callable[[Checkpoint], bytes]) -> None:
    """Drop a segment from the log and make everything after that anew."""
    forged = Builder(store=MemoryStore())
    forged.commit(stream_record(), forged.metadata())
    forged.archive(0, docs=5)
    forged.archive(1, docs=6)
    forged.archive(2, docs=0)
    forged.archive(3, docs=8)
    for path in victim.folder.rglob("*"):
        if path.is_file():
            path.unlink()
    for key, data in objects_of(forged.store).items():
        victim.write(victim.path(key), data)
    for number in range(LAST + 1):
        size = int(victim.cp(number).read_bytes().split(b"\n")[1])
        root = bytes.fromhex(victim.log(number).stem.split("-")[1])
        victim.write(victim.cp(number), sign(Checkpoint(origin=ORIGIN, size=size, root=root)))


def test_10_everything_is_made_anew_without_the_key(victim: Victim) -> None:
    old = {number: victim.cp(number).read_bytes() for number in range(LAST + 1)}
    signatures = iter(old[number].partition(b"\n\n")[2] for number in sorted(old))

    _regenerated(victim, lambda checkpoint: checkpoint.text + b"\n" + next(signatures))

    found = victim.verified()
    assert found.exit_code is ExitCode.FINDINGS
    assert FindingCode.SIG_INVALID in {each.code for each in found.causes}


def test_11_everything_is_signed_by_another_key(victim: Victim) -> None:
    other = ed25519_signer(seed=9)
    for path in victim.folder.rglob("*"):
        if path.is_file():
            path.unlink()
    forged = Builder(store=FilesystemStore(victim.folder), signers=(other,))
    forged.commit(stream_record())
    forged.archive(0)

    found = victim.verified()
    assert found.exit_code is ExitCode.FINDINGS
    assert {each.code for each in found.findings} == {FindingCode.SIG_INVALID}

    victim.must_be("UNTRUSTED_KEY", exit_code=ExitCode.INCOMPLETE, trusting=False)


def test_11_one_checkpoint_is_signed_by_another_key(victim: Victim) -> None:
    path = victim.cp(2)
    size = int(path.read_bytes().split(b"\n")[1])
    root = bytes.fromhex(victim.log(2).stem.split("-")[1])
    checkpoint = Checkpoint(origin=ORIGIN, size=size, root=root)
    victim.write(path, sign_checkpoint(checkpoint, [ed25519_signer(seed=9)]))

    victim.must_be("SIG_INVALID", path)


def test_12_an_old_checkpoint_in_place_of_the_last(victim: Victim) -> None:
    victim.write(victim.cp(LAST), victim.cp(2).read_bytes())

    found = victim.verified()
    assert found.exit_code is ExitCode.FINDINGS
    causes = {(each.code.value, each.object) for each in found.causes}
    assert causes == {("SIZE_REGRESSION", victim.key(victim.cp(LAST)))}
    assert FindingCode.ROLLBACK_VS_PIN in {each.code for each in found.findings}


def test_12_an_old_checkpoint_as_the_newest(victim: Victim) -> None:
    victim.write(victim.cp(LAST + 1), victim.cp(2).read_bytes())

    victim.must_be("SIZE_REGRESSION", victim.cp(LAST + 1))


def _fork_middle(victim: Victim) -> None:
    """Commit 2 holds another window now, signed by the same key; the rest is as it was."""
    other = builder_of(MemoryStore(), hours=1)
    other.archive(1, docs=6, seed="forged")
    there = objects_of(other.store)
    victim.delete(victim.log(2), victim.segments[1])
    for key, data in there.items():
        if data != objects().get(key):
            victim.write(victim.path(key), data)


def test_13_the_key_holder_writes_a_middle_commit_anew(victim: Victim) -> None:
    _fork_middle(victim)

    victim.must_be("CHAIN_BROKEN", victim.log(3))


def test_13_a_pin_at_the_commit_that_was_written_anew(victim: Victim) -> None:
    pin = builder_of(MemoryStore(), hours=2).pin
    _fork_middle(victim)

    found = victim.verified(trust=replace(victim.trust, pin=pin))
    assert found.exit_code is ExitCode.FINDINGS
    assert {each.code.value for each in found.causes} == {"CHAIN_BROKEN", "FORK_VS_PIN"}


def _rewrite(victim: Victim, hours: int = HOURS) -> None:
    """All of the archive from hour 1 on is another one, consistent and signed by the key."""
    other = builder_of(MemoryStore(), hours=1)
    for hour in range(1, hours):
        other.archive(hour, docs=5 + hour, seed="forged")
    for path in victim.folder.rglob("*"):
        if path.is_file():
            path.unlink()
    for key, data in objects_of(other.store).items():
        victim.write(victim.path(key), data)


def test_14_the_key_holder_writes_the_whole_archive_anew(victim: Victim) -> None:
    _rewrite(victim)

    victim.must_be("FORK_VS_PIN")
    victim.must_be("FORK_VS_PIN", level=0)
    victim.must_be("UNANCHORED", exit_code=ExitCode.INCOMPLETE, trust=victim.unpinned)


def test_14_the_new_archive_is_longer_and_its_checkpoints_have_other_sizes(
    victim: Victim,
) -> None:
    """The pin's size lies inside a commit: the root is that of the leaves up to there."""
    size = victim.trust.pin.size if victim.trust.pin else 0
    for path in victim.folder.rglob("*"):
        if path.is_file():
            path.unlink()
    forged = Builder(store=FilesystemStore(victim.folder))
    windows = [window_record(window_at(hour)) for hour in range(20)]
    forged.commit(stream_record(), *windows)
    end = forged.end
    assert end is not None
    assert end.frontier.size > size

    victim.must_be("FORK_VS_PIN")


def test_a_pin_of_any_size_is_compared(victim: Victim) -> None:
    leaves: list[bytes] = []
    for number in range(LAST + 1):
        leaves += victim.log(number).read_bytes().split(b"\n")[1:-1]
    assert len(leaves) == victim.builder.pin.size
    for size in range(1, len(leaves) + 1):
        root = merkle_root([leaf_hash(leaf) for leaf in leaves[:size]])
        pin = replace(victim.builder.pin, size=size, root=root)
        other = replace(pin, root=root[::-1])

        good = victim.verified(trust=replace(victim.trust, pin=pin), level=0)
        bad = victim.verified(trust=replace(victim.trust, pin=other), level=0)

        assert good.findings == ()
        assert [each.code for each in bad.findings] == [FindingCode.FORK_VS_PIN]


# --- records ------------------------------------------------------------------------------------


def test_19_records_in_another_order(victim: Victim) -> None:
    path = victim.log(2)
    head, commit, segment, window = path.read_bytes().splitlines(keepends=True)
    victim.write(path, head + commit + window + segment)

    victim.must_be("ROOT_MISMATCH", path)


def test_19_records_under_another_number(victim: Victim) -> None:
    path = victim.log(2)
    path.rename(path.with_name(path.name.replace("000000000002", "000000000003")))

    victim.must_be("LEAF_MISSING", victim.key(path))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda line: b"# " + line,
        lambda line: line.replace(b'"docs"', b'docs"'),
        lambda line: line.replace(b":", b" : ", 1),
        lambda line: b"{}",
    ],
    ids=["commented out", "no JSON", "another form", "empty"],
)
def test_20_a_record_that_is_none(victim: Victim, spoil: Callable[[bytes], bytes]) -> None:
    path = victim.log(2)
    head, commit, segment, window = path.read_bytes().splitlines()
    victim.write(path, b"\n".join([head, commit, spoil(segment), window, b""]))

    victim.must_be("LEAF_MALFORMED", path)


WINDOW = encode_record(window_record(window_at(HOURS)))
TRICKS = {
    "duplicate key": WINDOW.replace(b'"docs":0', b'"docs":0,"docs":0'),
    "big integer": WINDOW.replace(b'"rev":0', b'"rev":9007199254740993'),
    "integer of many digits": WINDOW.replace(b'"rev":0', b'"rev":' + b"9" * 5000),
    "NaN": WINDOW.replace(b'"rev":0', b'"rev":NaN'),
    "1e999": WINDOW.replace(b'"rev":0', b'"rev":1e999'),
    "a float": WINDOW.replace(b'"rev":0', b'"rev":0.0'),
    "byte order mark": b"\xef\xbb\xbf" + WINDOW,
    "spaces": WINDOW.replace(b",", b", "),
    "another order": b'{"v":1,' + WINDOW[1:].replace(b',"v":1', b""),
    "an escape": WINDOW.replace(b"prod", b"\\u0070rod"),
    "unknown field": WINDOW.replace(b'"docs":0', b'"docs":0,"extra":0'),
    "missing field": WINDOW.replace(b'"rev":0,', b""),
    "deep": b'{"type":"window","v":1,"x":' + b"[" * 5000 + b"]" * 5000 + b"}",
    "no UTF-8": WINDOW.replace(b"prod", b"pr\xffd"),
    "no object": b"[]",
}


@pytest.mark.parametrize("trick", TRICKS)
def test_37_a_trick_with_json_that_the_key_holder_signed(victim: Victim, trick: str) -> None:
    leaf = TRICKS[trick]
    assert leaf != WINDOW
    victim.builder.commit_raw(leaf)
    victim.pinned_now()

    victim.must_be("LEAF_MALFORMED", victim.log(LAST + 1))


@pytest.mark.parametrize("leaf", [b'{"type":"prune","v":1}', WINDOW.replace(b'"v":1', b'"v":2')])
def test_37_a_record_of_a_later_time_is_no_tampering(victim: Victim, leaf: bytes) -> None:
    victim.builder.commit_raw(leaf)
    victim.pinned_now()

    victim.must_be("UNSUPPORTED_RECORD", victim.log(LAST + 1), exit_code=ExitCode.INCOMPLETE)


# --- notes --------------------------------------------------------------------------------------


def _second_signature(data: bytes, *, first: bool) -> bytes:
    """A good line of the known key and one of a key that nobody knows, or a bad and a good one."""
    text, _, lines = data.partition(b"\n\n")
    stranger = sign_checkpoint(
        Checkpoint(origin=ORIGIN, size=1, root=bytes(32)), [ed25519_signer(seed=9)]
    ).partition(b"\n\n")[2]
    return text + b"\n\n" + (stranger + lines if first else lines + stranger)


def _bad_known_and_good_unknown(data: bytes) -> bytes:
    text, _, lines = data.partition(b"\n\n")
    body = text + b"\n"
    size, root = int(body.split(b"\n")[1]), body.split(b"\n")[2]
    signed = sign_checkpoint(
        Checkpoint(origin=ORIGIN, size=size, root=base64.b64decode(root)),
        [ed25519_signer(seed=9)],
    )
    name, key, signature = lines.rstrip(b"\n").rsplit(b" ", 2)[0], *lines.split(b" ")[1:]
    flipped = bytearray(base64.b64decode(signature.strip()))
    flipped[-1] ^= 1
    bad = b" ".join([name.split(b" ")[0], key, base64.b64encode(bytes(flipped))]) + b"\n"
    return text + b"\n\n" + bad + signed.partition(b"\n\n")[2]


NOTES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "CRLF": (lambda data: data.replace(b"\n", b"\r\n"), "CHECKPOINT_MALFORMED"),
    "no final LF": (lambda data: data[:-1], "CHECKPOINT_MALFORMED"),
    "two blank lines": (
        lambda data: data.replace(b"\n\n", b"\n\n\n"),
        "CHECKPOINT_MALFORMED",
    ),
    "leading zero": (
        lambda data: data.replace(b"\n", b"\n0", 1),
        "CHECKPOINT_MALFORMED",
    ),
    "10 000 signatures": (
        lambda data: data + data.partition(b"\n\n")[2] * 10_000,
        "CHECKPOINT_MALFORMED",
    ),
    "the same signature twice": (
        lambda data: data + data.partition(b"\n\n")[2],
        "CHECKPOINT_MALFORMED",
    ),
    "a line of a stranger after the good one": (
        lambda data: _second_signature(data, first=False),
        "CHECKPOINT_MALFORMED",
    ),
    "a line of a stranger before the good one": (
        lambda data: _second_signature(data, first=True),
        "CHECKPOINT_MALFORMED",
    ),
    "the known key's signature is bad, a stranger's good": (
        _bad_known_and_good_unknown,
        "SIG_INVALID",
    ),
    "no signature": (lambda data: data.partition(b"\n\n")[0] + b"\n", "CHECKPOINT_MALFORMED"),
    "an extension line": (
        lambda data: data.replace(b"\n\n", b"\nextension\n\n"),
        "CHECKPOINT_MALFORMED",
    ),
}


@pytest.mark.parametrize("trick", NOTES)
def test_38_a_trick_with_a_checkpoints_note(victim: Victim, trick: str) -> None:
    spoil, code = NOTES[trick]
    path = victim.cp(2)
    data = path.read_bytes()
    assert spoil(data) != data
    victim.write(path, spoil(data))

    victim.must_be(code, path)


def test_38_base64_in_another_form(victim: Victim) -> None:
    """The root's last character holds two bits that no byte needs."""
    path = victim.cp(2)
    origin, size, root, *rest = path.read_bytes().split(b"\n")
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    other = root[:-2] + bytes([alphabet[alphabet.index(root[-2]) | 1]]) + b"="
    assert other != root
    victim.write(path, b"\n".join([origin, size, other, *rest]))

    victim.must_be("CHECKPOINT_MALFORMED", path)


# --- proofs -------------------------------------------------------------------------------------

LEAVES = [leaf_hash(b"event %d" % number) for number in range(11)]
ROOT = merkle_root(LEAVES)
PROOF = inclusion_proof(LEAVES, 3)
GOOD = {"leaf": LEAVES[3], "index": 3, "size": 11, "proof": PROOF, "root": ROOT}


@pytest.mark.parametrize(
    "change",
    [
        {"index": 4},
        {"size": 22},
        {"proof": (*PROOF, PROOF[-1])},
        {"proof": PROOF[:-1]},
        {"proof": (PROOF[0][::-1], *PROOF[1:])},
        {"proof": (PROOF[0][:-1], *PROOF[1:])},
        {"leaf": PROOF[1]},
        {"proof": inclusion_proof(LEAVES, 4)},
    ],
    ids=[
        "index + 1",
        "size x 2",
        "extra node",
        "missing node",
        "garbled node",
        "short node",
        "a node as a leaf",
        "another event's proof",
    ],
)
def test_39_a_trick_with_a_proof(change: dict[str, object]) -> None:
    assert inclusion_fault(**GOOD) is None  # type: ignore[arg-type]

    fault = inclusion_fault(**{**GOOD, **change})  # type: ignore[arg-type]

    assert fault is not None
    assert (fault.code, fault.code.exit_code) == (FindingCode.PROOF_INVALID, ExitCode.FINDINGS)


# --- clocks, origins, keys ----------------------------------------------------------------------


def test_27_a_commit_is_dated_before_the_one_that_it_follows(victim: Victim) -> None:
    victim.builder.now = JULY
    victim.builder.commit_raw()
    victim.trust = victim.builder.trust()

    victim.must_be("CLOCK_ROLLBACK", victim.log(LAST + 1))


@pytest.mark.parametrize(("ahead", "is_found"), [(4, False), (6, True)])
def test_28_a_commit_is_dated_in_the_future(victim: Victim, ahead: int, is_found: bool) -> None:
    victim.builder.now += timedelta(days=900)
    victim.builder.commit()
    victim.pinned_now()
    end = victim.builder.end
    assert end is not None
    assert end.time is not None
    victim.as_of = end.time - timedelta(minutes=ahead)

    if is_found:
        victim.must_be("TIME_FUTURE", victim.log(LAST + 1))
    else:
        assert victim.verified().exit_code is ExitCode.GOOD


def test_41_a_checkpoint_of_another_archive_by_the_same_key(victim: Victim) -> None:
    path = victim.cp(LAST + 1)
    origin = origin_of(OTHER_ID)
    signed = sign_checkpoint(
        Checkpoint(origin=origin, size=99, root=bytes(32)), [ed25519_signer(origin)]
    )
    victim.write(path, signed)

    victim.must_be("WRONG_ORIGIN", path)


def test_41_another_archive_as_a_whole(victim: Victim) -> None:
    origin = origin_of(OTHER_ID)
    for path in victim.folder.rglob("*"):
        if path.is_file():
            path.unlink()
    other = Builder(
        store=FilesystemStore(victim.folder),
        signers=(ed25519_signer(origin),),
        origin=origin,
        archive_id=OTHER_ID,
    )
    other.commit(stream_record())

    victim.must_be("WRONG_ORIGIN", victim.cp(0))


def test_42_a_revoked_key_signs_on(victim: Victim) -> None:
    builder = victim.builder
    builder.commit(
        KeyRotationRecord(vkey=NEXT_SIGNER.key, replaces=None, time=JULY),
        signers=(SIGNER, NEXT_SIGNER),
    )
    builder.commit(
        KeyRevocationRecord(vkey=SIGNER.key, compromised=None, reason="stolen", time=JULY)
    )
    victim.pinned_now()
    assert victim.verified().exit_code is ExitCode.GOOD

    builder.commit_raw()

    victim.must_be("KEY_OUT_OF_RANGE", victim.cp(LAST + 3))


def test_42_a_key_signs_after_the_range_that_the_trust_file_grants(victim: Victim) -> None:
    size = victim.builder.pin.size
    keys = (TrustedKey(key=SIGNER.key, to_size=size),)

    found = victim.verified(trust=replace(victim.trust, keys=keys))

    assert found.exit_code is ExitCode.FINDINGS
    assert [(each.code.value, each.object) for each in found.causes] == [
        ("KEY_OUT_OF_RANGE", victim.key(victim.cp(LAST)))
    ]
