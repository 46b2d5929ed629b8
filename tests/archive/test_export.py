"""Parts of windows become segments in the store, or are told; in threads and in processes."""

import dataclasses
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kcompliance.archive.export import Job, JobResult, Meter, divide, export_job
from kcompliance.archive.export_pool import JobPool, ProcessPool, ThreadPool
from kcompliance.archive.files import FilesOptions, FileSource
from kcompliance.archive.interface import (
    ArchivedStream,
    Page,
    Part,
    PartLost,
    Source,
    SourceError,
    SourceGone,
    SourceRefused,
)
from kcompliance.errors import KcomplianceError
from kcompliance.ledger import FilePartition, IndexPartition
from kcompliance.model.digest import Sha256
from kcompliance.stores import Store
from kcompliance.stores.filesystem import FilesystemStore
from kcompliance.stores.interface import Refused, Stored
from kcompliance.stores.memory import MemoryStore
from tests.archive.event_source import EventSource, hours
from tests.archive.files.trail import ALWAYS, events, source_of
from tests.archive.files.trail import STREAM as FILES
from tests.archive.runs import NOW
from tests.ledger.samples import STREAM

# --- one job ------------------------------------------------------------------------------------


@pytest.fixture
def source() -> EventSource:
    source = EventSource()
    source.add(0, "a", "b", "c")
    source.add(0, "d", index="audit-2")
    return source


@dataclasses.dataclass
class Counted:
    """What a meter was told."""

    docs: int = 0
    read: int = 0
    stored: int = 0

    @property
    def meter(self) -> Meter:
        return Meter(read=self._read, stored=self._stored)

    def _read(self, docs: int, size: int) -> None:
        self.docs += docs
        self.read += size

    def _stored(self, size: int) -> None:
        self.stored += size


def job_of(source: EventSource) -> Job:
    (planned,) = source.plan(hours(0, 1), ArchivedStream(stream=STREAM), now=NOW)
    (job,) = divide(0, planned)
    return job


def export(source: EventSource, store: Store, spool: Path, counted: Counted) -> JobResult:
    try:
        return export_job(
            job_of(source),
            source=source,
            store=store,
            stream=STREAM,
            spool=spool,
            retain_until=None,
            meter=counted.meter,
        )
    finally:
        assert list(spool.iterdir()) == []


class Losing(EventSource):
    """Loses the context of the first reads, after a page."""

    losses = 0

    def read(self, part: Part, write: Callable[[Page], None]) -> IndexPartition:
        found = super().read(part, write)
        if self.losses:
            self.losses -= 1
            raise PartLost("the point in time is gone")
        return found


@pytest.mark.parametrize("losses", range(5))
def test_a_part_that_is_lost_is_read_anew(losses: int, tmp_path: Path) -> None:
    source, store, counted = Losing(), MemoryStore(), Counted()
    source.add(0, "a", "b", "c")
    source.losses = losses

    result = export(source, store, tmp_path, counted)

    (stored,) = result.segments
    assert (stored.spooled.docs, counted.docs, result.error) == (3, 3, None)
    assert counted.read == sum(len(line) + 1 for line in source.lines)
    assert counted.stored == stored.spooled.size == len(store.get(stored.key))


def test_a_part_that_is_lost_over_and_over_is_told(tmp_path: Path) -> None:
    source, store, counted = Losing(), MemoryStore(), Counted()
    source.add(0, "a", "b", "c")
    source.losses = 5

    result = export(source, store, tmp_path, counted)

    assert isinstance(result.error, PartLost)
    assert (result.partitions, counted.docs, list(store.list())) == ((), 0, [])


class Miscounting(EventSource):
    """Says that there were other numbers of events than it gave."""

    more = (1, 0)

    def read(self, part: Part, write: Callable[[Page], None]) -> IndexPartition:
        found = super().read(part, write)
        expected, written = self.more
        return dataclasses.replace(
            found, expected=found.expected + expected, written=found.written + written
        )


@pytest.mark.parametrize("more", [(1, 0), (-1, 0), (0, 1), (1, 1)])
def test_what_does_not_count_out_is_never_sealed(more: tuple[int, int], tmp_path: Path) -> None:
    source, store = Miscounting(), MemoryStore()
    source.add(0, "a", "b", "c")
    source.more = more

    result = export(source, store, tmp_path, Counted())

    assert result.error is not None
    assert "events were counted" in result.error.message
    assert list(store.list()) == []


def test_what_is_gone_is_told_and_the_rest_archived(source: EventSource, tmp_path: Path) -> None:
    job = job_of(source)
    del source.indices["audit-2"]
    result = export_job(
        job,
        source=source,
        store=MemoryStore(),
        stream=STREAM,
        spool=tmp_path,
        retain_until=None,
        meter=Meter(),
    )

    assert (result.gone, result.error) == (("audit-2 was deleted",), None)
    assert [each.written for each in result.partitions] == [3]


def test_the_same_segment_that_is_there_already_is_taken(
    source: EventSource, tmp_path: Path
) -> None:
    store = MemoryStore()
    first = export(source, store, tmp_path, Counted())

    assert export(source, store, tmp_path, Counted()).segments[0].key == first.segments[0].key


