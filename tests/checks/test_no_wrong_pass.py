"""The worst fault there is: a pass that the readings do not carry.

Each shipped case is taken apart, one reading at a time, and the verdicts must never look better
for what is no longer seen.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcompliance.controls import Case, cases_of, load_controls, published_policies
from kcompliance.model.assemble import assemble
from kcompliance.model.cluster import Cluster, PolicyText
from kcompliance.model.control import Control, Platform
from kcompliance.model.finding import Finding, Status
from kcompliance.model.reading import Capture, Kind, Raw, Seen, Unreadable
from kcompliance.scan import judge_control
from tests.captures import SOUND_POLICY, raw, unreadable

CONTROLS = load_controls()
CASES = [case for control in CONTROLS.values() for case in cases_of(control)]
_FLAGS = {Kind.API_SERVER_PODS, Kind.OBJECTS, Kind.COMMAND_LINE, Kind.FLAGZ, Kind.FILE}
_POLICY = {*_FLAGS, Kind.AUDIT_POLICY, Kind.VERSION}
_FORWARDERS = {Kind.FILE, Kind.OBJECTS, Kind.NODES, Kind.DAEMON_SETS, Kind.FORWARDER_PODS}
_SHIPPING = {*_FLAGS, *_FORWARDERS, Kind.CONFIG_MAPS, Kind.SERVICES, Kind.WEBHOOK_CONFIG}
_AKS = {Kind.AKS_CLUSTER, Kind.AZURE_DIAGNOSTIC_SETTINGS}
_STORE = {
    *(Kind.FILE, Kind.ELASTICSEARCH_STORE, Kind.ELASTICSEARCH_SERVER),
    *(Kind.ELASTICSEARCH_HEALTH, Kind.ELASTICSEARCH_INDICES),
}
_ASKED = {Kind.FILE, Kind.ELASTICSEARCH_STORE, Kind.ELASTICSEARCH_SERVER}
_EVENTS = {Kind.ELASTICSEARCH_SAMPLE, Kind.ELASTICSEARCH_RANDOM_SAMPLE}
_SECURITY = {
    *(Kind.ELASTICSEARCH_ROLES, Kind.ELASTICSEARCH_USERS),
    *(Kind.ELASTICSEARCH_ROLE_MAPPINGS, Kind.ELASTICSEARCH_API_KEYS),
}
_LIFECYCLE = {
    *_STORE,
    *(Kind.ELASTICSEARCH_SETTINGS, Kind.ELASTICSEARCH_DATA_STREAMS),
    *(Kind.ELASTICSEARCH_ILM_POLICIES, Kind.ELASTICSEARCH_ILM_EXPLAIN),
    *(Kind.ELASTICSEARCH_ILM_STATUS, Kind.ELASTICSEARCH_DATA_STREAM_LIFECYCLE),
    *(Kind.ELASTICSEARCH_ISM_POLICIES, Kind.ELASTICSEARCH_ISM_EXPLAIN),
}
_DELETION = {*_LIFECYCLE, Kind.ELASTICSEARCH_TIMES, Kind.CRON_JOBS}
_GATE = {*_LIFECYCLE, Kind.ELASTICSEARCH_SLM_POLICIES}
NEEDED = {
    ("KC-AUD-005", "main"): _POLICY,
    ("KC-AUD-006", "durable"): {*_FLAGS, Kind.METRICS},
    ("KC-AUD-006", "log-path-set"): _FLAGS,
    ("KC-AUD-006", "json-format"): _FLAGS,
    ("KC-AUD-007", "known-fields"): _POLICY,
    ("KC-AUD-007", "rules-fire"): _POLICY,
    ("KC-AUD-007", "catch-all"): _POLICY,
    ("KC-AUD-008", "main"): _POLICY,
    ("KC-CMP-001", "main"): _POLICY,
    ("KC-CMP-002", "main"): _POLICY,
    ("KC-CMP-003", "main"): _POLICY,
    ("KC-CMP-005", "stages"): _POLICY,
    ("KC-CMP-005", "panic"): _POLICY,
    ("KC-CMP-005", "failed-logins"): _POLICY,
    ("KC-CMP-005", "strict-blocking"): _POLICY,
    ("KC-CMP-006", "bodies"): _POLICY,
    ("KC-CMP-006", "tokens"): _POLICY,
    ("KC-CMP-006", "recorded"): _POLICY,
    ("KC-CMP-004", "bodies"): _POLICY,
    ("KC-CMP-004", "recorded"): _POLICY,
    ("KC-CMP-007", "main"): _POLICY,
    ("KC-CMP-009", "main"): {*_FLAGS, Kind.METRICS},
    ("KC-CMP-010", "batching"): {*_FLAGS, Kind.METRICS},
    ("KC-CMP-010", "throttling"): _FLAGS,
    ("KC-CMP-010", "truncation"): _FLAGS,
    ("KC-CMP-010", "size-limits"): {*_FLAGS, Kind.METRICS},
    ("KC-CMP-010", "daily-cap"): {Kind.FILE, *_AKS},
    ("KC-MON-001", "coverage"): _FORWARDERS,
    ("KC-MON-001", "restarts"): _FORWARDERS,
    ("KC-MON-002", "read"): _SHIPPING,
    ("KC-MON-002", "off-cluster"): _SHIPPING,
    ("KC-MON-002", "unfiltered"): _SHIPPING,
    ("KC-PRO-002", "policy"): {*_POLICY, Kind.APPROVED},
    ("KC-PRO-002", "flags"): {*_FLAGS, Kind.VERSION, Kind.APPROVED},
    ("KC-PRO-002", "webhook"): {*_FLAGS, Kind.WEBHOOK_CONFIG, Kind.APPROVED},
    ("KC-PRO-002", "review"): {*_FLAGS, Kind.APPROVED},
    ("KC-PRO-002", "store"): {
        *(*_GATE, Kind.ELASTICSEARCH_SM_POLICIES, Kind.ELASTICSEARCH_PIPELINES, Kind.APPROVED),
    },
    ("KC-PRO-001", "main"): {*_FLAGS, Kind.NODE_FACTS},
    ("KC-PRO-001", "manifest-mode"): {*_FLAGS, Kind.NODE_FACTS},
    ("KC-PRO-001", "manifest-owner"): {*_FLAGS, Kind.NODE_FACTS},
    ("KC-PRO-003", "flags"): {*_FLAGS, Kind.NODE_FACTS},
    ("KC-PRO-003", "policy"): {*_FLAGS, Kind.NODE_FACTS, Kind.AUDIT_POLICY},
    ("KC-PRO-003", "replicas"): {*_FLAGS, Kind.NODE_FACTS, Kind.AUDIT_POLICY},
    ("KC-MON-004", "main"): {
        *(Kind.FILE, Kind.NODES, Kind.NODE_FACTS, Kind.DAEMON_SETS),
        *(Kind.AUDITD_RULES, Kind.AUDITD_STATUS),
    },
    ("KC-PRO-004", "main"): {
        *_FLAGS,
        *(Kind.NODES, Kind.NODE_FACTS, Kind.DAEMON_SETS, Kind.CONFIG_MAPS),
        *(Kind.AUDITD_RULES, Kind.AUDITD_STATUS, Kind.FALCO_RULES),
    },
    ("KC-PRO-005", "main"): {*_FLAGS, Kind.WEBHOOK_CONFIG},
    ("KC-AUD-004", "audit"): {Kind.EKS_CLUSTER, Kind.AWS_EKS_UPDATE, Kind.AWS_LOG_GROUPS},
    ("KC-AUD-004", "all-five"): {Kind.EKS_CLUSTER, Kind.AWS_EKS_UPDATE},
    ("KC-RET-009", "main"): {Kind.EKS_CLUSTER, Kind.AWS_LOG_GROUPS},
    ("KC-RET-009", "upper-bound"): {Kind.EKS_CLUSTER, Kind.AWS_LOG_GROUPS},
    ("KC-RET-010", "main"): {Kind.EKS_CLUSTER},
    ("KC-PRO-010", "deletion"): {Kind.EKS_CLUSTER, Kind.AWS_LOG_GROUPS},
    ("KC-PRO-010", "public-access"): {Kind.EKS_CLUSTER, Kind.AWS_SUBSCRIPTION_FILTERS},
    ("KC-PRO-010", "principals"): {Kind.EKS_CLUSTER, Kind.AWS_IAM_DETAILS},
    ("KC-PRO-010", "static-keys"): {Kind.EKS_CLUSTER, Kind.AWS_IAM_DETAILS},
    ("KC-PRO-014", "aws"): {Kind.EKS_CLUSTER, Kind.AWS_TRAILS},
    ("KC-PRO-014", "elasticsearch"): {*_ASKED, Kind.ELASTICSEARCH_NODE_SETTINGS},
    ("KC-PRO-006", "security"): {*_ASKED, Kind.ELASTICSEARCH_ANONYMOUS},
    ("KC-PRO-006", "deletes-by-name"): {*_ASKED, Kind.ELASTICSEARCH_CLUSTER_SETTINGS},
    ("KC-PRO-006", "access-audit"): {
        *(*_ASKED, Kind.ELASTICSEARCH_NODE_SETTINGS, Kind.ELASTICSEARCH_LICENSE),
    },
    ("KC-PRO-007", "shipper"): {*_ASKED, *_SECURITY},
    ("KC-PRO-007", "admins"): {*_ASKED, *_SECURITY},
    ("KC-PRO-007", "write-blocks"): {
        *(*_ASKED, Kind.ELASTICSEARCH_SETTINGS, Kind.ELASTICSEARCH_DATA_STREAMS),
    },
    ("KC-PRO-007", "document-ids"): {*_ASKED, *_EVENTS},
    ("KC-CMP-008", "questions"): {*_ASKED, *_EVENTS},
    ("KC-CMP-008", "timestamps"): {*_ASKED, *_EVENTS, Kind.ELASTICSEARCH_TIMES},
    ("KC-CMP-011", "fresh"): {*_ASKED, Kind.ELASTICSEARCH_TIMES},
    ("KC-CMP-011", "lag"): {*_ASKED, *_EVENTS},
    ("KC-CMP-012", "gaps"): {
        *(*_ASKED, Kind.ELASTICSEARCH_TIMES, Kind.ELASTICSEARCH_HISTOGRAM),
    },
    ("KC-CMP-012", "api-servers"): {*_ASKED, Kind.ELASTICSEARCH_SOURCES},
    ("KC-CMP-012", "volume"): {*_ASKED, Kind.ELASTICSEARCH_HISTOGRAM},
    ("KC-CMP-013", "written"): {*_ASKED, Kind.ELASTICSEARCH_TIMES},
    ("KC-CMP-013", "pipelines"): {
        *(*_ASKED, Kind.ELASTICSEARCH_PIPELINES, Kind.ELASTICSEARCH_INGEST_STATS),
        Kind.ELASTICSEARCH_TERMS,
    },
    ("KC-CMP-013", "unrouted"): {
        *(*_ASKED, Kind.ELASTICSEARCH_UNROUTED, Kind.ELASTICSEARCH_PIPELINES),
    },
    ("KC-CMP-013", "failure-store"): {
        *(*_ASKED, Kind.ELASTICSEARCH_DATA_STREAMS, Kind.ELASTICSEARCH_FAILURE_STORE),
    },
    ("KC-CMP-013", "coverage"): {*_ASKED, *_EVENTS, Kind.ELASTICSEARCH_TERMS},
    ("KC-CMP-013", "mapping"): {*_ASKED, Kind.ELASTICSEARCH_FIELDS},
    ("KC-PRO-008", "principals"): _AKS,
    ("KC-PRO-008", "locks"): _AKS,
    ("KC-PRO-011", "encrypted"): {Kind.FILE},
    ("KC-PRO-011", "not-public"): {Kind.FILE},
    ("KC-PRO-013", "required"): _AKS,
    ("KC-PRO-013", "recommended"): _AKS,
    ("KC-PRO-009", "locked"): {Kind.ARCHIVE},
    ("KC-PRO-009", "compliance"): {Kind.ARCHIVE},
    ("KC-PRO-012", "bypass"): {*_FLAGS, Kind.RBAC, Kind.KUBELET_CONFIG},
    ("KC-PRO-012", "disable"): {*_FLAGS, Kind.RBAC},
    ("KC-PRO-012", "read"): {*_FLAGS, Kind.RBAC},
    ("KC-AUD-001", "main"): _AKS,
    ("KC-AUD-002", "main"): _AKS,
    ("KC-AUD-003", "guard"): _AKS,
    ("KC-AUD-003", "components"): _AKS,
    ("KC-AUD-003", "tables"): _AKS,
    ("KC-RET-007", "main"): _AKS,
    ("KC-RET-008", "main"): _AKS,
    ("KC-RET-008", "dead-retention"): _AKS,
    ("KC-RET-001", "main"): _LIFECYCLE,
    ("KC-RET-001", "lifecycle-runs"): _LIFECYCLE,
    ("KC-RET-002", "main"): {*_STORE, Kind.ELASTICSEARCH_TIMES},
    ("KC-RET-003", "not-before-six-months"): _DELETION,
    ("KC-RET-003", "not-before-nine-months"): _DELETION,
    ("KC-RET-003", "runs"): _DELETION,
    ("KC-RET-004", "main"): {
        *(*_STORE, Kind.ELASTICSEARCH_SETTINGS, Kind.ELASTICSEARCH_DATA_STREAMS),
        *(Kind.ELASTICSEARCH_SLM_POLICIES, Kind.ELASTICSEARCH_SLM_STATUS),
        *(Kind.ELASTICSEARCH_SM_POLICIES, Kind.ELASTICSEARCH_REPOSITORIES),
        Kind.ELASTICSEARCH_SNAPSHOTS,
    },
    ("KC-RET-006", "gated"): _GATE,
    ("KC-RET-006", "restore-proven"): _GATE,
    ("KC-RET-005", "kept"): {Kind.ARCHIVE},
    ("KC-RET-005", "complete"): {Kind.ARCHIVE},
    ("KC-RET-005", "current"): {Kind.ARCHIVE},
    ("KC-RET-005", "reaches-back"): {Kind.ARCHIVE},
    ("KC-RET-011", "buffer"): {*_FLAGS, Kind.VERSION},
    ("KC-RET-011", "max-age"): {*_FLAGS, Kind.VERSION},
    ("KC-RET-011", "max-backup"): {*_FLAGS, Kind.VERSION},
    ("KC-RET-011", "max-size"): {*_FLAGS, Kind.VERSION},
}
"""What each aspect has to have seen before it may pass on a cluster that its owner runs."""

_OF_SERVERS = {id_ for (id_, _), kinds in NEEDED.items() if kinds >= _FLAGS}
"""The controls that ask the API servers' flags first; others ask clouds, stores and archives."""

