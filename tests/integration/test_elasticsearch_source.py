"""The source over real Elasticsearch and OpenSearch: everything once, byte by byte, or an error."""

import json
import pickle
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest

from kcompliance.archive.elasticsearch import ElasticsearchOptions, open_elasticsearch
from kcompliance.archive.elasticsearch.hits import as_archived
from kcompliance.archive.interface import (
    CopiesDiffer,
    IndexShard,
    NothingToArchive,
    Page,
    Part,
    PartLost,
    SourceError,
    SourceGone,
    SourceRefused,
    TimeRange,
)
from kcompliance.errors import KcomplianceError, UsageError
from kcompliance.ledger import SourceKind, StreamName, WindowStatus
from tests.archive.elasticsearch.archiving import (
    HOUR,
    NOW,
    START,
    TIMELESS,
    Run,
    at,
    day,
    event,
    make_index,
    options_for,
    send,
    sources_of,
)
from tests.servers.fault_proxy import Fault, FaultProxy
from tests.servers.fixtures import StartSearchServer
from tests.servers.search_server import SearchServer

pytestmark = pytest.mark.integration

PRODUCTS = ["elasticsearch", "opensearch"]
ALL = TimeRange(start=None, end=NOW)


@pytest.fixture(params=PRODUCTS)
def server(request: pytest.FixtureRequest) -> SearchServer:
    found: SearchServer = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def name() -> str:
    return f"audit-{uuid4().hex[:12]}"


@pytest.fixture
def run() -> Run:
    return Run()


def lines_of(pages: list[Page]) -> list[bytes]:
    return b"".join(page.lines for page in pages).split(b"\n")[:-1]


def parts_of(run: Run, options: ElasticsearchOptions, wanted: TimeRange = ALL) -> list[Part]:
    with open_elasticsearch(options) as source:
        return [part for window in run.plan(source, wanted) for part in window.parts]


# --- everything, once ----------------------------------------------------------------------------


def test_every_event_is_archived_once(server: SearchServer, name: str, run: Run) -> None:
    make_index(server, name, shards=3)
    sent = {f"e{n}": event(n, minutes=n / 2) for n in range(600)}
    send(server, name, sent)

    # Pages of 20: many for each part.
    with open_elasticsearch(options_for(server, name, page_bytes=4000)) as source:
        run.once(source, day(6))
        assert run.plan(source, day(6)) == []

    assert sources_of(run.content) == Counter(sent.items())
    assert [*map(len, run.lines.values())] == [120] * 5 + [0]
    assert {w: a.status for w, a in run.windows.items()} == {
        **{at(hour): WindowStatus.SEALED for hour in range(5)},
        at(5): WindowStatus.EMPTY,
    }
    assert run.faults() == []


def test_events_of_one_instant_on_five_shards_are_all_there(
    server: SearchServer, name: str, run: Run
) -> None:
    """OpenSearch returns 300 of these 5,000 where they are read by a sort that has ties."""
    make_index(server, name, shards=5, max_result_window=100)
    sent = {f"e{n}": event(n, minutes=30) for n in range(5000)}
    send(server, name, sent)

    with open_elasticsearch(options_for(server, name)) as source:
        run.once(source, day(1))

    assert sources_of(run.content) == Counter(sent.items())


def test_windows_are_half_open(server: SearchServer, name: str, run: Run) -> None:
    make_index(server, name, mapping={"nano": {"type": "date_nanos"}})
    last = START + HOUR - timedelta(microseconds=1000)
    sent = {
        "first": event(1, minutes=0),
        "last": json.dumps({"requestReceivedTimestamp": last.isoformat()}).encode(),
        "next": event(3, minutes=60),
        "milliseconds": b'{"requestReceivedTimestamp":%d}' % (1000 * (START + HOUR).timestamp()),
    }
    send(server, name, sent)

    with open_elasticsearch(options_for(server, name)) as source:
        archived = run.once(source, day(2))

    assert {each for each, _ in sources_of(archived[at(0), 0])} == {"first", "last"}
    assert {each for each, _ in sources_of(archived[at(1), 0])} == {"next", "milliseconds"}


