"""From a real search server into a real store by the real command line: all of it, exactly once."""

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from kcompliance.ledger import WindowStatus
from tests.faults.places import run_place
from tests.faults.running import ended
from tests.integration.whole_archive import (
    BEGIN,
    HOUR,
    SearchTrail,
    at_hour,
    content_of,
    documents_of,
    event,
    folder_place,
    index_documents,
    lines_of,
    make_index,
)
from tests.servers.audit_corpus import load, many_events
from tests.servers.fixtures import StartSearchServer
from tests.servers.search_server import SearchServer

pytestmark = pytest.mark.integration

PRODUCTS = ["elasticsearch", "opensearch"]
PLACES = [("elasticsearch", "folder"), ("elasticsearch", "s3"), ("elasticsearch", "azure")]
SHARED_STREAM = {"orchestrator.cluster.name": {"type": "keyword"}, "@timestamp": {"type": "date"}}


@pytest.fixture
def name() -> str:
    return f"audit-{uuid4().hex[:12]}"


@pytest.fixture(params=PRODUCTS)
def server(request: pytest.FixtureRequest) -> SearchServer:
    found: SearchServer = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def trail(elasticsearch: SearchServer, name: str, tmp_path: Path) -> SearchTrail:
    """An index of a few windows, to be archived to a folder."""
    make_index(elasticsearch, name, shards=2)
    index_documents(elasticsearch, name, {f"e{n}": event(n, n / 20) for n in range(80)})
    return trail_of(elasticsearch, tmp_path, name)


def trail_of(server: SearchServer, folder: Path, *patterns: str) -> SearchTrail:
    return SearchTrail(folder=folder, place=folder_place(folder), url=server.url, patterns=patterns)


