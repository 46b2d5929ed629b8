"""Reads a cluster through its API server with the official client: GET only, nothing is written.

What is asked, and the permission for it: `/version` (none), pods of kube-system (list), `/metrics`
and `/flagz` (get on these non-resource URLs). From an API server's pods the environment's values
are taken out, from `/metrics` all but the audit counters.
"""

import json
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
import yaml

from kcompliance import __version__
from kcompliance.collect.interface import Progress
from kcompliance.collect.recognise import redact_environment
from kcompliance.model.apiserver import api_servers_in
from kcompliance.model.assemble import read_version
from kcompliance.model.kubernetes_version import KubernetesVersion
from kcompliance.model.reading import Absent, Capture, Kind, Origin, Raw, Unreadable

if TYPE_CHECKING:
    from kubernetes.client import ApiClient
    from urllib3.response import BaseHTTPResponse

__all__ = ["collect_kubernetes"]

CONNECT_SECONDS, READ_SECONDS, ANSWER_SECONDS = 10, 30, 60
READ_BYTES = 1024 * 1024
MAX_BYTES = 64 * 1024 * 1024
FLAGZ_SINCE = KubernetesVersion(1, 36)
PAGE = 100
MAX_PAGES = 100
NAMESPACE = "kube-system"
FLAGZ_JSON = "application/json;v=v1beta1;g=config.k8s.io;as=Flagz"
"""The server answers plain text to any other Accept header, which its makers call unstable."""


def collect_kubernetes(
    context: str | None, name: str, now: datetime, progress: Progress
) -> tuple[Capture, ...]:
    """Everything that the controls ask of a cluster; `context` None is the current one.

    Where the server cannot be reached at all, it is asked once and not once for each reading.
    """
    opened = _open(context)
    if isinstance(opened, str):
        return (_unreadable(Kind.ENDPOINT, name, now, opened),)
    captures: list[Capture] = [_endpoint(opened, name, now)]
    down: str | None = None
    for kind, what, ask in _QUESTIONS:
        resource = f"{name} {what}"
        progress(resource)
        if down is not None:
            captures.append(_unreadable(kind, resource, now, down))
            continue
        no_flagz = _no_flagz_before(captures) if kind is Kind.FLAGZ else None
        answer = no_flagz or ask(opened)
        captures.append(_capture(kind, resource, now, answer))
        if isinstance(answer, _Failed) and answer.unreachable:
            down = answer.reason
    return tuple(captures)


def _no_flagz_before(captures: list[Capture]) -> "_NotThere | None":
    """Before 1.36 there is no JSON `/flagz`, and asking would only meet a misleading 403."""
    for capture in captures:
        if isinstance(capture, Raw) and capture.origin.kind is Kind.VERSION:
            version = read_version(capture.content)
            if version is not None and version < FLAGZ_SINCE:
                return _NotThere(f"not asked: servers have it from {FLAGZ_SINCE} on")
    return None


_MALFORMED = (OSError, ValueError, TypeError, KeyError, AttributeError)
"""What the client raises for a kubeconfig of another shape than it expects."""

# --- connecting ----------------------------------------------------------------------------------


def _open(context: str | None) -> "ApiClient | str":
    """A client, or why there is none."""
    import urllib3
    from kubernetes import client, config

    configuration = client.Configuration()
    try:
        try:
            config.load_kube_config(  # type: ignore[no-untyped-call]
                context=context, client_configuration=configuration
            )
        except config.ConfigException:
            if context is not None or not _in_cluster():
                raise
            config.load_incluster_config(  # type: ignore[no-untyped-call]
                client_configuration=configuration
            )
    except (config.ConfigException, yaml.YAMLError, *_MALFORMED) as error:
        return f"no usable kubeconfig: {str(error).splitlines()[0]}"
    configuration.retries = urllib3.Retry(
        total=3,
        connect=2,
        backoff_factor=0.5,
        backoff_max=5,
        status_forcelist=(429, 500, 502, 503, 504),
        retry_after_max=15,
        raise_on_status=False,
    )
    api = client.ApiClient(configuration)
    api.user_agent = f"kcompliance/{__version__}"
    return api