_GOOD = {Status.PASS, Status.NOT_APPLICABLE}


def _findings(
    control: Control, captures: Sequence[Capture], case: Case | None = None
) -> list[Finding]:
    cluster = _cluster(captures, case)
    given_ = case.parameters if case else {}
    return [judged.finding for judged in judge_control(control, cluster, given_)]


def _cluster(captures: Sequence[Capture], case: Case | None) -> Cluster:
    return assemble("case", captures, case.platform if case else None, published_policies())


def _of(findings: Iterable[Finding], aspect: str) -> set[Status]:
    return {finding.status for finding in findings if finding.aspect == aspect}


def _unreadable(capture: Capture) -> Unreadable:
    return Unreadable(origin=capture.origin, reason="could not be read: it was taken away")


def _provided(cluster: Cluster) -> bool:
    return cluster.platform in (Platform.AKS, Platform.EKS)


def _name(case: Case) -> str:
    return f"{case.control} {case.given}"


def test_every_aspect_has_its_needs_told() -> None:
    assert set(NEEDED) == {(c.id, aspect.id) for c in CONTROLS.values() for aspect in c.aspects}


@pytest.mark.parametrize("case", CASES, ids=_name)
def test_what_can_no_longer_be_read_never_leaves_a_clean_bill(case: Case) -> None:
    control = CONTROLS[case.control]
    for index, capture in enumerate(case.captures):
        if not isinstance(capture, Raw) or _provided(_cluster(case.captures, case)):
            continue
        captures = [*case.captures[:index], _unreadable(capture), *case.captures[index + 1 :]]
        if _provided(_cluster(captures, case)):
            continue
        findings = _findings(control, captures, case)
        for aspect in control.aspects:
            if capture.origin.kind in NEEDED[control.id, aspect.id]:
                assert Status.ERROR in _of(findings, aspect.id), (capture.origin, aspect.id)