# --- all of it ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("product", "kind"), [*PLACES, ("opensearch", "folder")], ids=lambda name: str(name)
)
def test_what_is_archived_is_what_the_server_holds(
    product: str, kind: str, name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    server: SearchServer = request.getfixturevalue(product)
    for place in run_place(kind, request):
        fill(server, name)
        patterns = [f"{name}-*", f"all-{name}", f"logs-{name}"]
        trail = SearchTrail(folder=tmp_path, place=place, url=server.url, patterns=patterns)

        done = trail.run()

        assert (done.code, done.json["docs"]) == (0, 3123), done
        assert trail.verify().code == 0
        held = documents_of(server, *patterns)
        assert Counter(content_of(trail.cat())) == Counter(each.content for each in held)
        checked = trail.check(each.line for each in held)
        statuses = {each.start: each.status for each in checked.windows}
        assert statuses.pop(None) is WindowStatus.SEALED
        empty = [begin for begin, status in statuses.items() if status is WindowStatus.EMPTY]
        assert (len(statuses), empty) == (6, [BEGIN + 2 * HOUR, BEGIN + 4 * HOUR])
        assert len({each.index for each in held}) == 4
        (metadata,) = checked.metadata
        assert metadata.stream == "prod/audit"


def fill(server: SearchServer, name: str) -> None:
    """Real audit events on several shards; then all that is rare."""
    events = [*many_events(1200, start=BEGIN, spread=2 * HOUR)]
    load(server, f"{name}-1", events, shards=3)
    make_index(server, f"{name}-2", shards=2)
    timed = {f"t{n}": event(n, 3.5) for n in range(60)}
    index_documents(server, f"{name}-2", {**timed, 'a "b" ü/😀': event(61, 5.999999)})
    untimed = {f"u{n}": event(n, None) for n in range(50)}
    index_documents(server, f"{name}-2", untimed)
    routed = {f"r{n}": event(n, 5, text='"_id":"x","_source":{') for n in range(12)}
    index_documents(server, f"{name}-2", routed, routing='for "prod", ü')
    server.must(
        "POST", "/_aliases", {"actions": [{"add": {"index": f"{name}-2", "alias": f"all-{name}"}}]}
    )
    later = many_events(1000, start=BEGIN + 3 * HOUR, spread=HOUR, seed=1)
    load(server, f"logs-{name}", later, shards=2, data_stream=True)
    server.must("POST", f"/logs-{name}/_rollover")
    rolled = {f"d{n}": {"@timestamp": "2026-01-01T00:00:00Z", **event(n, 5.5)} for n in range(800)}
    index_documents(server, f"logs-{name}", rolled, action="create")


def test_verify_compares_with_the_source(
    trail: SearchTrail, elasticsearch: SearchServer, name: str
) -> None:
    assert trail.run().code == 0
    source = ["--against-elasticsearch", elasticsearch.url]

    agreed = trail.verify(*source)
    elasticsearch.must("PUT", f"/{name}/_doc/e7?refresh=true", event(7, 7 / 20, text="altered"))
    differs = trail.verify(*source)
    elsewhere = trail.verify("--against-elasticsearch", "http://127.0.0.1:9")

    assert agreed.code == 0, agreed
    assert "80 events compared" in agreed.err
    assert differs.code == 3, differs
    assert {each["code"] for each in differs.json["findings"]} == {"SOURCE_MISMATCH"}
    assert elsewhere.code == 4, elsewhere


def test_one_cluster_of_a_shared_data_stream(
    server: SearchServer, name: str, tmp_path: Path
) -> None:
    clusters = ["prod", "prod-2", "test"]
    template = {"settings": {"number_of_replicas": 0}, "mappings": {"properties": SHARED_STREAM}}
    body = {"index_patterns": [name], "data_stream": {}, "priority": 500, "template": template}
    server.must("PUT", f"/_index_template/{name}", body)
    server.must("PUT", f"/_data_stream/{name}")
    documents = {
        f"e{n}": {
            **event(n, None),
            "@timestamp": (BEGIN + HOUR * n / 20).isoformat(),
            "orchestrator": {"cluster": {"name": clusters[n % 3]}},
        }
        for n in range(90)
    }
    index_documents(server, name, documents, action="create")
    trail = trail_of(server, tmp_path, name)

    for cluster in ("prod", "prod-2"):
        chosen = f"orchestrator.cluster.name={cluster}"
        assert trail.run("--filter", chosen, stream=f"{cluster}/audit").code == 0

    assert trail.verify().code == 0
    lines = set()
    for cluster in ("prod", "prod-2"):
        query = {"term": {"orchestrator.cluster.name": cluster}}
        own = {each.line for each in documents_of(server, name, query=query)}
        assert len(own) == 30
        assert Counter(trail.cat(f"{cluster}/audit")) == Counter(own)
        lines |= own
    trail.check(lines)


def test_documents_that_are_not_strict_json_are_archived_and_proven(
    trail: SearchTrail, elasticsearch: SearchServer, name: str, tmp_path: Path
) -> None:
    unseen = {"properties": {"o": {"type": "object", "enabled": False}}}
    elasticsearch.must("PUT", f"/{name}/_mapping", unseen)
    head = b'{"requestReceivedTimestamp":"%s","o":' % at_hour(5).encode()
    odd = [rb'{"x":"\ud800 x"}}', b'{"x":1e400,"y":-0}}', b"[" * 900 + b"]" * 900 + b"}"]
    for number, rest in enumerate(odd):
        path = f"/{name}/_doc/odd-{number}?refresh=true"
        status, answer = elasticsearch.request("PUT", path, head + rest)
        assert status == 201, answer

    assert trail.run().code == 0

    assert trail.verify().code == 0
    found = trail.cat(form="--source-only")
    assert len(found) == 80 + len(odd)
    assert set(found) >= {head + rest for rest in odd}
    for number in range(len(odd)):
        proof = tmp_path / f"proof-{number}"
        chosen = ["--event", f"odd-{number}", "--out", proof, "--trust", trail.trust_file]
        arguments = ["archive", "prove", *trail.place.arguments, *map(str, chosen)]
        assert ended(trail.start(arguments)).code == 0


def test_with_tls_and_a_key_of_few_privileges(
    secured_elasticsearch: SearchServer, name: str, tmp_path: Path
) -> None:
    server = secured_elasticsearch
    make_index(server, name, shards=2)
    index_documents(server, name, {f"e{n}": event(n, n / 20) for n in range(100)})
    needed = ["read", "view_index_metadata"]
    key = server.new_api_key(indices={name: needed}, cluster=["cluster:monitor/main"])
    trail = trail_of(server, tmp_path, name)
    trail.options = ["--ca-cert", str(server.ca_cert)]
    trail.environment = {"KCOMPLIANCE_ELASTICSEARCH_API_KEY": key}

    done = trail.run()

    assert done.code == 0, done.err
    assert trail.verify().code == 0
    trail.check(lines_of(server, name))
    assert key not in done.out + done.err
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(key.encode() in content for content in written)


def test_processes_archive_what_threads_do(trail: SearchTrail, tmp_path: Path) -> None:
    by_processes = SearchTrail(
        folder=tmp_path / "processes",
        place=folder_place(tmp_path / "processes"),
        url=trail.url,
        patterns=trail.patterns,
    )

    assert trail.run("--connections", "3").code == 0
    assert by_processes.run("--jobs", "2").code == 0

    assert by_processes.verify().code == 0
    lines = trail.cat()
    assert len(lines) == 80
    assert Counter(by_processes.cat()) == Counter(lines)


def test_copies_that_agree_are_archived_and_those_that_differ_are_not(
    search_server: StartSearchServer, name: str, tmp_path: Path
) -> None:
    server = search_server(nodes=2)
    make_index(server, name, shards=2, replicas=1, refresh_interval="-1")
    server.wait_for("green")
    index_documents(server, name, {f"e{n}": event(n, n / 20) for n in range(40)})
    trail = trail_of(server, tmp_path, name)
    trail.url = server.urls[1]
    assert trail.run(hours=(0, 2)).code == 0
    trail.check(before := lines_of(server, name))

    # A new replica shows what it was sent; the primary shows that only when it is refreshed.
    new = {f"f{n}": event(n, 2.5) for n in range(9)}
    index_documents(server, name, new, refresh=False)
    for replicas in (0, 1):
        server.must("PUT", f"/{name}/_settings", {"index": {"number_of_replicas": replicas}})
    server.wait_for("green")

    differing = trail.run(hours=(0, 4))

    assert differing.code == 3, differing
    (told,) = differing.json["not_archived"]
    assert told["code"] == "copies-differ"
    assert (told["from"], differing.json["docs"]) == (f"{BEGIN + 2 * HOUR:%FT%TZ}", 0)
    assert differing.json["windows"] == {"sealed": 0, "empty": 1, "late": 0, "source_missing": 0}
    assert trail.verify().code == 3  # a hole
    trail.check(before, gaps=1)
    server.must("POST", f"/{name}/_refresh")
    assert trail.run(hours=(0, 4)).code == 0
    assert trail.verify().code == 0
    trail.check(lines_of(server, name))


# --- again and again ------------------------------------------------------------------------------


def test_a_second_run_seals_nothing_again(
    trail: SearchTrail, elasticsearch: SearchServer, name: str
) -> None:
    first = trail.run()
    second = trail.run()

    assert (first.code, second.code) == (0, 0)
    assert second.json["docs"] == second.json["segments"] == second.json["planned"]["windows"] == 0
    assert second.json["windows"] == {"sealed": 0, "empty": 0, "late": 0, "source_missing": 0}
    assert second.json["checkpoint"]["size"] == first.json["checkpoint"]["size"] + 1
    assert trail.verify().code == 0
    assert len(trail.check(lines_of(elasticsearch, name)).segments) == 4


def test_late_and_changed_events_are_revisions(
    trail: SearchTrail, server: SearchServer, name: str
) -> None:
    if server.product == "opensearch":
        make_index(server, name, shards=2)
        index_documents(server, name, {f"e{n}": event(n, n / 20) for n in range(80)})
        trail.url = server.url
    assert trail.run().code == 0
    before = lines_of(server, name)
    changed = {"late": event(900, 0.5), "e21": event(21, 1.05, changed=True), "new": event(901, 5)}
    index_documents(server, name, {**changed, "untimed": event(902, None)})

    done = trail.run()

    assert (done.code, done.json["docs"], done.json["windows"]["late"]) == (0, 4, 3), done
    assert trail.run().json["docs"] == 0
    assert trail.verify().code == 0
    checked = trail.check(before | lines_of(server, name))
    revisions = {(each.start, each.rev): each.docs for each in checked.windows if each.rev}
    assert revisions == {(BEGIN + n * HOUR, 1): 1 for n in (0, 1, 5)}


def test_runs_go_on_where_the_archive_has_its_first_hole(
    trail: SearchTrail, elasticsearch: SearchServer, name: str
) -> None:
    nowhere = trail.run(hours=None)
    assert (nowhere.code, "--last 24h" in nowhere.err) == (2, True)
    assert trail.is_untouched()

    assert trail.run(hours=(0, 1)).code == 0
    assert trail.run(hours=(2, 3)).code == 0
    with_hole = trail.verify()
    assert with_hole.code == 3
    assert [each["code"] for each in with_hole.json["findings"]] == ["WINDOW_GAP"]

    # The hole and all windows since; those that are young are left for later.
    known = {newest_end()}
    done = trail.run(hours=None)
    known.add(newest_end())
    assert done.code == 0
    assert BEGIN + (sum(done.json["windows"].values()) + 2) * HOUR in known
    assert trail.verify().code == 0
    trail.check(lines_of(elasticsearch, name))


def test_the_last_hours_and_all_since_the_archive_ends(
    trail: SearchTrail, elasticsearch: SearchServer, name: str
) -> None:
    known = {newest_end()}
    assert trail.run("--last", "11h", hours=None).json["docs"] > 0
    known.add(newest_end())
    lines = lines_of(elasticsearch, name)
    held = [[line for line in lines if time_of(line) >= end - 11 * HOUR] for end in known]
    assert Counter(trail.cat()) in [Counter(each) for each in held]

    # Though asked for one hour, a run leaves no hole.
    assert trail.run("--last", "1h", hours=None).json["docs"] == 0
    assert trail.verify().code == 0


def newest_end() -> datetime:
    """Where the last window ends that is settled now."""
    return (datetime.now(UTC) - HOUR / 4).replace(minute=0, second=0, microsecond=0)


def time_of(line: bytes) -> datetime:
    return datetime.fromisoformat(json.loads(line)["_source"]["requestReceivedTimestamp"])


def test_a_stream_that_is_bound_to_another_source_is_refused(
    trail: SearchTrail, elasticsearch: SearchServer, name: str
) -> None:
    make_index(elasticsearch, f"{name}-other")
    assert trail.run().code == 0
    before = trail.check(lines := lines_of(elasticsearch, name))

    for more in (["--index", f"{name}-other"], ["--filter", "requestReceivedTimestamp=2026-01-01"]):
        refused = trail.run(*more)
        assert refused.code == 2
        assert "bound to another source" in refused.err + refused.out
    assert trail.check(lines).commits == before.commits
    assert trail.run("--index", f"{name}-other", "--rebind").code == 0
    assert trail.verify().code == 0
