"""The AWS that a case tells of: its captures on the wire again, in each service's own protocol.

The answers are written by moto's serialisers from the SDK's own models of the services, so that
what cannot be said on the wire does not reach a collector. What a case does not mention is not
there: an empty list, or the error with which AWS says so.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from moto.core.serialize import get_serializer_class
from moto.core.utils import get_service_model

from kcompliance.collect.aws.questions import ALL, Question
from kcompliance.collect.aws.questions import question as question_about
from kcompliance.model.reading import Absent, Capture, Kind, Raw, Unreadable
from tests.aws_answers.of_events import OF_EVENTS, of_events
from tests.aws_answers.server import Answer, AwsAnswers, error, operation_of, s3_error

__all__ = ["AwsOfCaptures", "fits_protocol"]

Json = dict[str, Any]

_QUESTIONS = {f"{question.service}:{question.operation}": question for question in ALL}
_OF_THE_WHOLE = frozenset(
    {
        "cloudtrail:DescribeTrails",
        "events:ListRules",
        "iam:GetAccountAuthorizationDetails",
        "logs:DescribeExportTasks",
        "logs:DescribeResourcePolicies",
        "s3control:GetPublicAccessBlock",
    }
)
"""Operations whose request names no resource: there is one answer."""


class AwsOfCaptures(AwsAnswers):
    """Serves what these captures hold; a context manager. They may be changed at any time."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:1")  # nobody is asked besides
        self.captures: Sequence[Capture] = ()

    def from_upstream(self, method: str, path: str, headers: Any, body: bytes) -> Answer:
        """The answer of the capture that is about what the request names."""
        operation, _ = operation_of(path, headers, body)
        if operation in OF_EVENTS:
            told = of_events(operation, json.loads(body), self.captures)
            return _answer(question_about(told.origin.kind), told, path)
        question = _QUESTIONS[operation]
        words = set(_words(path, body))
        for capture in self.captures:
            _, _, asked = capture.origin.resource.partition(" ")
            name, _, subject = asked.partition(" ")
            named = {subject, subject.rpartition("/")[2]} & words
            if name == operation and (named or operation in _OF_THE_WHOLE):
                return _answer(question, capture, path)
        return _nothing(question)


def _words(path: str, body: bytes) -> Iterator[str]:
    """Everything that a request names."""
    url = urlsplit(path)
    yield from unquote(url.path).strip("/").split("/")
    yield unquote(url.path.removeprefix("/clusters/"))
    yield from (value for _, value in parse_qsl(url.query))
    text = body.decode()
    if text.startswith("{"):
        yield from (str(value) for value in json.loads(text).values())
    else:
        yield from (value for _, value in parse_qsl(text))


def _answer(question: Question, capture: Capture, path: str) -> Answer:
    match capture:
        case Raw(content=content):
            answer = json.loads(content)
            if question.operation == "ListObjectsV2":
                answer = _listed(answer, dict(parse_qsl(urlsplit(path).query)))
            return _serialised(question, answer)
        case Absent(reason=reason):
            return _error(question, 404, reason)
        case Unreadable(reason=reason):
            code, _, message = reason.partition(": ")
            if " " not in code and message:
                return error(400, code, message)
            code = reason.rpartition(" ")[2]
            return _error(question, 403 if "Denied" in code else 400, code)


def _nothing(question: Question) -> Answer:
    if question.none:
        return _error(question, 404, question.none[0])
    if question.lists or not question.needs or question.operation == "ListObjectsV2":
        return _serialised(question, {name: [] for name in question.lists})
    if question.needs[0].endswith(("List", "Alarms")):
        return _serialised(question, {question.needs[0]: []})
    return _error(question, 404, "ResourceNotFoundException")


def _error(question: Question, status: int, code: str) -> Answer:
    match question.service:
        case "iam":
            body = f"<ErrorResponse><Error><Code>{code}</Code></Error></ErrorResponse>"
            return Answer(status=status, content_type="text/xml", body=body.encode())
        case "s3" | "s3control":
            return s3_error(status, code)
        case _:
            return error(status, code)


def _serialised(question: Question, answer: Mapping[str, Any]) -> Answer:
    model = _model(question.service)
    serializer = get_serializer_class(question.service, model.resolved_protocol)
    sent = _with_documents_as_text(answer) if question.service == "iam" else answer
    told = serializer(model.operation_model(question.operation)).serialize(sent)
    body = told["body"]
    return Answer(
        content_type=told["headers"].get("Content-Type", "application/json"),
        body=body if isinstance(body, bytes) else body.encode(),
    )


def fits_protocol(kind: Kind, answer: Any) -> bool:
    """Whether the service can send this at all: its types are those of the SDK's model."""
    question = next(each for each in ALL if each.kind is kind)
    try:
        _serialised(question, answer)
    except (ValueError, TypeError, AttributeError):
        return False
    return True


def _with_documents_as_text(answer: Any) -> Any:
    """IAM sends policies as quoted JSON, which the SDK makes JSON of again."""
    if isinstance(answer, list):
        return [_with_documents_as_text(each) for each in answer]
    if not isinstance(answer, dict):
        return answer
    return {
        name: quote(json.dumps(value))
        if name.endswith("Document") and isinstance(value, dict)
        else _with_documents_as_text(value)
        for name, value in answer.items()
    }


@cache
def _model(service: str) -> Any:
    return get_service_model(service)


def _listed(answer: Json, asked: Mapping[str, str]) -> Json:
    """The part of a bucket that one listing shows."""
    prefix, delimiter = asked.get("prefix", ""), asked.get("delimiter", "")
    contents: list[Json] = []
    folders: dict[str, None] = {}
    for item in answer.get("Contents", ()):
        key = str(item["Key"])
        folder, found, _ = key.removeprefix(prefix).partition(delimiter)
        if not key.startswith(prefix):
            continue
        if delimiter and found:
            folders[f"{prefix}{folder}{delimiter}"] = None
        else:
            contents.append(item)
    common = [{"Prefix": folder} for folder in folders]
    return {**answer, "Prefix": prefix, "Contents": contents, "CommonPrefixes": common}
