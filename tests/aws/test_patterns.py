"""Patterns of EventBridge and of CloudWatch Logs: which events they match."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcompliance.model.aws.event_pattern import matches_event
from kcompliance.model.aws.filter_pattern import matches_every_audit_event, matches_json

EVENT = {
    "source": "aws.logs",
    "account": "111122223333",
    "detail": {
        "eventName": "DeleteLogGroup",
        "sourceIPAddress": "198.51.100.7",
        "count": 5,
        "readOnly": False,
        "list": [{"a": "x"}, {"a": "y"}],
        "names": ["one", "two"],
        "nothing": None,
    },
}
EVENT_PATTERNS: list[tuple[dict[str, Any], bool | None]] = [
    ({"source": ["aws.eks", "aws.logs"]}, True),
    ({"source": ["aws.eks"]}, False),
    ({"source": [{"prefix": "aws."}]}, True),
    ({"source": [{"prefix": {"equals-ignore-case": "AWS."}}]}, True),
    ({"source": [{"suffix": ".eks"}]}, False),
    ({"source": [{"anything-but": ["aws.eks"]}]}, True),
    ({"source": [{"anything-but": "aws.logs"}]}, False),
    ({"source": [{"anything-but": {"prefix": "aws."}}]}, False),
    ({"source": [{"anything-but": {"wildcard": ["*.eks", "*.s3"]}}]}, True),
    ({"source": [{"equals-ignore-case": "AWS.Logs"}]}, True),
    ({"source": [{"exists": True}], "none": [{"exists": False}]}, True),
    ({"source": [{"exists": False}]}, False),
    ({"none": ["x"]}, False),
    ({"none": [{"anything-but": "x"}]}, False),
    ({"detail": {"eventName": [{"wildcard": "Delete*Group"}]}}, True),
    ({"detail": {"eventName": [{"wildcard": "Delete\\*"}]}}, False),
    ({"detail": {"count": [{"numeric": [">", 0, "<=", 5]}]}}, True),
    ({"detail": {"count": [{"numeric": ["<", 5]}]}}, False),
    ({"detail": {"count": ["5"]}}, False),
    ({"detail": {"readOnly": [False]}}, True),
    ({"detail": {"readOnly": [0]}}, False),
    ({"detail": {"nothing": [None]}}, True),
    ({"detail": {"sourceIPAddress": [{"cidr": "198.51.100.0/24"}]}}, True),
    ({"detail": {"sourceIPAddress": [{"cidr": "10.0.0.0/8"}]}}, False),
    ({"detail": {"list": {"a": ["y"]}}}, True),
    ({"detail": {"names": ["two"]}}, True),
    ({"detail": {"other": {"deep": [{"exists": False}]}}}, True),
    ({"$or": [{"source": ["no"]}, {"account": ["111122223333"]}]}, True),
    ({"$or": [{"source": ["no"]}, {"account": ["no"]}], "source": ["aws.logs"]}, False),
    ({"source": [{"sounds-like": "x"}]}, None),
    ({"source": ["aws.logs", {"sounds-like": "x"}]}, True),
    ({"source": ["no"], "detail": {"eventName": [{"sounds-like": "x"}]}}, False),
    ({"source": "aws.logs"}, None),
    ({"source": []}, False),
    ({}, None),
]


@pytest.mark.parametrize(("pattern", "verdict"), EVENT_PATTERNS, ids=str)
def test_an_event_pattern_matches_as_eventbridge_would(
    pattern: dict[str, Any], verdict: bool | None
) -> None:
    assert matches_event(pattern, EVENT) is verdict


RECORD = {"eventSource": "logs.amazonaws.com", "eventName": "DeleteLogGroup", "n": 3, "b": True}
FILTERS: list[tuple[str, bool | None]] = [
    ("", True),
    ("{ $.eventName = DeleteLogGroup }", True),
    ('{ ($.eventName = "DeleteLogGroup") && ($.eventSource = logs.amazonaws.com) }', True),
    ("{ ($.eventName = StopLogging) || ($.eventName = DeleteLogGroup) }", True),
    ("{ ($.eventName = StopLogging) && ($.n = 3) }", False),
    ("{ $.eventName = Delete* }", True),
    ("{ $.eventName = *Stream }", False),
    ("{ $.eventName != DeleteLogGroup }", False),
    ("{ $.none != x }", False),
    ("{ $.none NOT EXISTS }", True),
    ("{ $.n EXISTS }", True),
    ("{ $.n > 2 && $.n <= 3 }", True),
    ("{ $.n > 3 }", False),
    ("{ $.b IS TRUE }", True),
    ("{ $.b IS FALSE }", False),
    ("{ $.none IS NULL }", False),
    ("{ $.eventName = %Delete.*% }", None),
    ("{ $.eventName = %x% || $.n = 3 }", True),
    ("{ $.eventName ~ x }", None),
    ("{ $.eventName = DeleteLogGroup", None),
    ("{ ($.n = 3 }", None),
    ("DeleteLogGroup", None),
    ("[a, b]", None),
    ("{ }", None),
]


@pytest.mark.parametrize(("pattern", "verdict"), FILTERS, ids=[text or "-" for text, _ in FILTERS])
def test_a_filter_pattern_matches_as_cloudwatch_would(pattern: str, verdict: bool | None) -> None:
    assert matches_json(pattern, RECORD) is verdict


EVERYTHING = [
    ("", True),
    ("  ", True),
    ('{ $.kind = "Event" }', True),
    ("{ $.auditID = * }", True),
    ("{ $.verb = * && $.apiVersion = audit.k8s.io* }", True),
    ("{ $.verb = get || $.stage = * }", True),
    ("{ $.verb = get }", False),
    ("{ $.objectRef.resource = * }", False),
    ("{ $.kind != Event }", False),
    ("?ERROR", False),
    ("{ $.responseStatus.code NOT EXISTS }", False),
]


@pytest.mark.parametrize(("pattern", "proven"), EVERYTHING)
def test_only_what_lets_each_audit_event_through_is_proven(pattern: str, *, proven: bool) -> None:
    assert matches_every_audit_event(pattern) is proven


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["source", "detail", "$or", "prefix", "anything-but", "numeric", "exists", "cidr"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(pattern=st.dictionaries(st.sampled_from(["source", "detail", "$or"]), _JSON), event=_JSON)
def test_no_pattern_breaks_the_matcher(pattern: dict[str, Any], event: Any) -> None:
    assert matches_event(pattern, {"detail": event}) in (True, False, None)


@given(text=st.text(alphabet='{}()$.=!<>&|%" *aISNULEXT1', max_size=30))
def test_no_filter_breaks_the_matcher(text: str) -> None:
    assert matches_json("{" + text + "}", RECORD) in (True, False, None)