def _in_cluster() -> bool:
    return "KUBERNETES_SERVICE_HOST" in os.environ


# --- asking --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Answer:
    content: bytes
    redactions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _NotThere:
    reason: str


@dataclass(frozen=True, slots=True)
class _Failed:
    reason: str
    permission: str | None = None
    unreachable: bool = False


_Outcome = _Answer | _NotThere | _Failed


def _get(
    api: "ApiClient", path: str, permission: str, accept: str = "application/json"
) -> _Outcome:
    import urllib3
    from kubernetes.client import ApiException

    method, url, headers, _body, _fields = api.param_serialize(
        "GET", path, header_params={"Accept": accept}, auth_settings=["BearerToken"]
    )
    try:
        response = api.call_api(
            method, url, headers, _request_timeout=(CONNECT_SECONDS, READ_SECONDS)
        )
        content = _whole_body(response.response)
    except (urllib3.exceptions.HTTPError, ApiException, OSError) as error:
        garbled = (urllib3.exceptions.ProtocolError, urllib3.exceptions.DecodeError)
        unreachable = not isinstance(error, garbled)
        return _Failed(_in_words(error, _server(api)), unreachable=unreachable)
    if content is None:
        return _Failed(f"the answer was not complete after {ANSWER_SECONDS} seconds")
    return _outcome(response.status, content, permission)


def _whole_body(response: "BaseHTTPResponse") -> bytes | None:
    """The body, cut where it is too large; None if it takes too long.

    Each read has its own time limit, but a body that drips would never meet that.
    """
    deadline = time.monotonic() + ANSWER_SECONDS
    content = bytearray()
    while len(content) <= MAX_BYTES and (piece := response.read1(READ_BYTES, decode_content=True)):
        content += piece
        if time.monotonic() > deadline:
            response.close()
            return None
    if len(content) > MAX_BYTES:
        response.close()  # not to be used again: the rest is still in it
    response.release_conn()
    return bytes(content)


def _server(api: "ApiClient") -> str:
    """The server's URL without a user name and password, if anyone wrote those into it."""
    return re.sub(r"(?<=://)[^/@]*@", "", api.configuration.host)


def _outcome(status: int, content: bytes, permission: str) -> _Outcome:
    if status == 200 and len(content) <= MAX_BYTES:
        return _Answer(content)
    if status == 200:
        return _Failed(f"the answer is larger than {MAX_BYTES // 1024 // 1024} MiB")
    said = _message(content)
    if status == 404:
        return _NotThere(f"404: the server has no such thing{said}")
    if status == 401:
        return _Failed(f"401: the server does not take these credentials{said}")
    if status == 403:
        return _Failed(f"403: not allowed{said}", permission=permission)
    return _Failed(f"{status} from the server{said}")


def _message(content: bytes) -> str:
    """What the server's Status object says, shortened."""
    try:
        status = msgspec.json.decode(content[:65536])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    message = status.get("message") if isinstance(status, dict) else None
    return f": {message[:300]}" if isinstance(message, str) else ""


def _in_words(error: Exception, host: str) -> str:
    """The cause at the bottom of urllib3's nested errors, without object addresses."""
    cause: BaseException = error
    while (below := getattr(cause, "reason", None)) and isinstance(below, BaseException):
        cause = below
    text = str(getattr(cause, "reason", None) or cause)
    text = text.rsplit("object at 0x", 1)[-1]
    text = text.split(": ", 1)[-1] if "HTTPSConnection" in str(cause) else text
    return f"{host} did not answer: {text[:300]}"


# --- what is asked -------------------------------------------------------------------------------


def _version(api: "ApiClient") -> _Outcome:
    return _get(api, "/version", "get on the non-resource URL /version")


