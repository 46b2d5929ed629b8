"""Asks AWS one question by boto3: all pages of it, or why there is no answer.

Credentials, profiles, roles to assume, endpoints and proxies are found by the SDK's own rules.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from kcompliance import __version__
from kcompliance.collect.aws.questions import SHARED, Question
from kcompliance.collect.aws.secrets import redact
from kcompliance.model.reading import Kind

__all__ = ["Asker", "Failed", "Got", "Nothing", "Outcome", "SharedAnswers"]

MAX_PAGES: Final = 200
MAX_BYTES: Final = 64 * 1024 * 1024
_TRIES: Final = 4
_CONNECT_SECONDS, _READ_SECONDS = 10, 30
_LONGEST_MESSAGE: Final = 300

_EVERYWHERE: Final = ("iam", "s3control")
"""What these say holds in every region."""
_BAD_CREDENTIALS: Final = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "RequestExpired",
        "InvalidClientTokenId",
        "InvalidAccessKeyId",
        "InvalidToken",
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
    }
)
_DENIED: Final = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "UnauthorizedOperation",
        "AuthorizationError",
        "AllAccessDisabled",
        "Forbidden",
        "403",
    }
)
_THROTTLED: Final = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "SlowDown",
        "RequestThrottled",
        "429",
    }
)


@dataclass(frozen=True, slots=True)
class Got:
    """The whole answer, and its JSON as it is kept."""

    answer: Mapping[str, Any]
    content: bytes
    redactions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Nothing:
    """AWS says that there is no such thing."""

    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """No answer that could be used."""

    reason: str
    permission: str | None = None


Outcome = Got | Nothing | Failed


@dataclass(slots=True)
class SharedAnswers:
    """What clusters of one account and region have in common: asked once, by the same caller.

    One object for a scan of several clusters; only answers of the kinds in `SHARED` are in it.
    """

    _outcomes: dict[tuple[Kind, str, str], Outcome] = field(default_factory=dict)

    def once(
        self,
        question: Question,
        region: str,
        request: Mapping[str, Any],
        ask: Callable[[], Outcome],
    ) -> Outcome:
        """What was answered before, or else is now; what only went wrong is asked again."""
        if question.kind not in SHARED:
            return ask()
        where = "" if question.service in _EVERYWHERE else region
        key = (question.kind, where, json.dumps(request, sort_keys=True))
        outcome = self._outcomes.get(key) or ask()
        if not isinstance(outcome, Failed) or outcome.permission is not None:
            self._outcomes[key] = outcome
        return outcome


@dataclass(slots=True)
class Asker:
    """Asks on behalf of one scan of one cluster; raises nothing for what it meets outside."""

    region: str
    down: str | None = None
    """Why nobody is asked any more: the credentials are not accepted."""
    shared: SharedAnswers = field(default_factory=SharedAnswers)
    _silent: dict[tuple[str, str], str] = field(default_factory=dict)
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict)
    _session: Any = None

    def ask(self, question: Question, *, region: str | None = None, **request: Any) -> Outcome:
        """All pages of the answer; half of them is a failure."""
        where = (question.service, region or self.region)
        return self.shared.once(
            question, where[1], request, lambda: self._asked(question, where, request)
        )

    def _asked(
        self, question: Question, where: tuple[str, str], request: dict[str, Any]
    ) -> Outcome:
        if self.down is not None or where in self._silent:
            return Failed(self.down or self._silent[where])
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        try:
            answer = self._all_pages(self._client(*where), question, request)
        except ClientError as error:
            return self._refused(error, question)
        except BotoCoreError as error:
            return self._unanswered(error, where)
        except ResponseParserError:
            return Failed("the answer could not be read: it is cut off, or not from AWS")
        except ValueError as error:  # an endpoint or a region that is none
            self.down = f"cannot be asked: {_short(error)}"
            return Failed(self.down)
        if question.needs and not any(name in answer for name in question.needs):
            return Failed(f"the answer could not be read: it has no {question.needs[0]}")
        return _kept(question, answer)

    def _client(self, service: str, region: str) -> Any:
        from boto3.session import Session
        from botocore.config import Config

        if self._session is None:
            # A session of its own: the shared one keeps the first credentials it has seen.
            self._session = Session(region_name=self.region)
        if (service, region) not in self._clients:
            config = Config(
                retries={"mode": "standard", "total_max_attempts": _TRIES},
                connect_timeout=_CONNECT_SECONDS,
                read_timeout=_READ_SECONDS,
                user_agent_extra=f"kcompliance/{__version__}",
            )
            self._clients[service, region] = self._session.client(
                service, region_name=region, config=config
            )
        return self._clients[service, region]

    def _all_pages(
        self, client: Any, question: Question, request: dict[str, Any]
    ) -> dict[str, Any]:
        from botocore import xform_name
        from botocore.exceptions import PaginationError

        method = xform_name(question.operation)
        if not (question.lists and client.can_paginate(method)):
            return _plain_answer(getattr(client, method)(**request))
        merged: dict[str, Any] = {}
        for number, page in enumerate(client.get_paginator(method).paginate(**request)):
            if number >= MAX_PAGES:
                raise PaginationError(message=f"more than {MAX_PAGES} pages")
            if not any(name in page for name in question.needs):
                return {}  # a page that is no answer to the question
            for name in question.lists:
                if isinstance(page.get(name), list):
                    merged.setdefault(name, []).extend(page[name])
        return merged

    # --- what goes wrong ---------------------------------------------------------------------

    def _refused(self, error: Any, question: Question) -> Outcome:
        code = str(error.response.get("Error", {}).get("Code", ""))
        message = " ".join(str(error.response.get("Error", {}).get("Message", "")).split())
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        said = f"{code}: {message[:_LONGEST_MESSAGE]}" if message else code
        if code in question.none:
            return Nothing(code)
        if code in _BAD_CREDENTIALS:
            self.down = f"the credentials are not accepted: {code}"
            return Failed(self.down)
        if code in _DENIED or status in (401, 403):
            return Failed(f"not allowed: {code}", permission=question.action)
        if code in _THROTTLED or status == 429:
            return Failed(f"throttled by AWS, also after {_TRIES} tries: {code}")
        return Failed(said or f"{status} from AWS")

    def _unanswered(self, error: Any, where: tuple[str, str]) -> Failed:
        from botocore import exceptions

        credentials = (
            exceptions.NoCredentialsError,
            exceptions.PartialCredentialsError,
            exceptions.CredentialRetrievalError,
            exceptions.ProfileNotFound,
            exceptions.NoAuthTokenError,
            exceptions.TokenRetrievalError,
            exceptions.SSOError,
            exceptions.ConfigParseError,
        )
        if isinstance(error, credentials):
            self.down = (
                f"no credentials: {_short(error)}; set AWS_PROFILE, or give this machine a role"
            )
            return Failed(self.down)
        if isinstance(error, exceptions.HTTPClientError | exceptions.EndpointConnectionError):
            reason = f"no answer from {where[0]} in {where[1]}: {type(error).__name__}"
            self._silent[where] = reason
            return Failed(reason)
        return Failed(f"no usable answer: {_short(error)}")


def _plain_answer(answer: Mapping[str, Any]) -> dict[str, Any]:
    technical = ("ResponseMetadata", "NextToken", "nextToken")
    return {name: value for name, value in answer.items() if name not in technical}


def _kept(question: Question, answer: dict[str, Any]) -> Outcome:
    answer = json.loads(json.dumps(answer, default=_as_text))
    redactions = redact(question.kind, answer)
    content = json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace")
    if len(content) > MAX_BYTES:
        return Failed(f"the answer is larger than {MAX_BYTES // 1024 // 1024} MiB")
    return Got(answer, content, tuple(redactions))


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _short(error: object) -> str:
    return " ".join(str(error).split())[:_LONGEST_MESSAGE]
