"""Checks a whole archive against what it ought to hold: nothing lost, doubled or unexplained."""

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from kcompliance.archive.log import Commit, LogReader
from kcompliance.archive.segment_reader import events
from kcompliance.archive.verify import Request, verify
from kcompliance.errors import ExitCode
from kcompliance.ledger import (
    AbandonedObject,
    AbandonedRecord,
    CommitRecord,
    FindingCode,
    MetadataRecord,
    RunReference,
    SegmentRecord,
    StreamName,
    Trust,
    WindowRecord,
    coverage_by_stream,
    run_name,
)
from kcompliance.stores.interface import Store

__all__ = ["CheckedArchive", "check_archive"]

_NOBODY_VOUCHES = {FindingCode.UNTRUSTED_KEY, FindingCode.UNANCHORED}


@dataclass(kw_only=True)
class CheckedArchive:
    """What the log of a sound archive says."""

    commits: list[Commit] = field(default_factory=list)
    runs: list[RunReference] = field(default_factory=list)
    segments: list[SegmentRecord] = field(default_factory=list)
    windows: list[WindowRecord] = field(default_factory=list)
    metadata: list[MetadataRecord] = field(default_factory=list)
    abandoned: list[AbandonedObject] = field(default_factory=list)

    @property
    def streams(self) -> set[StreamName]:
        return {each.stream for each in self.windows}


def check_archive(
    store: Store,
    lines: Iterable[bytes],
    *,
    trust: Trust | None = None,
    foreign: Collection[str] = (),
    gaps: int = 0,
    seen: Callable[[bytes], bytes] = lambda line: line,
) -> CheckedArchive:
    """Read all of an archive that has to hold exactly these lines (without line feeds).

    `seen` is what counts of a line that was archived, where that is not all of it. `foreign` are
    the objects that nothing may explain: all others have to be, by the log. `gaps` are the holes
    that it has to show.
    """
    archive = _read_log(store, trust, foreign)
    _check_lines(store, archive, Counter(lines), seen)
    faults = [fault for each in coverage_by_stream(archive.windows) for fault in each.faults]
    assert [each.code for each in faults] == [FindingCode.WINDOW_GAP] * gaps, faults
    _check_objects(store, archive, foreign)
    expected = [*foreign, *[str(FindingCode.WINDOW_GAP)] * gaps]
    _check_verified(store, archive, trust, expected)
    return archive


def _read_log(store: Store, trust: Trust | None, foreign: Collection[str]) -> CheckedArchive:
    reader = LogReader(
        store,
        origin=trust.origin if trust is not None else None,
        keys=trust.ring if trust is not None else None,
    )
    archive = CheckedArchive()
    for commit in reader.commits():
        archive.commits.append(commit)
        for record in commit.records:
            match record:
                case CommitRecord():
                    archive.runs.append(record.run)
                case SegmentRecord():
                    archive.segments.append(record)
                case WindowRecord():
                    archive.windows.append(record)
                case MetadataRecord():
                    archive.metadata.append(record)
                case AbandonedRecord():
                    archive.abandoned += record.objects
                case _:
                    pass
    assert [each for each in reader.faults if each.object not in foreign] == []
    return archive


def _check_lines(
    store: Store,
    archive: CheckedArchive,
    expected: Counter[bytes],
    seen: Callable[[bytes], bytes],
) -> None:
    """Each line is in one segment, and each segment in one window."""
    named = Counter((each.stream, sha) for each in archive.windows for sha in each.segments)
    recorded = Counter((each.stream, each.sha256) for each in archive.segments)
    assert named == recorded
    assert set(named.values()) <= {1}
    found: Counter[bytes] = Counter()
    for segment in archive.segments:
        pieces = store.read(segment.key, version=segment.version_id)
        found.update(map(seen, events(segment, pieces)))
    lost, more = expected - found, found - expected
    assert (sum(lost.values()), sum(more.values())) == (0, 0), (_some(lost), _some(more))
    assert sum(each.docs for each in archive.windows) == expected.total()


def _check_objects(store: Store, archive: CheckedArchive, foreign: Collection[str]) -> None:
    """Each object is named by the log, with its size and digest, or is the log."""
    keys = Counter(entry.key for entry in store.list_versions())
    assert set(keys.values()) == {1}
    own = {key for each in archive.commits for key in (each.log_key, each.checkpoint_key)}
    named = {each.key: (each.size, each.sha256) for each in archive.abandoned}
    named |= {run_name(each.id): (each.size, each.sha256) for each in archive.runs}
    named |= {each.key: (each.size, each.sha256) for each in archive.segments}
    named |= {each.key: (each.size, each.sha256) for each in archive.metadata}
    assert sorted(keys) == sorted({*own, *named, *foreign})
    for key, (size, sha256) in named.items():
        content = store.get(key)
        assert (len(content), hashlib.sha256(content).hexdigest()) == (size, sha256), key


def _check_verified(
    store: Store, archive: CheckedArchive, trust: Trust | None, expected: Sequence[str]
) -> None:
    """What `verify` finds is this, named by its object or else by its code, and nothing else."""
    times = [each.record.time for each in archive.commits if each.record is not None]
    as_of = max(datetime.now(UTC), *times)
    verified = verify(store, Request(trust=trust, as_of=as_of, level=4, grace=timedelta(0)))
    told = [each for each in verified.findings if each.code not in _NOBODY_VOUCHES]
    assert sorted(each.object or str(each.code) for each in told) == sorted(expected), told
    if trust is not None and trust.pin is not None and not expected:
        assert verified.exit_code is ExitCode.GOOD, verified.findings


def _some(lines: Counter[bytes]) -> list[bytes]:
    return [line[:200] for line in list(lines)[:3]]
