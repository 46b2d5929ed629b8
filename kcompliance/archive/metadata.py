"""`meta/<sha256>.json.zst`: settings, mappings and templates of what was archived."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kcompliance.archive.zstd_frames import MAX_FRAME_CONTENT, frame_compressor
from kcompliance.ledger import StreamName, metadata_name
from kcompliance.ledger.records import MetadataRecord
from kcompliance.model.digest import Sha256, sha256
from kcompliance.stores.interface import AlreadyThere, Store

__all__ = ["StoredMetadata", "put_metadata"]

_LEVEL = 9
"""It is small, and written once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMetadata:
    """The object as it is in the store."""

    key: str
    size: int
    sha256: Sha256
    version_id: str | None
    content_size: int
    content_sha256: Sha256

    def record(
        self, stream: StreamName, *, retain_until: datetime | None, tool: str, run: UUID
    ) -> MetadataRecord:
        """How the log names it."""
        return MetadataRecord(
            stream=stream,
            key=self.key,
            size=self.size,
            sha256=self.sha256,
            version_id=self.version_id,
            content_size=self.content_size,
            content_sha256=self.content_sha256,
            retain_until=retain_until,
            tool=tool,
            run=run,
        )


def put_metadata(
    store: Store,
    content: bytes,
    *,
    known: Callable[[Sha256], bool],
    retain_until: datetime | None,
) -> StoredMetadata | None:
    """Store these settings, unless the log names the very same already."""
    if len(content) > MAX_FRAME_CONTENT:
        content = b'{"unreadable":"more than a reader takes"}'
    data = frame_compressor(_LEVEL).compress(content)
    digest = sha256(data)
    if known(digest):
        return None
    key = metadata_name(digest)
    try:
        version = store.put_if_absent(key, data, digest, retain_until=retain_until).version_id
    except AlreadyThere as there:
        if not there.holds(len(data), digest):
            raise
        version = store.head(key).version_id
        if retain_until is not None:
            store.retain(key, version, retain_until)
    return StoredMetadata(
        key=key,
        size=len(data),
        sha256=digest,
        version_id=version,
        content_size=len(content),
        content_sha256=sha256(content),
    )
