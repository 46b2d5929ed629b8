"""What a scan wants to know of an archive: its reach, its retention, whether it is sound.

Read at level 1 (the log, and what is listed, with the locks that the store really holds).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from kcompliance.archive.catalogue import CataloguedStream, NotAsSigned, read_catalogue
from kcompliance.archive.verify import Request, Verification, verify
from kcompliance.ledger import LockMode, Trust, WindowStatus
from kcompliance.model.archive_evidence import (
    ARCHIVE_EVIDENCE_SCHEMA,
    ArchivedStreamEvidence,
    ArchiveEvidence,
    ArchiveFault,
)
from kcompliance.stores import Store

__all__ = ["archive_evidence"]

_LEVEL = 1
_FAULTS = 20


def archive_evidence(
    store: Store, trust: Trust | None, streams: Sequence[str], *, now: datetime
) -> bytes:
    """The document, as JSON; of these streams, or of all where none is named.

    An archive whose log cannot be trusted shows no streams. Raises `NoArchive` and `StoreError`.
    """
    try:
        catalogue = read_catalogue(store, trust)
    except NotAsSigned:
        catalogue = None
    found = verify(store, Request(trust=trust, as_of=now, level=_LEVEL, live=True))
    if catalogue is None:
        return _written(_evidence(store.url, found, missing=streams))
    wanted = streams or sorted(catalogue.streams)
    committed = {
        number: commit.record.time
        for number, commit in catalogue.commits.items()
        if commit.record is not None
    }
    return _written(
        msgspec.structs.replace(
            _evidence(
                store.url, found, missing=[each for each in wanted if each not in catalogue.streams]
            ),
            trusted=catalogue.trusted,
            streams=[
                _stream(each, committed)
                for name, each in sorted(catalogue.streams.items())
                if name in wanted
            ],
        )
    )


def _evidence(url: str, found: Verification, missing: Sequence[str]) -> ArchiveEvidence:
    return ArchiveEvidence(
        schema=ARCHIVE_EVIDENCE_SCHEMA,
        archive=url,
        origin=found.origin,
        trusted=False,
        level=_LEVEL,
        exit_code=int(found.exit_code),
        faults=[
            ArchiveFault(
                code=fault.code.value, severity=fault.code.severity.value, detail=fault.detail
            )
            for fault in found.causes[:_FAULTS]
        ],
        faults_in_all=len(found.findings),
        streams=[],
        missing=list(missing),
    )


def _written(evidence: ArchiveEvidence) -> bytes:
    return msgspec.json.format(msgspec.json.encode(evidence), indent=2) + b"\n"


def _stream(stream: CataloguedStream, committed: Mapping[int, datetime]) -> ArchivedStreamEvidence:
    coverage = stream.coverage
    statuses = [window.status for window in stream.windows]
    commits = (committed.get(each.commit) for each in stream.segments.values())
    return ArchivedStreamEvidence(
        name=stream.name,
        start=coverage.start,
        end=coverage.end,
        windows=len(coverage.windows) + len(coverage.ranges),
        lock=min(stream.locks, key=lambda mode: mode.strictness, default=LockMode.NONE).value,
        docs=sum(window.docs for window in stream.windows),
        gaps=len(coverage.gaps),
        source_missing=statuses.count(WindowStatus.SOURCE_MISSING),
        least_days_kept=_least_days(stream, committed),
        last_commit=max((each for each in commits if each is not None), default=None),
    )


def _least_days(stream: CataloguedStream, committed: Mapping[int, datetime]) -> int | None:
    """Of events without a time of their own from their commit on, which is later."""
    least: int | None = None
    for each in stream.segments.values():
        record = each.record
        until = record.retain_until
        end = record.end or record.last_event or committed.get(each.commit)
        if until is None or end is None:
            return None
        days = (until - end).days
        least = days if least is None else min(least, days)
    return least