AWKWARD = [
    b'{"n":123456789012345678901234567890,"e":1e5,"f":1.50,"z":-0,"d":0.1e-7}',
    '{"a":"ü\u2028😀","k\u00e9y":"\\u00e9"}'.encode(),
    b'{  "a" :\t[ 1 ,2 ], "empty":{ }, "null":null }',
    b'{\n  "a": [\r\n    1\n  ]\n}',
    rb'{"half a pair":"\ud800 x"}',
    b'{"a":/* comment */1} // to hide the rest: },"sort":[9]}]}}',
    b'\xef\xbb\xbf{"a":"byte order mark"}',
    b'{"_id":"forged","_source":{"sort":[1]},"_seq_no":-5}',
    b'{"deep":' + b'{"a":' * 15 + b"1" + b"}" * 15 + b"}",
]


def test_documents_keep_their_bytes(server: SearchServer, name: str, run: Run) -> None:
    make_index(server, name)
    middle = b'{"requestReceivedTimestamp":"2026-07-01T00:30:00Z","o":'
    sent = {}
    for number, awkward in enumerate(AWKWARD):
        # The byte order mark and what ends the document are to be at its ends.
        mark = awkward[:3] if awkward.startswith(b"\xef\xbb\xbf") else b""
        inner, slashes, rest = awkward.removeprefix(mark).partition(b" // ")
        sent[f'd{number} "ü'] = mark + middle + inner + b"}" + slashes + rest
    for each, document in sent.items():
        path = f"/{name}/_doc/{quote(each, safe='')}?refresh=true"
        status, answer = server.request("PUT", path, document)
        assert status == 201, answer
    send(server, name, {f"x{n}": event(n, minutes=20) for n in range(50)})

    with open_elasticsearch(options_for(server, name)) as source:
        run.once(source, day(1))

    kept = {name: source for name, source in sources_of(run.content) if not name.startswith("x")}
    assert kept == {name: as_archived(source) for name, source in sent.items()}
    assert kept['d0 "ü'] == sent['d0 "ü']
    assert len(run.content) == 50 + len(sent)


def test_a_line_says_where_it_comes_from(server: SearchServer, name: str, run: Run) -> None:
    make_index(server, name)
    for number in (1, 2):
        server.must(
            "PUT",
            f"/{name}/_doc/a?refresh=true&routing=r%22x",
            json.loads(event(number, minutes=1)),
        )

    with open_elasticsearch(options_for(server, name)) as source:
        run.once(source, day(1))

    (line,) = run.content
    found = json.loads(line)
    source_text = found.pop("_source")
    assert [*found.items()] == [
        ("_index", name),
        ("_id", "a"),
        ("_routing", 'r"x'),
        ("_seq_no", 1),
        ("_primary_term", 1),
        ("_version", 2),
    ]
    assert source_text["auditID"] == "00000002"


# --- what came late ------------------------------------------------------------------------------


def test_what_came_or_changed_late_is_found_once(server: SearchServer, name: str, run: Run) -> None:
    make_index(server, f"{name}-1", shards=2)
    send(server, f"{name}-1", {f"e{n}": event(n, minutes=n) for n in range(180)})
    with open_elasticsearch(options_for(server, f"{name}-*")) as source:
        run.once(source, day(4))
        assert run.plan(source, day(4)) == []

        late = {
            "late": event(900, minutes=30),
            "e70": event(70, minutes=70, changed=True),
            "into an empty one": event(901, minutes=200),
        }
        send(server, f"{name}-1", late)
        make_index(server, f"{name}-2")  # of which no record knows
        send(server, f"{name}-2", {"other index": event(902, minutes=31)})

        found = run.once(source, day(4))
        assert run.plan(source, day(4)) == []

    assert {where: {each for each, _ in sources_of(lines)} for where, lines in found.items()} == {
        (at(0), 1): {"late", "other index"},
        (at(1), 1): {"e70"},
        (at(3), 1): {"into an empty one"},
    }
    assert run.faults() == []
    assert len(run.content) == 180 + 4


def test_late_events_are_looked_for_as_far_back_as_was_asked(
    elasticsearch: SearchServer, name: str, run: Run
) -> None:
    make_index(elasticsearch, name)
    send(elasticsearch, name, {"a": event(1, minutes=1)})
    options = options_for(elasticsearch, name, late=timedelta(days=1))
    with open_elasticsearch(options) as source:
        run.once(source, day(2))
        send(elasticsearch, name, {"b": event(2, minutes=2), "c": event(3, minutes=62)})
        later = START + HOUR + timedelta(days=1)  # the end of the first window is too old now
        assert {*run.once(source, day(2), later)} == {(at(1), 1)}