@pytest.mark.parametrize("case", CASES, ids=_name)
def test_a_sign_of_the_provider_that_can_no_longer_be_read_earns_nothing(case: Case) -> None:
    control = CONTROLS[case.control]
    if case.platform or not _provided(_cluster(case.captures, case)):
        return
    for changed in ([_unreadable(c) for c in case.captures], []):
        findings = _findings(control, changed, case)
        assert {finding.status for finding in findings}.isdisjoint(_GOOD)


@pytest.mark.parametrize("case", CASES, ids=_name)
def test_a_reading_less_never_makes_a_control_good(case: Case) -> None:
    """Unless a fault is about that very reading, or it shows a server of its own."""
    control = CONTROLS[case.control]
    whole = _findings(control, case.captures, case)
    faults = [finding for finding in whole if finding.status not in _GOOD]
    quoted = {evidence.raw for finding in faults for evidence in finding.evidence}
    named = " ".join(f"{finding.resource} {finding.because}" for finding in faults)
    for index, capture in enumerate(case.captures):
        if capture.origin.kind not in (Kind.AUDIT_POLICY, Kind.VERSION, Kind.METRICS):
            continue
        if not faults or capture in quoted or capture.origin.resource in named:
            continue
        rest = [*case.captures[:index], *case.captures[index + 1 :]]
        assert not {finding.status for finding in _findings(control, rest, case)} <= _GOOD


