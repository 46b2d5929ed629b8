"""Reading an archive's log: what is told of one that was tampered with, and how it goes on."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from kcompliance.archive.log import Commit, LogReader
from kcompliance.ledger import (
    Checkpoint,
    FindingCode,
    Frontier,
    KeyRevocationRecord,
    KeyRing,
    KeyRotationRecord,
    TrustedKey,
    checkpoint_name,
    log_name,
    sign_checkpoint,
)
from kcompliance.model.digest import Sha256
from kcompliance.stores.filesystem import FilesystemStore
from kcompliance.stores.interface import Refused
from kcompliance.stores.memory import MemoryStore
from tests.archive.building import Objects, store_of
from tests.ledger.samples import (
    HOUR,
    JULY,
    NEXT_SIGNER,
    ORIGIN,
    SIGNER,
    SampleArchive,
    commit,
    ed25519_signer,
    metadata,
    stream,
    window,
)

RING = KeyRing((TrustedKey(key=SIGNER.key),))
Told = list[tuple[str, str]]


def archive(commits: int = 6) -> SampleArchive:
    made = SampleArchive()
    made.commit(stream(), metadata())
    for hour in range(1, commits):
        made.commit(window(hour, docs=0))
    return made


ARCHIVE = archive()
OBJECTS: Objects = ARCHIVE.objects
LOGS = sorted(key for key in OBJECTS if key.startswith("log/"))


@dataclass(frozen=True)
class Read:
    reader: LogReader
    commits: list[Commit]

    @property
    def numbers(self) -> list[int]:
        return [each.number for each in self.commits]

    @property
    def told(self) -> Told:
        return [(fault.code.value, fault.object or "") for fault in self.reader.faults]


def read(objects: Objects, *, trusted: bool = True, keys: KeyRing = RING) -> Read:
    store = store_of(objects)
    given = {"origin": ORIGIN, "keys": keys} if trusted else {}
    reader = LogReader(store, **given)  # type: ignore[arg-type]
    return Read(reader, list(reader.commits()))


def without(*keys: str) -> Objects:
    assert OBJECTS.keys() >= set(keys)
    return {key: data for key, data in OBJECTS.items() if key not in keys}


def edited(key: str, edit: Callable[[bytes], bytes]) -> Objects:
    data = edit(OBJECTS[key])
    assert data != OBJECTS[key]
    return {**OBJECTS, key: data}


def renamed(*pairs: tuple[str, str]) -> Objects:
    names = dict(pairs)
    return {names.get(key, key): data for key, data in OBJECTS.items()}


cp = checkpoint_name


@pytest.mark.parametrize("trusted", [True, False], ids=["trusted", "by its own word"])
def test_a_good_log_is_read_to_its_end(trusted: bool) -> None:
    found = read(OBJECTS, trusted=trusted)

    assert found.told == []
    assert found.numbers == [0, 1, 2, 3, 4, 5]
    end = found.reader.end
    assert end is not None
    assert (end.origin, end.number, end.next_number) == (ORIGIN, 5, 6)
    assert end.frontier == ARCHIVE.frontier
    assert end.time == JULY + 5 * HOUR
    assert found.reader.signed_size == ARCHIVE.frontier.size
    assert sum(each.log_size for each in found.commits) == sum(len(OBJECTS[key]) for key in LOGS)
    assert not found.reader.lost


def test_lines_that_are_no_records_are_not_even_taken_apart() -> None:
    found = read(edited(LOGS[2], lambda data: data + b"{}\n" * 100_000))

    assert "too short" in found.reader.faults[0].detail


def test_an_empty_place_has_no_checkpoint() -> None:
    found = read({})

    assert found.told == [("NO_CHECKPOINT", "cp/")]
    assert found.reader.end is None


def _at_line(number: int, edit: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    def apply(data: bytes) -> bytes:
        lines = data.split(b"\n")
        lines[number] = edit(lines[number])
        return b"\n".join(lines)

    return apply


def _swap_last_lines(data: bytes) -> bytes:
    head, one, two, rest = data.split(b"\n")
    return b"\n".join([head, two, one, rest])


def _resigned(number: int, seed: int) -> bytes:
    root = bytes.fromhex(LOGS[number].split("-")[1].removesuffix(".ndjson"))
    size = int(OBJECTS[cp(number)].split(b"\n")[1])
    return sign_checkpoint(
        Checkpoint(origin=ORIGIN, size=size, root=root), [ed25519_signer(seed=seed)]
    )


TAMPERED: dict[str, tuple[Objects, Told, list[int]]] = {
    "all checkpoints gone": (
        {key: OBJECTS[key] for key in LOGS},
        [("NO_CHECKPOINT", "cp/")],
        [],
    ),
    "the first checkpoint gone": (
        without(cp(0)),
        [("CHAIN_BROKEN", cp(0))],
        [0, 1, 2, 3, 4, 5],
    ),
    "a middle checkpoint gone": (
        without(cp(2)),
        [("CHAIN_BROKEN", cp(2))],
        [0, 1, 2, 3, 4, 5],
    ),
    "three checkpoints gone": (
        without(cp(1), cp(2), cp(4)),
        [("CHAIN_BROKEN", cp(1)), ("CHAIN_BROKEN", cp(4))],
        [0, 1, 2, 3, 4, 5],
    ),
    "the last checkpoint gone": (without(cp(5)), [], [0, 1, 2, 3, 4]),
    "records gone": (without(LOGS[2]), [("LEAF_MISSING", LOGS[2])], [0, 1, 3, 4, 5]),
    "the first records gone": (without(LOGS[0]), [("LEAF_MISSING", LOGS[0])], [1, 2, 3, 4, 5]),
    "the last records gone": (without(LOGS[5]), [("LEAF_MISSING", LOGS[5])], [0, 1, 2, 3, 4]),
    "checkpoint and records gone": (
        without(cp(2), LOGS[2]),
        [("CHAIN_BROKEN", cp(2)), ("LEAF_MISSING", LOGS[2])],
        [0, 1, 3, 4, 5],
    ),
    "a checkpoint is rubbish": (
        edited(cp(2), lambda data: b"rubbish"),
        [("CHECKPOINT_MALFORMED", cp(2))],
        [0, 1, 2, 3, 4, 5],
    ),
    "a checkpoint is huge": (
        edited(cp(2), lambda data: data + b"x" * 200_000),
        [("CHECKPOINT_MALFORMED", cp(2))],
        [0, 1, 2, 3, 4, 5],
    ),
    "a checkpoint's body is another": (
        edited(cp(5), lambda data: data.replace(b"\n14\n", b"\n15\n")),
        [("SIG_INVALID", cp(5))],
        [0, 1, 2, 3, 4],
    ),
    "a checkpoint is signed by another": (
        {**OBJECTS, cp(3): _resigned(3, seed=9)},
        [("SIG_INVALID", cp(3))],
        [0, 1, 2, 3, 4, 5],
    ),
    "a checkpoint stands twice": (
        {**OBJECTS, cp(6): OBJECTS[cp(5)]},
        [("SIZE_REGRESSION", cp(6))],
        [0, 1, 2, 3, 4, 5],
    ),
    "two checkpoints are swapped": (
        {**OBJECTS, cp(2): OBJECTS[cp(3)], cp(3): OBJECTS[cp(2)]},
        [
            ("LEAF_MISSING", LOGS[3].replace("00003-", "00002-")),
            ("SIZE_REGRESSION", cp(3)),
        ],
        [0, 1, 4, 5],
    ),
    "a checkpoint is moved far away": (
        renamed((cp(5), cp(999_999_999_998))),
        [
            ("CHAIN_BROKEN", cp(5)),
            ("LEAF_MISSING", LOGS[5].replace("000000000005", "999999999998")),
        ],
        [0, 1, 2, 3, 4],
    ),
    "a line is out of comment": (
        edited(LOGS[2], _at_line(2, lambda line: b"#" + line)),
        [("LEAF_MALFORMED", LOGS[2])],
        [0, 1, 3, 4, 5],
    ),
    "a record is edited": (
        edited(LOGS[2], lambda data: data.replace(b'"shard":0', b'"shard":1')),
        [("ROOT_MISMATCH", LOGS[2])],
        [0, 1, 3, 4, 5],
    ),
    "a record is left out": (
        edited(LOGS[0], lambda data: b"\n".join([*data.split(b"\n")[:-2], b""])),
        [("LEAF_MISSING", LOGS[0])],
        [1, 2, 3, 4, 5],
    ),
    "a record is added": (
        edited(LOGS[2], lambda data: data + data.split(b"\n")[2] + b"\n"),
        [("ROOT_MISMATCH", LOGS[2])],
        [0, 1, 3, 4, 5],
    ),
    "records are in another order": (
        edited(LOGS[2], _swap_last_lines),
        [("LEAF_MALFORMED", LOGS[2]), ("LEAF_MALFORMED", LOGS[2])],
        [0, 1, 3, 4, 5],
    ),
    "records are cut off": (
        edited(LOGS[2], lambda data: data[:-20]),
        [("LEAF_MALFORMED", LOGS[2])],
        [0, 1, 3, 4, 5],
    ),
    "records are millions of lines": (
        edited(LOGS[2], lambda data: b"\n" * 5_000_000),
        [("LEAF_MALFORMED", LOGS[2])],
        [0, 1, 3, 4, 5],
    ),
    "records are under another number": (
        renamed((LOGS[2], LOGS[2].replace("000000000002", "000000000007"))),
        [("LEAF_MISSING", LOGS[2])],
        [0, 1, 3, 4, 5],
    ),
}


@pytest.mark.parametrize("case", TAMPERED)
def test_what_is_wrong_is_told_once_and_the_rest_is_read(case: str) -> None:
    objects, told, numbers = TAMPERED[case]

    found = read(objects)

    assert found.told == told
    assert found.numbers == numbers


@pytest.mark.parametrize(
    ("objects", "lost"),
    [
        (without(LOGS[2]), [LOGS[2]]),
        (edited(cp(5), lambda data: b"rubbish"), [cp(5)]),
        (edited(cp(2), lambda data: b"rubbish"), []),
        ({**OBJECTS, cp(6): b"rubbish"}, []),
        (without(cp(2)), []),
    ],
    ids=["records", "last checkpoint", "vouched for", "never a commit", "bridged"],
)
def test_it_is_known_where_records_are_lost(objects: Objects, lost: list[str]) -> None:
    assert read(objects).reader.lost == lost


@pytest.mark.parametrize("gap", [1, 2, 40])
def test_a_foreign_checkpoint_is_stepped_over_and_may_be_removed_later(gap: int) -> None:
    made = SampleArchive()
    made.commit(stream())
    made.commits += gap
    made.commit()
    there = {cp(1): b"not ours"}

    assert read({**made.objects, **there}).told == [("CHECKPOINT_MALFORMED", cp(1))]
    assert read(made.objects).told == []
    assert read(made.objects).numbers == [0, 1 + gap]


def test_a_thousand_lost_checkpoints_are_bridged() -> None:
    made = archive(1500)
    kept = {
        key: data for key, data in made.objects.items() if key.startswith("log/") or key == cp(1499)
    }

    found = read(kept)

    assert found.told == [("CHAIN_BROKEN", cp(0))]
    assert "1498 after it" in found.reader.faults[0].detail
    assert len(found.commits) == 1500


# --- forks, times, keys -------------------------------------------------------------------------


def test_a_commit_that_the_key_holder_writes_anew_breaks_the_chain() -> None:
    other = archive(2)
    other.commit(window(7, docs=0))
    fork = {key: data for key, data in other.objects.items() if "000000000002" in key}
    objects = {**without(cp(2), LOGS[2]), **fork}

    found = read(objects)

    assert found.told == [("CHAIN_BROKEN", LOGS[3])]
    assert found.numbers == [0, 1, 2, 3, 4, 5]


def test_a_commit_that_names_another_checkpoint_breaks_the_chain() -> None:
    made = archive(2)
    made.prev = Sha256("0" * 64)
    made.commit()

    assert read(made.objects).told == [("CHAIN_BROKEN", _logs(made)[2])]


def test_a_commit_of_another_number_breaks_the_chain() -> None:
    made = archive(2)
    frontier = made.frontier
    made.commit()
    moved = {
        key.replace("000000000002", "000000000003"): data for key, data in made.objects.items()
    }

    assert frontier != made.frontier
    assert read(moved).told == [("CHAIN_BROKEN", _logs(made)[2].replace("00002-", "00003-"))]


def _logs(made: SampleArchive) -> list[str]:
    return sorted(key for key in made.objects if key.startswith("log/"))


def test_a_commit_before_the_one_that_it_follows_is_a_clock_rollback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = archive(4)
    monkeypatch.setattr(
        "tests.ledger.samples.commit",
        lambda n, prev: replace(commit(n, prev), time=JULY),
    )
    made.commit()

    assert read(made.objects).told == [("CLOCK_ROLLBACK", _logs(made)[4])]


def test_a_rotation_is_believed_when_both_keys_sign() -> None:
    made = archive(2)
    rotation = KeyRotationRecord(vkey=NEXT_SIGNER.key, replaces=SIGNER.key, time=JULY)
    made.commit(rotation, signers=(SIGNER, NEXT_SIGNER))
    made.commit(signers=(NEXT_SIGNER,))

    found = read(made.objects)

    assert found.told == []
    assert [each.key for each in found.reader.keys.keys] == [SIGNER.key, NEXT_SIGNER.key]


def test_a_key_does_not_introduce_itself() -> None:
    made = archive(2)
    rotation = KeyRotationRecord(vkey=NEXT_SIGNER.key, replaces=None, time=JULY)
    made.commit(rotation, signers=(NEXT_SIGNER,))

    assert read(made.objects).told == [("SIG_INVALID", cp(2))]


def test_a_rotation_counts_for_the_old_key_only_if_the_new_one_signed() -> None:
    made = archive(2)
    rotation = KeyRotationRecord(vkey=NEXT_SIGNER.key, replaces=SIGNER.key, time=JULY)
    made.commit(rotation, signers=(SIGNER,))

    assert read(made.objects).told == [("SIG_INVALID", cp(2))]


def test_a_revoked_key_signs_no_more() -> None:
    made = archive(2)
    revocation = KeyRevocationRecord(vkey=SIGNER.key, compromised=None, reason="stolen", time=JULY)
    made.commit(revocation)
    made.commit()

    assert read(made.objects).told == [("KEY_OUT_OF_RANGE", cp(3))]


def test_a_rotation_whose_checkpoint_is_gone_still_counts_if_a_trusted_key_vouches() -> None:
    made = archive(2)
    rotation = KeyRotationRecord(vkey=NEXT_SIGNER.key, replaces=None, time=JULY)
    made.commit(rotation, signers=(SIGNER, NEXT_SIGNER))
    made.commit(signers=(SIGNER,))
    made.commit(signers=(NEXT_SIGNER,))
    del made.objects[cp(2)]

    found = read(made.objects)

    assert found.told == [("CHAIN_BROKEN", cp(2))]
    assert found.numbers == [0, 1, 2, 3, 4]


# --- places that do not answer ------------------------------------------------------------------


class Unreadable(MemoryStore):
    """A store that refuses to hand out one object."""

    def __init__(self, objects: Objects, key: str) -> None:
        super().__init__()
        store_of(objects, self)
        self._refused = key

    def get(
        self, key: str, *, start: int = 0, end: int | None = None, version: str | None = None
    ) -> bytes:
        if key == self._refused:
            raise Refused(f"may not read {key}", permission="read")
        return super().get(key, start=start, end=end, version=version)


@pytest.fixture(params=[cp(0), cp(2), cp(5), LOGS[0], LOGS[2], LOGS[5]])
def refused(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_who_writes_stops_where_the_store_gives_no_answer(refused: str) -> None:
    reader = LogReader(Unreadable(OBJECTS, refused), origin=ORIGIN, keys=RING)

    with pytest.raises(Refused):
        list(reader.commits())


def test_who_looks_goes_on_and_calls_nothing_tampered_that_was_not_read(refused: str) -> None:
    reader = LogReader(Unreadable(OBJECTS, refused), origin=ORIGIN, keys=RING, keep_going=True)

    commits = list(reader.commits())

    assert [(fault.code, fault.object) for fault in reader.faults] == [
        (FindingCode.READ_FAILED, refused)
    ]
    number = int(refused[-17:-5]) if refused.startswith("cp/") else int(refused[4:16])
    is_lost = refused.startswith("log/") or number == 5
    assert reader.unread is is_lost
    expected = [each for each in range(6) if each != number or not is_lost]
    assert [each.number for each in commits] == expected


@pytest.mark.parametrize("key", [cp(2), LOGS[2]])
def test_a_link_is_not_followed(tmp_path: Path, key: str) -> None:
    store = FilesystemStore(tmp_path / "archive")
    store_of(OBJECTS, store)
    (tmp_path / "copy").write_bytes(OBJECTS[key])
    (tmp_path / "archive" / key).unlink()
    (tmp_path / "archive" / key).symlink_to(tmp_path / "copy")
    reader = LogReader(store, origin=ORIGIN, keys=RING)

    list(reader.commits())

    code = "CHECKPOINT_MALFORMED" if key.startswith("cp/") else "LEAF_MALFORMED"
    assert [(fault.code.value, fault.object) for fault in reader.faults] == [(code, key)]


def test_every_changed_byte_of_a_log_is_a_fault() -> None:
    small = archive(2).objects
    for key, data in small.items():
        for place in range(len(data)):
            changed = bytearray(data)
            changed[place] ^= 1
            assert read({**small, key: bytes(changed)}).told, (key, place)


def test_a_reader_reads_once_from_the_start() -> None:
    found = read(OBJECTS)

    assert found.commits[0].batch.before == Frontier()
    assert found.commits[0].log_key == log_name(0, found.commits[0].after.root)