def test_many_windows_are_asked_for_late_events_in_few_requests(
    elasticsearch: SearchServer, name: str, run: Run
) -> None:
    make_index(elasticsearch, name)
    send(elasticsearch, name, {f"e{n}": event(n, minutes=n * 2.5) for n in range(480)})
    with FaultProxy(elasticsearch.port) as proxy:
        options = options_for(elasticsearch, name, window=timedelta(minutes=5))
        with open_elasticsearch(replace(options, urls=(proxy.url,))) as source:
            for each in run.plan(source, day(20)):
                run.take(each, highest_seq_no=479)
            assert len(run.windows) == 240
            send(elasticsearch, name, {"late": event(901, minutes=601)})
            before = len(proxy.exchanges)
            (planned,) = run.plan(source, day(20))
            asked = len(proxy.exchanges) - before
    assert planned.window.start == START + timedelta(minutes=600)
    assert [part.docs for part in planned.parts] == [1]
    assert asked < 15


def test_events_without_a_time_are_read_by_their_seq_no(
    server: SearchServer, name: str, run: Run
) -> None:
    make_index(server, name, shards=2)
    server.must("PUT", f"/{name}-unmapped", {"settings": {"number_of_replicas": 0}})
    send(server, name, {"timed": event(1, minutes=1), "none": event(2)})
    send(server, f"{name}-unmapped", {"unmapped": event(3)})
    with open_elasticsearch(options_for(server, f"{name}*")) as source:
        first = run.once(source, day(1))
        assert {each for each, _ in sources_of(first[TIMELESS, 0])} == {"none", "unmapped"}
        assert run.plan(source, day(1)) == []
        send(server, name, {"none": event(4), "more": event(5)})
        second = run.once(source, day(1))
    assert {*second} == {(TIMELESS, 1)}
    assert {each for each, _ in sources_of(second[TIMELESS, 1])} == {"none", "more"}
    assert run.faults() == []


def test_a_run_without_a_start_begins_with_the_first_event(
    server: SearchServer, name: str, run: Run
) -> None:
    make_index(server, name)
    send(server, name, {"a": event(1, minutes=125), "b": event(2, minutes=200)})
    with open_elasticsearch(options_for(server, name)) as source:
        planned = run.plan(source, TimeRange(start=None, end=START + 5 * HOUR))
        assert [window.window for window in planned] == [at(2), at(3), at(4)]
        assert [part.docs for window in planned for part in window.parts] == [1, 1]
        assert all(part.bytes for window in planned for part in window.parts)
        with pytest.raises(UsageError, match="has not come yet"):
            run.plan(source, day(3), now=START + 2.5 * HOUR)


# --- which indices -------------------------------------------------------------------------------


def test_a_data_stream_is_its_backing_indices(server: SearchServer, name: str, run: Run) -> None:
    template: dict[str, Any] = {
        "index_patterns": [f"logs-{name}*"],
        "data_stream": {},
        "priority": 500,
        "template": {"settings": {"number_of_replicas": 0}},
    }
    server.must("PUT", f"/_index_template/{name}", template)
    server.must("PUT", f"/_data_stream/logs-{name}")
    stamped = {"@timestamp": "2026-07-01T00:10:00Z"}
    sent = {f"e{n}": json.dumps({**stamped, "n": n}).encode() for n in range(6)}
    send(server, f"logs-{name}", dict([*sent.items()][:3]), action="create")
    server.must("POST", f"/logs-{name}/_rollover")
    send(server, f"logs-{name}", dict([*sent.items()][3:]), action="create")

    with open_elasticsearch(options_for(server, f"logs-{name}*")) as source:
        assert source.time_field == "@timestamp"
        (planned,) = run.plan(source, day(1))
        metadata = json.loads(source.metadata([planned]))
        run.once(source, day(1))

    assert len(planned.parts) == 2
    assert sources_of(run.content) == Counter(sent.items())
    assert {*metadata["data_streams"]} == {f"logs-{name}"}
    assert [each["name"] for each in metadata["index_templates"]] == [name]
    assert len(metadata["indices"]) == 2


