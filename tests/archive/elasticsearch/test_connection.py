"""What becomes of a request: answers, refusals, servers that are busy, and no server at all."""

import base64
import pickle
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kcompliance.archive.elasticsearch import ElasticsearchOptions, open_elasticsearch
from kcompliance.archive.interface import SourceError, SourceRefused
from kcompliance.errors import KcomplianceError, UsageError
from kcompliance.ledger import SourceKind
from kcompliance.search.connection import Connection
from kcompliance.search.faults import Answered, TryAgain, WrongAnswer
from kcompliance.search.node import LARGEST_ANSWER, AnswerTooLarge
from tests.archive.elasticsearch.scripted import Script, Scripted, fault, root
from tests.servers.process import free_port

SECRET = "s3cr3t-of-the-test"
HASTY = ElasticsearchOptions(
    patterns=("audit",), patience=timedelta(seconds=1), request_timeout=timedelta(seconds=5)
)
PATIENT = replace(HASTY, patience=timedelta(seconds=60))
OK = Scripted(body=b'{"ok":true}')


@contextmanager
def connected(
    *answers: Scripted, options: ElasticsearchOptions = HASTY
) -> Iterator[tuple[Connection, Script]]:
    with Script(*answers) as script:
        connection = Connection(replace(options, urls=(script.url,)))
        yield connection, script
        connection.close()


def ask(connection: Connection) -> bytes:
    return bytes(connection.ask("POST", "/a/_search", b"{}", about="the index"))


# --- trying again --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "busy",
    [
        pytest.param(fault(429, "es_rejected_execution_exception"), id="429"),
        pytest.param(Scripted(status=502, body=b"<html>", kind="text/html"), id="502-of-a-proxy"),
        pytest.param(fault(503, "no_shard_available_action_exception"), id="503"),
        pytest.param(Scripted(status=504, body=b""), id="504-empty"),
        pytest.param(fault(500, "circuit_breaking_exception"), id="breaker"),
    ],
)
def test_what_may_pass_is_tried_again(busy: Scripted) -> None:
    with connected(busy, busy, OK, options=PATIENT) as (connection, script):
        assert ask(connection) == b'{"ok":true}'
    assert len(script.asked) == 3


def test_a_server_that_says_how_long_is_waited_for() -> None:
    busy = fault(429, "rejected_execution_exception", headers={"Retry-After": "1"})
    with connected(busy, OK, options=PATIENT) as (connection, _):
        assert ask(connection) == b'{"ok":true}'
    too_long = fault(429, "rejected_execution_exception", headers={"Retry-After": "3600"})
    with connected(too_long, OK) as (connection, script), pytest.raises(TryAgain) as gave_up:
        ask(connection)
    assert gave_up.value.after == 3600
    assert len(script.asked) == 1


@pytest.mark.parametrize("value", ["soon", "-5", "9" * 400, ""])
def test_a_strange_retry_after_does_no_harm(value: str) -> None:
    busy = fault(503, "x", headers={"Retry-After": value})
    with connected(busy, OK, options=PATIENT) as (connection, script):
        try:
            assert ask(connection) == b'{"ok":true}'
        except TryAgain as error:
            assert error.after is not None  # noqa: PT017
    assert script.asked


def test_patience_ends() -> None:
    with connected(*[fault(503, "x")] * 100) as (connection, _), pytest.raises(TryAgain) as ended:
        ask(connection)
    assert ended.value.message == "the server is busy: the index: 503 x: because"
    assert ended.value.hint == "try again later"


def test_a_server_with_too_much_to_do_is_asked_for_less() -> None:
    lighter: list[int] = []
    sizes = iter([b"8", b"4", b"2"])
    answers = (fault(429, "circuit_breaking_exception"), fault(503, "x"), OK)
    with connected(*answers, options=PATIENT) as (connection, script):
        connection.ask(
            "POST", "/", lambda: next(sizes), about="it", lighter=lambda: lighter.append(1)
        )
    assert [body for *_, body in script.asked] == [b"8", b"4", b"2"]
    assert lighter == [1]  # 503 says nothing of the size