def _metrics(api: "ApiClient") -> _Outcome:
    permission = "get on the non-resource URL /metrics"
    answer = _get(api, "/metrics", permission, accept="text/plain")
    if not isinstance(answer, _Answer):
        return answer
    lines = answer.content.splitlines(keepends=True)
    return _Answer(b"".join(line for line in lines if b"apiserver_audit_" in line))


def _flagz(api: "ApiClient") -> _Outcome:
    permission = "get on the non-resource URL /flagz"
    answer = _get(api, "/flagz", permission, accept=FLAGZ_JSON)
    if isinstance(answer, _Failed) and answer.reason.startswith("406"):
        return _NotThere("406: the server has /flagz only as text, whose form is not stable")
    return answer


def _pods(api: "ApiClient") -> _Outcome:
    """The pods that run kube-apiserver, as one v1 List. Half a list is no list."""
    permission = f"list on pods in the namespace {NAMESPACE}"
    path = f"/api/v1/namespaces/{NAMESPACE}/pods"
    items: list[Mapping[str, Any]] = []
    token = ""
    for _ in range(MAX_PAGES):
        answer = _get(api, f"{path}?limit={PAGE}{token}", permission)
        if not isinstance(answer, _Answer):
            return answer
        page = _page(answer.content)
        if page is None:
            return _Failed("the list of pods was cut off or is not JSON")
        items += page[0]
        if not page[1]:
            return _pod_list(items)
        token = f"&continue={page[1]}"
    return _Failed(f"the list of pods has more than {MAX_PAGES} pages")


def _page(content: bytes) -> tuple[list[Mapping[str, Any]], str] | None:

    try:
        answer = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    items = answer.get("items") if isinstance(answer, dict) else None
    if not isinstance(items, list):
        return None
    metadata = answer.get("metadata")
    token = metadata.get("continue") if isinstance(metadata, dict) else None
    pods: list[Mapping[str, Any]] = [
        {**item, "kind": "Pod", "apiVersion": "v1"} for item in items if isinstance(item, dict)
    ]
    return pods, quote(token) if isinstance(token, str) else ""


def _pod_list(items: list[Mapping[str, Any]]) -> _Answer:
    kept = {"apiVersion": "v1", "kind": "List", "items": [i for i in items if _runs_it(i)]}
    redactions = redact_environment(kept, "")
    return _Answer(json.dumps(kept, ensure_ascii=False).encode(), tuple(redactions))


def _runs_it(pod: Mapping[str, Any]) -> bool:
    found = api_servers_in(pod)
    return bool(found.servers or found.problems)


_QUESTIONS: tuple[tuple[Kind, str, "Callable[[ApiClient], _Outcome]"], ...] = (
    (Kind.VERSION, "/version", _version),
    (Kind.API_SERVER_PODS, f"pods in {NAMESPACE}", _pods),
    (Kind.FLAGZ, "/flagz", _flagz),
    (Kind.METRICS, "/metrics", _metrics),
)


# --- captures ------------------------------------------------------------------------------------


def _endpoint(api: "ApiClient", name: str, now: datetime) -> Raw:
    content = json.dumps({"server": _server(api)}).encode()
    return Raw(origin=_origin(Kind.ENDPOINT, f"{name} endpoint", now), content=content)


def _capture(kind: Kind, resource: str, now: datetime, answer: _Outcome) -> Capture:
    origin = _origin(kind, resource, now)
    match answer:
        case _Answer(content=content, redactions=redactions):
            return Raw(origin=origin, content=content, redactions=redactions)
        case _NotThere(reason=reason) if kind is Kind.FLAGZ:
            return Absent(origin=origin, reason=reason)
        case _NotThere(reason=reason):
            return Unreadable(origin=origin, reason=reason)
        case _Failed(reason=reason, permission=permission):
            return Unreadable(origin=origin, reason=reason, permission=permission)


def _unreadable(kind: Kind, resource: str, now: datetime, reason: str) -> Unreadable:
    return Unreadable(origin=_origin(kind, resource, now), reason=reason)


def _origin(kind: Kind, resource: str, now: datetime) -> Origin:
    return Origin(kind=kind, resource=resource, collector="kubernetes", collected_at=now)
