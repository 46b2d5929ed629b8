"""A key, one record of each type, and a small archive in memory: name → bytes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from kcompliance.ledger import (
    AbandonedObject,
    AbandonedRecord,
    Checkpoint,
    Clock,
    CommitRecord,
    EventsRoot,
    FilePartition,
    FileShare,
    Frontier,
    GenesisRecord,
    IndexPartition,
    IndexShare,
    KeyRevocationRecord,
    KeyRotationRecord,
    KeySigner,
    LockMode,
    MetadataRecord,
    Period,
    Record,
    RetentionRecord,
    RunReference,
    SegmentRecord,
    SegmentSource,
    Signer,
    SourceKind,
    StreamName,
    StreamRecord,
    StreamSource,
    WindowRecord,
    WindowStatus,
    checkpoint_name,
    log_name,
    metadata_name,
    origin_of,
    run_name,
    segment_name,
    sign_checkpoint,
    write_batch,
)
from kcompliance.model.digest import Sha256
from kcompliance.model.digest import sha256 as hex_sha256

ARCHIVE_ID = UUID("7b0f0c52-3f2e-4c1a-9a51-0d6c6f1f2a10")
OTHER_ID = UUID("11111111-2222-4333-8444-555555555555")
ORIGIN = origin_of(ARCHIVE_ID)
RUN = UUID("0190d2a4-0000-7000-8000-000000000001")
STREAM = StreamName("prod/k8s-audit")
HOUR = timedelta(hours=1)
JULY = datetime(2026, 7, 1, tzinfo=UTC)


def ed25519_signer(name: str = ORIGIN, seed: int = 1) -> KeySigner:
    return KeySigner(name, ed25519.Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


def ecdsa_signer(name: str = ORIGIN, seed: int = 1) -> KeySigner:
    return KeySigner(name, ec.derive_private_key(seed, ec.SECP256R1()))


SIGNER = ed25519_signer()
NEXT_SIGNER = ed25519_signer(seed=2)
LINES = [b'{"_id":"%d","_source":{"auditID":"%d"}}' % (n, n) for n in range(5)]


def events_root(lines: Sequence[bytes]) -> Sha256:
    root = EventsRoot()
    root.update(lines)
    return Sha256(root.root.hex())


def genesis() -> GenesisRecord:
    return GenesisRecord(
        archive_id=ARCHIVE_ID, created=JULY, keys=(SIGNER.key,), tool="kcompliance/0.1.0"
    )


def commit(n: int = 0, prev: Sha256 | None = None) -> CommitRecord:
    return CommitRecord(
        n=n,
        prev=prev,
        time=JULY + n * HOUR,
        clock=Clock(source="chrony", offset_ms=-3),
        run=RunReference(id=RUN, size=312, sha256=hex_sha256(b"run")),
        actor="system:serviceaccount:audit:archiver",
    )


def window(hour: int = 0, *, rev: int = 0, docs: int = 5, hours: int = 1) -> WindowRecord:
    part = IndexPartition(
        index="audit-000001",
        index_uuid="f3Kz",
        shard=0,
        expected=docs,
        written=docs,
        max_seq_no=9912,
    )
    return WindowRecord(
        stream=STREAM,
        start=JULY + hour * HOUR,
        end=JULY + (hour + hours) * HOUR,
        rev=rev,
        status=WindowStatus.SEALED if docs else WindowStatus.EMPTY,
        docs=docs,
        segments=(hex_sha256(b"%d %d" % (hour, rev)),) if docs else (),
        partitions=(part,),
    )


def file_window(start: int, end: int, *, file: bytes = b"a", docs: int = 2) -> WindowRecord:
    part = FilePartition(
        file=hex_sha256(file),
        name="/var/log/audit.log",
        start=start,
        end=end,
        expected=docs,
        written=docs,
    )
    return WindowRecord(
        stream=STREAM,
        start=JULY,
        end=JULY,
        rev=0,
        status=WindowStatus.SEALED,
        docs=docs,
        segments=(hex_sha256(file + b"%d" % start),),
        partitions=(part,),
    )


def segment(content: bytes = b"compressed", *, docs: int = 5) -> SegmentRecord:
    digest = hex_sha256(content)
    share = IndexShare(index="audit-000001", index_uuid="f3Kz", shard=0, docs=docs)
    return SegmentRecord(
        stream=STREAM,
        start=JULY,
        end=JULY + HOUR,
        time_field="requestReceivedTimestamp",
        key=segment_name(STREAM, JULY, digest),
        size=len(content),
        sha256=digest,
        version_id=None,
        content_size=200,
        content_sha256=hex_sha256(b"raw"),
        frames=((len(content), 200),),
        docs=docs,
        events_root=events_root(LINES),
        first_event=JULY + timedelta(microseconds=1),
        last_event=JULY + timedelta(minutes=59),
        source=SegmentSource(
            cluster_uuid="Zx1", query_sha256=hex_sha256(b"query"), shares=(share,)
        ),
        retain_until=datetime(2028, 7, 1, 1, tzinfo=UTC),
        tool="kcompliance/0.1.0",
        run=RUN,
    )


def file_segment() -> SegmentRecord:
    base = segment()
    share = FileShare(file=hex_sha256(b"a"), start=0, end=200, docs=5)
    return replace(
        base, end=JULY, source=SegmentSource(cluster_uuid=None, query_sha256=None, shares=(share,))
    )


def stream() -> StreamRecord:
    return StreamRecord(
        stream=STREAM,
        source=StreamSource(
            kind=SourceKind.ELASTICSEARCH, cluster_uuid="Zx1", patterns=("logs-*", "audit-*")
        ),
        time_field="requestReceivedTimestamp",
        filter={"bool": {"filter": [{"term": {"orchestrator.cluster.name": "prod"}}]}},
        window_seconds=3600,
    )


def file_stream() -> StreamRecord:
    return StreamRecord(
        stream=STREAM,
        source=StreamSource(kind=SourceKind.FILES, cluster_uuid=None, patterns=("/var/log/*",)),
        time_field=None,
        filter=None,
        window_seconds=None,
    )


def metadata() -> MetadataRecord:
    digest = hex_sha256(b"meta")
    return MetadataRecord(
        stream=STREAM,
        key=metadata_name(digest),
        size=4,
        sha256=digest,
        version_id="v1",
        content_size=10,
        content_sha256=hex_sha256(b"settings"),
        retain_until=None,
        tool="kcompliance/0.1.0",
        run=RUN,
    )


def abandoned() -> AbandonedRecord:
    names = (
        run_name(RUN),
        segment_name(STREAM, JULY, hex_sha256(b"lost")),
        metadata_name(hex_sha256(b"lost")),
        log_name(3, b"\x07" * 32),
    )
    return AbandonedRecord(
        stream=STREAM,
        run=RUN,
        objects=tuple(
            AbandonedObject(key=name, size=4, sha256=hex_sha256(b"half")) for name in names
        ),
    )


EVERY_RECORD: Mapping[str, Record] = {
    "genesis": genesis(),
    "commit": commit(7, hex_sha256(b"cp")),
    "first commit": commit(),
    "stream": stream(),
    "stream of files": file_stream(),
    "window": window(),
    "empty window": window(docs=0),
    "window without time": replace(window(), start=None, end=None),
    "window of a file": file_window(0, 100),
    "segment": segment(),
    "segment of a file": file_segment(),
    "metadata": metadata(),
    "abandoned": abandoned(),
    "key rotation": KeyRotationRecord(vkey=NEXT_SIGNER.key, replaces=SIGNER.key, time=JULY),
    "key revocation": KeyRevocationRecord(
        vkey=SIGNER.key, compromised=JULY, reason="laptop stolen", time=JULY
    ),
    "retention": RetentionRecord(
        stream=None, retain=Period(years=2), mode=LockMode.COMPLIANCE, time=JULY
    ),
}


@dataclass(slots=True)
class SampleArchive:
    """What a writer does to the log, without a store."""

    objects: dict[str, bytes] = field(default_factory=dict)
    frontier: Frontier = field(default_factory=Frontier)
    prev: Sha256 | None = None
    commits: int = 0

    def commit(self, *records: Record, signers: Sequence[Signer] = (SIGNER,)) -> None:
        head = [commit(self.commits, self.prev)]
        batch, data = write_batch(
            self.frontier, [*([] if self.frontier.size else [genesis()]), *head, *records]
        )
        self.frontier = batch.after
        signed = sign_checkpoint(
            Checkpoint(origin=ORIGIN, size=self.frontier.size, root=self.frontier.root), signers
        )
        self.objects[log_name(self.commits, self.frontier.root)] = data
        self.objects[checkpoint_name(self.commits)] = signed
        self.prev = Sha256(sha256(signed).hexdigest())
        self.commits += 1


def sample_archive() -> SampleArchive:
    archive = SampleArchive()
    archive.commit(stream(), metadata())
    archive.commit(segment(), window(0))
    archive.commit()
    archive.commit(window(1, docs=0), window(0, rev=1))
    return archive
