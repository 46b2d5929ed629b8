"""What Blob storage has of a cluster's audit records: as captures, and as the service says it."""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

from kcompliance.model.azure.audit_blobs import blobs_place
from kcompliance.model.reading import Kind
from tests.azure_rm.documents import CLUSTER, STORAGE, Json
from tests.servers.canned_api import Answer, whole

__all__ = [
    "CONTAINER",
    "PLACE",
    "blob",
    "event",
    "hours",
    "listing",
    "record_lines",
    "refusal",
    "sample",
    "sound",
    "tail",
]

CONTAINER = "insights-logs-kube-audit"
PREFIX = f"resourceId={CLUSTER.upper()}/"
PLACE = blobs_place(STORAGE, CONTAINER, CLUSTER)
SIZE = 65_536


def blob(hour: datetime, size: int = SIZE, modified: datetime | None = None) -> Json:
    """The blob of an hour."""
    last = modified or hour + timedelta(minutes=59)
    name = f"{hour:y=%Y/m=%m/d=%d/h=%H}/m=00/PT1H.json"
    return {"name": name, "size": size, "modified": f"{last:%Y-%m-%dT%H:%M:%SZ}"}


def hours(
    now: datetime,
    count: int,
    *,
    days: int = 0,
    without: Iterable[int] = (),
    modified: datetime | None = None,
) -> Json:
    """Blobs of so many hours back from now, `without` some, and of one hour of each day before."""
    this = now.replace(minute=0, second=0, microsecond=0)
    back = sorted({*range(count), *range(0, days * 24, 24)} - set(without), reverse=True)
    last = modified or now - timedelta(minutes=5)
    blobs = [blob(this - timedelta(hours=ago)) for ago in back]
    if blobs:
        blobs[-1] = blob(this - timedelta(hours=back[-1]), modified=last if not back[-1] else None)
    return {"container": CONTAINER, "prefix": PREFIX, "blobs": blobs}


def event(happened: datetime, number: int = 1, **more: Any) -> Json:
    """An audit event as the API server wrote it; None takes a field away."""
    found = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": f"0a1b2c3d-0000-4000-8000-{number:012}",
        "stage": "ResponseComplete",
        "requestURI": "/api/v1/namespaces/default/pods",
        "verb": "list",
        "user": {"username": "alice", "groups": ["system:authenticated"]},
        "sourceIPs": ["10.0.0.7"],
        "userAgent": "kubectl/v1.33.4",
        "objectRef": {"resource": "pods", "namespace": "default", "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": 200},
        "requestReceivedTimestamp": f"{happened - timedelta(milliseconds=5):%Y-%m-%dT%H:%M:%S.%fZ}",
        "stageTimestamp": f"{happened:%Y-%m-%dT%H:%M:%S.%fZ}",
        "annotations": {"authorization.k8s.io/decision": "allow"},
        **more,
    }
    return {name: value for name, value in found.items() if value is not None}


def sample(newest: Json | None, *events: Json) -> Json:
    """The last events of a blob."""
    pod = "kube-apiserver-68df4876bd-74k6n"
    records = [{"category": "kube-audit", "properties": {"pod": pod, "log": e}} for e in events]
    return {"blob": newest, "records": records}


def sound(now: datetime) -> dict[Kind, Json]:
    """The answers of an account in which nothing lacks."""
    happened = now - timedelta(minutes=6)
    listed = hours(now, 32 * 24, days=200)
    events = (event(happened, number) for number in range(4))
    return {
        Kind.AZURE_BLOB_HOURS: listed,
        Kind.AZURE_BLOB_SAMPLE: sample(listed["blobs"][-1], *events),
    }


# --- as the service says it ----------------------------------------------------------------------


def listing(told: Json, page: int = 5_000) -> Answer:
    """List Blobs, cut into pages that lead to one another."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        query = parse_qs(urlsplit(handler.path).query)
        begin, prefix = int(query.get("marker", ["0"])[0]), query.get("prefix", [""])[0]
        ours = told["blobs"] if str(told["prefix"]).startswith(prefix) else []
        blobs = ours[begin : begin + page]
        after = str(begin + page) if begin + page < len(ours) else ""
        names = "".join(_listed(str(told["prefix"]), each) for each in blobs)
        body = (
            '<?xml version="1.0" encoding="utf-8"?><EnumerationResults '
            f'ServiceEndpoint="https://auditlogs.blob.core.windows.net/" '
            f'ContainerName="{told["container"]}"><Prefix>{escape(prefix)}</Prefix>'
            f"<MaxResults>5000</MaxResults><Blobs>{names}</Blobs>"
            f"<NextMarker>{after}</NextMarker></EnumerationResults>"
        )
        whole(body.encode(), headers={"Content-Type": "application/xml"})(handler)

    return answer


def _listed(prefix: str, item: Json) -> str:
    modified = format_datetime(datetime.fromisoformat(item["modified"]), usegmt=True)
    return (
        f"<Blob><Name>{escape(prefix + item['name'])}</Name><Properties>"
        f"<Last-Modified>{modified}</Last-Modified><Etag>0x8D1</Etag>"
        f"<Content-Length>{item['size']}</Content-Length><BlobType>AppendBlob</BlobType>"
        "<LeaseStatus>unlocked</LeaseStatus></Properties></Blob>"
    )


def record_lines(told: Json) -> bytes:
    """The lines of records; an event is JSON in a text."""
    lines = []
    for record in told["records"]:
        log = record["properties"]["log"]
        text = json.dumps(log) if isinstance(log, dict) else log
        properties = {**record["properties"], "log": f"{text}\n", "stream": "stdout"}
        lines.append(
            json.dumps({**record, "resourceId": CLUSTER.upper(), "properties": properties})
        )
    return "".join(f"{line}\r\n" for line in lines).encode()


def tail(lines: bytes, size: int = SIZE) -> Answer:
    """Get Blob of a range: a blob of this size that ends with these lines."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        content = lines.rjust(size, b"\n")
        asked = handler.headers.get("x-ms-range") or handler.headers.get("Range") or ""
        first, _, last = asked.removeprefix("bytes=").partition("-")
        part = content[int(first) : int(last) + 1]
        whole(
            part,
            206,
            {
                "Content-Type": "application/octet-stream",
                "Content-Range": f"bytes {first}-{int(first) + len(part) - 1}/{len(content)}",
                "Last-Modified": "Sat, 21 Nov 2026 11:55:00 GMT",
                "ETag": '"0x8D1"',
                "x-ms-blob-type": "AppendBlob",
            },
        )(handler)

    return answer


def refusal(status: int, code: str, message: str = "as Azure says it") -> Answer:
    """An error of Blob storage."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{escape(message)}</Message>"
    headers = {"Content-Type": "application/xml", "x-ms-error-code": code}
    return whole(f"{body}</Error>".encode(), status, headers)
