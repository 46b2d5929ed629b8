"""What dead runs leave is explained, by whom it belongs to, and nothing else is."""

import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import pytest

from kcompliance.archive.interface import Part, PlannedWindow, Window
from kcompliance.ledger import StreamName, log_name, run_name, segment_name
from kcompliance.model.digest import sha256
from kcompliance.stores.interface import Entry, Stored, Unreachable
from kcompliance.stores.memory import MemoryStore
from tests.archive.event_source import EventSource, hours
from tests.archive.files.trail import events, source_of
from tests.archive.runs import NOW, Archiver
from tests.ledger.samples import HOUR, JULY, RUN, STREAM

OTHER = StreamName("other/k8s-audit")


@pytest.fixture
def archiver() -> Archiver:
    return Archiver(store=MemoryStore(clock=lambda: NOW), threads=1)


@pytest.fixture
def source() -> EventSource:
    source = EventSource(settings=b'{"a":1}')
    for hour in range(3):
        source.add(hour, f"{hour}")
    return source


def die(archiver: Archiver, source: EventSource, *, at: int) -> None:
    """A run that ends before it reads its so-manyeth part, as if it was killed."""
    numbers = count()

    def before(part: Part) -> None:
        if next(numbers) == at:
            raise KeyboardInterrupt

    source.before_read = before
    with pytest.raises(KeyboardInterrupt):
        archiver.run(source, hours(0, 3))
    source.before_read = lambda part: None


def keys(archiver: Archiver, prefix: str = "") -> set[str]:
    return {each.key for each in archiver.store.list(prefix)}


def test_objects_that_nobody_needs_any_more_are_named_with_what_they_hold(
    archiver: Archiver, source: EventSource
) -> None:
    archiver.run(source, hours(3, 4))
    before = keys(archiver)
    die(archiver, source, at=2)
    left = keys(archiver) - before
    assert {key.partition("/")[0] for key in left} == {"run", "seg"}

    source.add(0, "more in the first hour")  # so that its segment becomes another one
    result = archiver.run(source, hours(0, 3))

    # The second segment is as it was and has become one of the new run.
    assert result.abandoned == 2
    checked = archiver.check(source.lines)
    assert {each.key for each in checked.abandoned} < left


def test_settings_that_a_dead_run_has_put_are_explained(
    archiver: Archiver, source: EventSource
) -> None:
    archiver.run(EventSource(), hours(3, 4))
    die(archiver, source, at=0)
    assert len(keys(archiver, "meta/")) == 1
    source.settings = None

    assert archiver.run(source, hours(0, 3)).abandoned == 2

    archiver.check(source.lines)


@pytest.mark.parametrize("kind", ["run/", "meta/", "seg/", "log/", "cp/"])
def test_nothing_is_put_before_the_intent_that_explains_it(source: EventSource, kind: str) -> None:
    store = DyingStore(clock=lambda: NOW)
    store.dies_at = None
    archiver = Archiver(store=store, threads=1)
    archiver.run(EventSource(), hours(3, 4))
    store.dies_at = kind
    with pytest.raises(KeyboardInterrupt):
        archiver.run(source, hours(0, 3))
    store.dies_at = source.settings = None

    archiver.run(source, hours(0, 3))

    archiver.check(source.lines)


def test_a_stream_explains_only_its_own_dead_runs(archiver: Archiver, source: EventSource) -> None:
    source.settings = None
    other = dataclasses.replace(archiver, stream=OTHER)
    other.run(source, hours(3, 4))
    archiver.trust = other.trust
    die(archiver, source, at=2)

    assert other.run(source, hours(0, 3)).abandoned == 0
    archiver.trust = other.trust
    source.add(0, "more")
    assert archiver.run(source, hours(0, 3)).abandoned == 2

    lines = [*source.lines, *(line for line in source.lines if b"more" not in line)]
    archiver.check(lines)


def test_a_run_that_died_before_any_archive_was_there_is_explained_by_any_stream(
    archiver: Archiver, source: EventSource
) -> None:
    archiver.store = store = DyingStore()
    with pytest.raises(KeyboardInterrupt):
        archiver.run(source, hours(0, 3))
    store.dies_at = None
    assert {key.partition("/")[0] for key in keys(archiver)} == {"run", "log"}
    archiver.stream = OTHER

    assert archiver.run(source, hours(0, 3)).abandoned == 2

    archiver.check(source.lines)


class DyingStore(MemoryStore):
    """Its writer dies before it puts such an object."""

    dies_at: str | None = "cp/"

    def put_if_absent(self, key: str, *arguments: Any, **options: Any) -> Stored:
        if self.dies_at is not None and key.startswith(self.dies_at):
            raise KeyboardInterrupt
        return super().put_if_absent(key, *arguments, **options)


def test_more_of_a_run_that_was_taken_for_dead_is_explained_for_a_week(
    archiver: Archiver, source: EventSource
) -> None:
    """It was alive, or a server has made an object of what it was sent long before."""
    source.settings = None
    archiver.run(source, hours(3, 4))
    die(archiver, source, at=0)
    archiver.run(source, hours(0, 3))
    late = put_segment(archiver, 1, b"late")

    assert archiver.at(timedelta(days=6)).run(source, hours(0, 3)).abandoned == 1

    assert late in {each.key for each in archiver.check(source.lines).abandoned}
    too_late = put_segment(archiver, 1, b"too late")
    assert archiver.at(timedelta(days=8)).run(source, hours(0, 3)).abandoned == 0
    archiver.check(source.lines, foreign=[too_late])


