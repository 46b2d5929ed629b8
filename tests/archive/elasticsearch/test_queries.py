"""The queries as they are sent, and as records name them."""

from datetime import UTC, datetime, timedelta

from kcompliance.archive.elasticsearch.queries import (
    canonical_sha256,
    of_any,
    of_span,
    of_user,
    of_window,
)
from kcompliance.archive.interface import Window

START = datetime(2026, 7, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
WINDOW = Window(start=START, end=START + HOUR)
CLUSTER = (("orchestrator.cluster.name", "prod"),)


def test_a_window_is_half_open_in_a_format_that_any_date_mapping_takes() -> None:
    assert of_window(WINDOW, "@timestamp", ()) == {
        "bool": {
            "filter": [
                {
                    "range": {
                        "@timestamp": {
                            "gte": "2026-07-01T12:00:00Z",
                            "lt": "2026-07-01T13:00:00Z",
                            "format": "strict_date_optional_time",
                        }
                    }
                }
            ]
        }
    }


def test_filters_and_the_last_seq_no_narrow_a_window() -> None:
    _, *narrower = of_window(WINDOW, "t", CLUSTER, after=41)["bool"]["filter"]
    assert narrower == [
        {"term": {"orchestrator.cluster.name": {"value": "prod"}}},
        {"range": {"_seq_no": {"gt": 41}}},
    ]


def test_seq_no_0_is_one() -> None:
    assert {"range": {"_seq_no": {"gt": 0}}} in of_window(WINDOW, "t", (), after=0)["bool"][
        "filter"
    ]


def test_events_without_a_time_are_those_without_the_field() -> None:
    query = of_window(Window(start=None, end=None), "t", CLUSTER)
    assert query["bool"]["must_not"] == [{"exists": {"field": "t"}}]
    assert query["bool"]["filter"] == [{"term": {"orchestrator.cluster.name": {"value": "prod"}}}]


def test_a_span_is_from_the_first_to_the_last_window() -> None:
    windows = [Window(start=START + n * HOUR, end=START + (n + 1) * HOUR) for n in range(3)]
    assert of_span(windows, "t", ()) == of_window(
        Window(start=START, end=START + 3 * HOUR), "t", ()
    )


def test_a_union_scores_nothing_and_needs_one_of_all() -> None:
    inner = of_any([{"match_all": {}}])["bool"]["filter"]
    assert inner == [{"bool": {"should": [{"match_all": {}}], "minimum_should_match": 1}}]


def test_what_the_user_selects_is_recorded() -> None:
    assert of_user(()) is None
    assert of_user((("a", "1"), ("b", "2"))) == {
        "bool": {"filter": [{"term": {"a": {"value": "1"}}}, {"term": {"b": {"value": "2"}}}]}
    }


def test_a_query_has_one_digest() -> None:
    """Fixed: records of archives that exist name it."""
    assert canonical_sha256({"b": 1, "a": {"d": [], "c": "é"}}) == canonical_sha256(
        {"a": {"c": "é", "d": []}, "b": 1}
    )
    query = of_window(WINDOW, "requestReceivedTimestamp", CLUSTER)
    assert canonical_sha256(query) == (
        "59bf279bba0d9b70a53b59657d4a49671322606e6fef5958bf9ecbc1d5125ee0"
    )
