"""Whether an archive may be written on: whose it is, and whether somebody has touched it."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kcompliance.archive.commit import CommitError
from kcompliance.archive.interface import Part
from kcompliance.archive.opening import ArchiveNotSound
from kcompliance.errors import ExitCode, UsageError
from kcompliance.ledger import (
    Checkpoint,
    KeyRing,
    Pin,
    Trust,
    TrustedKey,
    checkpoint_name,
    log_name,
    origin_of,
    segment_name,
    sign_checkpoint,
)
from kcompliance.ledger.names import MAX_NUMBER
from kcompliance.model.digest import sha256
from kcompliance.stores.interface import Entry
from kcompliance.stores.memory import MemoryStore
from tests.archive.building import objects_of, store_of
from tests.archive.event_source import EventSource, hours
from tests.archive.runs import Archiver
from tests.ledger.samples import JULY, ORIGIN, OTHER_ID, STREAM, ed25519_signer


@pytest.fixture
def source() -> EventSource:
    source = EventSource()
    for hour in range(4):
        source.add(hour, f"{hour}")
    return source


@pytest.fixture
def archiver(source: EventSource) -> Archiver:
    """Whose archive has three commits."""
    archiver = Archiver(store=MemoryStore(), threads=1)
    archiver.run(source, hours(0, 1))
    archiver.run(source, hours(0, 2))
    return archiver


def put(archiver: Archiver, key: str, content: bytes = b"foreign") -> str:
    archiver.store.put_if_absent(key, content, sha256(content))
    return key


def refused(archiver: Archiver, source: EventSource) -> ArchiveNotSound:
    """What a run says that may not write; nothing was written."""
    before = objects_of(archiver.store)
    with pytest.raises(ArchiveNotSound) as raised:
        archiver.run(source, hours(0, 4))
    assert objects_of(archiver.store) == before
    return raised.value


# --- what is in nobody's way --------------------------------------------------------------------


def checkpoint(*, origin: str = ORIGIN, seed: int = 9, size: int = 100) -> bytes:
    text = Checkpoint(origin=origin, size=size, root=bytes(32))
    return sign_checkpoint(text, [ed25519_signer(origin, seed)])


@pytest.mark.parametrize("number", [3, 4, 700])
@pytest.mark.parametrize(
    "content",
    [b"", b"foreign", checkpoint(), checkpoint(origin=origin_of(OTHER_ID), seed=1)],
    ids=["empty", "noise", "unknown-key", "our-key-of-another-archive"],
)
def test_a_foreign_checkpoint_is_stepped_over_and_told(
    archiver: Archiver, source: EventSource, number: int, content: bytes
) -> None:
    foreign = put(archiver, checkpoint_name(number), content)

    result = archiver.run(source, hours(0, 4))

    assert result.end is not None
    assert result.end.number == number + 1
    archiver.run(source, hours(0, 4))
    archiver.check(source.lines, foreign=[foreign])


def test_a_checkpoint_that_comes_to_lie_there_during_a_run_is_stepped_over(
    archiver: Archiver, source: EventSource
) -> None:
    def disturb(part: Part) -> None:
        put(archiver, checkpoint_name(3))

    source.before_read = disturb
    result = archiver.run(source, hours(0, 3))

    assert result.end is not None
    assert result.end.number == 4
    source.before_read = lambda part: None
    archiver.run(source, hours(0, 4))
    checked = archiver.check(source.lines, foreign=[checkpoint_name(3)])
    # The records that it had written for the number that was taken.
    assert [each.key for each in checked.abandoned] == records_at(archiver, 3)


def records_at(archiver: Archiver, number: int) -> list[str]:
    return [entry.key for entry in archiver.store.list(f"log/{number:012d}-")]


@pytest.mark.parametrize(
    "key",
    [
        log_name(1, bytes(32)),
        log_name(3, bytes(32)),
        segment_name(STREAM, JULY, sha256(b"foreign")),
        f"meta/{sha256(b'foreign')}.json.zst",
        "readme.txt",
        "cp/readme.txt",
    ],
)
def test_other_foreign_objects_are_told_and_in_nobodys_way(
    archiver: Archiver, source: EventSource, key: str
) -> None:
    put(archiver, key)

    assert archiver.run(source, hours(0, 4)).abandoned == 0

    archiver.check(source.lines, foreign=[key])


def test_who_takes_the_last_number_is_told(archiver: Archiver, source: EventSource) -> None:
    last = put(archiver, checkpoint_name(MAX_NUMBER))

    with pytest.raises(CommitError, match="no free number") as raised:
        archiver.run(source, hours(0, 4))

    assert last in str(raised.value.hint)
    archiver.store.delete(last, None)
    archiver.run(source, hours(0, 4))
    archiver.check(source.lines)


# --- what a human has to look at ----------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 1, 2])
def test_records_that_are_missing_stop_the_run(
    archiver: Archiver, source: EventSource, number: int
) -> None:
    (records,) = records_at(archiver, number)
    archiver.store.delete(records, None)

    error = refused(archiver, source)

    assert "LEAF_MISSING" in error.message or number == 0
    assert error.exit_code is ExitCode.FINDINGS


def test_records_that_were_changed_stop_the_run(archiver: Archiver, source: EventSource) -> None:
    (records,) = records_at(archiver, 1)
    content = archiver.store.get(records)
    archiver.store.delete(records, None)
    put(archiver, records, content.replace(b'"docs":1', b'"docs":0'))

    assert "is not sound" in refused(archiver, source).message


def test_a_checkpoint_in_the_middle_that_is_missing_stops_the_run(
    archiver: Archiver, source: EventSource
) -> None:
    archiver.store.delete(checkpoint_name(1), None)

    assert "CHAIN_BROKEN" in refused(archiver, source).message


# --- what the trust file remembers --------------------------------------------------------------


def test_an_archive_that_was_cut_short_is_told_by_the_pin(
    archiver: Archiver, source: EventSource
) -> None:
    archiver.store.delete(checkpoint_name(2), None)

    assert "ROLLBACK_VS_PIN" in refused(archiver, source).message


def test_without_a_trust_file_what_was_cut_off_is_archived_anew(
    archiver: Archiver, source: EventSource
) -> None:
    """Nobody can tell it from a run that was killed."""
    archiver.store.delete(checkpoint_name(2), None)
    archiver.trust = None

    assert archiver.run(source, hours(0, 4)).abandoned == 2

    archiver.check(source.lines)


def test_an_older_copy_is_told_by_the_pin(archiver: Archiver, source: EventSource) -> None:
    older = store_of(objects_of(archiver.store))
    archiver.run(source, hours(0, 3))
    archiver.store = older

    assert "ROLLBACK_VS_PIN" in refused(archiver, source).message


def test_a_copy_that_went_another_way_is_told_by_the_pin(
    archiver: Archiver, source: EventSource
) -> None:
    copy = dataclasses.replace(archiver, store=store_of(objects_of(archiver.store)))
    archiver.run(source, hours(0, 3))
    for _ in range(4):
        copy.run(source, hours(0, 4))
    archiver.store = copy.store

    assert "FORK_VS_PIN" in refused(archiver, source).message


def test_another_archive_in_its_place_is_told(archiver: Archiver, source: EventSource) -> None:
    trust = archiver.trust
    other = Archiver(store=MemoryStore())
    other.run(source, hours(0, 4))
    other.trust = trust

    assert "WRONG_ORIGIN" in refused(other, source).message


@pytest.mark.parametrize("place", ["empty", "new"])
def test_a_trust_file_of_an_archive_that_is_gone_is_told(
    archiver: Archiver, source: EventSource, place: str
) -> None:
    """A new archive is never made where another one ought to be."""
    archiver.store = MemoryStore()
    if place == "new":
        put(archiver, "readme.txt")

    assert "no checkpoint" in refused(archiver, source).message


def test_another_key_than_the_trust_file_has_is_told(
    archiver: Archiver, source: EventSource
) -> None:
    assert archiver.trust is not None
    key = TrustedKey(key=ed25519_signer(archiver.trust.origin, 5).key)
    archiver.trust = Trust(
        origin=archiver.trust.origin, keys=(key,), pin=Pin(size=1, root=bytes(32))
    )

    assert "SIG_INVALID" in refused(archiver, source).message
    assert KeyRing((key,)) == archiver.trust.ring


# --- whose it is --------------------------------------------------------------------------------


@pytest.mark.parametrize("knows", [True, False], ids=["with-trust", "without"])
def test_another_key_is_refused(archiver: Archiver, source: EventSource, knows: bool) -> None:
    before = objects_of(archiver.store)
    archiver.seed = 5
    if not knows:
        archiver.trust = None

    with pytest.raises(UsageError, match="may not sign for") as raised:
        archiver.run(source, hours(0, 4))

    assert "give the archive's own key" in str(raised.value.hint)
    assert objects_of(archiver.store) == before


def test_a_place_that_holds_something_else_is_refused(source: EventSource) -> None:
    archiver = Archiver(store=MemoryStore())
    put(archiver, "seg/some/thing")

    with pytest.raises(UsageError, match='holds something else, such as "seg/some/thing"'):
        archiver.run(source, hours(0, 4))

    assert list(objects_of(archiver.store)) == ["seg/some/thing"]


def test_checkpoints_without_an_archive_are_not_begun_upon(source: EventSource) -> None:
    archiver = Archiver(store=MemoryStore())
    put(archiver, checkpoint_name(0))

    assert "CHECKPOINT_MALFORMED" in refused(archiver, source).message


def test_a_run_that_begins_at_the_same_time_is_no_foreign_object(source: EventSource) -> None:
    """It may come in between any two looks at the place."""
    for number in range(4):
        store = BusyStore(number)
        archiver = Archiver(store=store, threads=1)
        other = Archiver(store=store, threads=1)
        store.act = lambda other=other: other.prepare(source, Path())._make_archive()

        origin = archiver.prepare(source, Path()).opened.origin

        store.act = None
        assert other.prepare(source, Path()).opened.origin == origin or number == 3


class BusyStore(MemoryStore):
    """Does something before it is listed for the so-manyeth time, counted from 0."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.act: Callable[[], object] | None = None
        self.left = number

    def list(self, prefix: str = "") -> Iterator[Entry]:
        if self.act is not None:
            self.left -= 1
            if self.left < 0:
                act, self.act = self.act, None
                act()
        return super().list(prefix)
