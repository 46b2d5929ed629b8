"""Asks CloudWatch Logs about the audit events themselves: the newest, since when, and how many.

FilterLogEvents is free of charge. An Insights query costs USD 0.005 for each GB that it scans,
and scans every event of its time: of a week here, and not of a month. A query is never stopped:
whoever asks holds no right to do so.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tenacity import Retrying, retry_if_result, stop_after_delay, wait_exponential

from kcompliance.collect.aws.asking import Failed, Got, Outcome
from kcompliance.collect.aws.questions import question
from kcompliance.collect.aws.weeks import First, events_of_weeks
from kcompliance.collect.aws.work import Work
from kcompliance.model.aws.answers import Fields, WrongAnswer, mappings, milliseconds, needed
from kcompliance.model.aws.log_group import AUDIT_STREAMS, LogGroup
from kcompliance.model.aws.stored_events import COUNTED
from kcompliance.model.reading import Kind

__all__ = ["PATIENCE", "QUERIES", "SAMPLED", "ask_for_events"]

PATIENCE: Final = timedelta(minutes=3)
"""For one query; it takes seconds where there are few events."""
SAMPLED: Final = 500
_BACK: Final = (timedelta(hours=1), timedelta(days=1), timedelta(days=14), timedelta(days=427))
"""How far back the newest events are looked for: farther only where there was none."""
_NEWEST_FIRST_SINCE: Final = datetime(2024, 1, 1, tzinfo=UTC)
"""Before that day CloudWatch Logs gives no events with the newest first."""

_RUNNING: Final = ("Scheduled", "Running", "Unknown")
_OF_AUDIT: Final = f"filter @logStream like /^{AUDIT_STREAMS}/"
_GROUPS: Final = "verb, objectRef.apiGroup, objectRef.resource, objectRef.subresource, level, stage"
QUERIES: Final = {
    Kind.AWS_LOG_HISTOGRAM: f"{_OF_AUDIT} | stats count(*) as records by bin(5m) | limit 10000",
    Kind.AWS_LOG_VERBS: (
        f"fields {_GROUPS} | {_OF_AUDIT} | stats count(*) as records by {_GROUPS}"
        " | sort records desc | limit 10000"
    ),
}
"""By the kind of the answer. The times of bins are UTC; of a week there are 2,016."""


def ask_for_events(work: Work, group: str, known: LogGroup | None, patience: timedelta) -> None:
    """Ask everything about the events of a log group; `known` None: it could not be described."""
    _ask_for_weeks(work, group, known, _ask_for_newest(work, group))
    _ask_queries(work, group, patience)


# --- the newest ----------------------------------------------------------------------------------


def _ask_for_newest(work: Work, group: str) -> Outcome:
    wanted = question(Kind.AWS_LOG_EVENTS)
    work.tell(wanted, group)
    outcome: Outcome = Failed("not asked")
    for back in _BACK:
        start = max(work.now - back, _NEWEST_FIRST_SINCE)
        outcome = work.asker.ask(
            wanted, **_between(group, start, work.now, SAMPLED), startFromHead=False
        )
        if not isinstance(outcome, Got) or outcome.answer["events"]:
            break
    outcome = _newest_first(outcome)
    work.keep(wanted, group, outcome)
    return outcome


def _newest_first(outcome: Outcome) -> Outcome:
    """A service that does not know the order gives the oldest: where there are more, no use."""
    if not isinstance(outcome, Got) or len(outcome.answer["events"]) < SAMPLED:
        return outcome
    first, last = _timestamp(outcome.answer["events"][0]), _timestamp(outcome.answer["events"][-1])
    if first is not None and last is not None and first >= last:
        return outcome
    return Failed("the newest events did not come first: too many are older to ask for them all")


def _timestamp(event: Any) -> int | None:
    found = event.get("timestamp") if isinstance(event, dict) else None
    return found if isinstance(found, int) else None


def _between(group: str, start: datetime, end: datetime, most: int) -> dict[str, Any]:
    """A request up to, and without, its end; empty pages on the way are passed over."""
    return {
        "logGroupName": group,
        "logStreamNamePrefix": AUDIT_STREAMS,
        "startTime": int(start.timestamp() * 1000),
        "endTime": int(end.timestamp() * 1000) - 1,
        "PaginationConfig": {"MaxItems": most, "PageSize": most},
    }


# --- since when ----------------------------------------------------------------------------------


class _Unanswered(Exception):
    """One of many questions came to nothing, and so did all of them."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__()
        self.outcome = outcome


def _ask_for_weeks(work: Work, group: str, known: LogGroup | None, last: Outcome) -> None:
    """Week by week; of a group in which there is no event at all that is known already."""
    wanted = question(Kind.AWS_LOG_WEEKS)
    work.tell(wanted, group)
    if isinstance(last, Got) and not last.answer["events"]:
        work.keep(wanted, group, last)
        return

    def first(start: datetime, end: datetime) -> First | None:
        """The first event of a time."""
        outcome = work.asker.ask(wanted, **_between(group, start, end, 1))
        if not isinstance(outcome, Got):
            raise _Unanswered(outcome)
        try:
            return next(iter(_firsts(outcome.answer)), None)
        except WrongAnswer as error:
            raise _Unanswered(Failed(f"the answer could not be read: {error}")) from None

    try:
        answer = {"events": list(events_of_weeks(first, work.now, known))}
        work.keep(wanted, group, Got(answer, json.dumps(answer).encode()))
    except _Unanswered as error:
        work.keep(wanted, group, error.outcome)


def _firsts(answer: Fields) -> Iterator[First]:
    """Events without what they tell: of these only the times are asked about."""
    for event in mappings(answer, "events"):
        kept = {name: value for name, value in event.items() if name != "message"}
        yield needed(milliseconds(event, "timestamp"), "timestamp"), kept


# --- queries -------------------------------------------------------------------------------------


def _ask_queries(work: Work, group: str, patience: timedelta) -> None:
    """Begin all of them, so that they run side by side; then wait for each."""
    begun: dict[Kind, Outcome] = {}
    for kind, text in QUERIES.items():
        begun[kind] = work.ask(
            Kind.AWS_LOG_QUERY,
            group,
            logGroupName=group,
            queryString=text,
            startTime=int((work.now - COUNTED).timestamp()),
            endTime=int(work.now.timestamp()),
        )
    for kind, outcome in begun.items():
        wanted = question(kind)
        if isinstance(outcome, Got):
            work.tell(wanted, group)
            outcome = _waited_for(work, kind, str(outcome.answer["queryId"]), patience)
        work.keep(wanted, group, outcome)


def _waited_for(work: Work, kind: Kind, query: str, patience: timedelta) -> Outcome:
    waiting = Retrying(
        retry=retry_if_result(_is_running),
        wait=wait_exponential(multiplier=0.25, max=5),
        stop=stop_after_delay(patience),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
    )
    outcome: Outcome = waiting(work.asker.ask, question(kind), queryId=query)
    if _is_running(outcome):
        seconds = round(patience.total_seconds())
        return Failed(f"the query still ran after {seconds} seconds")
    if isinstance(outcome, Got) and outcome.answer.get("status") != "Complete":
        return Failed(f"the query did not end well: {outcome.answer.get('status')}")
    return outcome


def _is_running(outcome: Outcome) -> bool:
    return isinstance(outcome, Got) and outcome.answer.get("status") in _RUNNING