def test_a_data_stream_that_lost_its_beginning_leaves_a_hole(
    server: SearchServer, name: str, run: Run
) -> None:
    body: dict[str, Any] = {"settings": {"number_of_replicas": 0}}
    body |= {"mappings": {"properties": {"@timestamp": {"type": "date"}}}}
    server.must("PUT", f"/.ds-logs-{name}-000003", body)
    event_of_hour_2 = {"@timestamp": "2026-07-01T02:10:00Z"}
    server.must("PUT", f"/.ds-logs-{name}-000003/_doc/1?refresh=true", event_of_hour_2)

    with open_elasticsearch(options_for(server, f".ds-logs-{name}-*")) as source:
        run.once(source, day(4))
        assert run.plan(source, day(4)) == []

    assert [each.status for each in run.windows.values()] == [
        WindowStatus.SOURCE_MISSING,
        WindowStatus.SOURCE_MISSING,
        WindowStatus.SEALED,
        WindowStatus.EMPTY,
    ]


def test_an_alias_stands_for_its_indices(server: SearchServer, name: str, run: Run) -> None:
    for number in (1, 2, 3):
        make_index(server, f"{name}-{number}")
        send(server, f"{name}-{number}", {f"e{number}": event(number, minutes=1)})
    aliases: list[dict[str, Any]] = [
        {"add": {"indices": [f"{name}-1", f"{name}-2"], "alias": f"{name}-all"}},
        {
            "add": {
                "index": f"{name}-3",
                "alias": f"part-{name}",
                "filter": {"term": {"kind": "x"}},
            }
        },
    ]
    server.must("POST", "/_aliases", {"actions": aliases})

    with open_elasticsearch(options_for(server, f"{name}-all")) as source:
        run.once(source, day(1))
    assert {each for each, _ in sources_of(run.content)} == {"e1", "e2"}

    with (
        open_elasticsearch(options_for(server, f"part-{name}")) as source,
        pytest.raises(UsageError, match="has a filter or a routing") as refused,
    ):
        run.plan(source, day(1))
    assert f'"part-{name}"' in refused.value.message
    with open_elasticsearch(options_for(server, f"part-{name}", f"{name}-3")) as source:
        assert len(run.plan(source, day(1))) == 1  # the whole index is asked for as well


@pytest.mark.parametrize(
    ("patterns", "error", "said"),
    [
        pytest.param(["NAME-nothing*"], NothingToArchive, "NAME-nothing", id="no-wildcard-match"),
        pytest.param(["NAME-nothing"], NothingToArchive, "NAME-nothing", id="no-such-index"),
        pytest.param(["NAME-1", "NAME-typo*"], NothingToArchive, "NAME-typo", id="one-of-two"),
        pytest.param(["NAME-*"], SourceError, '"NAME-closed" is closed', id="closed"),
        pytest.param(["other:NAME"], UsageError, "remote cluster", id="remote"),
        pytest.param(["_all"], UsageError, '"_all"', id="underscore"),
        pytest.param([], UsageError, "no index pattern", id="none"),
        pytest.param(["NAME-1", "NAME-keyword"], SourceError, "as keyword", id="time-as-keyword"),
        pytest.param(["NAME-unmapped"], UsageError, "no time field", id="no-time-field"),
    ],
)
def test_patterns_that_cannot_be_archived_are_told(
    server: SearchServer, patterns: list[str], error: type[KcomplianceError], said: str
) -> None:
    name = "patterns"
    if server.request("HEAD", f"/{name}-1")[0] != 200:
        make_index(server, f"{name}-1")
        make_index(server, f"{name}-closed")
        server.must("POST", f"/{name}-closed/_close")
        keyword = {"requestReceivedTimestamp": {"type": "keyword"}}
        make_index(server, f"{name}-keyword", mapping=keyword)
        server.must("PUT", f"/{name}-unmapped", {"settings": {"number_of_replicas": 0}})
    options = options_for(server, *(each.replace("NAME", name) for each in patterns))

    with open_elasticsearch(options) as source, pytest.raises(error) as refused:
        source.plan(day(1), Run().archived, now=NOW)
    assert said.replace("NAME", name) in refused.value.message
    assert refused.value.hint


def test_the_time_field_is_the_first_that_is_a_date(elasticsearch: SearchServer, name: str) -> None:
    nested = {
        "properties": {"audit": {"properties": {"requestReceivedTimestamp": {"type": "date"}}}}
    }
    make_index(elasticsearch, f"{name}-a", mapping={"@timestamp": {"type": "date"}})
    make_index(elasticsearch, f"{name}-b", mapping={"kubernetes": nested})

    def chosen(*patterns: str, **more: Any) -> str:
        with open_elasticsearch(options_for(elasticsearch, *patterns, **more)) as source:
            return source.time_field

    assert chosen(f"{name}-a") == "requestReceivedTimestamp"
    assert chosen(f"{name}-*") == "kubernetes.audit.requestReceivedTimestamp"
    assert chosen(f"{name}-a", time_field="@timestamp") == "@timestamp"
    with pytest.raises(UsageError, match='time field "kind" is not mapped as a date'):
        chosen(f"{name}-a", time_field="kind")