@pytest.mark.parametrize("case", CASES, ids=_name)
@pytest.mark.parametrize("kind", [Kind.FILE, Kind.API_SERVER_PODS, Kind.FLAGZ])
def test_a_gap_that_may_hide_a_server_is_an_error_of_every_aspect(case: Case, kind: Kind) -> None:
    control = CONTROLS[case.control]
    captures = [*case.captures, unreadable(kind, "what may hide a server")]
    if _provided(_cluster(captures, case)):
        return

    findings = _findings(control, captures, case)

    for aspect in control.aspects:
        if kind in NEEDED[control.id, aspect.id]:
            assert Status.ERROR in _of(findings, aspect.id), aspect.id


@pytest.mark.parametrize("case", CASES, ids=_name)
def test_a_pass_quotes_what_was_read_in_this_scan_or_published(case: Case) -> None:
    read = {capture for capture in case.captures if isinstance(capture, Raw)}
    read |= {published.policy.raw for published in published_policies().values()}

    for finding in _findings(CONTROLS[case.control], case.captures, case):
        if finding.status is Status.PASS:
            assert {evidence.raw for evidence in finding.evidence} <= read


@pytest.mark.parametrize("case", CASES, ids=_name)
def test_the_order_of_the_readings_decides_nothing(case: Case) -> None:
    control = CONTROLS[case.control]
    if "second" in case.given or "two servers" in case.given:
        return  # of two answers about one server the first is taken, and the other is a gap

    there = _findings(control, case.captures, case)
    back = _findings(control, case.captures[::-1], case)

    assert {(f.aspect, f.resource, f.status) for f in there} == {
        (f.aspect, f.resource, f.status) for f in back
    }


