"""A store in an S3 bucket, of AWS or of a compatible server.

An object is one PutObject with `If-None-Match: *` and the SHA-256 of the whole, which the server
checks. Each carries a random token of the call that put it: where an answer was lost and the
repeated request is told that the key is taken, the token says whether by ourselves.

Permissions: s3:ListBucket, s3:GetObject; to write s3:PutObject; for locks s3:PutObjectRetention,
s3:PutObjectLegalHold, s3:GetObjectRetention, s3:GetObjectLegalHold; to see what the bucket does
s3:GetBucketVersioning, s3:GetBucketObjectLockConfiguration, s3:GetEncryptionConfiguration; for
versions s3:ListBucketVersions, s3:GetObjectVersion, s3:DeleteObjectVersion.
"""

import base64
import hashlib
import secrets
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, BinaryIO, Final

import boto3.session
from botocore.config import Config

from kcompliance.errors import UsageError
from kcompliance.model.digest import Sha256, parse_sha256
from kcompliance.stores.content import checked_content, opened
from kcompliance.stores.interface import (
    AlreadyThere,
    Capabilities,
    Damaged,
    Entry,
    Head,
    Lock,
    Locked,
    LockMode,
    NotThere,
    Source,
    Store,
    Stored,
    StoreError,
    Unknown,
    Unreachable,
    Unsupported,
)
from kcompliance.stores.keys import checked_foreign, checked_key, checked_prefix
from kcompliance.stores.options import StoreOptions, wanted_lock
from kcompliance.stores.retrying import pause
from kcompliance.stores.s3_bucket import MODES, NO_LOCK, encryption_of, locks_of, versions_of
from kcompliance.stores.s3_faults import code_of, faults
from kcompliance.stores.s3_reading import SHA256_NAME, Reading

__all__ = ["S3Store"]

_TOKEN: Final = "kcompliance-put"  # noqa: S105 - the name of a mark, not a password
_CONNECTIONS: Final = 32
_CONFLICTS: Final = 6
"""How often a put is tried again that met another one which was not finished."""