def test_what_will_never_pass_is_not_tried_again() -> None:
    too_many = fault(503, "too_many_buckets_exception")
    with connected(too_many, OK) as (connection, script), pytest.raises(Answered) as refused:
        ask(connection)
    assert refused.value.kinds == {"too_many_buckets_exception"}
    assert len(script.asked) == 1


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "needed"),
    [
        pytest.param(
            "action [indices:data/read/search] is unauthorized for API key id [k] of user [u] on "
            "indices [a], this action is granted by the index privileges [read,all]",
            "read",
            id="elasticsearch-index",
        ),
        pytest.param(
            "action [cluster:monitor/main] is unauthorized for user [u], this action is granted "
            "by the cluster privileges [monitor,manage,all]",
            "monitor",
            id="elasticsearch-cluster",
        ),
        pytest.param(
            "no permissions for [indices:data/read/search] and User [name=u, backend_roles=[]]",
            "indices:data/read/search",
            id="opensearch",
        ),
        pytest.param("go away", "view_index_metadata", id="unspecific"),
    ],
)
def test_a_refusal_names_the_permission(reason: str, needed: str) -> None:
    with (
        connected(fault(403, "security_exception", reason)) as (connection, _),
        pytest.raises(SourceRefused) as refused,
    ):
        connection.ask("GET", "/", about="the index", permission="view_index_metadata")
    assert refused.value.permission == needed
    assert refused.value.hint == f'grant the privilege "{needed}"'
    assert refused.value.message.startswith("not allowed: the index: 403 security_exception")


def test_wrong_credentials_are_told() -> None:
    options = replace(HASTY, api_key=SECRET)
    with (
        connected(fault(401, "security_exception"), options=options) as (connection, script),
        pytest.raises(SourceRefused, match="not accepted") as refused,
    ):
        ask(connection)
    assert script.asked[0][2]["authorization"] == f"ApiKey {SECRET}"
    assert refused.value.permission is None
    assert_no_secret(refused.value)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        pytest.param(400, b'{"error":"no handler found for uri"}', "no handler found", id="text"),
        pytest.param(400, b"", "the index: 400", id="empty"),
        pytest.param(404, b"<html>not found</html>", "the index: 404", id="html"),
        pytest.param(418, b'{"error":{"type":[],"root_cause":7}}', "the index: 418", id="bent"),
        pytest.param(500, b'{"error":' + b"[" * 100_000, "the index: 500", id="deep"),
        pytest.param(
            400,
            b'{"error":{"type":"x","reason":"a\\u001b[31m\\nb' + b"z" * 9999 + b'"}}',
            "x: a?[31m b",
            id="long-and-not-printable",
        ),
    ],
)
def test_other_errors_are_told_in_short(status: int, body: bytes, said: str) -> None:
    with (
        connected(Scripted(status=status, body=body)) as (connection, _),
        pytest.raises(Answered) as error,
    ):
        ask(connection)
    assert said in error.value.message
    assert len(error.value.message) < 500
    assert error.value.message.isprintable()


def test_the_cause_is_told_and_not_that_all_shards_failed() -> None:
    deep = {"type": "illegal_argument_exception", "reason": "Result window is too large"}
    body = b'{"error":{"type":"search_phase_execution_exception","reason":"all shards failed",'
    body += b'"failed_shards":[{"reason":%s}]}}' % str(deep).replace("'", '"').encode()
    with (
        connected(Scripted(status=400, body=body)) as (connection, _),
        pytest.raises(Answered, match="Result window is too large") as error,
    ):
        ask(connection)
    assert error.value.kinds == {"illegal_argument_exception", "search_phase_execution_exception"}


