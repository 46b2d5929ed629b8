"""A search server, the way to it or the archiver fails in a run: the next run makes it good."""

import json
import random
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from kcompliance.archive.elasticsearch import ElasticsearchOptions, open_elasticsearch
from kcompliance.archive.interface import TimeRange
from kcompliance.archive.run import RunResult
from kcompliance.errors import ExitCode
from kcompliance.ledger import WindowStatus
from kcompliance.stores.filesystem import FilesystemStore
from tests.archive.elasticsearch.scripted import Script, Scripted, fault
from tests.archive.runs import Archiver
from tests.faults.running import Ended, ended
from tests.integration.acting_proxy import ActingProxy
from tests.integration.resetting_relay import ResettingRelay
from tests.integration.whole_archive import (
    BEGIN,
    END,
    HOUR,
    SearchTrail,
    event,
    folder_place,
    index_documents,
    lines_of,
    make_index,
)
from tests.servers.fault_proxy import Fault
from tests.servers.fixtures import StartSearchServer
from tests.servers.process import free_port
from tests.servers.search_server import SearchServer

pytestmark = pytest.mark.integration

REQUESTS = {"first": 32, "later": 18}
CHANGES = {"first": 90, "later": 55}
"""How many requests, or changes of the file system, a run makes at least that archives something:
the three windows of `fill`, or what came late for them."""


@pytest.fixture
def name() -> str:
    return f"audit-{uuid4().hex[:12]}"


def fill(server: SearchServer, name: str, *, shards: int = 2) -> None:
    """Three windows; each of their parts takes several pages."""
    make_index(server, name, shards=shards, max_result_window=20)
    index_documents(server, name, {f"e{n}": event(n, n / 80) for n in range(240)})


@pytest.fixture
def proxy(elasticsearch: SearchServer, name: str) -> Iterator[ActingProxy]:
    """Before an Elasticsearch that holds some windows."""
    fill(elasticsearch, name)
    with ActingProxy(elasticsearch) as proxy:
        yield proxy


@pytest.fixture
def trail(proxy: ActingProxy, name: str, tmp_path: Path) -> SearchTrail:
    """Runs that reach the server through the proxy."""
    return trail_of(proxy, tmp_path, name)


def trail_of(proxy: ActingProxy, folder: Path, *patterns: str) -> SearchTrail:
    return SearchTrail(folder=folder, place=folder_place(folder), url=proxy.url, patterns=patterns)


# --- the server fails -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "product", ["elasticsearch", pytest.param("opensearch", marks=pytest.mark.long)]
)
def test_a_server_that_dies_and_comes_back_in_a_run(
    product: str, search_server: StartSearchServer, name: str, tmp_path: Path
) -> None:
    server = search_server(product)
    fill(server, name)
    with ActingProxy(server) as proxy, ThreadPoolExecutor(1) as background:
        restarted: list[Future[None]] = []

        def kill() -> None:
            server.kill()
            restarted.append(background.submit(server.restart))

        proxy.at_page(6, kill)
        trail = trail_of(proxy, tmp_path, name)

        done = trail.run()

        assert (done.code, done.json["docs"]) == (0, 240), done
        assert proxy.acted == 1
        restarted[0].result()
        assert trail.run().json["docs"] == 0
    assert trail.verify().code == 0
    trail.check(lines_of(server, name))


def test_points_in_time_are_lost_in_a_run(
    opensearch: SearchServer, name: str, tmp_path: Path
) -> None:
    fill(opensearch, name)
    with ActingProxy(opensearch) as proxy:
        trail = trail_of(proxy, tmp_path, name)
        for page in (3, 9):
            proxy.at_page(page, lambda: opensearch.must("DELETE", "/_search/point_in_time/_all"))
        done = trail.run()
        assert proxy.acted == 2
    assert (done.code, done.json["docs"]) == (0, 240), done
    assert trail.verify().code == 0
    trail.check(lines_of(opensearch, name))


def test_an_index_is_closed_and_opened_in_a_run(
    proxy: ActingProxy, trail: SearchTrail, elasticsearch: SearchServer, name: str
) -> None:
    """Which drops all points in time of Elasticsearch."""

    def close_and_open() -> None:
        elasticsearch.must("POST", f"/{name}/_close")
        elasticsearch.must("POST", f"/{name}/_open?wait_for_active_shards=1")

    proxy.at_page(4, close_and_open)

    done = trail.run("--connections", "1")

    assert (done.code, done.json["docs"], proxy.acted) == (0, 240, 1), done
    trail.check(lines_of(elasticsearch, name))