class S3Store(Store):
    """The objects of a bucket whose keys begin with `prefix`, which is empty or ends with `/`."""

    def __init__(self, bucket: str, prefix: str, options: StoreOptions) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._options = options
        self._has_locks: bool | Unknown | None = None
        with faults(self.url, None):
            self._client = _client(options)

    @property
    def url(self) -> str:
        """See `Store`."""
        return f"s3://{self._bucket}/{self._prefix}".removesuffix("/")

    # --- objects -----------------------------------------------------------------------------

    def put_if_absent(
        self,
        key: str,
        source: Source,
        sha256: Sha256,
        *,
        retain_until: datetime | None = None,
        legal_hold: bool = False,
    ) -> Stored:
        """See `Store`."""
        checked_key(key)
        hold = legal_hold or self._options.legal_hold
        lock = wanted_lock(self._options.lock_mode, retain_until, hold=hold)
        # Not left to the put: versitygw 1.8.0 refuses one with a date, but keeps the object.
        if lock != Lock() and self._bucket_has_locks() is False:
            raise self._no_locks(f"{key} was not stored")
        token = secrets.token_hex(16)
        request = {
            **self._object(key, None),
            "ContentType": "application/octet-stream",
            "IfNoneMatch": "*",
            "ChecksumSHA256": base64.b64encode(bytes.fromhex(sha256)).decode(),
            "Metadata": {_TOKEN: token, SHA256_NAME: sha256},
            **_lock_request(lock),
            **self._encryption_request(),
        }
        with opened(source) as file:
            size = checked_content(file, sha256, key)
            version = self._create(key, file, request, token)
        self._must_be_as_asked(key, version, lock)
        return Stored(version_id=version, size=size)

    def get(
        self, key: str, *, start: int = 0, end: int | None = None, version: str | None = None
    ) -> bytes:
        """See `Store`."""
        if start == 0 and end is None:
            return b"".join(self.read(key, version=version))
        if end is not None and end <= start:
            self._head(key, version)
            return b""
        return b"".join(self._reading(key, version, start, end))

    def read(self, key: str, *, version: str | None = None) -> Iterator[bytes]:
        """See `Store`."""
        digest = hashlib.sha256()
        reading = self._reading(key, version, 0, None)
        for piece in reading:
            digest.update(piece)
            yield piece
        if reading.sha256 not in {None, digest.hexdigest()}:
            raise Damaged(
                f"{key} in {self.url} is damaged: its sha256 is {digest.hexdigest()}, "
                f"but {reading.sha256} was put"
            )

    def head(self, key: str, *, version: str | None = None) -> Head:
        """See `Store`."""
        answer = self._head(key, version)
        return Head(
            size=answer["ContentLength"],
            sha256=_sha256_of(answer),
            version_id=_version(answer),
            modified=answer["LastModified"].astimezone(UTC),
            lock=self._lock_of(answer, key, _version(answer)),
        )

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """See `Store`."""
        for page in self._pages("list_objects_v2", prefix, "s3:ListBucket"):
            for each in page.get("Contents", ()):
                yield self._entry(each)

    def list_versions(self, prefix: str = "") -> Iterator[Entry]:
        """See `Store`."""
        last = None
        for page in self._pages("list_object_versions", prefix, "s3:ListBucketVersions"):
            for entry in self._versions_of(page):
                # versitygw 1.8.0 says the last one of a page again on the next one.
                if (entry.key, entry.version_id) != last:
                    yield entry
                last = (entry.key, entry.version_id)

    def delete(self, key: str, version: str | None) -> None:
        """See `Store`."""
        where = self._object(checked_key(key), version or "null")
        try:
            with faults(f"{key} in {self.url}", "s3:DeleteObjectVersion"):
                self._client.delete_object(**where)
        except NotThere as error:
            if code_of(error.__cause__) == "NoSuchBucket":
                raise
        except StoreError as error:
            if _speaks_of_a_lock(error.__cause__) or self._is_locked(key, version):
                raise Locked(f"{key} in {self.url} is locked and cannot be deleted") from error
            raise

    def retain(self, key: str, version: str | None, until: datetime) -> Lock:
        """See `Store`."""
        head = self.head(checked_key(key), version=version)
        if head.lock is None:
            raise self._no_locks(f"{key} cannot be locked")
        wanted = head.lock.joined(wanted_lock(self._options.lock_mode, until, hold=False))
        if wanted != head.lock:
            with faults(f"the lock of {key} in {self.url}", "s3:PutObjectRetention"):
                self._client.put_object_retention(
                    **self._object(key, head.version_id),
                    Retention={"Mode": _name(wanted.mode), "RetainUntilDate": wanted.until},
                )
            self._must_be_as_asked(key, head.version_id, wanted)
        return wanted

    def capabilities(self) -> Capabilities:
        """See `Store`."""
        locks, default = locks_of(self._client, self._bucket)
        return Capabilities(
            versions=versions_of(self._client, self._bucket),
            locks=locks,
            default_retention=default,
            encryption=encryption_of(self._client, self._bucket),
        )

    def close(self) -> None:
        """See `Store`."""
        self._client.close()

    # --- putting -----------------------------------------------------------------------------

    def _create(self, key: str, file: BinaryIO, request: dict[str, Any], token: str) -> str | None:
        """The version that this call has created, whichever of its requests did."""
        what = f"{key} in {self.url}"
        for number in range(_CONFLICTS):
            file.seek(0)
            try:
                with faults(what, _permission_to_put(request)):
                    return _version(self._client.put_object(**request, Body=file))
            except Unreachable:
                # Nobody knows whether it was created, unless the server can be asked now.
                with suppress(StoreError):
                    found = self._head(key, None)
                    if _token(found) == token:
                        return _version(found)
                raise
            except StoreError as error:
                code = code_of(error.__cause__)
                if code not in {"PreconditionFailed", "ConditionalRequestConflict"}:
                    raise
            try:
                found = self._head(key, None)
            except NotThere:
                if code == "PreconditionFailed":  # versitygw takes a delete marker for an object
                    raise _taken(what, None) from None
            else:
                if _token(found) == token:
                    return _version(found)
                raise _taken(what, found)
            pause(number)
        raise Unreachable(f"others keep putting {what} and not finishing", "try again later")

    def _must_be_as_asked(self, key: str, version: str | None, lock: Lock) -> None:
        """Read back what servers are known to accept in silence and not to do."""
        if lock == Lock() and self._options.kms_key is None:
            return
        answer = self._head(key, version)
        found = self._lock_of(answer, key, version)
        if lock != Lock() and (found is None or not found.covers(lock)):
            raise Unsupported(
                f"{key} is in {self.url}, but not locked as asked: {lock} was wanted, "
                f"{found} is what the server says",
                _LOCK_HINT,
            )
        if self._options.kms_key and answer.get("ServerSideEncryption") != "aws:kms":
            raise Unsupported(
                f"{key} is in {self.url}, but not encrypted under a key of KMS",
                "take a server that has SSE-KMS, or leave the key out",
            )

    def _encryption_request(self) -> dict[str, Any]:
        if self._options.kms_key is None:
            return {}
        return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self._options.kms_key}

    # --- looking -----------------------------------------------------------------------------

    def _object(self, key: str, version: str | None) -> dict[str, Any]:
        named = {} if version is None else {"VersionId": version}
        return {"Bucket": self._bucket, "Key": self._prefix + key, **named}

    def _asked_key(self, key: str) -> str:
        return checked_foreign(key) if self._options.foreign else checked_key(key)

    def _asked_prefix(self, prefix: str) -> str:
        return checked_foreign(prefix) if self._options.foreign else checked_prefix(prefix)

    def _head(self, key: str, version: str | None) -> dict[str, Any]:
        where = self._object(self._asked_key(key), version)
        with faults(f"{key} in {self.url}", "s3:GetObject"):
            answer: dict[str, Any] = self._client.head_object(**where, ChecksumMode="ENABLED")
        return answer

    def _reading(self, key: str, version: str | None, start: int, end: int | None) -> Reading:
        return Reading(
            client=self._client,
            where=self._object(self._asked_key(key), version),
            what=f"{key} in {self.url}",
            start=start,
            end=end,
            tries=self._options.tries,
        )

    def _pages(self, operation: str, prefix: str, permission: str) -> Iterator[dict[str, Any]]:
        pages = iter(
            self._client.get_paginator(operation).paginate(
                Bucket=self._bucket, Prefix=self._prefix + self._asked_prefix(prefix)
            )
        )
        while True:
            with faults(self.url, permission):
                page = next(pages, None)
            if page is None:
                return
            yield page

    def _versions_of(self, page: dict[str, Any]) -> tuple[Entry, ...]:
        """The SDK hands over versions and delete markers apart; here they are in order again."""
        versions = [self._entry(each) for each in page.get("Versions", ())]
        markers = [self._entry(each, marker=True) for each in page.get("DeleteMarkers", ())]
        newest_first = sorted(
            (*versions, *markers), key=lambda each: (each.is_latest, each.modified), reverse=True
        )
        return tuple(sorted(newest_first, key=lambda each: each.key))

    def _entry(self, listed: dict[str, Any], *, marker: bool = False) -> Entry:
        return Entry(
            key=listed["Key"].removeprefix(self._prefix),
            size=listed.get("Size", 0),
            version_id=_version(listed),
            modified=listed["LastModified"].astimezone(UTC),
            is_latest=listed.get("IsLatest", True),
            is_delete_marker=marker,
        )

    # --- locks -------------------------------------------------------------------------------

    def _lock_of(self, answer: dict[str, Any], key: str, version: str | None) -> Lock | None:
        """The lock of an object, None if the bucket has none.

        HEAD leaves out what the caller may not see as well as what is not there: only the
        questions that are about nothing else tell these apart.
        """
        if self._bucket_has_locks() is False:
            return None
        where = self._object(key, version)
        what = f"the lock of {key} in {self.url}"
        retention = {
            "Mode": answer.get("ObjectLockMode"),
            "RetainUntilDate": answer.get("ObjectLockRetainUntilDate"),
        }
        hold = answer.get("ObjectLockLegalHoldStatus")
        if retention["Mode"] is None:
            ask = self._client.get_object_retention
            retention = _told(ask, "Retention", where, what, "s3:GetObjectRetention") or {}
        if hold is None:
            ask = self._client.get_object_legal_hold
            told = _told(ask, "LegalHold", where, what, "s3:GetObjectLegalHold") or {}
            hold = told.get("Status")
        until = retention.get("RetainUntilDate")
        return Lock(
            mode=MODES.get(str(retention.get("Mode")).upper()),
            until=until.astimezone(UTC) if until else None,
            hold=hold == "ON",
        )

    def _bucket_has_locks(self) -> bool | Unknown:
        if self._has_locks is None:
            self._has_locks = locks_of(self._client, self._bucket)[0]
        return self._has_locks

    def _is_locked(self, key: str, version: str | None) -> bool:
        with suppress(StoreError):
            lock = self.head(key, version=version).lock
            if lock is not None:
                return lock.hold or (lock.until is not None and lock.until > datetime.now(UTC))
        return False

    def _no_locks(self, what: str) -> Unsupported:
        return Unsupported(f"{what}: the bucket {self._bucket} has no Object Lock", _LOCK_HINT)


