"""The matrix of personas, actions and transports."""

import json
from collections.abc import Mapping

import pytest

from kcompliance.model.audit_policy import Level, Loaded, load_policy
from kcompliance.model.personas import PERSONAS, probes_of
from kcompliance.model.policy_coverage import Coverage, Row, Transport, cover


def covered(*rules: Mapping[str, object], **more: object) -> Coverage:
    document = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": rules, **more}
    loaded = load_policy(json.dumps(document).encode())
    assert isinstance(loaded, Loaded), loaded
    return cover(loaded.policy)


def row(coverage: Coverage, action: str, transport: Transport = Transport.REST) -> Row:
    (found,) = [r for r in coverage.rows if (r.action, r.transport) == (action, transport)]
    return found


def levels(found: Row) -> dict[str, tuple[str, str]]:
    return {c.persona.name: (c.weakest.value, c.strongest.value) for c in found.cells}


def test_every_row_has_a_cell_for_every_persona() -> None:
    coverage = covered({"level": "Metadata"})

    assert all([c.persona for c in r.cells] == list(PERSONAS) for r in coverage.rows)
    assert {each.level for each in coverage.asked} == {Level.METADATA}
    assert {r.transport for r in coverage.rows} == set(Transport)


def test_the_requests_of_kc_aud_008_are_in_it() -> None:
    rules = {"level": "None", "resources": [{"group": "apps", "resources": ["deployments"]}]}
    loaded = load_policy(
        json.dumps({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [rules]}).encode()
    )
    assert isinstance(loaded, Loaded)

    asked = [each.request for each in cover(loaded.policy).asked]

    probes = [probe for persona in PERSONAS for probe in probes_of(loaded.policy, persona)]
    assert [probe for probe in probes if probe not in asked] == []


@pytest.mark.parametrize(
    ("verbs", "spdy", "websocket"),
    [(["create"], "RequestResponse", "Metadata"), (["get"], "Metadata", "RequestResponse")],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_a_stream_by_post_and_by_websocket_are_two_things(
    verbs: list[str], spdy: str, websocket: str
) -> None:
    streams = ["pods/exec", "pods/attach"]
    rule = {"level": "RequestResponse", "verbs": verbs, "resources": [{"resources": streams}]}

    coverage = covered(rule, {"level": "Metadata"})

    human = PERSONAS[0].name
    assert levels(row(coverage, "exec, attach", Transport.SPDY))[human] == (spdy, spdy)
    by_get = levels(row(coverage, "exec, attach", Transport.WEBSOCKET))[human]
    assert by_get == (websocket, websocket)


def test_a_cell_tells_the_least_and_the_most() -> None:
    rule = {"level": "None", "verbs": ["list"], "resources": [{"resources": ["secrets"]}]}

    found = row(covered(rule, {"level": "Request"}), "read secrets")

    assert set(levels(found).values()) == {("None", "Request")}


def test_a_persona_is_found_by_its_groups() -> None:
    found = row(
        covered({"level": "None", "userGroups": ["system:nodes"]}, {"level": "Metadata"}),
        "change RBAC",
    )

    blind = [name for name, (least, _) in levels(found).items() if least == "None"]
    assert blind == ["a node"]


def test_a_failed_login_of_which_no_stage_is_left_is_not_recorded() -> None:
    found = row(covered({"level": "Metadata"}, omitStages=["ResponseStarted"]), "read secrets")

    blind = [name for name, (_, most) in levels(found).items() if most == "None"]
    assert blind == ["a failed login"]


def test_what_no_rule_names_is_told_as_that_and_not_as_what_rules_name() -> None:
    coverage = covered({"level": "None", "verbs": ["get", "patch"]}, {"level": "Metadata"})

    reads, writes = (row(coverage, f"{verb} anything else") for verb in ("read", "write"))

    assert [each.request.verb for each in reads.cells[0].asked] == ["get", "list"]
    assert set(levels(writes).values()) == {("None", "Metadata")}
    assert "write what rules name" not in {each.action for each in coverage.rows}
