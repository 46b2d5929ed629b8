"""An archive in memory that grows commit by commit: with fixed keys, ids and times."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid5

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256

from kcompliance.archive.commit import Lost, Writer
from kcompliance.archive.elasticsearch.queries import canonical_sha256, of_window
from kcompliance.archive.interface import Window
from kcompliance.archive.log import LogEnd, LogReader
from kcompliance.archive.metadata import put_metadata
from kcompliance.archive.run_object import Intent, WindowRange, reference_to, write_intent
from kcompliance.archive.segment_writer import SegmentWriter, SpooledSegment
from kcompliance.ledger import (
    Checkpoint,
    FilePartition,
    FileShare,
    Frontier,
    GenesisRecord,
    IndexPartition,
    KeyRing,
    KeySigner,
    MetadataRecord,
    Record,
    RunReference,
    SegmentRecord,
    SegmentSource,
    Signer,
    StreamName,
    TrustedKey,
    VerifierKey,
    WindowRecord,
    WindowStatus,
    archive_id_of,
    canonical_bytes,
    checkpoint_name,
    log_name,
    origin_of,
    run_name,
    segment_name,
    sign_checkpoint,
    verifier_key,
)
from kcompliance.ledger.batch import Batch
from kcompliance.model.digest import Sha256
from kcompliance.model.digest import sha256 as hex_sha256
from kcompliance.stores.memory import MemoryStore

__all__ = [
    "ACTOR",
    "BEGIN",
    "HOUR",
    "TOOL",
    "Growing",
    "Objects",
    "ecdsa_signer",
    "ed25519_signer",
    "fixed_uuid",
]

Objects = dict[str, bytes]
"""An archive: the bytes of each object by its name."""

HOUR = timedelta(hours=1)
BEGIN = datetime(2026, 7, 1, tzinfo=UTC)
ACTOR = "archiver"
TOOL = "kcompliance/0.1.0"
_FRAME = 600
"""Bytes of events in a frame, so that even a small segment has several."""
_SPACE = UUID("6f1d2f0e-9d0b-4a57-8d3a-5b7c1f2e3a40")


def fixed_uuid(name: str) -> UUID:
    """A UUID of version 4 by its form, the same for the same name."""
    return UUID(bytes=uuid5(_SPACE, name).bytes, version=4)


def ed25519_signer(name: str, seed: int) -> KeySigner:
    return KeySigner(name, ed25519.Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


@dataclass(frozen=True, slots=True)
class _EcdsaSigner:
    """Signs as RFC 6979 says, so that the same bytes come out each time."""

    key: VerifierKey
    private: ec.EllipticCurvePrivateKey

    def sign(self, text: bytes) -> bytes:
        return self.private.sign(text, ec.ECDSA(SHA256(), deterministic_signing=True))


def ecdsa_signer(name: str, seed: int) -> Signer:
    private = ec.derive_private_key(seed, ec.SECP256R1())
    return _EcdsaSigner(verifier_key(name, private.public_key()), private)


@dataclass(slots=True)
class Growing:
    """An archive that its key holder writes on. `next_hour` is when the next commit is dated."""

    name: str
    store: MemoryStore = field(default_factory=MemoryStore)
    signers: tuple[Signer, ...] = ()
    end: LogEnd | None = None
    time: datetime = BEGIN
    runs: int = 0

    @property
    def origin(self) -> str:
        return origin_of(fixed_uuid(self.name))

    @property
    def objects(self) -> Objects:
        return {entry.key: self.store.get(entry.key) for entry in self.store.list()}

    def copy(self) -> "Growing":
        """One that goes on from here by itself."""
        twin = replace(self, store=MemoryStore())
        for key, data in self.objects.items():
            twin.put(key, data)
        return twin

    def put(self, key: str, data: bytes) -> None:
        self.store.put_if_absent(key, data, hex_sha256(data))

    # --- commits ------------------------------------------------------------------------------

    def begin(self, *signers: Signer, archive_id: UUID | None = None) -> None:
        """Commit 0, with nothing but genesis, which may name another archive."""
        self.signers = signers
        archive_id = archive_id or archive_id_of(self.origin)
        assert archive_id is not None
        genesis = GenesisRecord(
            archive_id=archive_id,
            created=self.time,
            keys=tuple(signer.key for signer in signers),
            tool=TOOL,
        )
        self.end = self._writer(signers).first(genesis, [], self.run())

    def commit(
        self, *records: Record, by: Sequence[Signer] = (), run_by: Sequence[Signer] = ()
    ) -> None:
        """An hour later than the last one; `run_by` signs the intent of its run."""
        assert self.end is not None
        self.time += HOUR
        windows = [each for each in records if isinstance(each, WindowRecord)]
        ranges = tuple(
            dict.fromkeys(WindowRange(start=each.start, end=each.end) for each in windows)
        )
        if any(isinstance(each, FilePartition) for one in windows for each in one.partitions):
            ranges = (WindowRange(start=None, end=None),)
        reference = self.run(
            self.intent(stream=windows[0].stream if windows else None, windows=ranges), run_by
        )
        writer = self._writer(tuple(by) or self.signers)
        end = writer.next(self.end, records, reference, now=self.time)
        assert not isinstance(end, Lost)
        self.end = end

    def commit_bytes(
        self,
        *leaves: bytes,
        signers: Sequence[Signer] = (),
        commit: dict[str, object] | None = None,
        before: Frontier | None = None,
        run: bool = True,
    ) -> None:
        """As `commit`, of leaves that need be no records, and after whatever tree.

        `commit` replaces fields of its record, which has to bring its run where `run` is False.
        """
        assert self.end is not None
        self.time += HOUR
        number = self.end.next_number
        own = self.run() if run else None
        head = {
            "type": "commit",
            "v": 1,
            "n": number,
            "prev": self.end.checkpoint.sha256,
            "time": self.time.isoformat().replace("+00:00", "Z"),
            "clock": None,
            "run": own and {"id": str(own.id), "size": own.size, "sha256": own.sha256},
            "actor": ACTOR,
        } | (commit or {})
        before = self.end.frontier if before is None else before
        lines = (canonical_bytes(head), *leaves)
        after = Batch(before=before, leaves=lines).after
        first = canonical_bytes({"start": before.size, "frontier": before.to_hex()})
        self.put(log_name(number, after.root), b"".join(line + b"\n" for line in (first, *lines)))
        checkpoint = Checkpoint(origin=self.origin, size=after.size, root=after.root)
        signed = sign_checkpoint(checkpoint, signers or self.signers)
        self.put(checkpoint_name(number), signed)

    def read_end(self) -> None:
        """Take the log's end from the objects, as a writer who comes anew does."""
        keys = KeyRing(tuple(TrustedKey(key=signer.key) for signer in self.signers))
        reader = LogReader(self.store, origin=self.origin, keys=keys)
        assert list(reader.commits())
        self.end = reader.end

    def intent(
        self, *, windows: tuple[WindowRange, ...] = (), stream: StreamName | None = None
    ) -> Intent:
        """Of the next run."""
        self.runs += 1
        return Intent(
            id=fixed_uuid(f"{self.name} run {self.runs}"),
            origin=self.origin,
            stream=stream,
            windows=windows,
            time=self.time,
            actor=ACTOR,
            tool=TOOL,
        )

    def run(self, intent: Intent | None = None, by: Sequence[Signer] = ()) -> RunReference:
        """Put the intent of a run, and say how its commit names it."""
        intent = intent or self.intent()
        data = write_intent(intent, by or self.signers[:1])
        self.put(run_name(intent.id), data)
        return reference_to(intent, data)

    def _writer(self, signers: tuple[Signer, ...]) -> Writer:
        return Writer(store=self.store, origin=self.origin, signers=signers, actor=ACTOR)

    # --- objects ------------------------------------------------------------------------------

    def hour(
        self,
        stream: StreamName,
        start: datetime | None,
        shards: Sequence[tuple[IndexPartition, Sequence[bytes]]],
        *,
        rev: int = 0,
    ) -> tuple[SegmentRecord, WindowRecord]:
        """Store the events of a window; the records of its segment and of itself."""
        with tempfile.TemporaryDirectory() as folder:
            with SegmentWriter(Path(folder), frame_bytes=_FRAME) as writer:
                for partition, lines in shards:
                    writer.write(b"".join(line + b"\n" for line in lines), len(lines))
                    writer.credit(partition)
                (spooled,) = writer.finish()
            content = spooled.path.read_bytes()
        key = segment_name(stream, start, spooled.sha256)
        self.put(key, content)
        end = None if start is None else start + HOUR
        record = self._segment(spooled, stream, key, start, end)
        window = WindowRecord(
            stream=stream,
            start=start,
            end=end,
            rev=rev,
            status=WindowStatus.SEALED,
            docs=spooled.docs,
            segments=(spooled.sha256,),
            partitions=tuple(partition for partition, _ in shards),
        )
        return record, window

    def file_range(
        self,
        stream: StreamName,
        partition: FilePartition,
        lines: Sequence[bytes],
        *,
        first: datetime | None,
        last: datetime | None,
    ) -> tuple[SegmentRecord, WindowRecord]:
        """Store lines of a file; the records of their segment and of the window that they are."""
        with tempfile.TemporaryDirectory() as folder:
            with SegmentWriter(Path(folder), frame_bytes=_FRAME) as writer:
                joined = b"".join(line + b"\n" for line in lines)
                writer.write(joined, len(lines), first=first, last=last)
                writer.credit(partition)
                (spooled,) = writer.finish()
            content = spooled.path.read_bytes()
        key = segment_name(stream, first, spooled.sha256)
        self.put(key, content)
        record = self._segment(spooled, stream, key, first, last)
        window = WindowRecord(
            stream=stream,
            start=first,
            end=last,
            rev=0,
            status=WindowStatus.SEALED,
            docs=spooled.docs,
            segments=(spooled.sha256,),
            partitions=(partition,),
        )
        return record, window

    def settings(self, stream: StreamName, content: bytes) -> MetadataRecord:
        stored = put_metadata(self.store, content, known=lambda _: False, retain_until=None)
        assert stored is not None
        run = fixed_uuid(f"{self.name} run {self.runs + 1}")
        return stored.record(stream, retain_until=_two_years(self.time), tool=TOOL, run=run)

    def _segment(
        self,
        spooled: SpooledSegment,
        stream: StreamName,
        key: str,
        start: datetime | None,
        end: datetime | None,
    ) -> SegmentRecord:
        of_files = isinstance(spooled.shares[0], FileShare)
        committed = self.time + HOUR
        return SegmentRecord(
            stream=stream,
            start=start,
            end=end,
            time_field=None if of_files else "requestReceivedTimestamp",
            key=key,
            size=spooled.size,
            sha256=spooled.sha256,
            version_id=None,
            content_size=spooled.content_size,
            content_sha256=spooled.content_sha256,
            frames=spooled.frames,
            docs=spooled.docs,
            events_root=spooled.events_root,
            first_event=spooled.first_event,
            last_event=spooled.last_event,
            source=SegmentSource(
                cluster_uuid=None if of_files else "nZx1QpS5TGa3m7c2v8Kd4w",
                query_sha256=None if of_files else _query_sha256(stream, start, end),
                shares=spooled.shares,
            ),
            retain_until=_two_years(committed if end is None else max(end, committed)),
            tool=TOOL,
            run=fixed_uuid(f"{self.name} run {self.runs + 1}"),
        )


def _query_sha256(stream: StreamName, start: datetime | None, end: datetime | None) -> Sha256:
    cluster = stream.partition("/")[0]
    filters = [("orchestrator.cluster.name", cluster)]
    window = Window(start=start, end=end)
    return canonical_sha256(of_window(window, "requestReceivedTimestamp", filters))


def _two_years(moment: datetime) -> datetime:
    return moment.replace(year=moment.year + 2)