# --- no search server ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param(
            Scripted(body=b"<html>", kind="text/html"), "cannot read the answer", id="html"
        ),
        pytest.param(
            Scripted(body=b"GIF89a", kind="image/gif"), "neither JSON nor text", id="image"
        ),
        pytest.param(Scripted(body=b'{"paths":["/api"]}'), "cannot read the answer", id="kube"),
        pytest.param(Scripted(body=b"[" * 200_000), "cannot read the answer", id="deep"),
        pytest.param(
            Scripted(status=302, body=b"", headers={"Location": "/app/kibana"}),
            "sends elsewhere",
            id="redirect",
        ),
        pytest.param(
            Scripted(body=b'{"version":{"number":"4.0"},"tagline":"x"}'), "neither", id="other"
        ),
        pytest.param(root(number="7.9.3"), "has no points in time", id="old-elasticsearch"),
        pytest.param(
            root(number="2.3.0", distribution="opensearch"),
            "has no points in time",
            id="old-opensearch",
        ),
    ],
)
def test_what_is_no_search_server_is_told(answer: Scripted, said: str) -> None:
    with Script(answer) as script, pytest.raises(SourceError, match=said) as error:
        open_elasticsearch(replace(HASTY, urls=(script.url,)))
    assert error.value.hint
    assert len(script.asked) == 1


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        ({"number": "7.10.0"}, SourceKind.ELASTICSEARCH),
        ({"number": "10.0.1-SNAPSHOT"}, SourceKind.ELASTICSEARCH),
        ({"number": "2.4.0", "distribution": "opensearch"}, SourceKind.OPENSEARCH),
        ({"number": "7.10.2", "distribution": "opensearch"}, SourceKind.OPENSEARCH),
    ],
    ids=str,
)
def test_a_server_says_which_it_is(version: dict[str, Any], kind: SourceKind) -> None:
    with (
        Script(root(**version)) as script,
        open_elasticsearch(replace(HASTY, urls=(script.url,))) as source,
    ):
        assert source.server.kind is kind
        assert source.server.cluster_uuid == "c1"
        assert source.url == f"elasticsearch+{script.url}/audit"


def test_nobody_there_is_told_soon() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(SourceError, match=f"nothing answers at {url}: .*refused") as error:
        open_elasticsearch(replace(HASTY, urls=(url,)))
    assert error.value.hint == "look at the URL and the network"


def test_a_name_that_does_not_exist_is_told_at_once() -> None:
    options = replace(PATIENT, urls=("http://search.invalid:9200",))
    with pytest.raises(SourceError, match="cannot be resolved"):
        open_elasticsearch(options)


def test_a_server_that_says_nothing_is_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        hasty = replace(HASTY, urls=(url,), request_timeout=timedelta(seconds=0.3))
        with pytest.raises(TryAgain, match=r"no answer from .* in time"):
            open_elasticsearch(hasty)


def test_https_to_a_plain_server_is_told() -> None:
    with Script() as script:
        url = script.url.replace("http:", "https:")
        with pytest.raises(SourceError, match="no TLS with") as error:
            open_elasticsearch(replace(HASTY, urls=(url,)))
    assert error.value.hint == "the server seems to speak plain http: look at the URL"


def test_an_answer_of_another_shape_is_told() -> None:
    with (
        connected(Scripted(body=b'{"a":1}')) as (connection, _),
        pytest.raises(WrongAnswer, match="cannot read the answer about the thing"),
    ):
        connection.json(list[int], "GET", "/", about="the thing")


# --- options -------------------------------------------------------------------------------------

