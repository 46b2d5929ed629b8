"""A small real archive in a folder, commit by commit, without a source to read from."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import zstandard

from kcompliance.archive.commit import Lost, Writer
from kcompliance.archive.log import LogEnd
from kcompliance.archive.run_object import Intent, reference_to, write_intent
from kcompliance.ledger import (
    FileShare,
    GenesisRecord,
    IndexShare,
    KeySigner,
    Pin,
    Record,
    RunReference,
    SegmentRecord,
    SegmentSource,
    StreamName,
    Trust,
    TrustedKey,
    WindowRecord,
    WindowStatus,
    run_name,
    segment_name,
)
from kcompliance.model.digest import Sha256, sha256
from kcompliance.stores.filesystem import FilesystemStore
from tests.ledger.samples import (
    ARCHIVE_ID,
    HOUR,
    JULY,
    ORIGIN,
    RUN,
    SIGNER,
    STREAM,
    events_root,
    file_window,
    stream,
    window,
)

__all__ = ["SmallArchive", "event_line", "small_archive"]

TOOL = "kcompliance/0.1.0"
_ACTOR = "somebody"


def event_line(hour: int, number: int, *, stage: str = "ResponseComplete") -> bytes:
    """As the archiver writes it, without its line feed."""
    return (
        b'{"_index":"audit-000001","_id":"e%d-%d-%s","_seq_no":%d,"_source":'
        b'{"auditID":"a%d-%d","stage":"%s","big":12345678901234567890}}'
        % (hour, number, stage.encode(), number, hour, number, stage.encode())
    )


@dataclass(slots=True)
class SmallArchive:
    """An archive that grows by what a test commits."""

    folder: Path
    signer: KeySigner = SIGNER
    end: LogEnd = field(init=False)
    trust: Trust = field(init=False)

    def __post_init__(self) -> None:
        genesis = GenesisRecord(
            archive_id=ARCHIVE_ID, created=JULY, keys=(self.signer.key,), tool=TOOL
        )
        self.end = self._writer((self.signer,)).first(genesis, [stream()], self._run(JULY))
        self.trust = Trust(origin=ORIGIN, keys=(TrustedKey(key=self.signer.key),))

    @property
    def store(self) -> FilesystemStore:
        return FilesystemStore(self.folder)

    def commit(self, *records: Record, signers: Sequence[KeySigner] = ()) -> None:
        now = (self.end.time or JULY) + HOUR
        writer = self._writer(tuple(signers) or (self.signer,))
        end = writer.next(self.end, records, self._run(now), now=now)
        assert not isinstance(end, Lost)
        self.end = end

    def pinned(self) -> Trust:
        """What a verifier knows who has seen the archive as it is now."""
        checkpoint = self.end.checkpoint.checkpoint
        return replace(self.trust, pin=Pin(size=checkpoint.size, root=checkpoint.root))

    def segment(
        self,
        start: datetime | None,
        lines: Sequence[bytes],
        *,
        name: StreamName = STREAM,
        end: datetime | None = None,
        frames: int = 2,
    ) -> SegmentRecord:
        """A segment of these lines, which is put into the store."""
        compressor = zstandard.ZstdCompressor(level=3, write_checksum=True)
        cut = max(1, -(-len(lines) // frames))
        contents = [
            b"".join(line + b"\n" for line in lines[at : at + cut])
            for at in range(0, len(lines), cut)
        ]
        parts = [compressor.compress(content) for content in contents]
        data, content = b"".join(parts), b"".join(contents)
        digest = sha256(data)
        key = segment_name(name, start, digest)
        self.store.put_if_absent(key, data, digest)
        share = IndexShare(index="audit-000001", index_uuid="f3Kz", shard=0, docs=len(lines))
        return SegmentRecord(
            stream=name,
            start=start,
            end=end if end is not None or start is None else start + HOUR,
            time_field="requestReceivedTimestamp",
            key=key,
            size=len(data),
            sha256=digest,
            version_id=None,
            content_size=len(content),
            content_sha256=sha256(content),
            frames=tuple(
                (len(part), len(each)) for part, each in zip(parts, contents, strict=True)
            ),
            docs=len(lines),
            events_root=events_root(lines),
            first_event=start,
            last_event=None if start is None else start + timedelta(minutes=59),
            source=SegmentSource(cluster_uuid="Zx1", query_sha256=sha256(b"q"), shares=(share,)),
            retain_until=None if start is None else start.replace(year=start.year + 2),
            tool=TOOL,
            run=RUN,
        )

    def hour(self, hour: int, lines: Sequence[bytes] | None = None, *, rev: int = 0) -> Sha256:
        """Commit an hour of July with these events; the segment's digest."""
        lines = [event_line(hour, n) for n in range(5)] if lines is None else lines
        segment = self.segment(JULY + hour * HOUR, lines)
        sealed = window(hour, rev=rev, docs=len(lines))
        self.commit(segment, replace(sealed, segments=(segment.sha256,)))
        return segment.sha256

    def range_of_file(
        self, start: int, lines: Sequence[bytes], *, name: StreamName, first: datetime
    ) -> Sha256:
        """Commit lines of a log file; the segment's digest."""
        last = first + timedelta(minutes=10)
        size = sum(len(line) + 1 for line in lines)
        plain = self.segment(first, lines, name=name, end=last)
        share = FileShare(file=sha256(b"a"), start=start, end=start + size, docs=len(lines))
        source = SegmentSource(cluster_uuid=None, query_sha256=None, shares=(share,))
        segment = replace(plain, source=source, time_field=None, last_event=last)
        sealed = replace(
            file_window(start, start + size, docs=len(lines)),
            stream=name,
            start=first,
            end=last,
            segments=(segment.sha256,),
        )
        self.commit(segment, sealed)
        return segment.sha256

    def source_missing(self, hour: int) -> WindowRecord:
        return replace(
            window(hour, docs=0), status=WindowStatus.SOURCE_MISSING, docs=0, partitions=()
        )

    def path_of(self, digest: str) -> Path:
        """The file of a segment."""
        (path,) = self.folder.rglob(f"{digest}.ndjson.zst")
        return path

    def _writer(self, signers: tuple[KeySigner, ...]) -> Writer:
        return Writer(store=self.store, origin=ORIGIN, signers=signers, actor=_ACTOR)

    def _run(self, now: datetime) -> RunReference:
        intent = Intent(
            id=uuid4(),
            origin=ORIGIN,
            stream=None,
            windows=(),
            time=now,
            actor=_ACTOR,
            tool=TOOL,
        )
        data = write_intent(intent, (self.signer,))
        self.store.put_if_absent(run_name(intent.id), data, sha256(data))
        return reference_to(intent, data)


def small_archive(folder: Path) -> SmallArchive:
    """Three hours of events, the second without any."""
    archive = SmallArchive(folder)
    archive.hour(0)
    archive.commit(window(1, docs=0))
    archive.hour(2)
    return archive
