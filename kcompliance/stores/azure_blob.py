"""A store in a container of Azure Blob Storage.

An object goes up in blocks of 8 MB, which nobody sees until one conditional commit, and before that
the SHA-256 of all of them is checked. Each block carries an MD5 that the service checks. (One
conditional Put Blob would do for small objects, but Azurite refuses it where somebody has left
blocks behind without a commit.) The service keeps no SHA-256: it is written into the
object's metadata, and with it a random token of the call that put it. Where an answer was lost and
the repeated request is told that the key is taken, the token says whether by ourselves.

Locks need version-level immutability on the container. Not shown on a real account: what a
container with locks or versions answers, for the emulator that the tests run has neither.

Roles: Storage Blob Data Reader; to write Storage Blob Data Contributor; for locks Storage Blob
Data Owner.
"""

import hashlib
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from azure.core import MatchConditions
from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential, TokenCredential
from azure.core.exceptions import AzureError
from azure.storage.blob import (
    BlobBlock,
    BlobClient,
    BlobImmutabilityPolicyMode,
    BlobProperties,
    BlobServiceClient,
    ContentSettings,
    ExponentialRetry,
    ImmutabilityPolicy,
)

from kcompliance.errors import ConfigError
from kcompliance.model.digest import Sha256, parse_sha256
from kcompliance.stores.azure_faults import code_of, faults
from kcompliance.stores.content import not_this_content, opened, pieces
from kcompliance.stores.interface import (
    AlreadyThere,
    Capabilities,
    Damaged,
    DefaultRetention,
    Entry,
    Head,
    Lock,
    Locked,
    LockMode,
    NotThere,
    Refused,
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
from kcompliance.stores.retrying import backoff

if TYPE_CHECKING:
    from azure.storage.blob import StorageStreamDownloader

__all__ = ["AzureBlobStore"]

_BLOCK: Final = 8 * 1024 * 1024
_PART: Final = 4 * 1024 * 1024
_PAGE: Final = 1000
_TOKEN: Final = "kcompliance_put"  # noqa: S105 - the name of a mark, not a password
_SHA256: Final = "kcompliance_sha256"
_BLOBS: Final = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
_READ: Final = f"{_BLOBS}/read"
_WRITE: Final = f"{_BLOBS}/write"
_DELETE: Final = f"{_BLOBS}/delete"
_DELETE_VERSION: Final = f"{_BLOBS}/deleteBlobVersion/action"
_LOCK: Final = f"{_BLOBS}/immutableStorage/runAsSuperUser/action"
_CONTAINER: Final = "Microsoft.Storage/storageAccounts/blobServices/containers/read"
_MODES: Final = {
    LockMode.GOVERNANCE: BlobImmutabilityPolicyMode.UNLOCKED,
    LockMode.COMPLIANCE: BlobImmutabilityPolicyMode.LOCKED,
}
_TAKEN: Final = {
    "BlobAlreadyExists",
    "ConditionNotMet",
    "UnauthorizedBlobOverwrite",  # to a signature that allows to create, but not to write
    # The winner's commit throws away the blocks of the others.
    "InvalidBlockList",
}
_LOCK_HINT: Final = (
    "take a container with version-level immutability, in an account with blob versioning:  "
    "az storage container-rm create --enable-vlw --name NAME --storage-account ACCOUNT"
)


class AzureBlobStore(Store):
    """The objects of a container whose keys begin with `prefix`, empty or ending with `/`."""

    def __init__(self, account: str, container: str, prefix: str, options: StoreOptions) -> None:
        self._url = f"azblob://{account}/{container}/{prefix}".removesuffix("/")
        self._prefix = prefix
        self._options = options
        self._has_locks: bool | None = None
        self._service = _service(account, options)
        self._container = self._service.get_container_client(container)

    @property
    def url(self) -> str:
        """See `Store`."""
        return self._url

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
        blob = self._blob(checked_key(key))
        hold = legal_hold or self._options.legal_hold
        lock = wanted_lock(self._options.lock_mode, retain_until, hold=hold)
        if lock != Lock() and not self._may_lock():
            raise self._no_locks(f"{key} was not stored")
        token = secrets.token_hex(16)
        upload = _Upload(blob, token, sha256, self._encryption_request())
        with opened(source) as file, faults(f"{key} in {self.url}", _WRITE):
            upload.send(file, key)
        version = self._create(key, upload, lock, token)
        self._must_be_as_asked(key, version, lock)
        return Stored(version_id=version, size=upload.size)

    def get(
        self, key: str, *, start: int = 0, end: int | None = None, version: str | None = None
    ) -> bytes:
        """See `Store`."""
        if start == 0 and end is None:
            return b"".join(self.read(key, version=version))
        if end is not None and end <= start:
            self._properties(key, version)
            return b""
        length = None if end is None else end - start
        try:
            with faults(f"{key} in {self.url}", _READ):
                return self._download(key, version, start, length).readall()
        except StoreError as error:
            if code_of(error) == "InvalidRange":
                return b""
            raise self._of_reading(error, key) from None

    def read(self, key: str, *, version: str | None = None) -> Iterator[bytes]:
        """See `Store`."""
        what = f"{key} in {self.url}"
        digest = hashlib.sha256()
        with faults(what, _READ):
            download = self._download(key, version, None, None)
            parts = iter(download.chunks())
        while True:
            try:
                with faults(what, _READ):
                    piece = next(parts, None)
            except StoreError as error:
                raise self._of_reading(error, key) from None
            if piece is None:
                break
            digest.update(piece)
            yield piece
        put = _sha256_of(download.properties)
        if put not in {None, digest.hexdigest()}:
            raise Damaged(
                f"{what} is damaged: its sha256 is {digest.hexdigest()}, but {put} was put"
            )

    def head(self, key: str, *, version: str | None = None) -> Head:
        """See `Store`."""
        found = self._properties(key, version)
        return Head(
            size=found.size,
            sha256=_sha256_of(found),
            version_id=found.version_id,
            modified=found.last_modified.astimezone(UTC),
            lock=_lock_of(found) if self._may_lock() else None,
        )

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """See `Store`."""
        return self._listed(prefix, include=None)

    def list_versions(self, prefix: str = "") -> Iterator[Entry]:
        """See `Store`."""
        listed = self._listed(prefix, include="versions")
        for _, versions in groupby(listed, key=lambda each: each.key):
            yield from sorted(versions, key=lambda each: each.version_id or "", reverse=True)

    def delete(self, key: str, version: str | None) -> None:
        """See `Store`."""
        what = f"{checked_key(key)} in {self.url}"
        try:
            found = self._properties(key, version)
        except NotThere as error:
            if code_of(error) == "ContainerNotFound":
                raise
            return
        # A service without versions passes over the version in silence and deletes what is there.
        if found.version_id != version:
            return
        lock = _lock_of(found)
        if lock.hold or (lock.until is not None and lock.until > datetime.now(UTC)):
            raise Locked(f"{what} is locked and cannot be deleted")
        blob = self._blob(key)
        if version is None or found.is_current_version:
            # The current version cannot be deleted by its name, only become an older one.
            with suppress(NotThere), faults(what, _DELETE):
                blob.delete_blob()
        if version is not None:
            with suppress(NotThere), faults(what, _DELETE_VERSION):
                blob.delete_blob(version_id=version)

    def retain(self, key: str, version: str | None, until: datetime) -> Lock:
        """See `Store`."""
        found = self._properties(checked_key(key), version)
        if not self._may_lock():
            raise self._no_locks(f"{key} cannot be locked")
        has = _lock_of(found)
        wanted = has.joined(wanted_lock(self._options.lock_mode, until, hold=False))
        if wanted != has:
            with faults(f"the lock of {key} in {self.url}", _LOCK):
                self._blob(key).set_immutability_policy(
                    _policy(wanted), version_id=found.version_id
                )
            self._must_be_as_asked(key, found.version_id, wanted)
        return wanted

    def capabilities(self) -> Capabilities:
        """See `Store`."""
        try:
            with faults(f"the properties of {self.url}", _CONTAINER):
                found = self._container.get_container_properties()
        except NotThere:
            raise
        except StoreError as error:
            unknown = Unknown(reason=error.message, permission=_CONTAINER)
            return Capabilities(
                versions=unknown, locks=unknown, default_retention=unknown, encryption=unknown
            )
        locks = bool(found.immutable_storage_with_versioning_enabled)
        default: DefaultRetention | Unknown | None = None
        if found.has_immutability_policy:
            default = Unknown(reason="the container has a policy; only Resource Manager shows it")
        scope = found.encryption_scope
        return Capabilities(
            versions=locks or Unknown(reason="only Azure Resource Manager tells it"),
            locks=locks,
            default_retention=default,
            encryption=scope.default_encryption_scope if scope else None,
        )

    def close(self) -> None:
        """See `Store`."""
        self._service.close()
        if isinstance(self._service.credential, TokenCredential):
            # Not part of the SDK's interface of credentials, but all of azure-identity's have it.
            getattr(self._service.credential, "close", lambda: None)()

    # --- putting -----------------------------------------------------------------------------

    def _create(self, key: str, upload: "_Upload", lock: Lock, token: str) -> str | None:
        """The version that this call has created, whichever of its requests did."""
        what = f"{key} in {self.url}"
        try:
            with faults(what, _WRITE):
                return upload.commit(lock)
        except Unreachable:
            # Nobody knows whether it was created, unless the service can be asked now.
            with suppress(StoreError):
                found = self._properties(key, None)
                if _token(found) == token:
                    return found.version_id
            raise
        except StoreError as error:
            if code_of(error) not in _TAKEN:
                raise
        try:
            found = self._properties(key, None)
        except NotThere:
            raise Unreachable(f"others put {what} and deleted it", "try again") from None
        if _token(found) == token:
            return found.version_id
        raise AlreadyThere(f"{what} is there already", size=found.size, sha256=_sha256_of(found))

    def _must_be_as_asked(self, key: str, version: str | None, lock: Lock) -> None:
        """Read back what servers are known to accept in silence and not to do."""
        scope = self._options.encryption_scope
        if lock == Lock() and scope is None:
            return
        found = self._properties(key, version)
        if not _lock_of(found).covers(lock):
            raise Unsupported(
                f"{key} is in {self.url}, but not locked as asked: {lock} was wanted, "
                f"{_lock_of(found)} is what the service says",
                _LOCK_HINT,
            )
        if found.encryption_scope != scope:
            raise Unsupported(
                f'{key} is in {self.url}, but not encrypted under the scope "{scope}"',
                "create the encryption scope in the account, or leave it out",
            )

    def _encryption_request(self) -> dict[str, Any]:
        scope = self._options.encryption_scope
        return {} if scope is None else {"encryption_scope": scope}

    def _may_lock(self) -> bool:
        """Whether the container has locks, asked once; never taken from an upload's success."""
        if self._has_locks is None:
            locks = self.capabilities().locks
            if isinstance(locks, Unknown):
                raise Refused(locks.reason, f"allow {_CONTAINER}", permission=_CONTAINER)
            self._has_locks = locks
        return self._has_locks

    def _no_locks(self, what: str) -> Unsupported:
        return Unsupported(f"{what}: {self.url} has no version-level immutability", _LOCK_HINT)

    # --- looking -----------------------------------------------------------------------------

    def _blob(self, key: str) -> BlobClient:
        return self._container.get_blob_client(self._prefix + key)

    def _asked_key(self, key: str) -> str:
        return checked_foreign(key) if self._options.foreign else checked_key(key)

    def _asked_prefix(self, prefix: str) -> str:
        return checked_foreign(prefix) if self._options.foreign else checked_prefix(prefix)

    def _properties(self, key: str, version: str | None) -> BlobProperties:
        with faults(f"{key} in {self.url}", _READ):
            return self._blob(self._asked_key(key)).get_blob_properties(version_id=version)

    def _download(
        self, key: str, version: str | None, start: int | None, length: int | None
    ) -> "StorageStreamDownloader[bytes]":
        blob = self._blob(self._asked_key(key))
        return blob.download_blob(offset=start, length=length, version_id=version)

    def _of_reading(self, error: StoreError, key: str) -> StoreError:
        """The SDK asks for each part under the condition that it is the same object's."""
        if code_of(error) == "ConditionNotMet":
            return Damaged(f"changed while it was read: {key} in {self.url}")
        return error

    def _listed(self, prefix: str, include: str | None) -> Iterator[Entry]:
        found = self._container.list_blobs(
            name_starts_with=self._prefix + self._asked_prefix(prefix),
            include=include,
            results_per_page=_PAGE,
        )
        blobs = iter(found)
        while True:
            with faults(self.url, _READ):
                blob = next(blobs, None)
            if blob is None:
                return
            yield Entry(
                key=blob.name.removeprefix(self._prefix),
                size=blob.size,
                version_id=blob.version_id,
                modified=blob.last_modified.astimezone(UTC),
                is_latest=blob.version_id is None or bool(blob.is_current_version),
            )


class _Upload:
    """The content of one object on its way: nobody sees it before the commit."""

    def __init__(
        self, blob: BlobClient, token: str, sha256: Sha256, encryption: Mapping[str, Any]
    ) -> None:
        self._blob = blob
        self._token = token
        self._sha256 = sha256
        self._encryption = encryption
        self._blocks: list[BlobBlock] = []
        self._md5 = hashlib.md5(usedforsecurity=False)
        self.size = 0

    def send(self, file: BinaryIO, key: str) -> None:
        """Send all blocks; raises `Damaged` if they are not this content."""
        digest = hashlib.sha256()
        for piece in pieces(file, _BLOCK):
            digest.update(piece)
            self._md5.update(piece)
            self.size += len(piece)
            # All names of blocks of a blob have to have one length.
            name = f"{self._token}{len(self._blocks):06d}"
            self._blob.stage_block(name, piece, validate_content=True, **self._encryption)
            self._blocks.append(BlobBlock(name))
        if digest.hexdigest() != self._sha256:
            raise not_this_content(key, self._sha256, digest.hexdigest())

    def commit(self, lock: Lock) -> str | None:
        """Create the object; the version that is there now. Fails if anything is there already."""
        settings = ContentSettings(
            content_type="application/octet-stream", content_md5=bytearray(self._md5.digest())
        )
        answer = self._blob.commit_block_list(
            self._blocks,
            content_settings=settings,
            metadata={_TOKEN: self._token, _SHA256: self._sha256},
            match_condition=MatchConditions.IfMissing,
            **_lock_request(lock),
            **self._encryption,
        )
        version = answer.get("version_id")
        return str(version) if version else None


class _FullJitter(ExponentialRetry):
    """The SDK's retries, with pauses that keep many clients from coming back at once."""

    def get_backoff_time(self, settings: dict[str, Any]) -> float:
        """Seconds until the next try."""
        return backoff(settings["count"])


def _service(account: str, options: StoreOptions) -> BlobServiceClient:
    """A client whose credentials come from the environment, in the order of the az command."""
    settings: dict[str, Any] = {
        "retry_policy": _FullJitter(retry_total=options.tries - 1),
        "connection_timeout": options.connect_seconds,
        "read_timeout": options.read_seconds,
        # The SDK holds up to ten times as much in memory.
        "max_single_get_size": _PART,
        "max_chunk_get_size": _PART,
    }
    connection = os.environ.get("AZURE_STORAGE_CONNECTION_STRING")
    if connection and options.endpoint_url:
        raise ConfigError(
            f'an endpoint is named twice: "{options.endpoint_url}" and in '
            "AZURE_STORAGE_CONNECTION_STRING",
            "leave one of them out",
        )
    try:
        if connection:
            service = BlobServiceClient.from_connection_string(connection, **settings)
        else:
            url = options.endpoint_url or f"https://{account}.blob.core.windows.net"
            credential = _credential(account, url)
            service = BlobServiceClient(url, credential=credential, **settings)
    except (ValueError, AzureError):
        # Not even as a cause: the SDK's message repeats what it was given.
        raise ConfigError(
            f'no usable credentials for the storage account "{account}"',
            "look at AZURE_STORAGE_CONNECTION_STRING and the other variables AZURE_STORAGE_…",
        ) from None
    if connection and service.account_name != account:
        raise ConfigError(
            f'AZURE_STORAGE_CONNECTION_STRING is for the account "{service.account_name}", '
            f'not for "{account}"'
        )
    return service


def _credential(
    account: str, url: str
) -> AzureSasCredential | AzureNamedKeyCredential | TokenCredential:
    signature = os.environ.get("AZURE_STORAGE_SAS_TOKEN")
    if signature:
        return AzureSasCredential(signature.removeprefix("?"))
    key = os.environ.get("AZURE_STORAGE_KEY")
    if key:
        return AzureNamedKeyCredential(account, key)
    if not url.startswith("https://"):
        raise ConfigError(
            f'no credentials for "{url}": without TLS only a key or a signature can be used',
            "set AZURE_STORAGE_SAS_TOKEN or AZURE_STORAGE_KEY",
        )
    from azure.identity import DefaultAzureCredential  # takes long to import

    return DefaultAzureCredential()


def _lock_request(lock: Lock) -> dict[str, Any]:
    return {
        **({} if lock.until is None else {"immutability_policy": _policy(lock)}),
        **({"legal_hold": True} if lock.hold else {}),
    }


def _policy(lock: Lock) -> ImmutabilityPolicy:
    mode = _MODES[lock.mode or LockMode.COMPLIANCE]
    return ImmutabilityPolicy(expiry_time=lock.until, policy_mode=mode)


def _lock_of(found: BlobProperties) -> Lock:
    policy = found.immutability_policy
    until: object = policy.expiry_time
    mode = str(policy.policy_mode or "").casefold()
    return Lock(
        mode=next(
            (ours for ours, theirs in _MODES.items() if theirs.value.casefold() == mode), None
        ),
        until=until.astimezone(UTC) if isinstance(until, datetime) else None,
        hold=bool(found.has_legal_hold),
    )


def _token(found: BlobProperties) -> str | None:
    return (found.metadata or {}).get(_TOKEN)


def _sha256_of(found: BlobProperties) -> Sha256 | None:
    return parse_sha256((found.metadata or {}).get(_SHA256, ""))