def test_a_server_that_runs_out_of_memory(
    proxy: ActingProxy, trail: SearchTrail, elasticsearch: SearchServer, name: str
) -> None:
    """Its own breaker answers 429 until it has some again."""
    limit = "indices.breaker.total.limit"
    assert trail.run(hours=(0, 1)).code == 0

    def limited(value: str | None) -> Callable[[], object]:
        body = {"persistent": {limit: value}}
        return lambda: elasticsearch.must("PUT", "/_cluster/settings", body)

    pages = sum(each.path.startswith("/_search?") for each in proxy.exchanges)
    proxy.at_page(pages + 2, limited("1kb"))
    proxy.at_page(pages + 4, limited(None))
    try:
        done = trail.run("--connections", "1")
    finally:
        limited(None)()

    assert (done.code, proxy.acted) == (0, 2), done
    assert 429 in {each.status for each in proxy.exchanges}
    trail.check(lines_of(elasticsearch, name))


# --- the way to it fails --------------------------------------------------------------------------


@dataclass(kw_only=True)
class Hasty:
    """Runs in this process, with less patience than the command line has."""

    folder: Path
    url: str
    name: str
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.store = FilesystemStore(self.folder / "archive")
        self.archiver = Archiver(store=self.store)

    def run(self, **more: Any) -> RunResult:
        given: dict[str, Any] = {
            "urls": (self.url,),
            "patterns": (self.name,),
            "request_timeout": timedelta(seconds=1),
            **self.options,
            **more,
        }
        with open_elasticsearch(ElasticsearchOptions(**given)) as source:
            return self.archiver.run(source, TimeRange(start=BEGIN, end=END))

    def check(self, server: SearchServer) -> None:
        self.archiver.check(sorted(lines_of(server, self.name)))


@pytest.fixture
def hasty(proxy: ActingProxy, name: str, tmp_path: Path) -> Hasty:
    return Hasty(folder=tmp_path, url=proxy.url, name=name)


@pytest.mark.parametrize("spoilt", Fault)
def test_exchanges_that_are_spoilt_lose_and_double_nothing(
    spoilt: Fault, proxy: ActingProxy, hasty: Hasty, elasticsearch: SearchServer
) -> None:
    proxy.plan(spoilt, method="GET")
    proxy.plan(spoilt, method="POST", path="keep_alive")  # a point in time
    for page in (2, 7):
        proxy.spoil_page(page, spoilt)

    result = hasty.run()

    assert (result.docs, result.exit_code) == (240, ExitCode.GOOD)
    assert len([each for each in proxy.exchanges if each.fault is spoilt]) == 4
    assert hasty.run().docs == 0
    hasty.check(elasticsearch)


def test_connections_that_are_reset_half_way_in_a_page(
    elasticsearch: SearchServer, name: str, tmp_path: Path
) -> None:
    fill(elasticsearch, name)
    with ResettingRelay(elasticsearch.port, marker=b'{"pit_id":', spoilt={2, 7}) as relay:
        hasty = Hasty(folder=tmp_path, url=relay.url, name=name)
        result = hasty.run()
        assert relay.resets == 2
    assert (result.docs, result.exit_code) == (240, ExitCode.GOOD)
    hasty.check(elasticsearch)


@pytest.mark.parametrize(
    "answer",
    [
        fault(429, "es_rejected_execution_exception"),
        fault(429, "circuit_breaking_exception", headers={"Retry-After": "1"}),
        fault(503, "no_shard_available_action_exception", headers={"Retry-After": "1"}),
        fault(404, "search_context_missing_exception"),
        fault(500, "search_phase_execution_exception"),
    ],
    ids=["rejected", "429-retry-after", "503-retry-after", "context-missing", "500"],
)
def test_errors_of_the_server_lose_and_double_nothing(
    answer: Scripted, proxy: ActingProxy, hasty: Hasty, elasticsearch: SearchServer
) -> None:
    with Script(answer, answer) as script:
        for page in (2, 7):
            proxy.answer_page(page, script)
        result = hasty.run()
        asked = len(script.asked)

    assert (asked, proxy.acted) == (2, 2)
    if answer.status != 500:
        assert (result.docs, result.exit_code) == (240, ExitCode.GOOD)
    else:
        # Nobody knows what it means: what it hit is not sealed, and told.
        assert result.exit_code is ExitCode.INCOMPLETE
        assert 1 <= len(result.not_archived) <= 2
        assert result.docs == 240 - 80 * len(result.not_archived)
        assert hasty.run().exit_code is ExitCode.GOOD
    assert hasty.run().docs == 0
    hasty.check(elasticsearch)