# --- anything with anything ----------------------------------------------------------------------

_CAPTURES = [capture for case in CASES for capture in case.captures]
_MIXED = st.lists(st.sampled_from(_CAPTURES), max_size=5)


@given(captures=_MIXED)
def test_every_aspect_is_answered_whatever_is_scanned_together(captures: list[Capture]) -> None:
    for control in CONTROLS.values():
        findings = _findings(control, captures)
        assert {f.aspect for f in findings} == {aspect.id for aspect in control.aspects}
        assert not [f for f in findings if "the check" in f.because]


@given(captures=_MIXED)
def test_a_file_that_was_not_read_is_an_error_whatever_else_was(captures: list[Capture]) -> None:
    captures = [*captures, unreadable(Kind.FILE, "unread.yaml")]
    if _provided(_cluster(captures, None)):
        return
    for control in CONTROLS.values():
        findings = _findings(control, captures)
        for aspect in control.aspects:
            if Kind.FILE in NEEDED[control.id, aspect.id]:
                assert Status.ERROR in _of(findings, aspect.id), aspect.id


@given(captures=_MIXED)
def test_a_server_without_a_policy_is_a_fail_whatever_else_was_read(
    captures: list[Capture],
) -> None:
    bare = raw(Kind.COMMAND_LINE, "ps.txt", "kube-apiserver --authorization-mode=RBAC")

    for id_ in ("KC-AUD-005", "KC-AUD-006", "KC-AUD-008"):
        findings = _findings(CONTROLS[id_], [*captures, bare])
        assert Status.FAIL in {finding.status for finding in findings}


# --- a check that breaks -------------------------------------------------------------------------


def _odd(**change: Any) -> Cluster:
    """A cluster as no collector makes it."""
    return replace(_cluster([raw(Kind.AUDIT_POLICY, "p.yaml", SOUND_POLICY)], None), **change)


_BROKEN_SERVER: Any = (Seen(value=None, raw=raw(Kind.OBJECTS, "s.yaml", "")),)
_BROKEN_POLICY: Any = (PolicyText(name="p", text=None, raw=None),)  # type: ignore[arg-type]


@pytest.mark.parametrize("id_", sorted(_OF_SERVERS))
def test_a_check_that_breaks_is_an_error_of_every_aspect(id_: str) -> None:
    control = CONTROLS[id_]
    judged = list(judge_control(control, _odd(api_servers=_BROKEN_SERVER), {}))

    assert {item.aspect.id for item in judged} == {aspect.id for aspect in control.aspects}
    assert {item.finding.status for item in judged} == {Status.ERROR}


def test_a_check_that_breaks_late_takes_back_what_it_said() -> None:
    good = _odd().policies
    cluster = _odd(policies=(*good, *_BROKEN_POLICY))

    judged = list(judge_control(CONTROLS["KC-AUD-008"], cluster, {}))

    assert [item.finding.status for item in judged] == [Status.ERROR]
    assert "the check itself broke" in judged[0].finding.because
    assert "Traceback" in str(judged[0].traceback)
