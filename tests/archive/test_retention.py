"""How long objects are locked: never shorter than the log says, and the log longest of all."""

import dataclasses
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from kcompliance.archive.interface import Part
from kcompliance.archive.log import LogReader
from kcompliance.archive.retention import due_keys
from kcompliance.archive.state import ArchiveState, CommittedObjects, read_state
from kcompliance.archive.verify import Request, verify
from kcompliance.errors import ExitCode
from kcompliance.ledger import LockMode, Period
from kcompliance.stores import Store, StoreOptions, open_store
from kcompliance.stores.interface import LockMode as StoreMode
from kcompliance.stores.memory import MemoryStore
from tests.archive.event_source import EventSource, hours
from tests.archive.runs import NOW, Archiver
from tests.ledger.samples import STREAM
from tests.servers.versitygw import VersityGateway

DAY = timedelta(days=1)
YEAR = Period(years=1)
BELONGS_TO_LOG = ("log/", "cp/", "run/", "meta/", "anchor/")


@pytest.fixture(
    params=["memory", pytest.param("s3", marks=pytest.mark.integration)],
)
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """An empty place with locks."""
    if request.param == "memory":
        yield MemoryStore(locks=True)
        return
    server: VersityGateway = request.getfixturevalue("s3_server")
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    options = StoreOptions(endpoint_url=server.url)
    with open_store(f"s3://{server.new_bucket(object_lock=True)}/archive", options) as opened:
        yield opened


@pytest.fixture
def archiver(store: Store) -> Archiver:
    return Archiver(store=store, lock=LockMode.COMPLIANCE, retain=Period(days=30), threads=1)


@pytest.fixture
def source() -> EventSource:
    source = EventSource(settings=b"{}")
    for hour in range(3):
        source.add(hour, *(f"{hour}-{number}" for number in range(3)))
    return source


def locks(store: Store) -> dict[str, datetime]:
    """Until when each object is locked, all of them firmly."""
    found = {}
    for entry in store.list():
        lock = store.head(entry.key).lock
        assert lock is not None
        assert (lock.mode, lock.hold) == (StoreMode.COMPLIANCE, False), entry.key
        assert lock.until is not None
        found[entry.key] = lock.until
    return found


def test_everything_is_locked_at_least_as_long_as_the_log_says(
    archiver: Archiver, source: EventSource
) -> None:
    archiver.run(source, hours(0, 3))

    checked, until = archiver.check(source.lines), locks(archiver.store)
    for segment in checked.segments:
        assert segment.retain_until == NOW + 30 * DAY
        assert until[segment.key] >= segment.retain_until
    for key, date in until.items():
        if key.startswith(BELONGS_TO_LOG):
            assert date >= YEAR.after(NOW + 30 * DAY), key
    live = Request(trust=archiver.trust, as_of=datetime.now(UTC), live=True)
    assert verify(archiver.store, live).exit_code is ExitCode.GOOD


def test_what_a_dead_run_has_put_is_locked_as_long_as_the_rest(
    archiver: Archiver, source: EventSource
) -> None:
    archiver.run(source, hours(3, 4))

    def die(part: Part) -> None:
        if part.window.start is not None and part.window.start.hour == 2:
            raise KeyboardInterrupt

    source.before_read = die
    with pytest.raises(KeyboardInterrupt):
        archiver.run(source, hours(0, 3))
    source.before_read = lambda part: None
    archiver.retain = Period(days=90)
    archiver.run(source, hours(0, 3))

    until = locks(archiver.store)
    for segment in archiver.check(source.lines).segments:
        assert segment.retain_until == NOW + 90 * DAY
        assert until[segment.key] >= segment.retain_until


def test_a_unit_that_took_days_is_locked_until_the_dates_of_its_records(
    archiver: Archiver, source: EventSource
) -> None:
    archiver.run(source, hours(3, 4))
    moments = [NOW]
    archiver.clock = lambda: moments[-1]
    source.before_read = lambda part: moments.append(NOW + 3 * DAY)

    archiver.run(source, hours(0, 3))

    until = locks(archiver.store)
    for segment in archiver.check(source.lines).segments:
        assert segment.retain_until == NOW + 33 * DAY
        assert until[segment.key] >= segment.retain_until