def test_a_filter_selects_exactly_its_value(server: SearchServer, name: str, run: Run) -> None:
    mapping = {"cluster": {"type": "keyword"}, "text": {"type": "text"}}
    make_index(server, name, mapping=mapping)
    sent = {
        f"e{n}": event(n, minutes=1, cluster=("prod", "prod-2", "test")[n % 3]) for n in range(9)
    }
    send(server, name, {**sent, "none": event(10, cluster="prod")})

    with open_elasticsearch(options_for(server, name, filters=(("cluster", "prod"),))) as source:
        run.once(source, day(1))
        binding = source.binding(StreamName("prod/audit"))
        digest = source.query_sha256(at(0))
    with open_elasticsearch(options_for(server, name)) as source:
        assert source.binding(StreamName("prod/audit")).filter is None
        assert source.query_sha256(at(0)) != digest

    assert {each for each, _ in sources_of(run.content)} == {"e0", "e3", "e6", "none"}
    assert binding.filter == {"bool": {"filter": [{"term": {"cluster": {"value": "prod"}}}]}}
    assert binding.window_seconds == 3600
    assert binding.source.kind is SourceKind(server.product)
    assert binding.source.cluster_uuid == server.must("GET", "/")["cluster_uuid"]

    for field, said in (("text", "maps as text"), ("clustr", "no index maps")):
        options = options_for(server, name, filters=((field, "prod"),))
        with open_elasticsearch(options) as source, pytest.raises(UsageError, match=said):
            run.plan(source, day(1))


# --- what is lost while it is read ---------------------------------------------------------------


def with_pages(server: SearchServer, name: str) -> tuple[ElasticsearchOptions, dict[str, bytes]]:
    """An index whose one part takes several pages."""
    make_index(server, name, max_result_window=40)
    sent = {f"e{n}": event(n, minutes=n / 10) for n in range(200)}
    send(server, name, sent)
    return options_for(server, name), sent


def after_first(act: Callable[[], object], pages: list[Page]) -> Callable[[Page], None]:
    """Keeps pages, and does something once, after the first."""

    def write(page: Page) -> None:
        if not pages:
            act()
        pages.append(page)

    return write


def test_an_index_that_is_deleted_while_it_is_read_is_gone(
    server: SearchServer, name: str, run: Run
) -> None:
    options, _ = with_pages(server, name)
    with open_elasticsearch(options) as source:
        (part,) = [part for window in run.plan(source, day(1)) for part in window.parts]
        pages: list[Page] = []
        write = after_first(lambda: server.must("DELETE", f"/{name}"), pages)
        with pytest.raises(SourceGone, match=f'"{name}" was deleted while it was read'):
            source.read(part, write)
        with pytest.raises(SourceGone, match="was deleted"):
            source.read(part, pages.append)
        make_index(server, name)  # of the same name, with another uuid
        with pytest.raises(SourceGone, match="there is another of this name"):
            source.read(part, pages.append)
    with open_elasticsearch(options) as source, pytest.raises(SourceGone, match="is not there"):
        source.read(part, pages.append)


def test_a_point_in_time_that_is_lost_makes_the_part_be_read_anew(
    server: SearchServer, name: str, run: Run
) -> None:
    options, sent = with_pages(server, name)

    def lose() -> None:
        server.must("POST", f"/{name}/_close")  # which drops all contexts
        server.must("POST", f"/{name}/_open?wait_for_active_shards=1")

    with open_elasticsearch(options) as source:
        (part,) = [part for window in run.plan(source, day(1)) for part in window.parts]
        with pytest.raises(PartLost):
            source.read(part, after_first(lose, []))
        pages: list[Page] = []
        assert source.read(part, pages.append).written == 200
        lose()  # between two parts: nothing is lost with it
        source.read(part, pages.append)
    assert sources_of(lines_of(pages)) == Counter([*sent.items(), *sent.items()])


def test_points_in_time_are_closed_in_the_end(server: SearchServer, name: str, run: Run) -> None:
    options, _ = with_pages(server, name)
    with open_elasticsearch(options) as source:
        run.once(source, day(1))
        assert open_contexts(server, name) == 1
    assert open_contexts(server, name) == 0


