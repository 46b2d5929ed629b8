"""What a run archives, in which order, and what it does when another one is faster."""

import dataclasses
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from kcompliance.archive.commit import AnotherArchive, ClockError, Lost
from kcompliance.archive.interface import Part
from kcompliance.errors import ExitCode, UsageError
from kcompliance.ledger import (
    CommitRecord,
    KeyRotationRecord,
    RetentionRecord,
    StreamName,
    StreamRecord,
)
from kcompliance.stores.memory import MemoryStore
from tests.archive.event_source import EventSource, hours
from tests.archive.runs import NOW, Archiver
from tests.ledger.samples import HOUR, JULY

DAY = hours(0, 24)


@pytest.fixture
def archiver() -> Archiver:
    return Archiver(store=MemoryStore())


@pytest.fixture
def source() -> EventSource:
    source = EventSource()
    for hour in (0, 1, 5):
        source.add(hour, *(f"{hour}-{number}" for number in range(7)))
    source.add(1, "other", index="audit-2")
    return source


# --- what is archived ---------------------------------------------------------------------------


def test_all_windows_of_a_day_are_archived_once(archiver: Archiver, source: EventSource) -> None:
    first = archiver.run(source, DAY)
    second = archiver.run(source, DAY)

    assert (first.sealed, first.empty, first.docs, first.exit_code) == (3, 21, 22, ExitCode.GOOD)
    assert (second.sealed, second.empty, second.docs) == (0, 0, 0)
    checked = archiver.check(source.lines)
    assert [each.number for each in checked.commits] == [0, 1, 2]
    assert first.runs + second.runs == [str(each.id) for each in checked.runs]
    kinds = [type(record) for record in checked.commits[1].records[:3]]
    assert kinds == [CommitRecord, StreamRecord, RetentionRecord]
    assert [type(record) for record in checked.commits[2].records] == [CommitRecord]


def test_june_may_be_archived_after_july(archiver: Archiver, source: EventSource) -> None:
    source.add(-3, "june")
    archiver.run(source, DAY)
    archiver.run(source, hours(-24, 24))

    assert len(archiver.check(source.lines).windows) == 48


def test_late_events_are_a_revision(archiver: Archiver, source: EventSource) -> None:
    archiver.run(source, DAY)
    source.add(5, "late")
    source.add(7, "late in an empty hour")
    source.add(1, "late in a new index", index="audit-3")

    result = archiver.run(source, DAY)

    assert (result.late, result.sealed, result.docs) == (3, 3, 3)
    revisions = {(each.start, each.rev) for each in archiver.check(source.lines).windows}
    assert {(JULY + hour * HOUR, 1) for hour in (1, 5, 7)} <= revisions
    assert archiver.run(source, DAY).docs == 0


def test_events_without_a_time_are_a_window_of_their_own(
    archiver: Archiver, source: EventSource
) -> None:
    source.add(None, "when")
    archiver.run(source, DAY)
    source.add(None, "and when")
    archiver.run(source, DAY)

    windows = archiver.check(source.lines).windows
    assert [(each.rev, each.docs) for each in windows if each.start is None] == [(0, 1), (1, 1)]


def test_a_window_whose_index_is_gone_is_told(archiver: Archiver, source: EventSource) -> None:
    def delete(part: Part) -> None:
        source.indices.pop("audit-2", None)

    source.before_read = delete
    result = archiver.run(source, DAY)

    assert (result.sealed, result.missing, result.exit_code) == (3, 1, ExitCode.INCOMPLETE)
    source.before_read = lambda part: None
    again = archiver.run(source, DAY)
    assert (again.sealed, again.missing) == (0, 0)


def test_settings_are_stored_once(archiver: Archiver, source: EventSource) -> None:
    source.settings = b'{"audit-1":{"number_of_shards":1}}'
    archiver.run(source, hours(0, 3))
    archiver.run(source, DAY)
    (first,) = archiver.check(source.lines).metadata

    source.settings = b'{"audit-1":{"number_of_shards":2}}'
    archiver.run(source, hours(0, 25))
    assert [each.key for each in archiver.check(source.lines).metadata][:1] == [first.key]
    assert len(archiver.check(source.lines).metadata) == 2


def test_how_long_it_is_kept_is_told_when_it_changes(
    archiver: Archiver, source: EventSource
) -> None:
    archiver.run(source, hours(0, 1))
    archiver.retain = dataclasses.replace(archiver.retain, years=7)
    archiver.run(source, DAY)
    archiver.run(source, DAY)

    checked = archiver.check(source.lines)
    records = [each for commit in checked.commits for each in commit.records]
    told = [str(each.retain) for each in records if isinstance(each, RetentionRecord)]
    assert told == ["2y", "7y"]
    kept = {each.retain_until for each in checked.segments}
    assert kept == {NOW.replace(year=NOW.year + 2), NOW.replace(year=NOW.year + 7)}


# --- what a stream is bound to ------------------------------------------------------------------


