"""Opens a client as the kubeconfig says, and asks a server for one path, bounded.

A scan sends GET only. `review` is for reviews of access, which the server answers and never stores.
"""

import os
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import yaml

from kcompliance import __version__

if TYPE_CHECKING:
    from kubernetes.client import ApiClient
    from urllib3.response import BaseHTTPResponse

__all__ = [
    "ANSWER_SECONDS",
    "MAX_BYTES",
    "Answer",
    "Failed",
    "NotThere",
    "Outcome",
    "get",
    "open_client",
    "review",
    "server_of",
]

CONNECT_SECONDS, READ_SECONDS, ANSWER_SECONDS = 10, 30, 60
READ_BYTES = 1024 * 1024
MAX_BYTES = 64 * 1024 * 1024
_USUAL_KUBECONFIG = "~/.kube/config"

_MALFORMED = (OSError, ValueError, TypeError, KeyError, AttributeError)
"""What the client raises for a kubeconfig of another shape than it expects."""


# --- connecting ----------------------------------------------------------------------------------


def open_client(context: str | None) -> "ApiClient | str":
    """A client, or why there is none."""
    import urllib3
    from kubernetes import client, config

    configuration = client.Configuration()
    try:
        try:
            config.load_kube_config(  # type: ignore[no-untyped-call]
                # The client itself looks at the variable once, when it is imported.
                config_file=os.environ.get("KUBECONFIG") or _USUAL_KUBECONFIG,
                context=context,
                client_configuration=configuration,
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
        allowed_methods=("GET", "POST"),  # a review of access stores nothing
        retry_after_max=15,
        raise_on_status=False,
    )
    api = client.ApiClient(configuration)
    api.user_agent = f"kcompliance/{__version__}"
    return api


def _in_cluster() -> bool:
    return "KUBERNETES_SERVICE_HOST" in os.environ


def server_of(api: "ApiClient") -> str:
    """The server's URL without a user name and password, if anyone wrote those into it."""
    return re.sub(r"(?<=://)[^/@]*@", "", api.configuration.host)


# --- asking --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said, or what was kept of it; `redactions` are JSON pointers."""

    content: bytes
    redactions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NotThere:
    """The server has no such thing."""

    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """No answer that could be used; `expired`: the list must be begun anew (410)."""

    reason: str
    permission: str | None = None
    unreachable: bool = False
    expired: bool = False


Outcome = Answer | NotThere | Failed


def get(api: "ApiClient", path: str, permission: str, accept: str = "application/json") -> Outcome:
    """Ask for one path; `permission` is what to grant where the server refuses."""
    return _ask(api, "GET", path, permission, accept)


def review(api: "ApiClient", path: str, permission: str, body: object) -> Outcome:
    """Have a review of access answered, such as `selfsubjectaccessreviews`."""
    return _ask(api, "POST", path, permission, "application/json", body)


def _ask(
    api: "ApiClient", verb: str, path: str, permission: str, accept: str, sent: object = None
) -> Outcome:
    import urllib3
    from kubernetes.client import ApiException

    wanted = {"Accept": accept, **({} if sent is None else {"Content-Type": "application/json"})}
    method, url, headers, body, _fields = api.param_serialize(
        verb, path, header_params=wanted, body=sent, auth_settings=["BearerToken"]
    )
    try:
        response = api.call_api(
            method, url, headers, body, _request_timeout=(CONNECT_SECONDS, READ_SECONDS)
        )
        content = _whole_body(response.response)
    except (urllib3.exceptions.HTTPError, ApiException, OSError) as error:
        garbled = (urllib3.exceptions.ProtocolError, urllib3.exceptions.DecodeError)
        unreachable = not isinstance(error, garbled)
        return Failed(_in_words(error, server_of(api)), unreachable=unreachable)
    if content is None:
        return Failed(f"the answer was not complete after {ANSWER_SECONDS} seconds")
    created = verb == "POST" and response.status == 201
    return _outcome(200 if created else response.status, content, permission)


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


def _outcome(status: int, content: bytes, permission: str) -> Outcome:
    if status == 200 and len(content) <= MAX_BYTES:
        return Answer(content)
    if status == 200:
        return Failed(f"the answer is larger than {MAX_BYTES // 1024 // 1024} MiB")
    said = _message(content)
    if status == 404:
        return NotThere(f"404: the server has no such thing{said}")
    if status == 401:
        return Failed(f"401: the server does not take these credentials{said}")
    if status == 403:
        return Failed(f"403: not allowed{said}", permission=permission)
    return Failed(f"{status} from the server{said}", expired=status == 410)


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