def open_contexts(server: SearchServer, name: str) -> int:
    stats = server.must("GET", f"/{name}/_stats/search")["indices"][name]["total"]["search"]
    kind = "point_in_time_current" if server.product == "opensearch" else "open_contexts"
    return int(stats[kind])


FAULTS = [
    pytest.param(Fault.LOSE_ANSWER, "_search?", id="answer-lost"),
    pytest.param(Fault.CUT_ANSWER, "_search?", id="half-an-answer"),
    pytest.param(Fault.CUT_REQUEST, "_search?", id="request-cut"),
    pytest.param(Fault.BUSY, "_search?", id="503"),
    pytest.param(Fault.SILENCE, "_search?", id="silence"),
    pytest.param(Fault.CUT_ANSWER, "keep_alive", id="half-a-point-in-time"),
    pytest.param(Fault.LOSE_ANSWER, "keep_alive", id="point-in-time-lost"),
]


@pytest.mark.parametrize(("fault", "path"), FAULTS)
def test_a_fault_on_the_way_loses_and_doubles_nothing(
    fault: Fault, path: str, server: SearchServer, name: str, run: Run
) -> None:
    options, sent = with_pages(server, name)
    with FaultProxy(server.port) as proxy:
        hasty = replace(options, urls=(proxy.url,), request_timeout=timedelta(seconds=2))
        with open_elasticsearch(hasty) as source:
            (part,) = [part for window in run.plan(source, day(1)) for part in window.parts]
            pages: list[Page] = []
            proxy.plan(fault, method="POST", path=path)
            write = after_first(lambda: proxy.plan(fault, method="POST", path=path), pages)
            partition = source.read(part, write)
        spoilt = [each for each in proxy.exchanges if each.fault]
    assert spoilt
    assert (partition.expected, partition.written) == (200, 200)
    assert sources_of(lines_of(pages)) == Counter(sent.items())


def test_a_server_that_stays_away_is_told(elasticsearch: SearchServer, name: str, run: Run) -> None:
    options, _ = with_pages(elasticsearch, name)
    with FaultProxy(elasticsearch.port) as proxy:
        hasty = replace(options, urls=(proxy.url,), patience=timedelta(seconds=1))
        with open_elasticsearch(hasty) as source:
            (part,) = [part for window in run.plan(source, day(1)) for part in window.parts]
            pages: list[Page] = []
            fail = [Fault.BUSY] * 50
            write = after_first(lambda: proxy.plan(*fail, method="POST", path="_search?"), pages)
            with pytest.raises(PartLost, match="503"):
                source.read(part, write)
            assert len(pages) < 5


def test_no_more_points_in_time_are_open_than_the_server_allows(
    opensearch: SearchServer, name: str, run: Run
) -> None:
    make_index(opensearch, name, shards=5)
    sent = {f"e{n}": event(n, minutes=n) for n in range(100)}
    send(opensearch, name, sent)
    limit = "search.max_open_pit_context"
    # What runs of other tests left open when they were killed would count, too.
    opensearch.must("DELETE", "/_search/point_in_time/_all")
    opensearch.must("PUT", "/_cluster/settings", {"persistent": {limit: 2}})
    try:
        with open_elasticsearch(options_for(opensearch, name)) as source:
            run.once(source, day(2))
    finally:
        opensearch.must("PUT", "/_cluster/settings", {"persistent": {limit: None}})
    assert sources_of(run.content) == Counter(sent.items())


def test_a_plan_while_the_server_is_busy_comes_late_but_comes(
    server: SearchServer, name: str, run: Run
) -> None:
    options, _ = with_pages(server, name)
    with FaultProxy(server.port) as proxy:
        for method in ("GET", "POST"):
            proxy.plan(Fault.BUSY, method=method)
        with open_elasticsearch(replace(options, urls=(proxy.url,))) as source:
            (planned,) = run.plan(source, day(1))
    assert [part.docs for part in planned.parts] == [200]


def test_parts_are_read_by_several_threads_and_by_another_process(
    server: SearchServer, name: str, run: Run
) -> None:
    make_index(server, name, shards=2)
    sent = {f"e{n}": event(n, minutes=n) for n in range(300)}
    send(server, name, sent)
    options = options_for(server, name, page_bytes=3000)
    parts = parts_of(run, options, day(5))
    options, parts = pickle.loads(pickle.dumps((options, parts)))

    pages: list[Page] = []
    with open_elasticsearch(options) as source, ThreadPoolExecutor(8) as pool:
        counted = [*pool.map(lambda part: source.read(part, pages.append), parts)]

    assert sum(each.written for each in counted) == 300
    assert sources_of(lines_of(pages)) == Counter(sent.items())


