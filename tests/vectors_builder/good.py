"""Two good archives: one of audit log files, and one of an Elasticsearch-like index."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from kcompliance.archive.elasticsearch.queries import of_user as query_of
from kcompliance.archive.interface import Window
from kcompliance.archive.run_object import ranges_of, reference_to, write_intent
from kcompliance.ledger import (
    AbandonedObject,
    AbandonedRecord,
    CommitRecord,
    FilePartition,
    IndexPartition,
    KeyRotationRecord,
    LockMode,
    Period,
    RetentionRecord,
    Signer,
    SourceKind,
    StreamName,
    StreamRecord,
    StreamSource,
    WindowRecord,
    WindowStatus,
    canonical_bytes,
    log_name,
    run_name,
    segment_name,
    write_batch,
)
from kcompliance.model.digest import sha256
from tests.vectors_builder.growing import (
    ACTOR,
    BEGIN,
    HOUR,
    Growing,
    Objects,
    ecdsa_signer,
    ed25519_signer,
    fixed_uuid,
)

__all__ = [
    "FILES",
    "FILE_LINES",
    "OTHER",
    "SEARCH",
    "Good",
    "event",
    "file_range",
    "files_archive",
    "files_stream",
    "hit",
    "search_archive",
    "shard",
    "window_at",
]

FILES = StreamName("prod/audit-files")
SEARCH = StreamName("prod/k8s-audit")
OTHER = StreamName("stage/k8s-audit")
CLUSTER_FIELD = "orchestrator.cluster.name"
FILE_NAME = "/var/log/kubernetes/audit.log"


@dataclass(frozen=True, slots=True)
class Good:
    """A good archive, and what it was after each of its commits."""

    archive: Growing
    after: tuple[Objects, ...]


# --- events -----------------------------------------------------------------------------------


def event(number: int, moment: datetime, *, note: str = "", user: str = "jane") -> bytes:
    """An event of kube-apiserver, as one line without its line feed."""
    time = moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
    annotations = f',"annotations":{{"note":"{note}"}}' if note else ""
    return (
        '{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata",'
        f'"auditID":"{fixed_uuid(f"event {number}")}","stage":"ResponseComplete",'
        f'"requestURI":"/api/v1/namespaces/shop/secrets/key-{number}","verb":"get",'
        f'"user":{{"username":"{user}"}},"requestReceivedTimestamp":"{time}"{annotations}}}'
    ).encode()


def hit(number: int, moment: datetime, *, seq_no: int, note: str = "") -> bytes:
    """The same as it comes out of an index."""
    head = f'"_index":".ds-audit-2026.07.01-000001","_id":"{sha256(b"%d" % number)[:20]}"'
    source = event(number, moment, note=note).decode()
    return (
        f'{{{head},"_seq_no":{seq_no},"_primary_term":1,"_version":1,"_source":{source}}}'
    ).encode()


def shard(number: int, docs: int, max_seq_no: int) -> IndexPartition:
    return IndexPartition(
        index=".ds-audit-2026.07.01-000001",
        index_uuid="f3KzQp0TRa2m7c2v8Kd4wA",
        shard=number,
        expected=docs,
        written=docs,
        max_seq_no=max_seq_no,
    )


# --- files ------------------------------------------------------------------------------------

_FIRST = [event(n, BEGIN + timedelta(minutes=7 * n, microseconds=n)) for n in range(5)]
_SECOND = [
    event(5, BEGIN + timedelta(minutes=40), user="Zoë \\u2028 — 日本"),
    event(6, BEGIN + timedelta(minutes=41)) + b"\r",
    b'{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Meta',
    event(7, BEGIN + timedelta(minutes=38)),
]
FILE_LINES = (*_FIRST, *_SECOND)
"""The lines of the file: one ends with a carriage return, and a crash has cut one off."""


def files_stream() -> StreamRecord:
    source = StreamSource(kind=SourceKind.FILES, cluster_uuid=None, patterns=(FILE_NAME,))
    return StreamRecord(
        stream=FILES, source=source, time_field=None, filter=None, window_seconds=None
    )


def file_range(start: int, end: int, docs: int) -> FilePartition:
    return FilePartition(
        file=sha256(FILE_LINES[0]),
        name=FILE_NAME,
        start=start,
        end=end,
        expected=docs,
        written=docs,
    )


def files_archive(*, without: int | None = None) -> Good:
    """Two commits of lines after the first one; `without` one of the first lines, if it is told."""
    archive = Growing("files")
    archive.begin(ed25519_signer(archive.origin, 1))
    after = [archive.objects]
    retention = RetentionRecord(
        stream=FILES, retain=Period(years=2), mode=LockMode.NONE, time=archive.time + HOUR
    )
    cut = sum(len(line) + 1 for line in _FIRST)
    lines = [line for number, line in enumerate(_FIRST) if number != without]
    first = archive.file_range(
        FILES,
        file_range(0, cut, len(lines)),
        lines,
        first=BEGIN,
        last=BEGIN + timedelta(minutes=28, microseconds=4),
    )
    archive.commit(files_stream(), retention, *first)
    after.append(archive.objects)
    # A blank line stands before these in the file: it counts in bytes, and is not archived.
    end = cut + 1 + sum(len(line) + 1 for line in _SECOND)
    second = archive.file_range(
        FILES,
        file_range(cut, end, len(_SECOND)),
        _SECOND,
        first=BEGIN + timedelta(minutes=38),
        last=BEGIN + timedelta(minutes=41),
    )
    archive.commit(*second)
    return Good(archive, (*after, archive.objects))


# --- an index ---------------------------------------------------------------------------------


def search_archive() -> Good:
    """Sealed, empty and late windows of two streams, leftovers, and another key from commit 4."""
    archive = Growing("search")
    old, new = ed25519_signer(archive.origin, 2), ecdsa_signer(archive.origin, 3)
    archive.begin(old)
    after = [archive.objects]
    for step in (_first_hours, _leftovers, _late, lambda archive: _rotation(archive, old, new)):
        step(archive)
        after.append(archive.objects)
    archive.signers = (new,)
    archive.commit()
    return Good(archive, (*after, archive.objects))


def _search_stream(name: StreamName, cluster: str) -> StreamRecord:
    return StreamRecord(
        stream=name,
        source=StreamSource(
            kind=SourceKind.ELASTICSEARCH,
            cluster_uuid="nZx1QpS5TGa3m7c2v8Kd4w",
            patterns=("logs-kubernetes.audit_logs-*",),
        ),
        time_field="requestReceivedTimestamp",
        filter=query_of([(CLUSTER_FIELD, cluster)]),
        window_seconds=3600,
    )


def window_at(
    hour: int, *, stream: StreamName = SEARCH, status: WindowStatus, rev: int = 0
) -> WindowRecord:
    """A window without events."""
    return WindowRecord(
        stream=stream,
        start=BEGIN + hour * HOUR,
        end=BEGIN + (hour + 1) * HOUR,
        rev=rev,
        status=status,
        docs=0,
        segments=(),
        partitions=(),
    )


def _first_hours(archive: Growing) -> None:
    settings = {".ds-audit-2026.07.01-000001": {"settings": {"index": {"number_of_shards": "2"}}}}
    metadata = archive.settings(SEARCH, canonical_bytes(settings))
    hits = [hit(n, BEGIN + timedelta(minutes=n), seq_no=n) for n in range(7)]
    sealed = archive.hour(SEARCH, BEGIN, [(shard(0, 4, 17), hits[:4]), (shard(1, 3, 12), hits[4:])])
    archive.commit(
        _search_stream(SEARCH, "prod"),
        RetentionRecord(
            stream=None, retain=Period(years=2), mode=LockMode.NONE, time=archive.time + HOUR
        ),
        metadata,
        *sealed,
        window_at(1, status=WindowStatus.EMPTY),
    )


def _leftovers(archive: Growing) -> None:
    """What a run left that died before its commit, and a window that does not need it."""
    assert archive.end is not None
    dead = archive.intent(
        stream=SEARCH, windows=ranges_of([Window(start=BEGIN + 2 * HOUR, end=BEGIN + 3 * HOUR)])
    )
    intent = write_intent(dead, archive.signers)
    half = b"half of a segment that was never finished"
    commit = CommitRecord(
        n=archive.end.number + 1,
        prev=archive.end.checkpoint.sha256,
        time=archive.time + HOUR / 2,
        clock=None,
        run=reference_to(dead, intent),
        actor=ACTOR,
    )
    batch, lost = write_batch(archive.end.frontier, [commit])
    left = {
        run_name(dead.id): intent,
        segment_name(SEARCH, BEGIN + 2 * HOUR, sha256(b"whole")): half,
        log_name(commit.n, batch.after.root): lost,
    }
    for key, data in left.items():
        archive.put(key, data)
    explained = AbandonedRecord(
        stream=SEARCH,
        run=dead.id,
        objects=tuple(
            AbandonedObject(key=key, size=len(data), sha256=sha256(data))
            for key, data in left.items()
        ),
    )
    hits = [hit(20 + n, BEGIN + 2 * HOUR + timedelta(minutes=n), seq_no=20 + n) for n in range(2)]
    sealed = archive.hour(SEARCH, BEGIN + 2 * HOUR, [(shard(0, 2, 21), hits)])
    archive.commit(explained, *sealed)


def _late(archive: Growing) -> None:
    """A late event of the first hour, one without a time, and another stream."""
    late = hit(30, BEGIN + timedelta(minutes=59), seq_no=30, note="came a day later")
    timeless = (
        b'{"_index":".ds-audit-2026.07.01-000001","_id":"t","_routing":"r","_seq_no":31,'
        b'"_primary_term":1,"_version":1,"_source":{"auditID":"none","n":12345678901234567890,'
        b'"n":1.0}}'
    )
    other = hit(40, BEGIN, seq_no=0)
    archive.commit(
        *archive.hour(SEARCH, BEGIN, [(shard(0, 1, 30), [late])], rev=1),
        *archive.hour(SEARCH, None, [(shard(0, 1, 31), [timeless])]),
        _search_stream(OTHER, "stage"),
        *archive.hour(OTHER, BEGIN, [(shard(0, 1, 0), [other])]),
    )


def _rotation(archive: Growing, old: Signer, new: Signer) -> None:
    record = KeyRotationRecord(vkey=new.key, replaces=old.key, time=archive.time + HOUR)
    archive.commit(record, by=(old, new))
