"""What workspaces answer about audit records, as values: from which rows, and never a traceback."""

import contextlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcompliance.model.azure.answer import WrongAnswer, resources_in
from kcompliance.model.azure.diagnostics import setting_of, shipped
from kcompliance.model.azure.log_analytics import audit_tables
from kcompliance.model.azure.log_events import EVENT_FIELDS, events_of
from kcompliance.model.azure.log_times import days_of, newest_of, timeline_of
from kcompliance.model.azure.managed_cluster import ManagedCluster, managed_cluster_of
from kcompliance.model.reading import Kind, Raw
from tests.azure_rm import documents, log_documents
from tests.azure_rm.documents import WORKSPACE, Json, setting
from tests.captures import NOW, raw

SOURCES = frozenset({"AKSAudit"})
READERS: dict[str, Callable[[Raw], object]] = {
    "days": lambda found: days_of(found, SOURCES),
    "newest": lambda found: newest_of(found, SOURCES),
    "timeline": lambda found: timeline_of(found, SOURCES),
    "events": events_of,
}


def told(answer: object) -> Raw:
    return raw(Kind.AZURE_LOG_RECORDS, "x", json.dumps(answer), "azure")


CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(["AKSAudit", "2026-01-15T09:00:00Z", "0001-01-01T00:00:00+14:00", "[]", "{"]),
    st.lists(st.integers(), max_size=2),
)
NAMES = ("Source", "Day", "Start", "Records", "Oldest", "Newest", *EVENT_FIELDS)


@pytest.mark.parametrize("reader", READERS)
@given(rows=st.lists(st.lists(CELLS, min_size=len(NAMES), max_size=len(NAMES)), max_size=3))
def test_any_rows_are_understood_or_refused(reader: str, rows: list[list[Any]]) -> None:
    with contextlib.suppress(WrongAnswer):
        READERS[reader](told(log_documents.answer(NAMES, rows)))


@pytest.mark.parametrize(
    "columns", [["Source", "Source"], ["Source", None]], ids=["twice", "without a name"]
)
def test_columns_have_names_of_their_own(columns: list[Any]) -> None:
    answer = log_documents.answer(columns, [["AKSAudit", "AKSAudit"]])

    with pytest.raises(WrongAnswer):
        days_of(told(answer), SOURCES)


def test_rows_of_other_sources_are_not_counted() -> None:
    answer = log_documents.days(NOW, 3, "AKSAuditAdmin")

    assert days_of(told(answer), SOURCES).records == 0
    assert days_of(told(answer), {"AKSAuditAdmin"}).oldest == datetime(2026, 1, 13, tzinfo=UTC)


def test_an_event_is_one_by_its_own_names_and_is_there_once() -> None:
    answer = log_documents.sample(log_documents.event(NOW), log_documents.event(NOW))

    ((source, event),) = events_of(told(answer))

    assert source == "AKSAudit"
    assert event.of("user.groups") == ["system:authenticated"]
    assert event.of("decision") == "allow"
    assert event.of("API server") == "kube-apiserver-68df4876bd-74k6n"
    assert event.code == 200


@pytest.mark.parametrize(
    ("settings", "category", "tables"),
    [
        ((setting("kube-audit"),), "kube-audit", ("AKSAudit",)),
        ((setting("kube-audit", "kube-audit-admin"),), "kube-audit", ("AKSAudit",)),
        ((setting("kube-audit-admin"),), "kube-audit-admin", ("AKSAuditAdmin",)),
        ((setting("kube-audit", dedicated=False),), "kube-audit", ("AzureDiagnostics",)),
        (
            (setting("kube-audit", name="a"), setting("kube-audit", name="b", dedicated=False)),
            "kube-audit",
            ("AKSAudit", "AzureDiagnostics"),
        ),
    ],
    ids=["all", "both", "admin", "legacy", "two settings"],
)
def test_the_rows_that_count_are_those_of_the_larger_category(
    settings: tuple[Json, ...], category: str, tables: tuple[str, ...]
) -> None:
    found, _ = resources_in(json.dumps({"value": settings}).encode())

    sent = audit_tables(shipped(map(setting_of, found), None), WORKSPACE.upper())

    assert sent is not None
    assert (sent.category, sent.tables) == (category, tables)
    assert ("AKSAuditAdmin" in sent.sources) == (category == "kube-audit-admin")


def test_another_workspace_holds_none() -> None:
    found, _ = resources_in(json.dumps({"value": [setting("kube-audit")]}).encode())

    assert audit_tables(shipped(map(setting_of, found), None), f"{WORKSPACE}2") is None


def cluster(**more: object) -> ManagedCluster:
    (resource,), _ = resources_in(json.dumps({**documents.cluster(), **more}).encode())
    return managed_cluster_of(resource)


def test_a_cluster_tells_when_it_was_made_and_whether_it_is_stopped() -> None:
    stopped = cluster(
        systemData={"createdAt": "2026-01-15T10:00:00.1234567+01:00"},
        powerState={"code": "Stopped"},
    )

    assert stopped.created == NOW + timedelta(microseconds=123456)
    assert stopped.stopped
    assert cluster(systemData=None).created is None
    assert not cluster(powerState={"code": "Running"}).stopped


@pytest.mark.parametrize("written", ["yesterday", "2026-01-15T10:00:00"])
def test_a_time_that_is_none_is_refused(written: str) -> None:
    with pytest.raises(WrongAnswer, match="createdAt"):
        cluster(systemData={"createdAt": written})
