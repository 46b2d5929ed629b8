"""Audit events in any number, each of them made of one that a real kube-apiserver recorded.

    events = many_events(100_000, start=datetime(2026, 7, 1), spread=timedelta(hours=6))
    load(server, "audit", events, shards=2)

`python -m tests.servers.audit_corpus` records the events anew that all others are made of.
"""

import itertools
import json
import random
import re
import tempfile
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Final

from tests.integration.real_requests import send_all
from tests.servers.kube_apiserver import KubeApiServer
from tests.servers.search_server import JSON_LINES, SearchServer

__all__ = ["MAPPING", "POLICY", "audit_events", "load", "many_events", "recorded_events"]

SAMPLE: Final = Path(__file__).parents[1] / "samples" / "audit-events.ndjson"
POLICY: Final = """\
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- level: Metadata
  resources:
  - group: ""
    resources: [secrets, configmaps, serviceaccounts/token]
  - group: authentication.k8s.io
- level: RequestResponse
  verbs: [get, create, update, patch, delete]
- level: Metadata
"""
MAPPING: Final[dict[str, object]] = {
    "dynamic": False,
    "properties": {
        "requestReceivedTimestamp": {"type": "date"},
        "stageTimestamp": {"type": "date"},
    },
}
"""Nothing but the times is searchable, which is all that an archive asks for."""

_ARRIVED: Final = re.compile(rb'"requestReceivedTimestamp":"([^"]*)"')
_USERS: Final = 24
_NAMES: Final = 5000
_LONGEST_REQUEST: Final = 200_000
"""Microseconds from the arrival of a request to the stage that an event is about."""

_BULK_EVENTS: Final = 4000
_SENDERS: Final = 2

_WANTED: Final = 60
_LARGEST: Final = 6000
_SERVER_ITSELF: Final = "system:apiserver"


def recorded_events() -> list[bytes]:
    """The events of the sample, as a kube-apiserver wrote them, without line ends."""
    return SAMPLE.read_bytes().splitlines()


def audit_events(server: KubeApiServer) -> list[bytes]:
    """What a server records about requests of every kind: lines of its log, without line ends.

    The server has an audit log, and a policy such as `POLICY`; so do the requests it is sent here
    find what they expect in a server that is new.
    """
    send_all(server)
    server.wait_for_event(lambda event: event["verb"] == "delete")
    complete, _, _unfinished = server.audit_log.read_bytes().rpartition(b"\n")
    return complete.splitlines()


# --- making many of them ---------------------------------------------------------------------


def many_events(n: int, *, start: datetime, spread: timedelta, seed: int = 0) -> Iterator[bytes]:
    """`n` events of [start, start + spread) in order of arrival, the same for the same arguments.

    Each has an audit id of its own; who asked, and the name of the object where there is one, are
    drawn. Long ones are drawn more often, so that they are 1.4 KB on average, which is what
    clusters write. `start` is in UTC.
    """
    draw = random.Random(seed)
    templates = [_template(event) for event in recorded_events()]
    chances = [*itertools.accumulate(map(len, templates))]
    first = start.replace(tzinfo=None)
    whole = spread // timedelta(microseconds=1)
    for number in range(n):
        received = whole * number // n
        staged = min(received + draw.randrange(_LONGEST_REQUEST), whole - 1)
        (template,) = draw.choices(templates, cum_weights=chances)
        yield template % {
            b"id": str(uuid.UUID(int=draw.getrandbits(128), version=4)).encode(),
            b"user": b"%02d" % draw.randrange(_USERS),
            b"name": b"%04d" % draw.randrange(_NAMES),
            b"received": _time(first, received),
            b"staged": _time(first, staged),
        }


def _template(event: bytes) -> bytes:
    """The event with places for what differs from event to event."""
    known = json.loads(event)
    staged = b"received" if known["stage"] == "RequestReceived" else b"staged"
    places = {
        rb'"auditID":"[^"]*"': b'"auditID":"%(id)b"',
        rb'"requestReceivedTimestamp":"[^"]*"': b'"requestReceivedTimestamp":"%(received)b"',
        rb'"stageTimestamp":"[^"]*"': b'"stageTimestamp":"%%(%b)b"' % staged,
        rb'"username":"([a-z-]+)"': rb'"username":"\1-%(user)b"',
    }
    if name := known.get("objectRef", {}).get("name", "").encode():
        places[rb'"name":"%b"' % re.escape(name)] = b'"name":"%b-%%(name)b"' % name
        places[rb'/%b(?=[/?"])' % re.escape(name)] = b"/%b-%%(name)b" % name
    template = event.replace(b"%", b"%%")
    for pattern, place in places.items():
        template = re.sub(pattern, place, template)
    return template