def test_what_was_sent_without_an_answer_is_explained_when_it_arrives_after_all(
    source: EventSource,
) -> None:
    """The windows before it were committed all the same."""
    source.settings = None
    store = SlowStore(clock=lambda: NOW)
    archiver = Archiver(store=store, threads=1)
    archiver.run(source, hours(3, 4))
    store.slow_at = "/2026/07/01/01/"
    with pytest.raises(Unreachable):
        archiver.run(source, hours(0, 3))
    archiver.run(source, hours(0, 1))
    assert len(archiver.check(source.lines[:1], gaps=1).segments) == 1

    store.arrive()
    source.add(1, "more")
    assert archiver.run(source, hours(0, 3)).abandoned == 1

    archiver.check(source.lines)


class SlowStore(MemoryStore):
    """Some objects arrive when nobody waits for them any more."""

    slow_at: str | None = None
    waiting: tuple[str, bytes] | None = None

    def put_if_absent(self, key: str, source: Any, *arguments: Any, **options: Any) -> Stored:
        if self.slow_at is not None and self.slow_at in key:
            self.slow_at, self.waiting = None, (key, source.read_bytes())
            raise Unreachable("no answer")
        return super().put_if_absent(key, source, *arguments, **options)

    def arrive(self) -> None:
        assert self.waiting is not None
        key, content = self.waiting
        self.put_if_absent(key, content, sha256(content))


@pytest.mark.parametrize("hour", [-1, 3, 30])
def test_a_segment_of_a_time_that_no_dead_run_was_about_stays_unexplained(
    archiver: Archiver, source: EventSource, hour: int
) -> None:
    source.settings = None
    archiver.run(source, hours(3, 4))
    die(archiver, source, at=0)
    foreign = put_segment(archiver, hour, b"foreign")

    archiver.run(source, hours(0, 3))

    archiver.check(source.lines, foreign=[foreign])


def put_segment(archiver: Archiver, hour: int, content: bytes) -> str:
    key = segment_name(STREAM, JULY + hour * HOUR, sha256(content))
    archiver.store.put_if_absent(key, content, sha256(content))
    return key


@pytest.mark.parametrize("is_signed_by", ["nobody", "somebody else"])
def test_an_intent_that_no_trusted_key_signed_explains_nothing(
    archiver: Archiver, source: EventSource, is_signed_by: str
) -> None:
    source.settings = None
    archiver.run(source, hours(3, 4))
    foreign = [put_segment(archiver, 1, b"foreign"), run_name(RUN)]
    intent = b"{}"
    if is_signed_by == "somebody else":
        theirs = Archiver(store=MemoryStore(), seed=2, threads=1)
        die(theirs, source, at=0)
        first, *_ = keys(theirs, "run/")
        intent, foreign[1] = theirs.store.get(first), first
    archiver.store.put_if_absent(foreign[1], intent, sha256(intent))

    assert archiver.run(source, hours(0, 3)).abandoned == 0

    archiver.check(source.lines, foreign=foreign)


def test_records_of_nobody_are_not_explained(archiver: Archiver, source: EventSource) -> None:
    source.settings = None
    archiver.run(source, hours(3, 4))
    die(archiver, source, at=0)
    foreign = log_name(2, bytes(32))
    archiver.store.put_if_absent(foreign, b"no records", sha256(b"no records"))

    archiver.run(source, hours(0, 3))

    archiver.check(source.lines, foreign=[foreign])


def test_any_number_of_objects_is_explained(archiver: Archiver, source: EventSource) -> None:
    source.settings = None
    archiver.run(source, hours(3, 4))
    die(archiver, source, at=0)
    for number in range(450):
        put_segment(archiver, 1, b"%d" % number)

    assert archiver.run(source, hours(0, 3)).abandoned == 451

    archiver.check(source.lines)


def test_a_dead_run_of_files_explains_all_segments_of_its_stream(
    archiver: Archiver, tmp_path: Path
) -> None:
    """It could not know the times of its events before it had read them."""
    (tmp_path / "audit.log").write_bytes(events(0, 9))
    source = source_of(tmp_path)
    run = archiver.prepare(source, tmp_path)
    with run.pool:
        run._make_archive()
        run._announce([PlannedWindow(window=Window(start=None, end=None), parts=())], NOW)
    put_segment(archiver, 1, b"left")

    assert archiver.run(source).abandoned == 2

    archiver.check(events(0, 9).splitlines())


def test_only_the_days_of_dead_runs_are_listed(source: EventSource) -> None:
    """A stream of years has hundreds of thousands of segments."""
    archiver = Archiver(store=ListedStore(clock=lambda: NOW), threads=1)
    source.settings = None
    archiver.run(source, hours(3, 4))
    die(archiver, source, at=0)

    archiver.run(source, hours(0, 3))

    assert ListedStore.listed == [f"seg/{STREAM}/2026/07/01/"]


class ListedStore(MemoryStore):
    """Remembers which segments it was asked to list."""

    listed: ClassVar[list[str]] = []

    def list(self, prefix: str = "") -> Iterator[Entry]:
        if prefix.startswith("seg/"):
            self.listed.append(prefix)
        return super().list(prefix)