URL = "https://search.example:9200"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param({}, "either URLs or a cloud id", id="none"),
        pytest.param({"urls": (URL,), "cloud_id": "x"}, "either URLs or a cloud id", id="both"),
        pytest.param({"cloud_id": "no cloud id"}, "cloud id is not one", id="cloud-id"),
        pytest.param({"urls": ("search.example",)}, "not the URL", id="no-scheme"),
        pytest.param({"urls": ("ftp://search.example",)}, "not the URL", id="scheme"),
        pytest.param({"urls": ("https://:9200",)}, "not the URL", id="no-host"),
        pytest.param({"urls": ("https://a:99999",)}, "not the URL", id="port"),
        pytest.param({"urls": ("https://[::1",)}, "not the URL", id="bracket"),
        pytest.param(
            {"urls": (f"https://u:{SECRET}@a",)}, "nothing but its place", id="password-in-url"
        ),
        pytest.param({"urls": (f"{URL}?token={SECRET}",)}, "nothing but its place", id="query"),
        pytest.param(
            {"urls": ("http://a:9200",), "api_key": SECRET}, "in the clear", id="clear-text"
        ),
        pytest.param(
            {"urls": (URL,), "api_key": SECRET, "bearer": SECRET}, "together", id="two-ways"
        ),
        pytest.param({"urls": (URL,), "username": "u"}, "belong together", id="no-password"),
        pytest.param({"urls": (URL,), "api_key": f"{SECRET}\n"}, "characters", id="line-feed"),
        pytest.param({"urls": (URL,), "ca_cert": Path("/nowhere.pem")}, "nowhere.pem", id="no-ca"),
        pytest.param({"urls": (URL,), "ca_cert": Path(__file__)}, "test_connection", id="bad-ca"),
        pytest.param(
            {"urls": (URL,), "client_cert": Path(__file__)}, "client certificate", id="bad-cert"
        ),
        pytest.param({"urls": (URL,), "window": timedelta(0)}, "cannot be archived", id="window"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        open_elasticsearch(ElasticsearchOptions(patterns=("audit",), **options))
    assert refused.value.hint
    assert_no_secret(refused.value)


@pytest.mark.parametrize(
    ("options", "header"),
    [
        pytest.param({"api_key": "aWQ6a2V5"}, "ApiKey aWQ6a2V5", id="encoded-key"),
        pytest.param({"api_key": "id:key"}, "ApiKey aWQ6a2V5", id="key-in-two-parts"),
        pytest.param({"bearer": "t"}, "Bearer t", id="bearer"),
        pytest.param(
            {"username": "jürgen", "password": "p:ß"},
            "Basic " + base64.b64encode("jürgen:p:ß".encode()).decode(),
            id="basic",
        ),
        pytest.param({}, None, id="none"),
    ],
)
def test_credentials_go_into_a_header(options: dict[str, Any], header: str | None) -> None:
    with connected(OK, options=replace(HASTY, **options)) as (connection, script):
        ask(connection)
    assert script.asked[0][2].get("authorization") == header
    assert script.asked[0][2]["content-type"] == "application/json"
    assert "x-elastic-client-meta" not in script.asked[0][2]


def test_options_show_no_credentials_and_travel_to_other_processes() -> None:
    options = ElasticsearchOptions(
        patterns=("a",), urls=(URL,), api_key=SECRET, password=SECRET, bearer=SECRET
    )
    assert SECRET not in repr(options)
    assert pickle.loads(pickle.dumps(options)) == options


def test_a_cloud_id_is_a_url() -> None:
    encoded = base64.b64encode(b"eu.example.net:9243$abc$def").decode()
    connection = Connection(ElasticsearchOptions(patterns=("a",), cloud_id=f"prod:{encoded}"))
    assert connection.url == "https://abc.eu.example.net:9243"


def test_another_node_is_asked_where_one_is_down() -> None:
    with Script(*[OK] * 4) as script:
        urls = (f"http://127.0.0.1:{free_port()}", script.url)
        connection = Connection(replace(PATIENT, urls=urls))
        assert [ask(connection) for _ in range(4)] == [b'{"ok":true}'] * 4
        connection.close()


@pytest.mark.long
def test_an_answer_without_end_is_left() -> None:
    large = Scripted(body=b" " * (LARGEST_ANSWER + 1))
    with connected(large, OK) as (connection, _):
        with pytest.raises(AnswerTooLarge):
            ask(connection)
        assert ask(connection) == b'{"ok":true}'


def test_a_path_before_the_api_is_kept() -> None:
    with Script(OK) as script:
        connection = Connection(replace(HASTY, urls=(f"{script.url}/search/",)))
        ask(connection)
        connection.close()
    assert script.asked[0][1] == "/search/a/_search"


def assert_no_secret(error: KcomplianceError) -> None:
    seen: BaseException | None = error
    while seen is not None:
        assert SECRET not in f"{seen} {seen!r} {vars(seen)}"
        seen = seen.__cause__ or seen.__context__