def _time(first: datetime, microseconds: int) -> bytes:
    moment = first + timedelta(microseconds=microseconds)
    return moment.isoformat(timespec="microseconds").encode() + b"Z"


# --- bringing them into a search server ------------------------------------------------------


def load(
    server: SearchServer,
    index: str,
    events: Iterable[bytes],
    *,
    shards: int = 1,
    replicas: int = 0,
    mapping: Mapping[str, object] = MAPPING,
    data_stream: bool = False,
) -> int:
    """How many events are in the index, or data stream, of this name that is made here.

    All of them can be found when this comes back. In a data stream each has a field `@timestamp`
    more, in front, with the time at which the request arrived.
    """
    settings = {
        "number_of_shards": shards,
        "number_of_replicas": replicas,
        "refresh_interval": -1,
        "translog.durability": "async",
    }
    _create(server, index, settings, mapping, data_stream=data_stream)
    lines = map(_with_timestamp, events) if data_stream else iter(events)
    with ThreadPoolExecutor(_SENDERS) as pool:
        sent = sum(_results(pool, partial(_send, server, index), _bulks(lines)))
    server.must("POST", f"/{index}/_flush")
    usual = {"refresh_interval": None, "translog.durability": None}
    server.must("PUT", f"/{index}/_settings", {"index": usual})
    server.must("POST", f"/{index}/_refresh")
    return sent


def _create(
    server: SearchServer,
    index: str,
    settings: Mapping[str, object],
    mapping: Mapping[str, object],
    *,
    data_stream: bool,
) -> None:
    if not data_stream:
        server.must("PUT", f"/{index}", {"settings": settings, "mappings": mapping})
        return
    template = {
        "index_patterns": [index],
        "priority": 500,
        "data_stream": {},
        "template": {"settings": settings, "mappings": mapping},
    }
    server.must("PUT", f"/_index_template/{index}", template)
    server.must("PUT", f"/_data_stream/{index}")


def _with_timestamp(event: bytes) -> bytes:
    arrived = _ARRIVED.search(event)
    if arrived is None:
        raise ValueError(f"no audit event: {event[:200]!r}")
    return b'{"@timestamp":"%b",%b' % (arrived[1], event[1:])


def _bulks(lines: Iterator[bytes]) -> Iterator[list[bytes]]:
    while bulk := list(itertools.islice(lines, _BULK_EVENTS)):
        yield bulk


def _send(server: SearchServer, index: str, bulk: list[bytes]) -> int:
    body = b"".join(b'{"create":{}}\n%b\n' % line for line in bulk)
    path = f"/{index}/_bulk?filter_path=errors,items.*.error"
    status, answer = server.request("POST", path, body, content_type=JSON_LINES)
    assert (status, answer) == (HTTPStatus.OK, {"errors": False}), str(answer)[:2000]
    return len(bulk)


def _results(
    pool: ThreadPoolExecutor, send: Callable[[list[bytes]], int], bulks: Iterator[list[bytes]]
) -> Iterator[int]:
    """What `send` returned, with no more bulks in memory than can be sent soon."""
    waiting: deque[Future[int]] = deque()
    for bulk in bulks:
        waiting.append(pool.submit(send, bulk))
        if len(waiting) > 2 * _SENDERS:
            yield waiting.popleft().result()
    yield from (each.result() for each in waiting)


# --- recording the sample --------------------------------------------------------------------


def chosen(events: Sequence[bytes]) -> list[bytes]:
    """As many different events as the sample shall have, in the order in which they happened."""
    just_arrived: dict[object, bytes] = {}
    answered: dict[object, bytes] = {}
    for event in events:
        known = json.loads(event)
        user, target = known["user"].get("username"), known.get("objectRef", {})
        if len(event) <= _LARGEST and user != _SERVER_ITSELF:
            kinds = just_arrived if known["stage"] == "RequestReceived" else answered
            kind = (known["verb"], target.get("resource"), target.get("subresource"), user)
            kinds.setdefault((known["stage"], known["level"], *kind), event)
    few = _WANTED // 10
    wanted = {*_every_so_often(just_arrived, few), *_every_so_often(answered, _WANTED - few)}
    return [event for event in events if event in wanted]


def _every_so_often(kinds: Mapping[object, bytes], n: int) -> list[bytes]:
    different = [*kinds.values()]
    return [different[number * len(different) // n] for number in range(n)]


def main() -> None:
    """Write the sample."""
    with (
        tempfile.TemporaryDirectory() as folder,
        KubeApiServer(Path(folder) / "server", audit_policy=POLICY) as server,
    ):
        events = chosen(audit_events(server))
    SAMPLE.write_bytes(b"".join(event + b"\n" for event in events))


if __name__ == "__main__":
    main()
