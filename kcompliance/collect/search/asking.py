"""Asks a search server one question at a time; whatever comes of it is one capture.

What a server does not have it answers with 400, 404 or 405 (measured: Elasticsearch 9 and
OpenSearch 3 answer 400 and 405 for routes that they do not know), a serverless one with 410, a
plugin with 501 where it is not set up for it. That is an `Absent`. 401 and 403 mean that one may
not look, which is an `Unreadable`; the two never mix.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from kcompliance.errors import SourceError, SourceRefused, UsageError
from kcompliance.model.reading import Absent, Capture, Origin, Raw, Unreadable
from kcompliance.model.search.questions import Question, Store
from kcompliance.search.connection import Connection
from kcompliance.search.faults import Answered, TryAgain

__all__ = ["COLLECTOR", "Asking", "Json", "Trimmed", "connected"]

COLLECTOR: Final = "elasticsearch"
_LARGEST: Final = 64 * 1024 * 1024
_NO_SUCH_FEATURE: Final = {400, 404, 405, 410, 501}
_AFTER_A_FAILURE: Final = timedelta(seconds=2)

Json = dict[str, Any]
Trimmed = Callable[[Json], list[str]]
"""Takes out of an answer, in place, what is not to be kept; gives JSON pointers of secrets."""


class Asking:
    """The questions of one store. Once the server did not answer, it is waited for no longer."""

    def __init__(
        self, connection: Connection, store: Store, now: datetime, patience: timedelta
    ) -> None:
        self._connection = connection
        self._patience = patience
        self.now = now
        self.store = store

    def ask(
        self,
        question: Question,
        trim: Trimmed | None = None,
        *,
        path: str | None = None,
        body: Json | None = None,
    ) -> Capture:
        """What comes of a question; with `body` a search. `path` where it is another one."""
        try:
            data = self._fetch(question, path, body)
            answer = _object(data)
        except SourceError as error:
            return self.failed(question, error)
        if trim is None:
            return Raw(origin=self.origin(question), content=data)
        return self.raw(question, answer, trim(answer))

    def answer(
        self, question: Question, *, path: str | None = None, body: Json | None = None
    ) -> Json:
        """The JSON object that answers. Raises SourceError."""
        return _object(self._fetch(question, path, body))

    def _fetch(self, question: Question, path: str | None, body: Json | None) -> bytes:
        asked = self.store.asked(question)
        if path is None:
            path = self.store.path(question)
            path += f"?{question.query}" if question.query else ""
        try:
            data = self._connection.ask(
                "GET" if body is None else "POST",
                path,
                None if body is None else json.dumps(body).encode(),
                about=asked.removeprefix(self.store.url),
                permission=question.permission,
                patience=self._patience,
            )
        except TryAgain:
            self._patience = min(self._patience, _AFTER_A_FAILURE)
            raise
        if len(data) > _LARGEST:
            raise SourceError(f"the answer is larger than {_LARGEST // 1024 // 1024} MiB")
        return bytes(data)

    def raw(self, question: Question, answer: Json, redactions: list[str]) -> Raw:
        """An answer as it is kept."""
        content = json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace")
        return Raw(origin=self.origin(question), content=content, redactions=tuple(redactions))

    def failed(self, question: Question, error: SourceError) -> Absent | Unreadable:
        """What is said of a question that came to nothing."""
        origin = self.origin(question)
        if isinstance(error, Answered) and error.status in _NO_SUCH_FEATURE:
            if error.no_such_index and error.status == 404:
                shown = ",".join(self.store.patterns)
                reason = f'no index, data stream or alias matches "{shown}"'
                if question.everywhere:
                    return Unreadable(origin=origin, reason=reason)
                return Absent(origin=origin, reason=reason)
            if not question.everywhere:
                what = "nothing of the kind" if error.status == 404 else "no such feature"
                return Absent(origin=origin, reason=f"this server has {what}: {error.status}")
        if isinstance(error, SourceRefused):
            return Unreadable(origin=origin, reason=error.message, permission=error.permission)
        return Unreadable(origin=origin, reason=error.message)

    def origin(self, question: Question) -> Origin:
        """Of the capture of a question."""
        return Origin(
            kind=question.kind,
            resource=self.store.asked(question),
            collector=COLLECTOR,
            collected_at=self.now,
        )


@contextmanager
def connected(options: Any) -> Iterator[Connection]:
    """A connection that is closed in the end. Raises SourceError, also for wrong options."""
    try:
        connection = Connection(options)
    except UsageError as error:
        hint = f": {error.hint}" if error.hint else ""
        raise SourceError(f"{error.message}{hint}") from error
    try:
        yield connection
    finally:
        connection.close()


def _object(data: bytes) -> Json:
    try:
        found = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SourceError(f"the answer cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise SourceError("the answer is no JSON object")
    return found
