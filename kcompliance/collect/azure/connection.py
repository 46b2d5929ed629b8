"""Asks Azure one thing at a time through azure-core's own pipeline: bounded, and never raising.

Retries, Retry-After, tokens and their renewal are the SDK's. What it would do without end is
bounded here: how long it waits, and how large an answer may be.
"""

import json
import logging
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

import msgspec

from kcompliance import __version__
from kcompliance.collect.azure.cloud import Cloud
from kcompliance.collect.azure.redaction import without_secrets
from kcompliance.model.azure.estate import OTHER_TENANT

if TYPE_CHECKING:
    from azure.core.pipeline import PipelineResponse
    from azure.core.rest import HttpRequest, HttpResponse
    from azure.identity import DefaultAzureCredential
    from azure.mgmt.core import ARMPipelineClient

__all__ = ["Answer", "Connection", "Failed", "NotThere", "Outcome", "first_line", "open_connection"]

CONNECT_SECONDS, READ_SECONDS, ANSWER_SECONDS = 10, 60, 120
QUERY_SECONDS = 120
"""So long may a query of Log Analytics take; Azure's own bounds are three and ten minutes."""
LONGEST_WAIT_SECONDS = 60
"""Of one Retry-After; who is told to wait for longer gives up."""
MAX_BYTES = 64 * 1024 * 1024
MAX_PAGES = 1_000
MOST_OVERLOADED = 2
"""Questions in a row that end with 429 after all retries, or queries that take too long."""

_ELSEWHERE: Final = frozenset({"SubscriptionNotFound", "InvalidAuthenticationTokenTenant"})
"""What ARM says of a subscription that is another tenant's, or not there at all."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What Azure said, without secrets; `redactions` are JSON pointers."""

    content: bytes
    redactions: tuple[str, ...] = ()

    @property
    def document(self) -> Any:
        """The JSON of it."""
        return msgspec.json.decode(self.content)


@dataclass(frozen=True, slots=True)
class NotThere:
    """Azure has no such thing; `code` is its own word for that."""

    reason: str
    code: str


@dataclass(frozen=True, slots=True)
class Failed:
    """No answer that could be used; `hopeless`: to ask anything more would end the same."""

    reason: str
    permission: str | None = None
    hopeless: bool = False
    overloaded: bool = False


Outcome = Answer | NotThere | Failed


