"""Tells operations of AWS apart by what is on the wire, answers some, and hands on the others.

with AwsAnswers(moto.url) as aws:
    aws.answers["logs:DescribeLogGroups"] = [error(400, "ThrottlingException")]

Of several answers each is given once and the last one for ever. As an HTTP proxy it serves names
that do not resolve, too (s3control puts the account into the name).
"""

import http.client
import json
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

__all__ = [
    "Answer",
    "Asked",
    "AwsAnswers",
    "error",
    "json_body",
    "operation_of",
    "s3_error",
    "whole",
    "xml_body",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What goes over the wire; `cut` bytes at the end of the body are kept back."""

    status: int = 200
    content_type: str = "application/json"
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request."""

    operation: str
    region: str
    path: str
    body: bytes


def json_body(document: object, *, cut: int = 0) -> Answer:
    """A JSON answer, as of logs, EKS, CloudTrail, EventBridge, Firehose."""
    return Answer(body=json.dumps(document).encode(), cut=cut)


def xml_body(text: str) -> Answer:
    """An XML answer, as of S3 and IAM."""
    return Answer(content_type="text/xml", body=text.encode())


def error(status: int, code: str, message: str = "no") -> Answer:
    """An error of the services that speak JSON."""
    body = json.dumps({"__type": code, "message": message}).encode()
    return Answer(status=status, body=body, headers={"x-amzn-errortype": code})


def s3_error(status: int, code: str) -> Answer:
    """An error of S3 and of IAM."""
    body = f"<Error><Code>{code}</Code><Message>no</Message></Error>"
    return Answer(status=status, content_type="text/xml", body=body.encode())


def whole(text: bytes, content_type: str = "text/html") -> Answer:
    """Anything, with status 200."""
    return Answer(content_type=content_type, body=text)


class AwsAnswers:
    """Serves on loopback; a context manager. `asked` is every request so far."""

    def __init__(self, upstream: str) -> None:
        self.answers: dict[str, Sequence[Answer]] = {}
        self.asked: list[Asked] = []
        self._upstream = urlsplit(upstream)
        self._given: dict[str, int] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}
        )

    @property
    def url(self) -> str:
        """The address for AWS_ENDPOINT_URL."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def environment(self) -> dict[str, str]:
        """The variables with which the unpatched SDK comes here, for every service."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ENDPOINT_URL_S3_CONTROL": "http://s3-control.test",
            "HTTP_PROXY": self.url,
            "NO_PROXY": "127.0.0.1",
            "AWS_ACCESS_KEY_ID": "tests",
            "AWS_SECRET_ACCESS_KEY": "hunter2-secret",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def operations(self) -> list[str]:
        """What was asked, in order."""
        return [asked.operation for asked in self.asked]

    def next_answer(self, operation: str) -> Answer | None:
        """The answer to give, or None to ask moto."""
        answers = self.answers.get(operation)
        if not answers:
            return None
        number = self._given.get(operation, 0)
        self._given[operation] = number + 1
        return answers[min(number, len(answers) - 1)]

    def from_upstream(self, method: str, path: str, headers: Any, body: bytes) -> Answer:
        """What moto says."""
        connection = http.client.HTTPConnection(
            str(self._upstream.hostname), self._upstream.port, timeout=60
        )
        try:
            kept = {k: v for k, v in headers.items() if k.lower() != "connection"}
            connection.request(method, path, body, kept)
            response = connection.getresponse()
            content = response.read()
            names = {k: v for k, v in response.getheaders() if k.lower().startswith("x-amz")}
            type_ = response.getheader("Content-Type") or "application/json"
            return Answer(status=response.status, content_type=type_, body=content, headers=names)
        finally:
            connection.close()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error_: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


# --- telling operations apart ----------------------------------------------------------------

_SCOPE = re.compile(r"Credential=[^/]+/\d+/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request")
_OF_S3 = {
    "versioning": "GetBucketVersioning",
    "object-lock": "GetObjectLockConfiguration",
    "lifecycle": "GetBucketLifecycleConfiguration",
    "policy": "GetBucketPolicy",
    "publicAccessBlock": "GetPublicAccessBlock",
    "encryption": "GetBucketEncryption",
    "list-type": "ListObjectsV2",
}
_OF_EKS = (
    (re.compile(r"/clusters/[^/]+/updates/[^/]+"), "DescribeUpdate"),
    (re.compile(r"/clusters/[^/]+/updates"), "ListUpdates"),
    (re.compile(r"/clusters/[^/]+"), "DescribeCluster"),
)


def operation_of(path: str, headers: Any, body: bytes) -> tuple[str, str]:
    """What is asked, as `service:Operation`, and in which region."""
    scope = _SCOPE.search(headers.get("Authorization", ""))
    region, service = (scope[1], scope[2]) if scope else ("", "")
    target = headers.get("X-Amz-Target")
    url = urlsplit(path)
    if target:
        service = "cloudwatch" if service == "monitoring" else service
        return f"{service}:{target.rpartition('.')[2]}", region
    if "/operation/" in url.path:
        return f"cloudwatch:{url.path.rpartition('/')[2]}", region
    if service == "eks":
        name = next((name for at, name in _OF_EKS if at.fullmatch(url.path)), "?")
        return f"eks:{name}", region
    if "publicAccessBlock" in url.path:
        return "s3control:GetPublicAccessBlock", region
    if service == "s3":
        query = parse_qs(url.query, keep_blank_values=True)
        return f"s3:{next((_OF_S3[name] for name in query if name in _OF_S3), '?')}", region
    action = parse_qs(body.decode(errors="replace")).get("Action", ["?"])[0]
    return f"{'cloudwatch' if service == 'monitoring' else service}:{action}", region


def _handler(aws: AwsAnswers) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            operation, region = operation_of(self.path, self.headers, body)
            aws.asked.append(Asked(operation=operation, region=region, path=self.path, body=body))
            answer = aws.next_answer(operation)
            if answer is None:
                answer = aws.from_upstream(self.command, self.path, self.headers, body)
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(answer.body)))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body[: len(answer.body) - answer.cut])
            if answer.cut:
                self.close_connection = True

        do_GET = do_POST = do_HEAD = do_PUT = _serve

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    return Handler
