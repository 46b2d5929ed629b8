"""The search servers that other tests rely on are what they are taken for."""

import json
import ssl
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.error import URLError

import pytest

from tests.servers.audit_corpus import (
    POLICY,
    audit_events,
    chosen,
    load,
    many_events,
    recorded_events,
)
from tests.servers.fixtures import StartKubeApiServer, StartSearchServer
from tests.servers.search_server import Credentials, SearchServer

pytestmark = pytest.mark.integration

PRODUCTS = ["elasticsearch", "opensearch"]
START, SPREAD = datetime(2026, 7, 1, tzinfo=UTC), timedelta(hours=6)
EVENTS = 2000
DELETE_LATER = {"min_age": "30d", "actions": {"delete": {}}}


@pytest.fixture(params=PRODUCTS)
def server(request: pytest.FixtureRequest) -> SearchServer:
    found: SearchServer = request.getfixturevalue(request.param)
    return found


def events(n: int = EVENTS) -> list[bytes]:
    return [*many_events(n, start=START, spread=SPREAD)]


def count(server: SearchServer, index: str) -> int:
    counted: int = server.must("GET", f"/{index}/_count")["count"]
    return counted


def all_of_a_shard(server: SearchServer, index: str, shard: int) -> Iterator[Any]:
    """Every hit of a shard, by pages of a point in time."""
    path, name = {
        "elasticsearch": ("_pit", "id"),
        "opensearch": ("_search/point_in_time", "pit_id"),
    }[server.product]
    opened = server.must("POST", f"/{index}/{path}?keep_alive=1m&preference=_shards:{shard}")
    page = {"size": 97, "sort": ["_doc"], "pit": {"id": opened[name], "keep_alive": "1m"}}
    while hits := server.must("POST", "/_search", page)["hits"]["hits"]:
        yield from hits
        page["search_after"] = hits[-1]["sort"]


# --- both products -------------------------------------------------------------------------------


def test_a_point_in_time_of_each_shard_has_every_event_once(server: SearchServer) -> None:
    sent = events()

    assert load(server, "by-shard", sent, shards=3) == EVENTS

    shards = [[*all_of_a_shard(server, "by-shard", number)] for number in range(3)]
    assert all(shards)
    hits = [hit for shard in shards for hit in shard]
    assert len({hit["_id"] for hit in hits}) == EVENTS
    got = {hit["_source"]["auditID"]: hit["_source"] for hit in hits}
    assert got == {event["auditID"]: event for event in map(json.loads, sent)}


def test_the_times_of_events_can_be_asked_for(server: SearchServer) -> None:
    load(server, "by-time", events())
    first_hour = {"lt": (START + timedelta(hours=1)).isoformat()}

    query = {"query": {"range": {"requestReceivedTimestamp": first_hour}}}

    assert server.must("POST", "/by-time/_count", query)["count"] == -(-EVENTS // 6)


def test_events_come_into_a_data_stream(server: SearchServer) -> None:
    load(server, "logs-streamed", events(), data_stream=True)

    (stream,) = server.must("GET", "/_data_stream/logs-streamed")["data_streams"]
    assert [each["index_name"][:4] for each in stream["indices"]] == [".ds-"]
    assert stream["timestamp_field"] == {"name": "@timestamp"}
    assert count(server, "logs-streamed") == EVENTS
    (hit,) = server.must("GET", "/logs-streamed/_search?size=1")["hits"]["hits"]
    assert hit["_source"]["@timestamp"] == hit["_source"]["requestReceivedTimestamp"]


def test_what_a_server_refuses_to_index_is_not_passed_over(server: SearchServer) -> None:
    wrong = b'{"requestReceivedTimestamp":"yesterday"}'

    with pytest.raises(AssertionError, match="yesterday"):
        load(server, "refused", [*events(3), wrong])


def test_lifecycle_policies_are_checked_and_kept(elasticsearch: SearchServer) -> None:
    """Nothing carries them out: what answers is a stand-in over the server's own parsers."""
    path, policy = "/_ilm/policy/month", {"phases": {"delete": DELETE_LATER}}
    settings = {"index.lifecycle.name": "month"}

    elasticsearch.must("PUT", path, {"policy": policy})
    elasticsearch.must("PUT", "/governed", {"settings": settings})

    assert elasticsearch.request("PUT", path, {"policy": {"phases": {"x": {}}}})[0] == (
        HTTPStatus.BAD_REQUEST
    )
    kept = elasticsearch.must("GET", path)["month"]
    assert kept["policy"]["phases"]["delete"]["min_age"] == "30d"
    assert kept["in_use_by"]["indices"] == ["governed"]
    assert elasticsearch.request("DELETE", path)[0] == HTTPStatus.BAD_REQUEST
    explained = elasticsearch.must("GET", "/governed/_ilm/explain")["indices"]["governed"]
    assert explained["policy"] == "month"
    assert elasticsearch.request("GET", "/_ilm/policy/other")[0] == HTTPStatus.NOT_FOUND


# --- servers of a test's own ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "product", ["elasticsearch", pytest.param("opensearch", marks=pytest.mark.long)]
)
def test_a_killed_server_comes_back_with_data_and_address(
    product: str, search_server: StartSearchServer
) -> None:
    server = search_server(product)
    address = server.url
    server.must("PUT", "/kept/_doc/1", {"a": "b"})

    server.kill()
    server.restart()

    assert server.url == address
    assert server.must("GET", "/kept/_doc/1")["_source"] == {"a": "b"}