def test_a_server_that_stays_away_ends_the_run_and_the_next_one_makes_it_good(
    proxy: ActingProxy, hasty: Hasty, elasticsearch: SearchServer
) -> None:
    def stay_away() -> None:
        proxy.plan(*[Fault.BUSY] * 500, method="POST")

    proxy.at_page(5, stay_away)

    result = hasty.run(patience=timedelta(milliseconds=100))

    assert result.exit_code is ExitCode.INCOMPLETE
    assert result.not_archived
    with ActingProxy(elasticsearch) as way:
        hasty.url = way.url
        assert hasty.run().docs == 240 - result.docs
    hasty.check(elasticsearch)


# --- the source changes ---------------------------------------------------------------------------


def test_an_index_that_is_deleted_in_a_run_leaves_a_hole_in_sight(
    elasticsearch: SearchServer, name: str, tmp_path: Path
) -> None:
    for each in ("a", "b"):
        fill(elasticsearch, f"{name}-{each}", shards=1)
    stays, goes = (lines_of(elasticsearch, f"{name}-{each}") for each in ("a", "b"))
    with ActingProxy(elasticsearch) as proxy:
        trail = trail_of(proxy, tmp_path, f"{name}-*")
        # Of each window and index four pages: the first window is whole, the second is not.
        proxy.at_page(14, lambda: elasticsearch.must("DELETE", f"/{name}-b"))

        done = trail.run("--connections", "1")

        assert (done.code, proxy.acted) == (3, 1), done
        assert done.json["windows"]["source_missing"] == 2
        verified = trail.verify()
        assert verified.code == 3
        assert [each["code"] for each in verified.json["findings"]] == ["WINDOW_GAP"] * 2
        expected = stays | {line for line in goes if hour_of(line) == 0}
        checked = trail.check(expected, gaps=2)
        missing = WindowStatus.SOURCE_MISSING
        lost = [each.start for each in checked.windows if each.status is missing]
        assert lost == [BEGIN + HOUR, BEGIN + 2 * HOUR]

        again = trail.run()
        assert (again.code, again.json["docs"]) == (0, 0), again
        assert trail.verify().code == 3
        trail.check(expected, gaps=2)


def hour_of(line: bytes) -> int:
    return int(json.loads(line)["_source"]["auditID"]) // 80


def test_mappings_that_change_in_a_run(
    proxy: ActingProxy, trail: SearchTrail, elasticsearch: SearchServer, name: str
) -> None:
    """Also one that makes another time field the first choice of a stream that is new."""
    nested: dict[str, Any] = {"requestReceivedTimestamp": {"type": "date"}}
    for above in ("audit", "kubernetes"):
        nested = {above: {"properties": nested}}

    def change() -> None:
        elasticsearch.must("PUT", f"/{name}/_mapping", {"properties": nested})
        index_documents(elasticsearch, name, {"new": event(900, 2.5, other={"field": 1})})

    proxy.at_page(5, change)

    assert trail.run().code == 0
    assert proxy.acted == 1
    assert trail.run().code == 0
    assert trail.run().json["docs"] == 0
    trail.check(lines_of(elasticsearch, name))


# --- the archiver fails ---------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_runs_that_are_killed_lose_nothing(
    seed: int, proxy: ActingProxy, trail: SearchTrail, elasticsearch: SearchServer, name: str
) -> None:
    kill_several_times(seed, proxy, trail, elasticsearch, name)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(6, 40))
def test_runs_that_are_killed_lose_nothing_ever(
    seed: int, proxy: ActingProxy, trail: SearchTrail, elasticsearch: SearchServer, name: str
) -> None:
    kill_several_times(seed, proxy, trail, elasticsearch, name)


def kill_several_times(
    seed: int, proxy: ActingProxy, trail: SearchTrail, server: SearchServer, name: str
) -> None:
    """At requests to the server, and at changes of the archive and the spool."""
    draw = random.Random(seed)
    for turn in range(3):
        kind = "later" if turn else "first"
        if draw.choice([True, False]):
            died = kill_at_request(proxy, trail, draw.randint(1, REQUESTS[kind]))
        else:
            died = kill_at_change(trail, draw.randint(1, CHANGES[kind]))
        assert died.killed, died
        late = {f"late-{turn}-{n}": event(n, draw.uniform(0, 4)) for n in range(6)}
        index_documents(server, name, late)

    assert trail.run().code == 0

    trail.check(lines_of(server, name))


def kill_at_request(proxy: ActingProxy, trail: SearchTrail, number: int) -> Ended:
    proxy.kill_at(number, after=number % 2 == 0)
    process = trail.start(trail.command())
    proxy.watch(process)
    try:
        return ended(process)
    finally:
        proxy.watch(None)


