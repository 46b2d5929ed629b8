"""Asks Blob storage for the blobs of a cluster's audit records, and for the end of the newest.

Names are listed without walking folders: a page of 5,000 blobs is 208 days, where each folder of a
day would be a request of its own, and folders may be empty. No blob is read but the newest.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from kcompliance.collect.azure.cloud import Cloud
from kcompliance.collect.azure.connection import (
    Answer,
    Connection,
    Failed,
    Outcome,
    first_line,
)
from kcompliance.collect.azure.questions import BLOB_ACTION
from kcompliance.collect.azure.redaction import without_secrets
from kcompliance.collect.event_trimming import trim_event
from kcompliance.model.azure.answer import Resource, WrongAnswer, part, text
from kcompliance.model.azure.audit_blobs import hour_of
from kcompliance.model.azure.blob_storage import blobs_of
from kcompliance.model.azure.resource_id import ResourceId
from kcompliance.model.reading import REDACTED, Kind

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

__all__ = ["ask_blobs", "blob_address"]

T = TypeVar("T")
Json = dict[str, Any]

CONNECT_SECONDS, READ_SECONDS = 10, 60
MAX_PAGES: Final = 60
PAGE: Final = 5_000
"""The most that the service lists at once; all pages together are 34 years."""
EACH_HOUR: Final = timedelta(days=32)
"""So far back each hour is kept, of the time before the first hour of each day."""
SAMPLE_BYTES: Final = 1024 * 1024
SAMPLED: Final = 250
_NONE: Final = "ContainerNotFound"
"""Azure makes the container when the first record comes."""
_FIREWALL: Final = "AuthorizationFailure"


def blob_address(cloud: Cloud, account: Resource) -> str | Failed:
    """Where the account's blobs are; a token goes to no host that is not of its cloud and name."""
    name = ResourceId(account.id).name.lower()
    if cloud.blob_storage is not None:
        return f"{cloud.blob_storage}/{name}"
    try:
        told = text(part(account.fields, "primaryEndpoints") or {}, "blob")
    except WrongAnswer as error:
        return Failed(f"the account does not tell where its blobs are: {error}")
    if told is None:
        return Failed("the account does not tell where its blobs are")
    for suffix in cloud.blob_suffixes:
        if re.fullmatch(rf"https://{re.escape(name)}(\.z\d+)?\.{re.escape(suffix)}/?", told):
            return told.rstrip("/")
    return Failed(f"its blobs are said to be at {told[:100]}, which is no address of this cloud")