def test_a_segment_whose_name_something_else_has_is_an_error(
    source: EventSource, tmp_path: Path
) -> None:
    real = MemoryStore()
    (segment,) = export(source, real, tmp_path, Counted()).segments
    store = FilesystemStore(tmp_path / "archive")
    path = tmp_path / "archive" / segment.key
    path.parent.mkdir(parents=True)
    path.write_bytes(b"foreign")
    spool = tmp_path / "spool"
    spool.mkdir()

    with pytest.raises(KcomplianceError, match="holds other bytes than its name says"):
        export(source, store, spool, Counted())


# --- many jobs ----------------------------------------------------------------------------------


class RefusingSource(FileSource):
    """May not be read."""

    def read(self, part: Part, write: Callable[[Page], None]) -> FilePartition:
        raise SourceRefused("no", "grant it", permission="read")


class GoneSource(FileSource):
    """Is gone."""

    def read(self, part: Part, write: Callable[[Page], None]) -> FilePartition:
        raise SourceGone("gone")


class RefusingStore(MemoryStore):
    """May not be written."""

    def put_if_absent(self, key: str, source: Any, sha256: Sha256, **options: Any) -> Stored:
        raise Refused("no", "grant it", permission="s3:PutObject")


def open_files(kind: type[FileSource], folder: Path) -> Source:
    return kind(FilesOptions(locations=(str(folder),)))


def pool_of(
    kind: str,
    spool: Path,
    folder: Path,
    *,
    source: type[FileSource] = FileSource,
    store: Callable[[], Store],
    meter: Meter | None = None,
) -> JobPool:
    open_source = partial(open_files, source, folder)
    if kind == "processes":
        return ProcessPool(
            2,
            open_source=open_source,
            open_store=store,
            stream=FILES,
            spool=spool,
            meter=meter or Meter(),
        )
    return ThreadPool(
        2, source=open_source(), store=store(), stream=FILES, spool=spool, meter=meter or Meter()
    )


def jobs_of(folder: Path) -> Iterator[tuple[Job, None]]:
    with source_of(folder) as source:
        planned = source.plan(ALWAYS, ArchivedStream(stream=FILES), now=NOW)
    for number, window in enumerate(planned):
        yield from ((job, None) for job in divide(number, window))


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    folder = tmp_path / "spool"
    folder.mkdir()
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    for number in range(6):
        lines = events(number * 10, number * 10 + 9)
        (folder / f"audit-{number}.log").write_bytes(lines)
    return folder


KINDS = pytest.mark.parametrize("kind", ["threads", "processes"])


@KINDS
def test_all_jobs_are_done_once(kind: str, spool: Path, folder: Path, tmp_path: Path) -> None:
    counted = Counted()
    store = partial(FilesystemStore, tmp_path / "archive")
    with pool_of(kind, spool, folder, store=store, meter=counted.meter) as pool:
        results = list(pool.run(jobs_of(folder)))
        assert list(pool.run([])) == []

    assert sorted(each.job.number for each in results) == list(range(6))
    assert (counted.docs, list(spool.iterdir())) == (60, [])
    keys = [each.key for result in results for each in result.segments]
    assert sorted(keys) == [each.key for each in store().list()]


@KINDS
def test_an_error_of_a_source_is_told_with_the_job(kind: str, spool: Path, folder: Path) -> None:
    with pool_of(kind, spool, folder, source=RefusingSource, store=MemoryStore) as pool:
        results = list(pool.run(jobs_of(folder)))

    assert len(results) == 6
    for result in results:
        error = result.error
        assert isinstance(error, SourceRefused)
        assert (error.message, error.hint, error.permission) == ("no", "grant it", "read")
        assert (error.code, str(error)) == ("source-refused", "no")


@KINDS
def test_what_is_gone_is_told_with_the_job(kind: str, spool: Path, folder: Path) -> None:
    with pool_of(kind, spool, folder, source=GoneSource, store=MemoryStore) as pool:
        results = list(pool.run(jobs_of(folder)))

    assert {(each.gone, each.error) for each in results} == {(("gone",), None)}


@KINDS
def test_an_error_of_the_store_ends_all_jobs(kind: str, spool: Path, folder: Path) -> None:
    with (
        pool_of(kind, spool, folder, store=RefusingStore) as pool,
        pytest.raises(Refused) as raised,
    ):
        list(pool.run(jobs_of(folder)))

    assert (raised.value.permission, raised.value.hint) == ("s3:PutObject", "grant it")
    assert list(spool.iterdir()) == []


def broken_source() -> Source:
    raise SourceError("nobody is there", "start it")


def test_a_process_that_cannot_begin_says_why(spool: Path, folder: Path) -> None:
    pool = ProcessPool(
        1,
        open_source=broken_source,
        open_store=MemoryStore,
        stream=FILES,
        spool=spool,
        meter=Meter(),
    )
    with pool, pytest.raises(KcomplianceError, match="nobody is there"):
        list(pool.run(jobs_of(folder)))
