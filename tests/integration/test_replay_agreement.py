"""What a replay says a policy would have written is what a real kube-apiserver writes with it.

A server that records everything is asked two hundred different things, and its log is replayed.
Then a server runs with each policy, and the same requests come again.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kcompliance.model.audit_policy import AuditPolicy, Loaded, load_policy
from kcompliance.model.replay import Replay, Replayed
from tests.integration.real_requests import send_all
from tests.servers.fixtures import StartKubeApiServer
from tests.servers.toolchain import REPOSITORY

pytestmark = pytest.mark.integration

SAMPLES = REPOSITORY / "tests" / "samples" / "policies"
EVERYTHING = (SAMPLES / "everything-with-bodies.yaml").read_bytes()
POLICIES = ("managed-cloud", "omit-stages", "managed-fields", "resource-names")
FEWEST_EVENTS = 380
BYTES_APART = 0.03
"""Versions of objects have other numbers of digits the second time, and slow requests get an
annotation that says so."""

Counts = dict[str, Counter[str]]


def test_a_replay_counts_what_the_server_writes(kube_apiserver: StartKubeApiServer) -> None:
    recorded = lines_of_a_server(kube_apiserver, EVERYTHING)
    assert len(recorded) >= FEWEST_EVENTS

    for name in POLICIES:
        text = (SAMPLES / f"{name}.yaml").read_bytes()
        replayed = replay(recorded, text)
        really = lines_of_a_server(kube_apiserver, text)

        assert counts_of(replayed) == counts_in(really), name
        size = sum(len(line) + 1 for line in really)
        assert replayed.total.new.bytes == pytest.approx(size, rel=BYTES_APART), name
        assert replayed.more_bodies == 0
        assert replayed.missing == ()


def test_a_replay_of_metadata_knows_what_it_does_not_know(
    kube_apiserver: StartKubeApiServer,
) -> None:
    """Everything has bodies when everything is recorded: as many events as were said to grow."""
    metadata = b"apiVersion: audit.k8s.io/v1\nkind: Policy\n"
    metadata += b"omitStages: [RequestReceived]\nrules: [{level: Metadata}]\n"
    recorded = lines_of_a_server(kube_apiserver, metadata)
    replayed = replay(recorded, EVERYTHING)
    really = lines_of_a_server(kube_apiserver, EVERYTHING)

    with_bodies = [line for line in really if b'"responseObject"' in line]
    size = sum(len(line) + 1 for line in really)
    assert len(with_bodies) <= replayed.more_bodies <= len(recorded)
    assert replayed.bytes_at_most is None
    assert replayed.total.new.bytes < size
    assert replayed.events_at_most == len(really)
    (missing,) = replayed.missing
    received = [line for line in really if b'"stage":"RequestReceived"' in line]
    assert (missing.stage, missing.events) == ("RequestReceived", len(received))
    assert missing.bytes_at_most >= sum(len(line) + 1 for line in received)


def lines_of_a_server(kube_apiserver: StartKubeApiServer, policy: bytes) -> list[bytes]:
    """What it records of our requests; what it asks itself comes as it likes."""
    server = kube_apiserver(audit_policy=policy)
    send_all(server)
    server.stop()
    return list(ours(server.audit_log))


def ours(log: Path) -> Iterator[bytes]:
    for line in log.read_bytes().splitlines():
        if json.loads(line).get("userAgent", "").startswith("kct/"):
            yield line


def replay(lines: Iterable[bytes], policy: bytes) -> Replayed:
    running = Replay(rules_of(policy), rules_of(EVERYTHING))
    running.read("audit.log", (line + b"\n" for line in lines))
    return running.result()


def rules_of(text: bytes) -> AuditPolicy:
    loaded = load_policy(text)
    assert isinstance(loaded, Loaded)
    return loaded.policy


def counts_of(replayed: Replayed) -> Counts:
    return {
        dimension: Counter({name: row.new.events for name, row in rows.items() if row.new.events})
        for dimension, rows in replayed.tables.items()
    }


def counts_in(lines: Iterable[bytes]) -> Counts:
    counts: Counts = {name: Counter() for name in ("level", "stage", "verb", "resource", "user")}
    for line in lines:
        event = json.loads(line)
        counts["level"][event["level"]] += 1
        counts["stage"][event["stage"]] += 1
        counts["verb"][event["verb"]] += 1
        counts["resource"][resource_of(event)] += 1
        counts["user"][event["user"].get("username", "(failed login)")] += 1
    return counts


def resource_of(event: dict[str, Any]) -> str:
    """As kubectl names it, with the subresource."""
    reference = event.get("objectRef")
    if reference is None:
        parts = event["requestURI"].partition("?")[0].replace("%2F", "/").split("/")
        return f"/{parts[1].replace('%20', ' ')}" + ("/*" if "".join(parts[2:]) else "")
    resource = reference.get("resource", "(no resource)")
    name = ".".join(filter(None, (resource, reference.get("apiGroup"))))
    return "/".join(filter(None, (name, reference.get("subresource"))))