def test_another_source_needs_rebind(archiver: Archiver, source: EventSource) -> None:
    archiver.run(source, hours(0, 3))
    before = [each.key for each in archiver.store.list()]
    source.pattern = "logs-*"

    with pytest.raises(UsageError, match=r"its patterns is audit-\*, not logs-\*") as raised:
        archiver.run(source, DAY)

    assert "--rebind" in str(raised.value.hint)
    assert [each.key for each in archiver.store.list()] == before
    archiver.run(source, DAY, rebind=True)
    bindings = [
        each.source.patterns
        for commit in archiver.check(source.lines).commits
        for each in commit.records
        if isinstance(each, StreamRecord)
    ]
    assert bindings == [("audit-*",), ("logs-*",)]


def test_a_stream_that_was_bound_meanwhile_is_refused(
    archiver: Archiver, source: EventSource
) -> None:
    archiver.run(EventSource(), hours(20, 21))
    archiver.stream, archiver.threads = StreamName("new/stream"), 1
    other, theirs = dataclasses.replace(archiver), EventSource(pattern="logs-*")
    theirs.add(3, "theirs")
    source.before_read = once(lambda part: other.run(theirs, hours(3, 4)))

    with pytest.raises(UsageError, match="bound to another source"):
        archiver.run(source, hours(0, 3))

    # It was taken for dead while it was alive: two segments and its records came after that.
    assert other.run(theirs, hours(0, 4)).abandoned == 3
    other.check(theirs.lines)


# --- the clock ----------------------------------------------------------------------------------


def test_a_clock_that_is_minutes_behind_is_carried_on_from(
    archiver: Archiver, source: EventSource
) -> None:
    archiver.run(source, hours(0, 1))
    archiver.at(-timedelta(minutes=4)).run(source, DAY)

    checked = archiver.check(source.lines)
    times = [commit.record.time for commit in checked.commits if commit.record is not None]
    assert times == [NOW, NOW, NOW]
    assert min(each.retain_until or NOW for each in checked.segments) == NOW.replace(
        year=NOW.year + 2
    )


def test_a_clock_that_was_set_back_is_refused_before_anything_is_written(
    archiver: Archiver, source: EventSource
) -> None:
    archiver.run(source, hours(0, 1))
    before = [each.key for each in archiver.store.list()]

    with pytest.raises(ClockError, match="but the archive's last commit is of"):
        archiver.at(-timedelta(minutes=6)).run(source, DAY)

    assert [each.key for each in archiver.store.list()] == before


# --- others are faster --------------------------------------------------------------------------


def once(act: Callable[[Part], object]) -> Callable[[Part], None]:
    """Do it at the first part only; whatever that one reads itself included."""
    done: list[Part] = []

    def before(part: Part) -> None:
        if not done:
            done.append(part)
            act(part)

    return before


def test_windows_that_another_run_has_committed_meanwhile_are_left_to_it(
    archiver: Archiver, source: EventSource
) -> None:
    other = dataclasses.replace(archiver)
    archiver.run(source, hours(20, 21))
    other.trust = archiver.trust
    source.before_read = once(lambda part: other.run(source, hours(0, 2)))

    result = archiver.run(source, DAY)

    assert (result.sealed, result.docs) == (1, 7)
    assert result.end is not None
    assert result.end.number == 3
    archiver.check(source.lines)


def test_late_events_that_another_run_has_committed_are_left_to_it(
    archiver: Archiver, source: EventSource
) -> None:
    archiver.run(source, DAY)
    other = dataclasses.replace(archiver)
    source.add(1, "late", "later")

    def overtake(part: Part) -> None:
        other.run(source, DAY)
        source.add(1, "latest")

    source.before_read = once(overtake)
    archiver.run(source, DAY)
    archiver.run(source, DAY)

    revisions = [each.rev for each in archiver.check(source.lines).windows if each.docs]
    assert max(revisions) == 2


def test_a_new_archive_that_another_run_has_made_is_gone_on_with(
    archiver: Archiver, source: EventSource
) -> None:
    """The command line opens it anew: see tests/faults/test_two_runs.py."""
    run = archiver.prepare(source, Path())
    other = dataclasses.replace(archiver)
    other.run(source, hours(0, 2))

    with run.pool, pytest.raises(AnotherArchive):
        run.execute(source.plan(DAY, run.opened.state.archived, now=NOW))

    archiver.run(source, DAY)
    assert len(archiver.check(source.lines).commits) == 3


def test_a_key_that_was_replaced_meanwhile_does_not_sign(
    archiver: Archiver, source: EventSource
) -> None:
    archiver.run(source, hours(0, 1))
    trust = archiver.trust
    source.before_read = once(lambda part: rotate(archiver))

    with pytest.raises(UsageError, match="may not sign"):
        archiver.run(source, DAY)

    archiver.seed, archiver.trust = 2, trust
    archiver.run(source, DAY)
    archiver.trust = trust
    archiver.check(source.lines)


def rotate(archiver: Archiver) -> None:
    run = archiver.prepare(EventSource(), Path())
    with run.pool:
        assert run.opened.state.end is not None
        old, new = (
            run.opened.signer,
            dataclasses.replace(archiver, seed=2).sign_as(run.opened.origin),
        )
        _, reference = run._announce((), NOW, of_stream=False)
        record = KeyRotationRecord(vkey=new.key, replaces=old.key, time=NOW)
        writer = dataclasses.replace(run._writer(NOW), signers=(old, new))
        end = writer.next(run.opened.state.end, [record], reference, now=NOW)
        assert not isinstance(end, Lost)