def test_a_replica_is_on_the_second_node(search_server: StartSearchServer) -> None:
    server = search_server(nodes=2)
    load(server, "copied", events(100), shards=2, replicas=1)
    server.wait_for("green")
    shards = server.must("GET", "/_cat/shards/copied?format=json")

    assert {(each["shard"], each["prirep"], each["state"]) for each in shards} == {
        (number, kind, "STARTED") for number in "01" for kind in "pr"
    }
    assert {each["node"] for each in shards} == {"node-1", "node-2"}

    server.kill(1)

    assert count(server, "copied") == 100
    assert server.must("GET", "/_cluster/health?wait_for_nodes=1")["status"] == "yellow"


# --- security ------------------------------------------------------------------------------------


def test_only_who_is_known_gets_in(secured_elasticsearch: SearchServer) -> None:
    server = secured_elasticsearch
    server.must("PUT", "/guarded/_doc/1", {"a": "b"})
    assert server.admin is not None

    def status(authorization: str, method: str = "GET", path: str = "/guarded/_doc/1") -> int:
        body = {"a": "c"} if method == "PUT" else None
        return server.request(method, path, body, authorization=authorization)[0]

    reader = server.new_user(indices={"guarded": ["read"]})
    key = f"ApiKey {server.new_api_key(indices={'guarded': ['read']})}"
    for known in (reader.header, key):
        assert status(known) == HTTPStatus.OK
        assert status(known, "PUT") == HTTPStatus.FORBIDDEN
        assert status(known, path="/other/_doc/1") == HTTPStatus.FORBIDDEN
    intruder = Credentials(user=server.admin.user, password="guessed")
    for unknown in ("", intruder.header, "ApiKey bm90OmE=", "Bearer x"):
        assert status(unknown) == HTTPStatus.UNAUTHORIZED


def test_the_secured_server_proves_who_it_is(secured_elasticsearch: SearchServer) -> None:
    url = secured_elasticsearch.url
    assert url.startswith("https://")
    trusting = ssl.create_default_context(cafile=str(secured_elasticsearch.ca_cert))

    with pytest.raises(URLError, match="401"):
        urllib.request.urlopen(url, context=trusting)
    with pytest.raises(URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(url)


# --- the events ----------------------------------------------------------------------------------


def test_events_are_the_same_for_the_same_arguments() -> None:
    assert events(300) == events(300)
    assert events(300) != [*many_events(300, start=START, spread=SPREAD, seed=1)]
    assert events(0) == []


def test_events_differ_in_what_they_must() -> None:
    made = [json.loads(event) for event in events()]
    arrivals = [datetime.fromisoformat(each["requestReceivedTimestamp"]) for each in made]
    stages = [datetime.fromisoformat(each["stageTimestamp"]) for each in made]

    assert len({each["auditID"] for each in made}) == EVENTS
    assert arrivals == sorted(arrivals)
    assert all(
        START <= arrival <= stage < START + SPREAD
        for arrival, stage in zip(arrivals, stages, strict=True)
    )
    assert len({each["user"].get("username") for each in made}) > 50
    assert len({each["requestURI"] for each in made}) > EVENTS // 4
    assert 1200 < sum(map(len, events())) / EVENTS < 1600


def test_the_sample_is_small_and_varied() -> None:
    sample = [json.loads(event) for event in recorded_events()]

    assert len(sample) == len({each["auditID"] + each["stage"] for each in sample}) == 60
    assert {each["stage"] for each in sample} == {
        "RequestReceived",
        "ResponseStarted",
        "ResponseComplete",
    }
    assert {each["level"] for each in sample} == {"Metadata", "RequestResponse"}


@pytest.mark.long
def test_the_sample_can_be_recorded_anew(kube_apiserver: StartKubeApiServer) -> None:
    recorded = audit_events(kube_apiserver(audit_policy=POLICY))

    def kinds(events: list[bytes]) -> set[tuple[str, ...]]:
        return {(each["stage"], each["level"], each["verb"]) for each in map(json.loads, events)}

    assert kinds(chosen(recorded)) == kinds(recorded_events())