def _client(options: StoreOptions) -> Any:
    url = options.endpoint_url
    config = Config(
        signature_version="s3v4",
        # A server of one's own has seldom a name for each bucket.
        s3={"addressing_style": "path" if url else "auto"},
        retries={"mode": "standard", "total_max_attempts": options.tries},
        connect_timeout=options.connect_seconds,
        read_timeout=options.read_seconds,
        max_pool_connections=_CONNECTIONS,
        # Objects are sent with their SHA-256 and checked as they are read. The SDK's own checks
        # fail on parts for which a server sends the checksum of the whole (versitygw), and on
        # errors that come with one (MinIO).
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    try:
        # A session of its own: the shared one keeps the first credentials that it has seen.
        session = boto3.session.Session(region_name=options.region)
        return session.client("s3", endpoint_url=url, config=config)
    except ValueError as error:
        wrong = f'URL of an S3 server: "{url}"' if url else f'region: "{options.region}"'
        raise UsageError(f"not the {wrong}" if url else f"not a {wrong}") from error


_LOCK_HINT: Final = (
    "take a bucket that was created with Object Lock:  "
    "aws s3api create-bucket --object-lock-enabled-for-bucket --bucket NAME"
)


def _told(
    ask: Any, name: str, where: dict[str, Any], what: str, permission: str
) -> dict[str, Any] | None:
    """What the server says about one part of a lock, None if there is none."""
    try:
        with faults(what, permission):
            answer: dict[str, Any] | None = ask(**where).get(name)
    except StoreError as error:
        if code_of(error.__cause__) in NO_LOCK:
            return None
        raise
    return answer


def _lock_request(lock: Lock) -> dict[str, Any]:
    dated = {"ObjectLockMode": _name(lock.mode), "ObjectLockRetainUntilDate": lock.until}
    return {
        **({} if lock.until is None else dated),
        **({"ObjectLockLegalHoldStatus": "ON"} if lock.hold else {}),
    }


def _name(mode: LockMode | None) -> str:
    return (mode or LockMode.COMPLIANCE).name


def _permission_to_put(request: dict[str, Any]) -> str:
    needed = {
        "s3:PutObject": True,
        "s3:PutObjectRetention": "ObjectLockMode" in request,
        "s3:PutObjectLegalHold": "ObjectLockLegalHoldStatus" in request,
        "kms:GenerateDataKey": "SSEKMSKeyId" in request,
    }
    return " ".join(name for name, wanted in needed.items() if wanted)


def _taken(what: str, found: dict[str, Any] | None) -> AlreadyThere:
    if found is None:
        return AlreadyThere(f"{what} has been there and was deleted", size=None, sha256=None)
    return AlreadyThere(
        f"{what} is there already", size=found["ContentLength"], sha256=_sha256_of(found)
    )


def _token(found: dict[str, Any]) -> str | None:
    token: str | None = found.get("Metadata", {}).get(_TOKEN)
    return token


def _sha256_of(found: dict[str, Any]) -> Sha256 | None:
    """The server's own checksum; else, as of an object of several parts, what the writer said."""
    text: str | None = found.get("ChecksumSHA256")
    if text is not None and found.get("ChecksumType", "FULL_OBJECT") == "FULL_OBJECT":
        return parse_sha256(base64.b64decode(text).hex())
    return parse_sha256(found.get("Metadata", {}).get(SHA256_NAME, ""))


def _version(told: dict[str, Any]) -> str | None:
    """None for what was put when the bucket kept no versions, which S3 calls `null`."""
    version: str | None = told.get("VersionId")
    return None if version == "null" else version


def _speaks_of_a_lock(error: BaseException | None) -> bool:
    """AWS and versitygw say so in words only; MinIO speaks of WORM."""
    words = str(error).lower()
    return "object lock" in words or "worm protected" in words