def test_the_log_is_locked_for_longer_before_it_lapses(
    archiver: Archiver, source: EventSource
) -> None:
    archiver.run(source, hours(0, 3))
    before = locks(archiver.store)

    too_early = archiver.at(300 * DAY).run(source, hours(0, 3))
    assert too_early.extended == 0
    in_time = archiver.at(340 * DAY).run(source, hours(0, 3))

    own = {key for key in before if key.startswith(BELONGS_TO_LOG)}
    assert in_time.extended == len(own)
    after = locks(archiver.store)
    for key in before:
        assert (after[key] > before[key]) == (key in own)
        assert key not in own or after[key] >= YEAR.after(NOW + 370 * DAY)
    assert archiver.at(341 * DAY).run(source, hours(0, 3)).extended == 0


def test_an_archive_that_was_not_locked_is_locked_at_once(
    archiver: Archiver, source: EventSource
) -> None:
    archiver.lock = LockMode.NONE
    archiver.run(source, hours(0, 1))
    archiver.run(source, hours(0, 2))
    assert {archiver.store.head(each.key).lock for each in archiver.store.list()} - {None}
    archiver.lock = LockMode.COMPLIANCE

    result = archiver.run(source, hours(0, 3))

    assert result.extended > 6
    for entry in archiver.store.list():
        lock = archiver.store.head(entry.key).lock
        assert lock is not None
        assert (lock.until is not None) == (
            entry.key.startswith(BELONGS_TO_LOG) or "/02/" in entry.key
        )
    assert archiver.run(source, hours(0, 3)).extended == 0


# --- whose turn it is ---------------------------------------------------------------------------


@pytest.mark.parametrize("pause", [timedelta(hours=1), timedelta(hours=7), DAY, 9 * DAY])
def test_each_object_has_its_turn_once_a_month_however_often_a_run_asks(pause: timedelta) -> None:
    keys = tuple(f"cp/{number:012d}.ckpt" for number in range(300))
    commit = CommittedObjects(keys=keys, latest_retention=None, mode=LockMode.NONE)
    state = ArchiveState(stream=STREAM, commits=[commit])
    asked: Counter[str] = Counter()
    moment = NOW
    while moment < NOW + 30 * DAY:
        before, moment = moment, min(moment + pause, NOW + 30 * DAY)
        mine = list(due_keys(state, (), mode=LockMode.COMPLIANCE, since=before, now=moment))
        assert len(mine) < 300 * 1.6 * pause / (30 * DAY) + 10
        asked.update(mine)

    assert asked == Counter(dict.fromkeys(keys, 1))


@pytest.mark.parametrize(
    ("mode", "left", "due"),
    [
        (LockMode.COMPLIANCE, 91, False),
        (LockMode.COMPLIANCE, 89, True),
        (LockMode.GOVERNANCE, 91, True),
        (LockMode.NONE, 91, True),
    ],
)
def test_only_what_may_lapse_soon_or_is_locked_less_is_asked(
    mode: LockMode, left: int, due: bool
) -> None:
    latest = NOW + left * DAY - (YEAR.after(NOW) - NOW)
    commit = CommittedObjects(keys=("cp/1",), latest_retention=latest, mode=mode)
    state = ArchiveState(stream=STREAM, commits=[commit])

    found = due_keys(state, ["anchor/1"], mode=LockMode.COMPLIANCE, since=None, now=NOW)

    assert list(found) == [*(["cp/1"] if due else []), "anchor/1"]


def test_the_log_knows_what_belongs_to_each_commit(archiver: Archiver, source: EventSource) -> None:
    archiver.run(source, hours(0, 3))
    archiver.run(source, hours(0, 3))

    state = read_state(LogReader(archiver.store), STREAM)

    keys = [key for commit in state.commits for key in commit.keys]
    listed = [each.key for each in archiver.store.list() if each.key.startswith(BELONGS_TO_LOG)]
    assert sorted(keys) == sorted(listed)
    assert [each.mode for each in state.commits] == [
        LockMode.NONE,
        LockMode.COMPLIANCE,
        LockMode.COMPLIANCE,
    ]
    assert dataclasses.replace(state.commits[1], keys=state.commits[2].keys) == state.commits[2]
