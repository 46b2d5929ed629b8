"""The arithmetic of lifecycles, as properties."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcompliance.model.reading import Kind, Origin, Raw
from kcompliance.model.retention import FOREVER
from kcompliance.model.search.cron import period_of
from kcompliance.model.search.deletion_jobs import Deletes
from kcompliance.model.search.indices import flat, matches, named_span, trail_indices
from kcompliance.model.search.ism import Deletion, deletion_of
from kcompliance.model.search.kept import Kept, kept_by_lifecycle
from kcompliance.model.search.questions import BY_KIND, Store
from kcompliance.model.search.view import SearchStore

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
STORE = Store(url="https://es:9200", patterns=("*",))


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _raw(kind: Kind, value: Any) -> Raw:
    origin = Origin(
        kind=kind,
        resource=STORE.asked(BY_KIND[kind][0]),
        collector="elasticsearch",
        collected_at=NOW,
    )
    return Raw(origin=origin, content=json.dumps(value).encode())


def _kept(name: str, phases: Any, *, created: datetime, newest: datetime, **settings: str) -> Kept:
    settings = {
        "index.creation_date": str(_ms(created)),
        "index.lifecycle.name": "p",
        **{key.replace("__", "."): value for key, value in settings.items()},
    }
    bucket = {
        "key": name,
        "doc_count": 1,
        "oldest": {"value": _ms(created)},
        "newest": {"value": _ms(newest)},
    }
    times = {
        "hits": {"total": {"value": 1}},
        "aggregations": {
            "oldest": {"value": 0},
            "newest": {"value": 0},
            "by_index": {"buckets": [bucket]},
        },
    }
    found = {
        Kind.ELASTICSEARCH_SETTINGS: {name: {"settings": settings}},
        Kind.ELASTICSEARCH_ILM_POLICIES: {"p": {"policy": {"phases": phases}}},
        Kind.ELASTICSEARCH_TIMES: times,
    }
    store = SearchStore(
        name="es",
        declared=STORE,
        captures={kind: (_raw(kind, value),) for kind, value in found.items()},
    )
    (kept,) = kept_by_lifecycle(store, trail_indices(store, ("*",)), NOW)
    return kept


_AGES = st.integers(min_value=0, max_value=4000)


@given(age=_AGES, written=_AGES, since=st.integers(min_value=3, max_value=4000))
def test_without_rollover_the_newest_record_lives_as_much_less_as_the_index_was_written_to(
    age: int, written: int, since: int
) -> None:
    newest = NOW - timedelta(days=since)
    kept = _kept(
        "audit-x",
        {"delete": {"min_age": f"{age}d", "actions": {"delete": {}}}},
        created=newest - timedelta(days=written),
        newest=newest,
    )

    assert kept.least == timedelta(days=max(0, age - written))


@given(age=_AGES, written=_AGES)
def test_with_rollover_it_lives_as_long_as_the_phase_says(age: int, written: int) -> None:
    phases = {
        "hot": {"actions": {"rollover": {"max_age": "1d"}}},
        "delete": {"min_age": f"{age}d", "actions": {"delete": {}}},
    }
    kept = _kept(
        "audit-000001",
        phases,
        created=NOW - timedelta(days=written),
        newest=NOW,
        index__lifecycle__rollover_alias="audit",
    )

    assert kept.least == timedelta(days=age)


@given(phases=st.dictionaries(st.sampled_from(["hot", "warm", "delete"]), st.none() | st.text()))
def test_phases_of_no_sense_delete_nothing_and_break_nothing(phases: Any) -> None:
    kept = _kept("audit-x", phases, created=NOW, newest=NOW)

    assert kept.least == FOREVER


_NAMES = st.sampled_from(
    ["policy", "phases", "actions", "delete", "min_age", "settings", "indices", "data_streams"]
)
_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(_NAMES, inner),
)


@given(value=_ANYTHING)
def test_any_answer_is_read_without_breaking(value: Any) -> None:
    store = SearchStore(
        name="es",
        declared=STORE,
        captures={
            kind: (_raw(kind, value),)
            for kind in (
                Kind.ELASTICSEARCH_SETTINGS,
                Kind.ELASTICSEARCH_ILM_POLICIES,
                Kind.ELASTICSEARCH_ILM_EXPLAIN,
                Kind.ELASTICSEARCH_DATA_STREAMS,
                Kind.ELASTICSEARCH_CLUSTER_SETTINGS,
                Kind.ELASTICSEARCH_TIMES,
            )
        },
    )

    kept_by_lifecycle(store, trail_indices(store, ("*",)), NOW)


# --- ISM -----------------------------------------------------------------------------------------


def _state(name: str, *actions: str, to: tuple[tuple[str, Any], ...] = ()) -> dict[str, Any]:
    return {
        "name": name,
        "actions": [{action: {}} for action in actions],
        "transitions": [{"state_name": state, "conditions": when} for state, when in to],
    }


def test_of_all_ways_to_a_deletion_the_shortest_decides() -> None:
    policy = {
        "default_state": "hot",
        "states": [
            _state(
                "hot", to=(("warm", {"min_index_age": "10d"}), ("gone", {"min_index_age": "90d"}))
            ),
            _state("warm", "snapshot", to=(("gone", {"min_index_age": "30d"}),)),
            _state("gone", "delete"),
        ],
    }

    found = deletion_of(policy)

    assert found == Deletion(since_creation=timedelta(days=30), after_snapshot=False)


def test_a_circle_of_states_ends() -> None:
    policy = {
        "default_state": "a",
        "states": [_state("a", to=(("b", {}),)), _state("b", to=(("a", {}),))],
    }

    assert deletion_of(policy) == Deletion(never=True)


@pytest.mark.parametrize(
    "policy",
    [
        {},
        {"default_state": "x", "states": []},
        {"default_state": "a", "states": [_state("a", to=(("b", {}),))]},
        {"default_state": "a", "states": [_state("a", to=(("a", {"min_index_age": "9 moons"}),))]},
    ],
)
def test_a_policy_that_cannot_be_understood_says_why(policy: Any) -> None:
    assert isinstance(deletion_of(policy), str)


# --- names, patterns, schedules ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "days"),
    [
        ("logstash-2026.11.21", 1),
        ("audit-20261121", 1),
        ("audit-2026-11-21", 1),
        ("audit-2026w47", 7),
        ("audit-2026.11", 31),
        ("audit-2026-11", 31),
        ("audit-2026", 366),
        ("audit-000042", None),
        ("audit", None),
    ],
)
def test_a_name_tells_how_long_an_index_is_written_to(name: str, days: int | None) -> None:
    assert named_span(name) == (None if days is None else timedelta(days=days))


@pytest.mark.parametrize(
    ("patterns", "chosen"),
    [
        (("*",), True),
        (("_all",), True),
        (("logs-*",), True),
        (("logs-*", "-logs-k8s*"), False),
        (("-logs-k8s*", "logs-*"), True),
        (("logs-k8s-[a-z]*",), False),
        (("logs-k8s-?",), False),
        ((), False),
    ],
)
def test_patterns_select_as_a_search_server_does(patterns: tuple[str, ...], chosen: bool) -> None:
    assert matches("logs-k8s-a", patterns) is chosen


def test_settings_are_the_same_whichever_form_they_have() -> None:
    nested = {"index": {"lifecycle": {"name": "p"}, "creation_date": "1"}}

    assert flat(nested) == flat({"index.lifecycle.name": "p", "index.creation_date": "1"})


@pytest.mark.parametrize(
    ("schedule", "hours"),
    [
        ("0 3 * * *", 24),
        ("*/5 * * * *", 1),
        ("0 */6 * * *", 24),
        ("0 3 * * 0", 168),
        ("0 3 1 * *", 744),
        ("0 3 1 1 *", 8784),
        ("@hourly", 1),
        ("TZ=UTC 0 3 * * *", 24),
        ("whenever", None),
    ],
)
def test_a_schedule_tells_how_often_a_job_runs(schedule: str, hours: int | None) -> None:
    assert period_of(schedule) == (None if hours is None else timedelta(hours=hours))


def test_an_expression_that_is_none_may_touch_anything() -> None:
    assert Deletes(said_by="x", age=None, expression="(").touches(["k8s-audit-1"])
