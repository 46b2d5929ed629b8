"""One connection to a cluster for all threads: requests, what to do when one fails, credentials."""

import base64
import ssl
import threading
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import SplitResult, urlsplit

import elastic_transport
import msgspec
import tenacity
import urllib3
from elastic_transport.client_utils import basic_auth_to_header, parse_cloud_id

from kcompliance import __version__
from kcompliance.errors import SourceError, UsageError
from kcompliance.search.faults import TryAgain, WrongAnswer, answered
from kcompliance.search.node import OWN_AUTHORITIES, AnswerTooLarge, BoundedNode
from kcompliance.search.options import ConnectionOptions

__all__ = ["AnswerTooLarge", "Connection", "decoder_of"]

T = TypeVar("T")
_Body = bytes | Callable[[], bytes] | None

FIRST_CONTACT: Final = timedelta(seconds=10)
"""Patience with a server that has never answered: more likely the URL is wrong."""

_FIRST_WAIT, _LONGEST_WAIT = 0.5, 20.0
_LOOPBACK: Final = {"localhost", "127.0.0.1", "::1"}


class Connection:
    """Asks one cluster. Every method may be called by several threads at once."""

    def __init__(self, options: ConnectionOptions) -> None:
        """Nothing is asked yet; UsageError for options that cannot be."""
        headers = _authorization(options)
        urls = [_checked(url, secret=bool(headers), options=options) for url in _urls(options)]
        context = _tls(options) if any(url.scheme == "https" for url in urls) else None
        self.url = f"{urls[0].scheme}://{urls[0].netloc}{urls[0].path.rstrip('/')}"
        self._patience = options.patience
        self._known = False
        self._transport = elastic_transport.Transport(
            [_node(url, headers, context, options) for url in urls],
            node_class=BoundedNode,
            max_retries=0,
            retry_on_status=(),
            meta_header=False,
            serializers={kind.mimetype: kind() for kind in (_Raw, _RawText, _RawLines)},
        )

    def ask(
        self,
        method: str,
        target: str,
        body: _Body = None,
        *,
        about: str,
        permission: str | None = "read",
        lighter: Callable[[], None] | None = None,
        patience: timedelta | None = None,
    ) -> memoryview:
        """The body of the answer, valid until this thread asks again.

        What may pass is tried again, with longer waits each time and the body made anew, after
        `lighter` was called where the server had too much to do. `about` is what the request is
        about, in messages. Raises `SourceError`: `SourceRefused`, `Answered`, `TryAgain`.
        """

        def before_sleep(state: tenacity.RetryCallState) -> None:
            fault = state.outcome.exception() if state.outcome else None
            if lighter is not None and isinstance(fault, TryAgain) and fault.too_much:
                lighter()

        if patience is None:
            patience = self._patience if self._known else min(FIRST_CONTACT, self._patience)
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(self._may_pass),
            wait=_wait,
            stop=tenacity.stop_before_delay(patience),
            before_sleep=before_sleep,
            reraise=True,
        )
        return retrying(self._once, method, target, body, about, permission)

    def json(
        self,
        shape: type[T],
        method: str,
        target: str,
        body: _Body = None,
        *,
        about: str,
        permission: str | None = "read",
    ) -> T:
        """The answer in a shape that holds no view of it."""
        answer = self.ask(method, target, body, about=about, permission=permission)
        try:
            return decoder_of(shape).decode(answer)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise WrongAnswer(
                f"cannot read the answer about {about}: {error}",
                "see whether this is the URL of Elasticsearch or OpenSearch itself",
            ) from error

    def close(self) -> None:
        """End all connections."""
        self._transport.close()

    def _once(
        self, method: str, target: str, body: _Body, about: str, permission: str | None
    ) -> memoryview:
        headers = {"accept": "application/json"}
        if body is not None:
            headers["content-type"] = "application/json"
        try:
            answer = self._transport.perform_request(
                method, target, body=body() if callable(body) else body, headers=headers
            )
        except elastic_transport.TransportError as error:
            raise _no_answer(error, self.url, about) from error
        meta, data = answer
        self._known = True
        if meta.status not in {200, 201}:
            after = _retry_after(meta.headers.get("retry-after"))
            raise answered(meta.status, data, about, permission, after)
        return memoryview(data)

    def _may_pass(self, error: BaseException) -> bool:
        return isinstance(error, TryAgain) and (self._known or error.first_contact)


