"""Small archives for tests: made by the real writer of segments and commits, by a clock of ours."""

import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import zstandard

from kcompliance.archive.commit import Lost, Writer
from kcompliance.archive.interface import Window
from kcompliance.archive.log import LogEnd
from kcompliance.archive.run_object import Intent, ranges_of, reference_to, write_intent
from kcompliance.archive.segment_writer import SegmentWriter, SpooledSegment
from kcompliance.ledger import (
    Batch,
    Checkpoint,
    CommitRecord,
    GenesisRecord,
    IndexPartition,
    KeySigner,
    LockMode,
    MetadataRecord,
    Period,
    Pin,
    Record,
    Require,
    RetentionRecord,
    RunReference,
    SegmentRecord,
    SegmentSource,
    SignedCheckpoint,
    Signer,
    SourceKind,
    StreamName,
    StreamRecord,
    StreamSource,
    Trust,
    TrustedKey,
    WindowRecord,
    WindowStatus,
    canonical_bytes,
    checkpoint_name,
    encode_record,
    log_name,
    metadata_name,
    parse_checkpoint,
    run_name,
    segment_name,
    sign_checkpoint,
)
from kcompliance.model.digest import sha256
from kcompliance.stores.interface import Store
from kcompliance.stores.memory import MemoryStore
from tests.ledger.samples import ARCHIVE_ID, HOUR, JULY, ORIGIN, SIGNER

__all__ = [
    "AUDIT",
    "Builder",
    "Objects",
    "built",
    "event_lines",
    "objects_of",
    "partition",
    "retention_record",
    "spooled",
    "store_of",
    "stream_record",
    "window_at",
    "window_record",
]

AUDIT = StreamName("prod/k8s-audit")
TOOL = "kcompliance/0.1.0"
ACTOR = "system:serviceaccount:audit:archiver"

Objects = Mapping[str, bytes]


def objects_of(store: Store) -> dict[str, bytes]:
    """Everything that lies in a store."""
    return {entry.key: store.get(entry.key) for entry in store.list()}


def store_of(objects: Objects, store: Store | None = None) -> Store:
    """A store that holds exactly this."""
    store = store or MemoryStore()
    for key, data in objects.items():
        store.put_if_absent(key, data, sha256(data))
    return store


def window_at(hour: int, *, hours: int = 1) -> Window:
    return Window(start=JULY + hour * HOUR, end=JULY + (hour + hours) * HOUR)


def event_lines(window: Window, docs: int, seed: str = "") -> list[bytes]:
    """Events as `_search` gives them, different in every window."""
    start = window.start or datetime.min.replace(tzinfo=UTC)
    return [
        json.dumps(
            {
                "_index": "audit-000001",
                "_id": f"{seed}{start:%H}-{number}",
                "_seq_no": number,
                "_source": {"auditID": f"{seed}{start:%d%H}-{number}", "verb": "get"},
            },
            separators=(",", ":"),
        ).encode()
        for number in range(docs)
    ]


def spooled(
    lines: Sequence[bytes], folder: Path, *, frame_bytes: int = 1 << 20
) -> tuple[SpooledSegment, ...]:
    """The segments that these lines come to."""
    part = partition(len(lines))
    with SegmentWriter(folder, frame_bytes=frame_bytes) as writer:
        writer.write(b"".join(line + b"\n" for line in lines), len(lines))
        writer.credit(part)
        return writer.finish()


def partition(docs: int) -> IndexPartition:
    return IndexPartition(
        index="audit-000001",
        index_uuid="f3Kz",
        shard=0,
        expected=docs,
        written=docs,
        max_seq_no=docs - 1,
    )


def window_record(
    window: Window,
    segments: Iterable[SegmentRecord] = (),
    *,
    stream: StreamName = AUDIT,
    rev: int = 0,
) -> WindowRecord:
    segments = tuple(segments)
    docs = sum(each.docs for each in segments)
    return WindowRecord(
        stream=stream,
        start=window.start,
        end=window.end,
        rev=rev,
        status=WindowStatus.SEALED if docs else WindowStatus.EMPTY,
        docs=docs,
        segments=tuple(each.sha256 for each in segments),
        partitions=(partition(docs),) if docs else (),
    )