@dataclass(slots=True)
class Connection:
    """The doors of one cloud, with one identity."""

    cloud: Cloud
    _manager: "ARMPipelineClient[HttpRequest, HttpResponse]"
    _analytics: "ARMPipelineClient[HttpRequest, HttpResponse]"
    _credential: "DefaultAzureCredential"
    _down: dict[str, Failed] = field(default_factory=dict)
    _overloaded: dict[str, int] = field(default_factory=dict)

    def get(self, path: str, version: str, permission: str, query: str = "") -> Outcome:
        """One resource of Resource Manager, or one list with all of its pages."""
        found = self.documents(path, version, permission, query)
        return found if isinstance(found, NotThere | Failed) else _answer(found)

    def documents(
        self, path: str, version: str, permission: str, query: str = ""
    ) -> dict[str, Any] | NotThere | Failed:
        """The same as it came, with what may be secret: not to be kept."""
        from azure.core.rest import HttpRequest

        url = f"{self.cloud.resource_manager}{quote(path, safe='/().')}?api-version={version}"
        url += f"&{query}" if query else ""
        answer = self._send(self._manager, HttpRequest("GET", url), permission)
        return self._whole(answer, permission) if isinstance(answer, bytes) else answer

    def query(
        self,
        workspace: str,
        kql: str,
        permission: str,
        trim: Callable[[dict[str, Any]], list[str]] = lambda document: [],
    ) -> Outcome:
        """What a query of a workspace of Log Analytics answers; `workspace` is its customer id.

        `trim` overwrites in place what is not kept, and tells where that was.
        """
        from azure.core.rest import HttpRequest

        url = f"{self.cloud.log_analytics}/v1/workspaces/{quote(workspace, safe='')}/query"
        headers = {"Prefer": f"wait={QUERY_SECONDS}"}
        request = HttpRequest("POST", url, json={"query": kql}, headers=headers)
        answer = self._send(self._analytics, request, permission, of=workspace)
        if not isinstance(answer, bytes):
            return answer
        document = _decoded(answer)
        if not isinstance(document, dict) or not isinstance(document.get("tables"), list):
            return Failed("half an answer, or no JSON")
        if document.get("error"):
            return Failed("Log Analytics answered a part of the query only")
        return _answer(document, trim(document))

    @property
    def credential(self) -> "DefaultAzureCredential":
        """The identity, for what the SDK of a service asks."""
        return self._credential

    def close(self) -> None:
        """Give the sockets back."""
        self._manager.close()
        self._analytics.close()
        self._credential.close()

    # --- pages -----------------------------------------------------------------------------------

    def _whole(self, first: bytes, permission: str) -> dict[str, Any] | Failed:
        """The answer; of a list all of its pages, as one."""
        document = _decoded(first)
        if not isinstance(document, dict):
            return Failed("half an answer, or no JSON")
        if "value" not in document:
            return document
        items: list[Any] = []
        seen: set[str] = set()
        size = len(first)
        while True:
            value = document.get("value") if isinstance(document, dict) else None
            if not isinstance(value, list):
                return Failed("a page of the list is half an answer, or no JSON")
            items += value
            link = document.get("nextLink")
            if not link:
                return {"value": items}
            if not isinstance(link, str) or link in seen or len(seen) >= MAX_PAGES:
                return Failed("the list has no end: its pages lead back to one another")
            if not self._ours(link):
                return Failed("a page of the list leads to another server, which is not asked")
            seen.add(link)
            page = self._page(link, permission)
            if not isinstance(page, bytes):
                return page
            size += len(page)
            if size > MAX_BYTES:
                return Failed(f"the list is larger than {MAX_BYTES // 1024 // 1024} MiB")
            document = _decoded(page)

    def _page(self, link: str, permission: str) -> bytes | Failed:
        from azure.core.rest import HttpRequest

        page = self._send(self._manager, HttpRequest("GET", link), permission)
        if isinstance(page, NotThere):
            return Failed(f"a page of the list is gone: {page.reason}")
        if isinstance(page, Failed):
            return replace(page, reason=f"a page of the list: {page.reason}")
        return page

    def _ours(self, link: str) -> bool:
        """A token goes along with it."""
        theirs, ours = urlsplit(link), urlsplit(self.cloud.resource_manager)
        return (theirs.scheme, theirs.netloc) == (ours.scheme, ours.netloc)

    # --- one request -----------------------------------------------------------------------------

    def _send(
        self,
        client: "ARMPipelineClient[HttpRequest, HttpResponse]",
        request: "HttpRequest",
        permission: str,
        of: str = "",
    ) -> bytes | NotThere | Failed:
        """`of`: what is overloaded by itself, such as one workspace among others."""
        host = urlsplit(request.url).netloc
        place = f"{host} {of}"
        for down in (host, place):
            if down in self._down:
                return self._down[down]
        outcome = _asked(client, request, permission)
        if isinstance(outcome, Failed) and outcome.hopeless:
            self._down[host] = outcome
        if not (isinstance(outcome, Failed) and outcome.overloaded):
            self._overloaded.pop(place, None)
            return outcome
        self._overloaded[place] = self._overloaded.get(place, 0) + 1
        if self._overloaded[place] >= MOST_OVERLOADED:
            self._down[place] = Failed(f"not asked, as those before it failed: {outcome.reason}")
        return outcome


def open_connection(cloud: Cloud) -> Connection | str:
    """A connection with the identity that DefaultAzureCredential finds, or why there is none.

    Nothing is sent yet.
    """
    from azure.identity import DefaultAzureCredential

    logging.getLogger("azure").addHandler(logging.NullHandler())  # what fails is told by captures
    try:
        credential = DefaultAzureCredential(
            authority=cloud.authority, disable_instance_discovery=not cloud.well_known or None
        )
    except ValueError as error:
        return f"no usable credentials: {first_line(error)}"
    return Connection(
        cloud,
        _client(cloud.resource_manager, credential, cloud.audience),
        _client(cloud.log_analytics, credential, cloud.log_analytics_audience),
        credential,
    )


def _client(
    url: str, credential: Any, audience: str
) -> "ARMPipelineClient[HttpRequest, HttpResponse]":
    from azure.core.pipeline.policies import HeadersPolicy, RetryPolicy, UserAgentPolicy
    from azure.mgmt.core import ARMPipelineClient
    from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy

    class BoundedRetries(RetryPolicy):  # type: ignore[type-arg]
        """The SDK's, which would sleep for as long as a server says."""

        def is_retry(
            self, settings: dict[str, Any], response: "PipelineResponse[Any, Any]"
        ) -> bool:
            wait = self.get_retry_after(response)
            if wait is not None and wait > LONGEST_WAIT_SECONDS:
                return False
            if _too_long(response.http_request.method, response.http_response.status_code):
                return False  # it would take as long again
            return super().is_retry(settings, response)

    policies = [
        HeadersPolicy({"Accept": "application/json"}),
        UserAgentPolicy(base_user_agent=f"kcompliance/{__version__}"),
        BoundedRetries(retry_total=4, retry_backoff_max=10, timeout=4 * LONGEST_WAIT_SECONDS),
        ARMChallengeAuthenticationPolicy(credential, f"{audience}/.default"),
    ]
    return ARMPipelineClient(
        url,
        policies=policies,
        connection_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
    )


