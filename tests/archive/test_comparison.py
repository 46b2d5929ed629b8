"""An archived stream is compared with the real Elasticsearch that it came from."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from kcompliance.archive import windows as grid
from kcompliance.archive.catalogue import CataloguedStream, read_catalogue
from kcompliance.archive.comparison import Comparison, compare_with_source
from kcompliance.archive.elasticsearch import (
    ElasticsearchOptions,
    ElasticsearchSource,
    open_elasticsearch,
)
from kcompliance.archive.interface import TimeRange
from kcompliance.errors import ExitCode, UsageError
from kcompliance.ledger import FindingCode
from kcompliance.stores.filesystem import FilesystemStore
from tests.archive.runs import Archiver
from tests.integration.acting_proxy import ActingProxy
from tests.integration.whole_archive import (
    BEGIN,
    HOUR,
    at_hour,
    event,
    index_documents,
    make_index,
)
from tests.servers.fault_proxy import Fault
from tests.servers.search_server import SearchServer

pytestmark = pytest.mark.integration


def new_name() -> str:
    return f"audit-{uuid4().hex[:12]}"


class Archived:
    """Two indices, `NAME-1` and `NAME-2`, of the same hours, and their archive."""

    def __init__(self, server: SearchServer, name: str, folder: Path) -> None:
        self.server = server
        self.name = name
        self.archiver = Archiver(store=FilesystemStore(folder / "archive"))
        self.options = ElasticsearchOptions(urls=(server.url,), patterns=(f"{name}-*",))
        for number in (1, 2):
            mapping = {"cluster": {"type": "keyword"}}
            make_index(server, f"{name}-{number}", shards=number, mapping=mapping)
            timed = {f"e{n}": event(n, n / 20) for n in range(60)}
            index_documents(server, f"{name}-{number}", {**timed, "no time": event(61, None)})

    @contextmanager
    def source(self, **more: Any) -> Iterator[ElasticsearchSource]:
        with open_elasticsearch(replace(self.options, **more)) as source:
            yield source

    def archive(self, hours: int = 4, **more: Any) -> None:
        with self.source(**more) as source:
            self.archiver.run(source, TimeRange(start=BEGIN, end=BEGIN + hours * HOUR))

    @property
    def stream(self) -> CataloguedStream:
        catalogue = read_catalogue(self.archiver.store, self.archiver.trust)
        return catalogue.streams[self.archiver.stream]

    def compare(self, *, events: bool = True, **more: Any) -> Comparison:
        with self.source(**more) as source:
            return compare_with_source(
                self.stream, self.archiver.store, source, events=events, now=datetime.now(UTC)
            )

    def compare_both(self) -> Comparison:
        """By counts and by events, which has to come to the same."""
        found = self.compare()
        assert self.compare(events=False) == found
        return found

    def delete(self, index: int, document: str) -> None:
        path = f"/{self.name}-{index}/_doc/{document}?refresh=true"
        self.server.must("DELETE", path)

    def put(self, index: int, **documents: Any) -> None:
        index_documents(self.server, f"{self.name}-{index}", documents)


@pytest.fixture
def archived(elasticsearch: SearchServer, tmp_path: Path) -> Archived:
    archived = Archived(elasticsearch, new_name(), tmp_path)
    archived.archive()
    return archived


@pytest.fixture(scope="module")
def unchanged(elasticsearch: SearchServer, tmp_path_factory: pytest.TempPathFactory) -> Archived:
    """Not to be changed by any test."""
    archived = Archived(elasticsearch, new_name(), tmp_path_factory.mktemp("unchanged"))
    archived.archive()
    return archived


def told(found: Comparison) -> list[tuple[str | None, str]]:
    """Where each fault is, and what it says."""
    for fault in found.faults:
        assert fault.code is FindingCode.SOURCE_MISMATCH
        assert fault.code.exit_code is ExitCode.INCOMPLETE
        assert (fault.start is None) == (fault.end is None)
    return [(fault.start, fault.detail) for fault in found.faults]


def begins(hour: int) -> str:
    return f"{BEGIN + hour * HOUR:%FT%TZ}"


def test_nothing_has_changed(unchanged: Archived) -> None:
    assert unchanged.compare_both() == Comparison(windows=5, docs=122)


def test_events_came_and_went(archived: Archived) -> None:
    archived.delete(1, "e30")
    archived.put(2, new=event(100, 2.5), more=event(101, 3.5))
    archived.delete(2, "no%20time")

    found = archived.compare_both()

    assert sorted(told(found), key=str) == [
        (begins(1), "the source counts 39 events, and 40 of its indices are archived"),
        (begins(2), "the source counts 41 events, and 40 of its indices are archived"),
        (begins(3), "the source counts 1 events, and 0 of its indices are archived"),
        (None, "the source counts 1 events, and 2 of its indices are archived"),
    ]
    assert (found.windows, found.docs) == (5, 122)


def test_events_that_were_changed_are_found_by_their_content_only(archived: Archived) -> None:
    differs = "the source holds other events than the 40 that are archived"
    # A changed source, a time that is changed within its window, another id, another routing.
    archived.put(2, e1=event(1, 1 / 20, changed=True))
    archived.put(2, e30=event(30, 30 / 20 + 1e-6))
    archived.delete(1, "e41")
    archived.put(1, other=event(41, 41 / 20))

    assert told(archived.compare(events=False)) == []
    assert told(archived.compare()) == [(begins(hour), differs) for hour in (0, 1, 2)]

    archived.archive()
    assert told(archived.compare()) == [
        (begins(2), "the source counts 40 events, and 41 of its indices are archived")
    ]
    archived.delete(2, "e3")
    index = f"{archived.name}-2"
    index_documents(archived.server, index, {"e3": event(3, 3 / 20)}, routing="x")
    assert [start for start, _ in told(archived.compare())] == [begins(0), begins(2)]


def test_what_was_archived_again_after_a_change_counts_once(archived: Archived) -> None:
    """Of all revisions the last one of each event is what the source holds."""
    archived.put(1, e30=event(30, 1.5, changed=1), late=event(100, 1.2))
    archived.archive()
    archived.put(1, e30=event(30, 1.5, changed=2))
    archived.archive()
    assert archived.compare_both() == Comparison(windows=5, docs=122 + 3)

    archived.put(1, e30=event(30, 1.5, changed=3))
    assert told(archived.compare(events=False)) == []
    assert len(archived.compare().faults) == 1
    archived.delete(1, "e30")
    assert told(archived.compare_both()) == [
        (begins(1), "the source counts 40 events, and 41 of its indices are archived")
    ]


def test_documents_that_are_not_strict_json(archived: Archived) -> None:
    odd = b'{"requestReceivedTimestamp":"%s","x":"\\ud800 x"/* well */}' % at_hour(2.5).encode()
    path = f"/{archived.name}-1/_doc/odd?refresh=true"
    status, answer = archived.server.request("PUT", path, odd)
    assert status == 201, answer
    archived.archive()
    assert archived.compare() == Comparison(windows=5, docs=123)


# --- indices that are gone ------------------------------------------------------------------------


def test_an_index_that_was_deleted_is_left_out(archived: Archived) -> None:
    archived.server.must("DELETE", f"/{archived.name}-2")
    assert archived.compare_both() == Comparison(windows=5, docs=61)
    archived.put(1, e30=event(30, 1.5, changed=True))
    assert len(archived.compare().faults) == 1


def test_windows_of_which_nothing_is_left_are_counted_as_gone(archived: Archived) -> None:
    for number in (1, 2):
        archived.server.must("DELETE", f"/{archived.name}-{number}")
    make_index(archived.server, f"{archived.name}-3")
    # The empty window is as empty as before.
    assert archived.compare() == Comparison(windows=1, gone=4)

    archived.put(3, new=event(1, 1.5))
    found = archived.compare()
    assert told(found) == [
        (begins(1), "the source counts 1 events, and 0 of its indices are archived")
    ]
    assert (found.windows, found.gone) == (2, 3)


def test_an_index_that_was_made_anew_by_the_same_name_is_another(archived: Archived) -> None:
    archived.server.must("DELETE", f"/{archived.name}-2")
    make_index(archived.server, f"{archived.name}-2", shards=2)
    archived.put(2, **{f"e{n}": event(n, n / 20) for n in range(20)})

    found = archived.compare()

    assert told(found) == [
        (begins(0), "the source counts 40 events, and 20 of its indices are archived")
    ]
    archived.archive()  # as late events of the new index
    assert archived.compare().faults == []


# --- what is compared -----------------------------------------------------------------------------


def test_a_stream_of_events_without_a_time_only(
    elasticsearch: SearchServer, tmp_path: Path
) -> None:
    archived = Archived(elasticsearch, new_name(), tmp_path)
    archived.archive(hours=0)
    assert archived.compare() == Comparison(windows=1, docs=2)
    archived.delete(1, "no%20time")
    assert [start for start, _ in told(archived.compare())] == [None]


def test_windows_of_before_another_binding_are_left_out(archived: Archived) -> None:
    longer: dict[str, Any] = {"window": 2 * HOUR}
    start = grid.align(BEGIN + 5 * HOUR, 2 * HOUR)
    with archived.source(**longer) as source:
        wanted = TimeRange(start=start, end=start + 2 * HOUR)
        archived.archiver.run(source, wanted, rebind=True)

    found = archived.compare(**longer)

    assert found == Comparison(windows=2, docs=2, off_grid=4)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        pytest.param({"window": timedelta(hours=2)}, "window in seconds is 3600", id="window"),
        pytest.param({"filters": (("cluster", "x"),)}, "filter is None", id="filter"),
        pytest.param({"patterns": ("audit-*",)}, "patterns is", id="patterns"),
    ],
)
def test_a_source_that_is_not_the_streams_own_is_refused(
    unchanged: Archived, more: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match="is of another source") as refused:
        unchanged.compare(**more)
    assert said in refused.value.message


def test_a_read_that_is_lost_is_begun_anew(unchanged: Archived) -> None:
    with ActingProxy(unchanged.server) as proxy:
        proxy.spoil_page(2, Fault.CUT_ANSWER)

        def lose() -> None:
            index = f"{unchanged.name}-1"
            unchanged.server.must("POST", f"/{index}/_close")
            unchanged.server.must("POST", f"/{index}/_open?wait_for_active_shards=1")

        proxy.at_page(3, lose)
        found = unchanged.compare(urls=(proxy.url,), page_bytes=1000)
        assert proxy.acted == 2
    assert found == Comparison(windows=5, docs=122)
