"""Answers about stored events: hostile ones, output of the aws command, and weeks with holes."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcompliance.collect.aws.secrets import redact
from kcompliance.collect.aws.weeks import First, events_of_weeks
from kcompliance.collect.recognise import recognise
from kcompliance.model.aws.answers import Fields, WrongAnswer
from kcompliance.model.aws.log_group import LogGroup, read_log_groups
from kcompliance.model.aws.stored_events import newest, read_events, read_histogram, read_weeks
from kcompliance.model.event_store.timeline import unbroken_since
from kcompliance.model.reading import Kind

EVENT = {
    "logStreamName": "kube-apiserver-audit-0a1b",
    "timestamp": 1_795_262_339_000,
    "message": '{"stageTimestamp":"2026-11-21T11:58:59.000000Z","verb":"list"}',
    "ingestionTime": 1_795_262_341_000,
    "eventId": "1",
}
ROW = [{"field": "bin(5m)", "value": "2026-11-21 11:55:00.000"}, {"field": "records", "value": "3"}]


def test_an_event_tells_when_it_came_and_from_which_stream() -> None:
    (found,) = read_events({"events": [EVENT]})

    assert found.event.of("verb") == "list"
    assert found.event.of("API server") == "kube-apiserver-audit-0a1b"
    assert found.event.get("event.ingested") == 1_795_262_341_000
    assert newest((found,)) == ("stageTimestamp", datetime(2026, 11, 21, 11, 58, 59, tzinfo=UTC))


def test_an_event_cannot_say_when_it_came() -> None:
    message = '{"event":{"ingested":1},"aws":{"cloudwatch":{"log_stream":"x"}},"event.ingested":1}'
    (found,) = read_events({"events": [{**EVENT, "message": message}]})

    assert found.event.get("event.ingested") == 1_795_262_341_000
    assert found.event.of("API server") == "kube-apiserver-audit-0a1b"


@pytest.mark.parametrize("message", ["{", "", "[]", "null", "REDACTED", "[" * 100_000, '{"a":1'])
def test_what_is_no_event_tells_nothing(message: str) -> None:
    (found,) = read_events({"events": [{**EVENT, "message": message}]})

    assert found.event.of("verb") is None
    assert newest((found,))[0] == "timestamp"


_NO_EVENTS: list[Any] = [
    {},
    {"events": {}},
    {"events": [1]},
    {"events": [{}]},
    {"events": [{**EVENT, "timestamp": "now"}]},
    {"events": [{**EVENT, "timestamp": 10**400}]},
    {"events": [{**EVENT, "timestamp": True}]},
    {"events": [{**EVENT, "message": None}]},
    {"events": [{**EVENT, "logStreamName": 1}]},
]


@pytest.mark.parametrize("answer", _NO_EVENTS, ids=lambda answer: str(answer)[:60])
def test_events_of_another_shape_are_no_answer(answer: Fields) -> None:
    with pytest.raises(WrongAnswer):
        read_events(answer)


@pytest.mark.parametrize(
    "answer", [{}, {"events": [{}]}, {"events": [{"timestamp": 1e400}]}], ids=str
)
def test_weeks_of_another_shape_are_no_answer(answer: Fields) -> None:
    with pytest.raises(WrongAnswer):
        read_weeks(answer)


def test_bins_are_times_of_utc() -> None:
    found = read_histogram({"results": [ROW], "status": "Complete"})

    assert found.bins == {datetime(2026, 11, 21, 11, 55, tzinfo=UTC): 3}
    assert found.counted == timedelta(days=7)


_NO_HISTOGRAM: list[Any] = [
    {},
    {"results": [ROW]},
    {"results": [ROW], "status": "Running"},
    {"results": [ROW], "status": "Timeout"},
    {"results": {}, "status": "Complete"},
    {"results": [{}], "status": "Complete"},
    {"results": [[1]], "status": "Complete"},
    {"results": [[ROW[0]]], "status": "Complete"},
    {"results": [[ROW[1]]], "status": "Complete"},
    {"results": [[ROW[0], {**ROW[1], "value": "many"}]], "status": "Complete"},
    {"results": [[{**ROW[0], "value": "yesterday"}, ROW[1]]], "status": "Complete"},
    {"results": [ROW] * 10_000, "status": "Complete"},
]


@pytest.mark.parametrize("answer", _NO_HISTOGRAM, ids=lambda answer: str(answer)[:70])
def test_results_that_are_not_whole_are_no_answer(answer: Fields) -> None:
    with pytest.raises(WrongAnswer):
        read_histogram(answer)


@pytest.mark.parametrize("days", [0, -1, 10**12, "90"])
def test_a_number_of_days_that_aws_does_not_offer_is_no_answer(days: object) -> None:
    with pytest.raises(WrongAnswer):
        read_log_groups({"logGroups": [{"logGroupName": "g", "retentionInDays": days}]})


# --- files ---------------------------------------------------------------------------------------

_VERB = [{"field": "verb", "value": "get"}, {"field": "level", "value": "Metadata"}, ROW[1]]
OUTPUT: dict[str, tuple[object, Kind | None]] = {
    "filter-log-events": (
        {"events": [EVENT], "searchedLogStreams": []},
        Kind.AWS_LOG_EVENTS,
    ),
    "without events": ({"events": [], "searchedLogStreams": []}, Kind.AWS_LOG_EVENTS),
    "by time": ({"results": [ROW], "status": "Complete"}, Kind.AWS_LOG_HISTOGRAM),
    "by verb": ({"results": [_VERB], "status": "Complete"}, Kind.AWS_LOG_VERBS),
    "nobody can tell": ({"results": [], "status": "Complete"}, None),
    "of another query": ({"results": [[{"field": "@message", "value": ""}]], "status": "x"}, None),
    "other events": ({"events": [{"type": "x"}]}, None),
    "other results": ({"results": [], "count": 0}, None),
}


@pytest.mark.parametrize("name", OUTPUT)
def test_output_of_the_aws_command_is_recognised(name: str) -> None:
    document, kind = OUTPUT[name]

    found = recognise(json.dumps(document, indent=4).encode())

    assert (found.kind if found else None) is kind


def test_bodies_in_a_file_are_taken_out() -> None:
    message = '{"requestObject":{"a":"hunter2"},"verb":"get","requestObject":{}}'
    events = [EVENT, {**EVENT, "message": message}, {**EVENT, "message": "hunter2"}]

    found = recognise(json.dumps({"events": events}).encode())

    assert found is not None
    assert b"hunter2" not in found.content
    assert found.redactions == ("/events/1/message", "/events/2/message")
    assert len(read_events(json.loads(found.content))) == 3


@pytest.mark.parametrize(
    "answer", [[], {}, {"events": 1}, {"events": [1, {"message": 1}]}], ids=str
)
def test_nothing_of_a_hostile_answer_breaks_what_takes_secrets_out(answer: object) -> None:
    assert len(redact(Kind.AWS_LOG_EVENTS, answer)) <= 1


def test_what_was_taken_out_once_stays_as_it_is() -> None:
    answer = {"events": [{**EVENT, "message": '{"requestObject": {"a": "\\u003c"}}'}]}
    assert redact(Kind.AWS_LOG_EVENTS, answer) == ["/events/0/message"]

    assert redact(Kind.AWS_LOG_EVENTS, answer) == []


# --- weeks ---------------------------------------------------------------------------------------

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY, WEEK = timedelta(days=1), timedelta(days=7)


def trail(days: set[int]) -> Callable[[datetime, datetime], First | None]:
    """A store with an event at noon, so many days ago."""
    times = sorted(NOW - number * DAY for number in days)

    def first(start: datetime, end: datetime) -> First | None:
        found = next((time for time in times if start <= time < end), None)
        if found is None:
            return None
        return found, {"timestamp": int(found.timestamp() * 1000)}

    return first


def days_of(days: set[int], known: LogGroup | None = None) -> list[datetime]:
    """The days that are told of such a store."""
    events = list(events_of_weeks(trail(days), NOW + timedelta(hours=1), known))
    return [time.replace(hour=0) for time in read_weeks({"events": events})]


def group(**more: Any) -> LogGroup:
    (found,) = read_log_groups({"logGroups": [{"logGroupName": "g", **more}]})
    return found


@given(
    holes=st.lists(st.tuples(st.integers(0, 420), st.integers(1, 40)), max_size=6),
    most=st.integers(7, 30),
)
def test_the_weeks_tell_the_same_holes_as_each_day_would(
    holes: list[tuple[int, int]], most: int
) -> None:
    missing = {start + number for start, length in holes for number in range(length)}
    days = set(range(427)) - missing
    every = [(NOW - number * DAY).replace(hour=0) for number in days]
    longest = timedelta(days=most)

    assert unbroken_since(days_of(days), longest) == unbroken_since(every, longest)


def test_a_single_event_of_long_ago_makes_no_trail() -> None:
    assert len(days_of({0, 400})) == 2
    assert unbroken_since(days_of({0, 400}), WEEK) == NOW.replace(hour=0)


@pytest.mark.parametrize(
    ("known", "weeks"),
    [
        (None, 61),
        (group(), 61),
        (group(retentionInDays=30), 6),
        (group(creationTime=int((NOW - DAY).timestamp() * 1000)), 3),
        (group(creationTime=10**13), 0),
    ],
    ids=["unknown", "for ever", "thirty days", "since yesterday", "of the future"],
)
def test_weeks_in_which_there_can_be_nothing_are_not_asked_for(
    known: LogGroup | None, weeks: int
) -> None:
    asked: list[datetime] = []

    def first(start: datetime, end: datetime) -> None:
        asked.append(start)
        assert end - start <= WEEK

    assert list(events_of_weeks(first, NOW, known)) == []
    assert len(asked) == weeks