_shaping = threading.Lock()
_new_decoder: Callable[[Any], Any] = cache(msgspec.json.Decoder)


def decoder_of(shape: type[T]) -> msgspec.json.Decoder[T]:
    """One of a shape, made by one thread at a time.

    The process dies where two threads let msgspec (0.22) look at the same new Struct at once.
    """
    with _shaping:
        decoder: msgspec.json.Decoder[T] = _new_decoder(shape)
        return decoder


class _Raw(elastic_transport.JsonSerializer):
    """Bytes both ways: what reads the answer knows its shape."""

    def loads(self, data: bytes) -> bytes:
        return data


class _RawText(_Raw):
    mimetype = "text/*"


class _RawLines(_Raw):
    mimetype = "application/x-ndjson"


# --- when nothing comes of it --------------------------------------------------------------------


def _wait(state: tenacity.RetryCallState) -> float:
    """Full jitter, longer each time; where the server says how long, at least that."""
    fault = state.outcome.exception() if state.outcome else None
    told = fault.after if isinstance(fault, TryAgain) else None
    return (told or 0.0) + _jitter(state)


_jitter = tenacity.wait_random_exponential(multiplier=_FIRST_WAIT, max=_LONGEST_WAIT)


def _retry_after(value: str | None) -> float | None:
    if value is None:
        return None
    try:
        return max(0.0, urllib3.Retry().parse_retry_after(value))
    except (urllib3.exceptions.InvalidHeader, OverflowError):
        return None


def _no_answer(error: elastic_transport.TransportError, url: str, about: str) -> SourceError:
    cause = error.__cause__ or error  # the transport empties `errors`
    if isinstance(error, elastic_transport.SerializationError):
        return WrongAnswer(
            f"{url} answers about {about} with neither JSON nor text",
            "give the URL of the search server itself",
        )
    if isinstance(error, elastic_transport.TlsError):
        return _no_tls(str(cause), url)
    if isinstance(cause, urllib3.exceptions.NameResolutionError):
        return TryAgain(
            f"the name of {url} cannot be resolved", "look at the URL", first_contact=False
        )
    if isinstance(cause, urllib3.exceptions.NewConnectionError):
        why = str(cause).rsplit(": ", 1)[-1]
        return TryAgain(f"nothing answers at {url}: {why}", "look at the URL and the network")
    if isinstance(error, elastic_transport.ConnectionTimeout):
        return TryAgain(f"no answer from {url} in time, about {about}", "try again later")
    return TryAgain(
        f"the connection to {url} broke, about {about}: {type(cause).__name__}",
        "try again; a server that speaks TLS needs https:// in its URL",
    )


def _no_tls(said: str, url: str) -> SourceError:
    if "mismatch" in said or "doesn't match" in said:
        hint = "use a name in the URL that the certificate is made out for"
    elif "CERTIFICATE_VERIFY_FAILED" in said:
        hint = "give the authority that signed the server's certificate with --ca-cert"
    elif "WRONG_VERSION_NUMBER" in said or "RECORD_LAYER_FAILURE" in said:
        hint = "the server seems to speak plain http: look at the URL"
    elif "CERTIFICATE_REQUIRED" in said or "BAD_CERTIFICATE" in said:
        hint = "the server wants a client certificate: give --client-cert and --client-key"
    else:
        return TryAgain(f"TLS with {url} broke", "try again later")
    reason = said.split("] ", 1)[-1].split(" (_ssl.c", 1)[0]
    return SourceError(f"no TLS with {url}: {reason}", hint)