def _asked(
    client: "ARMPipelineClient[HttpRequest, HttpResponse]", request: "HttpRequest", permission: str
) -> bytes | NotThere | Failed:
    from azure.core.exceptions import (
        AzureError,
        ClientAuthenticationError,
        ServiceRequestError,
        ServiceResponseError,
    )

    try:
        seconds = QUERY_SECONDS + CONNECT_SECONDS if request.method == "POST" else READ_SECONDS
        response = client.send_request(request, stream=True, read_timeout=seconds)
        with response:
            content = _body(response)
    except ClientAuthenticationError as error:
        return Failed(f"no token: {first_line(error)}", hopeless=True)
    except ServiceRequestError as error:
        host = urlsplit(request.url).netloc
        return Failed(f"{host} did not answer: {first_line(error)}", hopeless=True)
    except ServiceResponseError as error:
        late = "Timeout" in type(error.inner_exception).__name__ and request.method == "POST"
        return Failed(f"half an answer: {type(error).__name__}", overloaded=late)
    except (AzureError, OSError, ValueError) as error:
        return Failed(f"half an answer: {type(error).__name__}")
    if content is None:
        return Failed(f"the answer was not complete after {ANSWER_SECONDS} seconds")
    if len(content) > MAX_BYTES:
        return Failed(f"the answer is larger than {MAX_BYTES // 1024 // 1024} MiB")
    if response.status_code == 200:
        return content
    if _too_long(request.method, response.status_code):
        return Failed(f"504: the query took longer than {QUERY_SECONDS} seconds", overloaded=True)
    return _refusal(response.status_code, content, permission)


def _too_long(method: str, status: int) -> bool:
    """What Log Analytics answers after the time that a query may take."""
    return method == "POST" and status == 504


def _body(response: "HttpResponse") -> bytes | None:
    """The body, cut where it is too large; None where it takes too long."""
    deadline = time.monotonic() + ANSWER_SECONDS
    content = bytearray()
    for piece in response.iter_bytes():
        content += piece
        if len(content) > MAX_BYTES:
            break
        if time.monotonic() > deadline:
            return None
    return bytes(content)


def _refusal(status: int, content: bytes, permission: str) -> NotThere | Failed:
    code, message = _error_of(content)
    said = f"{status} {code}".strip() + (f": {message}" if message else "")
    if code in _ELSEWHERE:
        return Failed(f"{OTHER_TENANT}: {said}")
    if status == 404 and code:
        return NotThere(said, code)
    if status == 401:
        return Failed(f"the token is not taken: {said}", hopeless=True)
    if status == 403:
        return Failed(f"not allowed: {said}", permission=permission)
    if status == 429:
        reason = f"throttled, also after the waits that Azure asked for: {said}"
        return Failed(reason, overloaded=True)
    return Failed(f"no usable answer: {said}")


def _error_of(content: bytes) -> tuple[str, str]:
    """Azure's code and message; a page of a proxy has none."""
    document = _decoded(content[:65536])
    error = document.get("error", document) if isinstance(document, dict) else None
    if not isinstance(error, dict):
        return "", ""
    code, message = error.get("code"), error.get("message")
    within = error.get("innererror")
    if isinstance(within, dict) and isinstance(within.get("message"), str) and not message:
        message = within["message"]
    return (
        code[:80] if isinstance(code, str) else "",
        _clean(message) if isinstance(message, str) else "",
    )


def first_line(error: Exception) -> str:
    """What an error of the SDK says, without addresses of objects and parts of URLs."""
    told = getattr(error, "message", None) or str(error)
    lines = [line.strip() for line in str(told).splitlines() if line.strip()]
    aad = next((line for line in lines if "AADSTS" in line), None)
    return _clean(aad or (lines[0] if lines else type(error).__name__))


def _clean(message: str) -> str:
    line = message.split("\r", 1)[0].split("\n", 1)[0]
    line = re.sub(r"<[\w.]+ object at 0x[0-9a-f]+>:?\s*", "", line)
    holder = {"message": line}
    without_secrets(holder)
    return holder["message"][:300]


def _decoded(content: bytes) -> Any:
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _answer(document: dict[str, Any], trimmed: Iterable[str] = ()) -> Answer:
    redactions = sorted({*trimmed, *without_secrets(document)})
    content = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return Answer(content, tuple(redactions))