def test_a_shard_that_is_not_there_is_gone(elasticsearch: SearchServer, name: str) -> None:
    options, _ = with_pages(elasticsearch, name)
    (part,) = parts_of(Run(), options, day(1))
    assert isinstance(part.place, IndexShard)
    with open_elasticsearch(options) as source, pytest.raises(SourceGone):
        source.read(replace(part, place=replace(part.place, shard=1)), lambda page: None)


def test_an_index_that_keeps_no_sources_is_told(server: SearchServer, name: str) -> None:
    server.must(
        "PUT",
        f"/{name}",
        {
            "settings": {"number_of_replicas": 0},
            "mappings": {
                "_source": {"enabled": False},
                "properties": {"requestReceivedTimestamp": {"type": "date"}},
            },
        },
    )
    send(server, name, {"a": event(1, minutes=1)})
    (part,) = parts_of(Run(), options_for(server, name), day(1))
    with (
        open_elasticsearch(options_for(server, name)) as source,
        pytest.raises(SourceError, match="does not keep the `_source`"),
    ):
        source.read(part, lambda page: None)


# --- metadata ------------------------------------------------------------------------------------


def test_metadata_says_how_the_indices_were_made(server: SearchServer, name: str, run: Run) -> None:
    component = {"template": {"mappings": {"properties": {"token": {"type": "keyword"}}}}}
    server.must("PUT", f"/_component_template/{name}", component)
    template = {
        "index_patterns": [f"{name}-*"],
        "composed_of": [name],
        "priority": 400,
        "template": {"settings": {"number_of_replicas": 0}},
        "_meta": {"api_key": "s3cr3t", "large": 2**60, "fraction": 1.5},
    }
    server.must("PUT", f"/_index_template/{name}", template)
    make_index(server, f"{name}-1")
    send(server, f"{name}-1", {"a": event(1, minutes=1)})

    with open_elasticsearch(options_for(server, f"{name}-*")) as source:
        planned = run.plan(source, day(1))
        text = source.metadata(planned)
        assert source.metadata(planned) == text
        nothing = json.loads(source.metadata([]))

    found = json.loads(text)
    assert found["server"]["kind"] == server.product
    settings = found["indices"][f"{name}-1"]["settings"]
    assert settings["index.number_of_shards"] == "1"
    mappings = found["indices"][f"{name}-1"]["mappings"]["properties"]
    assert mappings["requestReceivedTimestamp"] == {"type": "date"}
    (kept,) = found["index_templates"]
    assert kept["index_template"]["_meta"] == {
        "api_key": "redacted",
        "large": str(2**60),
        "fraction": 1.5,
    }
    (part,) = found["component_templates"]
    assert part["component_template"]["template"]["mappings"]["properties"] == {
        "token": {"type": "keyword"}
    }
    assert nothing["indices"] == {}


# --- credentials ---------------------------------------------------------------------------------

NEEDED = ["read", "view_index_metadata"]


@pytest.fixture
def secured(secured_elasticsearch: SearchServer, name: str) -> ElasticsearchOptions:
    make_index(secured_elasticsearch, name, shards=2)
    send(secured_elasticsearch, name, {f"e{n}": event(n, minutes=n) for n in range(50)})
    return options_for(secured_elasticsearch, name, ca_cert=secured_elasticsearch.ca_cert)


def test_a_key_with_few_privileges_is_enough(
    secured_elasticsearch: SearchServer, secured: ElasticsearchOptions, name: str, run: Run
) -> None:
    key = secured_elasticsearch.new_api_key(
        indices={name: NEEDED}, cluster=["cluster:monitor/main"]
    )
    with open_elasticsearch(replace(secured, api_key=key)) as source:
        planned = run.plan(source, day(1))
        metadata = json.loads(source.metadata(planned))
        run.once(source, day(1))
        send(secured_elasticsearch, name, {"late": event(99, minutes=1)})
        run.once(source, day(1))
    assert len(run.content) == 51
    assert metadata["indices"][name]["settings"]
    assert "needs" in metadata["index_templates"][0]["unreadable"]