def kill_at_change(trail: SearchTrail, number: int) -> Ended:
    return ended(trail.start(trail.command(), through=["tests.faults.dying", str(number)]))


@pytest.mark.parametrize("is_new", [True, False], ids=["new", "old"])
def test_two_runs_at_once(
    is_new: bool, trail: SearchTrail, elasticsearch: SearchServer, name: str
) -> None:
    if not is_new:
        assert trail.run(hours=(0, 1)).code == 0
        late = {f"late-{n}": event(n, n / 10) for n in range(10)}
        index_documents(elasticsearch, name, late)

    both = [trail.start(trail.command()) for _ in range(2)]
    codes = [ended(process).code for process in both]

    assert codes == [0, 0]
    assert trail.run().json["docs"] == 0
    trail.check(lines_of(elasticsearch, name))


def test_a_spool_that_is_too_small(elasticsearch: SearchServer, name: str, tmp_path: Path) -> None:
    make_index(elasticsearch, name, mapping={"noise": {"type": "keyword", "index": False}})
    noise = random.Random(1)
    documents = {f"e{n}": event(n, 1, noise=noise.randbytes(6000).hex(), o=n) for n in range(40)}
    index_documents(elasticsearch, name, documents)
    with ActingProxy(elasticsearch) as proxy:
        trail = trail_of(proxy, tmp_path, name)

        full = trail.run(through=["tests.faults.limited", "file-size=100000"])

        assert full.code == 4
        assert "no space in" in full.json["error"]["message"]
        assert "--spool" in full.json["error"]["hint"]
        assert list(trail.spool.iterdir()) == []
        assert trail.run().code == 0
    trail.check(lines_of(elasticsearch, name))


# --- what cannot be archived ----------------------------------------------------------------------


def refused(trail: SearchTrail, *more: str | Path) -> Any:
    """The error of a run that leaves nothing behind; in the table's format it says the same."""
    done = trail.run(*more)
    assert trail.is_untouched()
    told = done.json
    assert told["exit_code"] == done.code
    return {"exit": done.code, **told["error"]}


def test_nothing_listens(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    trail = SearchTrail(folder=tmp_path, place=folder_place(tmp_path), url=url, patterns=["a"])
    error = refused(trail)
    assert (error["exit"], f"nothing answers at {url}" in error["message"]) == (4, True), error


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"{}", b'{"version":{"number":"1"}}'])
def test_something_else_answers(body: bytes, tmp_path: Path) -> None:
    kind = "text/html" if body.startswith(b"<") else "application/json"
    with Script(*[Scripted(body=body, kind=kind)] * 3) as script:
        trail = SearchTrail(
            folder=tmp_path, place=folder_place(tmp_path), url=script.url, patterns=["a"]
        )
        error = refused(trail)
    assert error["exit"] == 4
    assert "URL" in error["hint"]


def test_a_pattern_that_matches_nothing(trail: SearchTrail, name: str) -> None:
    for pattern in (f"{name}-nothing", f"{name}-nothing*"):
        trail.patterns = [name, pattern]
        error = refused(trail)
        assert (error["exit"], error["code"]) == (2, "nothing-to-archive")
        assert pattern in error["message"]


def test_who_is_not_let_in(secured_elasticsearch: SearchServer, name: str, tmp_path: Path) -> None:
    server = secured_elasticsearch
    make_index(server, name)
    index_documents(server, name, {"e": event(1, 1)})
    trail = SearchTrail(
        folder=tmp_path, place=folder_place(tmp_path), url=server.url, patterns=[name]
    )
    wrong = server.new_api_key(indices={name: ["view_index_metadata"]}, cluster=["monitor"])
    trail.environment = {"KCOMPLIANCE_ELASTICSEARCH_API_KEY": wrong}

    without_ca = refused(trail)
    trail.options = ["--ca-cert", str(server.ca_cert)]
    may_not_read = refused(trail)
    trail.environment = {"KCOMPLIANCE_ELASTICSEARCH_API_KEY": "aWQ6a2V5"}
    unknown = refused(trail)
    trail.environment = {}
    nobody = refused(trail)

    assert (without_ca["exit"], "--ca-cert" in without_ca["hint"]) == (4, True), without_ca
    assert (may_not_read["exit"], may_not_read["code"]) == (4, "source-refused"), may_not_read
    assert '"read"' in may_not_read["hint"]
    for each in (unknown, nobody):
        assert (each["exit"], each["code"]) == (4, "source-refused"), each
        assert "not accepted" in each["message"]
