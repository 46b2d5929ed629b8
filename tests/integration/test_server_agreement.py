"""What a policy records of a request is what a real kube-apiserver then writes.

For each policy a server is started and asked two hundred different things. Which events that
makes is told beforehand twice: from what was sent, and from what the log says was sent.
"""

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kcompliance.model.audit_event import AuditEvent, read_events
from kcompliance.model.audit_policy import (
    Decision,
    Level,
    Loaded,
    PolicyEvaluator,
    Stage,
    load_policy,
)
from kcompliance.model.kubernetes_version import KubernetesVersion
from kcompliance.model.request import ObjectAttributes, Request, resolve_path
from tests.integration.real_requests import Sent, send_all, user_agent
from tests.servers.fixtures import StartKubeApiServer
from tests.servers.toolchain import REPOSITORY

pytestmark = pytest.mark.integration

FEWEST_REQUESTS = 190
SAMPLES = sorted((REPOSITORY / "tests" / "samples" / "policies").glob("*.yaml"))
# Policies of other projects, kept beside the checkout where there are any.
FOREIGN = sorted((REPOSITORY.parent / "shared/data/audit-policies/_derived").glob("*.yaml"))
WITH_MANAGED_FIELDS = {"settings", "reader", "readers", "web", "wheel"}
"""Objects that are created with something in them: a name alone makes no managedFields."""
ON_1_33 = ("managed-cloud", "omit-stages", "users-and-groups")


def cases() -> Iterator[Any]:
    for path in SAMPLES:
        yield pytest.param(path, "1.36", id=f"{path.stem}-1.36")
        if path.stem in ON_1_33:
            yield pytest.param(path, "1.33", id=f"{path.stem}-1.33")
    for path in FOREIGN:
        if isinstance(load_policy(path.read_bytes()), Loaded):
            yield pytest.param(path, "1.36", id=f"{path.stem}-1.36")


@pytest.mark.parametrize(("policy", "version"), list(cases()))
def test_the_events_of_each_request_are_those_predicted(
    policy: Path, version: str, kube_apiserver: StartKubeApiServer
) -> None:
    loaded = load_policy(policy.read_bytes(), KubernetesVersion.parse(version))
    assert isinstance(loaded, Loaded)
    evaluator = PolicyEvaluator(loaded.policy)
    server = kube_apiserver(version=version, audit_policy=policy.read_bytes())

    sent = send_all(server)
    server.stop()  # so that all that will ever be recorded is recorded

    log = server.audit_log.read_bytes() if server.audit_log.exists() else b""
    events = parsed(log)
    recorded = by_user_agent(events)
    assert len(sent) >= FEWEST_REQUESTS
    assert differences_from_sent(sent, recorded, evaluator) == []
    assert differences_from_log(events, evaluator) == []
    assert differences_of_attributes(sent, recorded) == []
    assert differences_of_managed_fields(log, evaluator) == []
    assert differences_of_command_line(policy, server.audit_log, version, events) == []


def test_paths_are_resolved_to_what_was_declared_of_them(
    kube_apiserver: StartKubeApiServer,
) -> None:
    """But for names that lists take from their field selector."""
    sent = send_all(kube_apiserver())

    for each in sent:
        declared = each.request.target
        if isinstance(declared, ObjectAttributes) and "fieldSelector" in each.path:
            declared = replace(declared, name="")
        assert resolve_path(each.path) == declared, str(each)


# --- differences, each with what is needed to understand it ----------------------------------


def differences_from_sent(
    sent: Sequence[Sent], recorded: Mapping[str, Sequence[AuditEvent]], evaluator: PolicyEvaluator
) -> list[object]:
    differences: list[object] = []
    for number, each in enumerate(sent):
        decision = evaluator.decide(each.request)
        found = [(event.level, event.stage) for event in recorded[user_agent(number)]]
        if sorted(found) != sorted(expected(decision)):
            differences.append((str(each), decision, found))
    return differences


def expected(decision: Decision) -> list[tuple[str, str]]:
    if decision.level is Level.NONE:
        return []
    return [(decision.level.value, stage.value) for stage in decision.stages]


def differences_from_log(events: Sequence[AuditEvent], evaluator: PolicyEvaluator) -> list[object]:
    """Of the server's requests to itself, too."""
    differences: list[object] = []
    for event in events:
        decision = evaluator.decide(event.request)
        if (event.level, event.stage) not in expected(decision):
            differences.append((event, decision))
    return differences


def differences_of_attributes(
    sent: Sequence[Sent], recorded: Mapping[str, Sequence[AuditEvent]]
) -> list[object]:
    """Between what was sent and the request that is read back out of the log."""
    return [
        (str(each), event.request)
        for number, each in enumerate(sent)
        for event in recorded[user_agent(number)]
        if comparable(event.request) != comparable(each.request)
    ]


def comparable(request: Request) -> Request:
    if request.user is None:
        return request
    return replace(request, user=replace(request.user, groups=tuple(sorted(request.user.groups))))


def differences_of_managed_fields(log: bytes, evaluator: PolicyEvaluator) -> list[object]:
    """Where the policy omits them none has any; else all stored objects do that we know of."""
    differences: list[object] = []
    for line in log.splitlines():
        raw = json.loads(line)
        ((_, event),) = read_events([line])
        assert isinstance(event, AuditEvent)
        omitted = evaluator.decide(event.request).omit_managed_fields
        for metadata in [
            *metadata_in(raw.get("requestObject")),
            *metadata_in(raw.get("responseObject")),
        ]:
            if omitted:
                wrong = "managedFields" in metadata
            else:
                must_have = "uid" in metadata and metadata["name"] in WITH_MANAGED_FIELDS
                wrong = must_have and "managedFields" not in metadata
            if wrong:
                differences.append((event.request_uri, omitted, metadata))
    return differences


def metadata_in(value: Any) -> list[dict[str, Any]]:
    """Of the object, or of those of a list; a Scale has none of its own."""
    if not isinstance(value, dict) or value.get("kind") == "Scale":
        return []
    items = value.get("items")
    objects = items if isinstance(items, list) else [value]
    return [each["metadata"] for each in objects if isinstance(each.get("metadata"), dict)]


def differences_of_command_line(
    policy: Path, log: Path, version: str, events: Sequence[AuditEvent]
) -> list[object]:
    """`policy explain` over the whole log, which is what a user would do."""
    if not events:
        return []
    command = [sys.executable, "-m", "kcompliance", "policy", "explain", "--format", "json"]
    command += ["--policy", str(policy), "--requests", str(log), "--kubernetes-version", version]
    done = subprocess.run(command, capture_output=True, check=False, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)["requests"]
    return [
        (event, answer)
        for event, answer in zip(events, answers, strict=True)
        if answer["level"] != event.level or event.stage not in answer["stages"]
    ]


# --- reading the log -------------------------------------------------------------------------


def parsed(log: bytes) -> list[AuditEvent]:
    events = [event for _, event in read_events(log.splitlines())]
    assert all(isinstance(event, AuditEvent) for event in events), events
    return [event for event in events if isinstance(event, AuditEvent)]


def by_user_agent(events: Sequence[AuditEvent]) -> dict[str, list[AuditEvent]]:
    found: dict[str, list[AuditEvent]] = defaultdict(list)
    for event in events:
        assert event.stage in {stage.value for stage in Stage}
        found[event.user_agent].append(event)
    return found