@pytest.mark.parametrize(
    ("indices", "cluster", "needed"),
    [
        pytest.param(["read"], ["monitor"], "view_index_metadata", id="no-metadata"),
        pytest.param(["view_index_metadata"], ["monitor"], "read", id="no-read"),
        pytest.param([], ["monitor"], "view_index_metadata", id="no-index"),
    ],
)
def test_a_missing_privilege_is_named(
    indices: list[str],
    cluster: list[str],
    needed: str,
    secured_elasticsearch: SearchServer,
    secured: ElasticsearchOptions,
    name: str,
    run: Run,
) -> None:
    given = {name: indices} if indices else {"other": NEEDED}
    key = secured_elasticsearch.new_api_key(indices=given, cluster=cluster)

    def try_all() -> None:
        with open_elasticsearch(replace(secured, api_key=key)) as source:
            run.once(source, day(1))

    with pytest.raises(SourceRefused) as refused:
        try_all()
    assert refused.value.permission == needed
    assert f'"{needed}"' in (refused.value.hint or "")
    assert key not in f"{refused.value!r}{refused.value.message}{refused.value.hint}"


@pytest.mark.parametrize(
    "credentials",
    [
        pytest.param({"api_key": "aWQ6a2V5"}, id="key"),
        pytest.param({"username": "admin", "password": "wrong"}, id="password"),
        pytest.param({"bearer": "no-token"}, id="bearer"),
        pytest.param({}, id="none"),
    ],
)
def test_wrong_credentials_are_refused(
    credentials: dict[str, Any], secured: ElasticsearchOptions
) -> None:
    with pytest.raises(SourceRefused, match="not accepted"):
        open_elasticsearch(replace(secured, **credentials))


def test_a_name_and_a_password_are_credentials_too(
    secured_elasticsearch: SearchServer, secured: ElasticsearchOptions, run: Run
) -> None:
    admin = secured_elasticsearch.admin
    assert admin is not None
    options = replace(secured, username=admin.user, password=admin.password)
    with open_elasticsearch(options) as source:
        run.once(source, day(1))
    assert len(run.content) == 50
    with open_elasticsearch(replace(options, ca_cert=None, insecure=True)) as source:
        assert source.server.kind is SourceKind.ELASTICSEARCH


def test_a_certificate_of_an_unknown_authority_is_refused(secured: ElasticsearchOptions) -> None:
    with pytest.raises(SourceError, match="no TLS with") as refused:
        open_elasticsearch(replace(secured, ca_cert=None))
    assert "--ca-cert" in (refused.value.hint or "")


def test_plain_http_to_a_server_with_tls_is_told(secured: ElasticsearchOptions) -> None:
    url = secured.urls[0].replace("https:", "http:")
    options = replace(secured, urls=(url,), ca_cert=None, patience=timedelta(seconds=1))
    with pytest.raises(SourceError) as refused:
        open_elasticsearch(options)
    assert "https://" in (refused.value.hint or "")


# --- copies --------------------------------------------------------------------------------------


def test_copies_that_differ_are_not_archived(search_server: StartSearchServer, name: str) -> None:
    server = search_server(nodes=2)
    make_index(server, name, replicas=1, refresh_interval="-1")
    server.wait_for("green")
    send(server, name, {f"e{n}": event(n, minutes=1) for n in range(10)})
    with open_elasticsearch(options_for(server, name)) as source:
        run = Run()
        run.once(source, day(1))
        assert len(run.content) == 10

    # A new replica shows what it was sent; the primary shows that only when it is refreshed.
    send(server, name, {f"f{n}": event(n, minutes=61) for n in range(5)}, refresh="false")
    for replicas in (0, 1):
        server.must("PUT", f"/{name}/_settings", {"index": {"number_of_replicas": replicas}})
    server.wait_for("green")

    hour = TimeRange(start=START, end=START + 2 * HOUR)
    with open_elasticsearch(options_for(server, name)) as source:
        (planned,) = run.plan(source, hour)
        assert [part.docs for part in planned.parts] == [5]  # by any copy
        with pytest.raises(CopiesDiffer, match=r"hold different numbers of events: .*[05] on node"):
            run.once(source, hour)
    with open_elasticsearch(options_for(server, name, copy="primary")) as source:
        (planned,) = run.plan(source, hour)
        assert planned.parts == ()
    server.must("POST", f"/{name}/_refresh")
    with open_elasticsearch(options_for(server, name)) as source:
        run.once(source, hour)
    assert len(run.content) == 15