def stream_record(stream: StreamName = AUDIT) -> StreamRecord:
    return StreamRecord(
        stream=stream,
        source=StreamSource(
            kind=SourceKind.ELASTICSEARCH, cluster_uuid="Zx1", patterns=("audit-*",)
        ),
        time_field="requestReceivedTimestamp",
        filter=None,
        window_seconds=3600,
    )


@dataclass(slots=True, kw_only=True)
class Builder:
    """Archives into a store as a run does: intent, segments, records, checkpoint."""

    store: Store
    signers: tuple[Signer, ...] = (SIGNER,)
    now: datetime = JULY
    """Of the next commit; each moves it on by an hour."""
    retain: Period | None = None
    """How long segments are kept; locked for so long, unless the mode is none."""
    mode: LockMode = LockMode.COMPLIANCE
    archive_id: UUID = ARCHIVE_ID
    origin: str = ORIGIN
    end: LogEnd | None = None
    runs: int = 0
    made: list[SegmentRecord] = field(default_factory=list)

    # --- objects --------------------------------------------------------------------------------

    def put(self, key: str, data: bytes, *, until: datetime | None = None) -> str | None:
        locked = until if self.mode is not LockMode.NONE else None
        return self.store.put_if_absent(key, data, sha256(data), retain_until=locked).version_id

    def until(self, end: datetime | None = None) -> datetime | None:
        """Until when an object that is committed next is kept."""
        if self.retain is None:
            return None
        return self.retain.after(self.now if end is None else max(end, self.now))

    @property
    def log_until(self) -> datetime | None:
        until = self.until()
        return None if until is None else Period(years=1).after(until)

    def announce(self, windows: Sequence[Window] = ()) -> RunReference:
        """Put the intent of a run."""
        self.runs += 1
        intent = Intent(
            id=UUID(int=(0x0190D2A4_0000_7000_8000 << 48) + self.runs),
            origin=self.origin,
            stream=AUDIT,
            windows=ranges_of(windows),
            time=self.now,
            actor=ACTOR,
            tool=TOOL,
        )
        data = write_intent(intent, self.signers)
        self.put(run_name(intent.id), data, until=self.log_until)
        return reference_to(intent, data)

    def segments(
        self,
        window: Window,
        *,
        docs: int = 5,
        stream: StreamName = AUDIT,
        seed: str = "",
        lines: Sequence[bytes] | None = None,
        frame_bytes: int = 1 << 20,
    ) -> list[SegmentRecord]:
        """Store the segments of a window; the records that name them."""
        made = []
        with tempfile.TemporaryDirectory() as folder:
            chosen = event_lines(window, docs, seed) if lines is None else lines
            for each in spooled(chosen, Path(folder), frame_bytes=frame_bytes):
                made.append(self.segment(each.path.read_bytes(), each, window, stream))
        return made

    def segment(
        self, data: bytes, each: SpooledSegment, window: Window, stream: StreamName = AUDIT
    ) -> SegmentRecord:
        key = segment_name(stream, window.start, each.sha256)
        until = self.until(window.end)
        record = SegmentRecord(
            stream=stream,
            start=window.start,
            end=window.end,
            time_field="requestReceivedTimestamp",
            key=key,
            size=each.size,
            sha256=each.sha256,
            version_id=self.put(key, data, until=until),
            content_size=each.content_size,
            content_sha256=each.content_sha256,
            frames=each.frames,
            docs=each.docs,
            events_root=each.events_root,
            first_event=window.start,
            last_event=window.start,
            source=SegmentSource(cluster_uuid="Zx1", query_sha256=None, shares=each.shares),
            retain_until=until,
            tool=TOOL,
            run=UUID(int=self.runs),
        )
        self.made.append(record)
        return record

    def metadata(self, content: bytes = b'{"mappings":{}}') -> MetadataRecord:
        data = zstandard.ZstdCompressor(write_checksum=True).compress(content)
        digest = sha256(data)
        return MetadataRecord(
            stream=AUDIT,
            key=metadata_name(digest),
            size=len(data),
            sha256=digest,
            version_id=self.put(metadata_name(digest), data, until=self.log_until),
            content_size=len(content),
            content_sha256=sha256(content),
            retain_until=self.until(),
            tool=TOOL,
            run=UUID(int=self.runs),
        )

    # --- commits --------------------------------------------------------------------------------

    def commit(
        self,
        *records: Record,
        run: RunReference | None = None,
        signers: tuple[Signer, ...] | None = None,
    ) -> LogEnd:
        run = run or self.announce()
        writer = Writer(
            store=self.store,
            origin=self.origin,
            signers=signers or self.signers,
            actor=ACTOR,
            locked_until=self.log_until if self.mode is not LockMode.NONE else None,
        )
        done: LogEnd | Lost
        if self.end is None:
            done = writer.first(self._genesis(), records, run)
        else:
            done = writer.next(self.end, records, run, now=self.now)
        if isinstance(done, Lost):  # to an object that is no commit
            assert self.end is not None
            self.end = replace(self.end, next_number=done.number + 1)
            return self.commit(*records, run=run, signers=signers)
        self.end = done
        self.now += HOUR
        return done

    def commit_raw(self, *leaves: bytes) -> None:
        """What the holder of the key can make of any bytes: a commit with these leaves."""
        assert self.end is not None
        number = self.end.number + 1
        run = self.announce()
        head = CommitRecord(
            n=number, prev=self.checkpoint.sha256, time=self.now, clock=None, run=run, actor=ACTOR
        )
        before = self.end.frontier
        batch = Batch(before=before, leaves=(encode_record(head), *leaves))
        line = canonical_bytes({"start": before.size, "frontier": before.to_hex()})
        self.put(
            log_name(number, batch.after.root), b"".join(x + b"\n" for x in (line, *batch.leaves))
        )
        checkpoint = Checkpoint(origin=self.origin, size=batch.after.size, root=batch.after.root)
        note = sign_checkpoint(checkpoint, self.signers)
        self.put(checkpoint_name(number), note)
        signed = parse_checkpoint(note)
        assert isinstance(signed, SignedCheckpoint)
        self.end = replace(
            self.end,
            number=number,
            next_number=number + 1,
            checkpoint=signed,
            frontier=batch.after,
            time=self.now,
        )
        self.now += HOUR

    def archive(
        self, hour: int, *, docs: int = 5, stream: StreamName = AUDIT, rev: int = 0, seed: str = ""
    ) -> list[SegmentRecord]:
        """Archive one window, with or without events, in a commit of its own."""
        window = window_at(hour)
        run = self.announce([window])
        made = self.segments(window, docs=docs, stream=stream, seed=seed) if docs else []
        self.commit(*made, window_record(window, made, stream=stream, rev=rev), run=run)
        return made

    def _genesis(self) -> GenesisRecord:
        keys = tuple(each.key for each in self.signers if isinstance(each, KeySigner))
        return GenesisRecord(archive_id=self.archive_id, created=self.now, keys=keys, tool=TOOL)

    # --- what a verifier knows ------------------------------------------------------------------

    def trust(self, *, pin: bool = True, require: Require | None = None) -> Trust:
        keys = tuple(
            TrustedKey(key=each.key) for each in self.signers if isinstance(each, KeySigner)
        )
        trust = Trust(origin=self.origin, keys=keys, require=require or Require())
        return replace(trust, pin=self.pin) if pin else trust

    @property
    def pin(self) -> Pin:
        checkpoint = self.checkpoint.checkpoint
        return Pin(size=checkpoint.size, root=checkpoint.root)

    @property
    def checkpoint(self) -> SignedCheckpoint:
        assert self.end is not None
        return self.end.checkpoint

    @property
    def as_of(self) -> datetime:
        """Shortly after the last commit."""
        assert self.end is not None
        assert self.end.time is not None
        return self.end.time + timedelta(minutes=10)


def built(
    store: Store | None = None,
    *,
    retain: Period | None = None,
    mode: LockMode = LockMode.COMPLIANCE,
    now: datetime = JULY,
) -> Builder:
    """Four commits: the stream, two windows with events, one without."""
    builder = Builder(store=store or MemoryStore(), retain=retain, mode=mode, now=now)
    kept = [] if retain is None else [retention_record(retain, mode)]
    builder.commit(stream_record(), *kept, builder.metadata())
    builder.archive(0)
    builder.archive(1, docs=3)
    builder.archive(2, docs=0)
    return builder


def retention_record(retain: Period, mode: LockMode = LockMode.COMPLIANCE) -> RetentionRecord:
    return RetentionRecord(stream=AUDIT, retain=retain, mode=mode, time=JULY)
