"""What CloudWatch Logs Insights counted among the audit events of one EKS cluster."""

from typing import Any, Final

from kcompliance.model.audit_policy import Level, Stage
from kcompliance.model.aws.answers import Fields, WrongAnswer, answers, items, needed, text
from kcompliance.model.cluster import Cluster, NotAsked
from kcompliance.model.observed import Observed, SeenRequest
from kcompliance.model.reading import Absent, Kind, Seen, Unreadable
from kcompliance.model.request import ObjectAttributes

__all__ = ["MOST_ROWS", "log_verbs", "read_log_verbs"]

MOST_ROWS: Final = 10_000
"""So many rows a query gives at most; of more there are the most frequent."""
_LONGEST_NUMBER: Final = 15
_LEVELS: Final = {level.value: level for level in Level if level is not Level.NONE}
_STAGES: Final = {stage.value: stage for stage in Stage}


def log_verbs(cluster: Cluster) -> Seen[Observed] | Unreadable | Absent | NotAsked:
    """What was counted; two answers that differ are as good as none."""
    seen, gaps = answers(cluster, Kind.AWS_LOG_VERBS, read_log_verbs)
    if gaps:
        return gaps[0]
    if seen:
        first = min(seen, key=lambda each: each.raw.origin.resource)
        if any(each.value != first.value for each in seen):
            reason = "a second answer says something else"
            return Unreadable(origin=first.raw.origin, reason=reason)
        return first
    absents = (each for each in cluster.absents if each.origin.kind is Kind.AWS_LOG_VERBS)
    return next(absents, NotAsked())


def read_log_verbs(answer: Fields) -> Observed:
    """The answer of GetQueryResults. Raises WrongAnswer."""
    status = needed(text(answer, "status"), "status")
    if status != "Complete":
        raise WrongAnswer(f"the query is {status[:_LONGEST_NUMBER]}, and not Complete")
    if "results" not in answer:
        raise WrongAnswer("it has no results")
    rows = [_row(row) for row in items(answer, "results")]
    requests = [_request(row, index) for index, row in enumerate(rows)]
    read = tuple(each for each in requests if each is not None)
    if rows and not read:
        raise WrongAnswer("no row tells verb, level and stage")
    unknown = (row for row, each in zip(rows, requests, strict=True) if each is None)
    return Observed(
        requests=read,
        not_read=sum(_records(row) for row in unknown),
        whole=len(rows) < MOST_ROWS,
    )


def _row(row: Any) -> dict[str, str]:
    """One row by field. Insights leaves out a field that no event of the row has."""
    if not isinstance(row, list):
        raise WrongAnswer("a row is no list of fields")
    read: dict[str, str] = {}
    for cell in row:
        name, value = (cell.get("field"), cell.get("value")) if isinstance(cell, dict) else (0, 0)
        if not isinstance(name, str) or not isinstance(value, str | None):
            raise WrongAnswer("a row has something other than fields with values")
        if read.setdefault(name, value or "") != (value or ""):
            raise WrongAnswer(f"a row has two values of {name[:_LONGEST_NUMBER]}")
    return read


def _request(row: dict[str, str], index: int) -> SeenRequest | None:
    """None where verb, level or stage are not those of an audit event that was read."""
    records = _records(row)
    level, stage = _LEVELS.get(row.get("level", "")), _STAGES.get(row.get("stage", ""))
    verb = row.get("verb", "")
    if level is None or stage is None or not verb:
        return None
    return SeenRequest(
        verb=verb,
        target=ObjectAttributes(
            group=row.get("objectRef.apiGroup", ""),
            resource=row.get("objectRef.resource", ""),
            subresource=row.get("objectRef.subresource", ""),
        ),
        level=level,
        stage=stage,
        records=records,
        place=f"results[{index}]",
    )


def _records(row: dict[str, str]) -> int:
    """How many events the row is about. Raises WrongAnswer."""
    number = row.get("records", "")
    if not (number.isascii() and number.isdecimal() and len(number) <= _LONGEST_NUMBER):
        raise WrongAnswer("a row does not tell how many records it is about")
    return int(number)