def ask_blobs(
    connection: Connection, account: Resource, category: str, cluster: str, now: datetime
) -> tuple[tuple[Kind, Outcome], ...]:
    """The blobs of a cluster, and the last events in the newest; never raises."""
    from azure.storage.blob import ContainerClient, ExponentialRetry

    address = blob_address(connection.cloud, account)
    if isinstance(address, Failed):
        return (Kind.AZURE_BLOB_HOURS, address), (Kind.AZURE_BLOB_SAMPLE, address)
    container, _, prefix = blobs_of(category, cluster).partition("/")
    place = f"{account.id}/blobServices/default/containers/{container}"
    with ContainerClient(
        address,
        container,
        credential=connection.credential,
        retry_policy=ExponentialRetry(
            initial_backoff=1, increment_base=2, retry_total=3, random_jitter_range=1
        ),
        connection_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        max_single_get_size=2 * SAMPLE_BYTES,
        permit_redirects=False,  # a token would go along
    ) as client:
        asked = _Asked(client=client, container=container, prefix=prefix, place=place)
        listed = asked.listed()
        if isinstance(listed, Failed):
            return (Kind.AZURE_BLOB_HOURS, listed), (Kind.AZURE_BLOB_SAMPLE, listed)
        told = {"container": container, "prefix": prefix, "blobs": _kept(listed, now)}
        sample = asked.sample(listed[-1] if listed else None)
        return (Kind.AZURE_BLOB_HOURS, _answer(told, [])), (Kind.AZURE_BLOB_SAMPLE, sample)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    client: "ContainerClient"
    container: str
    prefix: str
    place: str

    def listed(self) -> list[Json] | Failed:
        """All blobs that hold something, the oldest first; none where there is no container."""
        found: list[Json] = []
        pages = self.client.list_blobs(
            name_starts_with=self.prefix, results_per_page=PAGE
        ).by_page()
        for _ in range(MAX_PAGES):
            page = self._tried(lambda: next(pages, None))
            if isinstance(page, Failed):
                none = not found and page.reason.startswith(f"404 {_NONE}")
                return [] if none else page
            if page is None:
                return sorted(found, key=lambda blob: str(blob["name"]))
            if getattr(pages, "container", None) != self.container:
                return Failed("the listing is of another container")
            for blob in page:
                name = str(blob.name).removeprefix(self.prefix)
                if hour_of(name) is not None and blob.size:
                    found.append(_blob(name, blob.size, blob.last_modified))
        return Failed(f"the listing has no end after {MAX_PAGES * PAGE:,} blobs")

    def sample(self, newest: Json | None) -> Outcome:
        """The last events of a blob, without their bodies."""
        if newest is None:
            return _answer({"blob": None, "records": []}, [])
        length = min(newest["size"], SAMPLE_BYTES)
        begin = newest["size"] - length
        blob = self.prefix + newest["name"]
        data = self._tried(
            lambda: self.client.download_blob(blob, offset=begin, length=length).readall()
        )
        if isinstance(data, Failed):
            return data
        if len(data) != length:
            return Failed("half an answer: fewer bytes than the blob has")
        records = _records(data, whole=begin == 0)
        if not any(isinstance(record["properties"]["log"], dict) for record in records):
            return Failed(f"no audit event is in the last {length:,} bytes of {newest['name']}")
        done: list[str] = []
        for index, record in enumerate(records):
            if isinstance(log := record["properties"]["log"], dict):
                done += trim_event(log, f"/records/{index}/properties/log")
        return _answer({"blob": newest, "records": records}, done)

    def _tried(self, ask: Callable[[], T]) -> T | Failed:
        from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

        try:
            return ask()
        except HttpResponseError as error:
            if error.status_code:
                return self._refusal(error)
            if isinstance(error, ClientAuthenticationError):
                return Failed(f"no token: {first_line(error)}")
            return Failed(f"half an answer: {type(error).__name__}")
        except (AzureError, OSError) as error:
            return Failed(f"Blob storage did not answer: {first_line(error)}")
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            return Failed(f"half an answer: {type(error).__name__}")  # the SDK could not read it

    def _refusal(self, error: Any) -> Failed:
        status, code = error.status_code, getattr(error, "error_code", None) or ""
        code = getattr(code, "value", code)
        said = f"{status} {code}".strip() + f": {first_line(error)}"
        permission = f"{BLOB_ACTION} on {self.place}"
        if status in (200, 206):
            return Failed(f"half an answer: {type(error).__name__}")
        if code == _FIREWALL:
            reason = "not allowed by the network rules of the account, or by its settings: scan "
            return Failed(f"{reason}from a network that it lets in: {said}", permission=permission)
        if status == 403:
            return Failed(f"not allowed: {said}", permission=permission)
        if status == 401:
            return Failed(f"the token is not taken: {said}")
        return Failed(said)


def _blob(name: str, size: int, modified: datetime) -> Json:
    return {
        "name": name,
        "size": size,
        "modified": f"{modified.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
    }


def _kept(listed: list[Json], now: datetime) -> list[Json]:
    """Each hour of the last month, and of the time before the first of each day."""
    kept: dict[object, Json] = {}
    for blob in listed:
        hour = hour_of(str(blob["name"]))
        if hour is not None:
            kept.setdefault(hour if now - hour < EACH_HOUR else hour.date(), blob)
    return list(kept.values())


def _records(data: bytes, *, whole: bool) -> list[Json]:
    """The last lines; the first is left out where it began before, the last where it goes on."""
    lines = data.split(b"\n")[0 if whole else 1 :]
    if lines and not isinstance(_json(lines[-1]), dict):
        lines.pop()
    return [_record(line) for line in lines if line.strip()][-SAMPLED:]


def _record(line: bytes) -> Json:
    """What is asked about in a record. Its event is JSON in a text, which may be cut off."""
    found = _json(line)
    record = found if isinstance(found, dict) else {}
    within = record.get("properties")
    properties = within if isinstance(within, dict) else {}
    log = properties.get("log")
    event = _json(log.encode("utf-8", "replace")) if isinstance(log, str) else log
    pod, category = properties.get("pod"), record.get("category")
    return {
        "category": category[:80] if isinstance(category, str) else None,
        "properties": {
            "pod": pod[:253] if isinstance(pod, str) else None,
            "log": event if isinstance(event, dict) else REDACTED,
        },
    }


def _json(line: bytes) -> Any:
    try:
        return msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _answer(document: Json, trimmed: list[str]) -> Answer:
    redactions = sorted({*trimmed, *without_secrets(document)})
    content = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return Answer(content, tuple(redactions))