# --- what the options say ------------------------------------------------------------------------


def _urls(options: ConnectionOptions) -> tuple[str, ...]:
    if bool(options.urls) == bool(options.cloud_id):
        raise UsageError("a source needs either URLs or a cloud id", "give one of the two")
    if options.cloud_id is None:
        return options.urls
    try:
        address = parse_cloud_id(options.cloud_id).es_address
    except ValueError:
        address = None
    if address is None:
        raise UsageError("the cloud id is not one", "copy it from the console of Elastic Cloud")
    host, port = address
    return (f"https://{host}:{port}",)


def _checked(url: str, *, secret: bool, options: ConnectionOptions) -> SplitResult:
    hint = "https://HOST[:PORT][/PATH]"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError("not the URL of a search server", hint) from error
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise UsageError(
            "the URL of a search server holds nothing but its place",
            "give credentials by their own options or variables",
        )
    if parts.scheme not in {"http", "https"} or not host or port == 0:
        raise UsageError(f'not the URL of a search server: "{url}"', hint)
    if parts.scheme == "http" and secret and not options.insecure and host not in _LOOPBACK:
        raise UsageError(
            f'"{url}" would send the credentials in the clear', "use https, or say --insecure"
        )
    return parts


def _node(
    url: SplitResult,
    headers: dict[str, str],
    context: ssl.SSLContext | None,
    options: ConnectionOptions,
) -> elastic_transport.NodeConfig:
    tls = url.scheme == "https"
    return elastic_transport.NodeConfig(
        scheme=url.scheme,
        host=url.hostname or "",
        port=url.port or (443 if tls else 80),
        path_prefix=url.path.rstrip("/"),
        headers={"user-agent": f"kcompliance/{__version__}", **headers},
        connections_per_node=options.connections,
        request_timeout=options.request_timeout.total_seconds(),
        http_compress=options.compress,
        verify_certs=not options.insecure,
        ssl_context=context if tls else None,
        ssl_show_warn=False,
        _extras={OWN_AUTHORITIES: options.ca_cert is not None},
    )


def _authorization(options: ConnectionOptions) -> dict[str, str]:
    ways = [
        name
        for name, value in (
            ("an API key", options.api_key),
            ("a user name", options.username),
            ("a bearer token", options.bearer),
        )
        if value is not None
    ]
    if len(ways) > 1:
        raise UsageError(f"{' and '.join(ways)} cannot be used together", "give one of them")
    if (options.username is None) != (options.password is None):
        raise UsageError("a user's name and password belong together", "give both")
    for value in (options.api_key, options.bearer):
        if value is not None and not (value.isascii() and value.isprintable() and value):
            raise UsageError("a credential holds characters that no header can", "copy it again")
    if options.api_key is not None:
        key = options.api_key
        encoded = base64.b64encode(key.encode()).decode() if ":" in key else key
        return {"authorization": f"ApiKey {encoded}"}
    if options.bearer is not None:
        return {"authorization": f"Bearer {options.bearer}"}
    if options.username is not None and options.password is not None:
        return {"authorization": basic_auth_to_header((options.username, options.password))}
    return {}


def _tls(options: ConnectionOptions) -> ssl.SSLContext:
    """Whom to trust: the given authorities alone, or those of the system (and of certifi)."""
    try:
        context = ssl.create_default_context(cafile=options.ca_cert)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(
            f'no certificate of an authority can be read from "{options.ca_cert}"',
            "give a PEM file with --ca-cert",
        ) from error
    if options.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if options.client_cert is not None:
        _present(context, options.client_cert, options.client_key)
    return context


def _present(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    try:
        # An empty passphrase, or OpenSSL would ask for one at the terminal.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except (OSError, ValueError, ssl.SSLError) as error:
        raise UsageError(
            f'the client certificate "{certificate}" and its key cannot be used',
            "give --client-cert and --client-key as PEM, the key without a passphrase",
        ) from error
