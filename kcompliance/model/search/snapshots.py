"""Backups: who takes snapshots of which indices, when the last one was, and where it went.

A policy names patterns; what really is in a snapshot it tells itself. Both are looked at.
Elasticsearch reference, "Get snapshot lifecycle policy" and "Get snapshot"; OpenSearch, "Snapshot
Management API".
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from kcompliance.model.apiserver.plain_data import at, mapping, sequence, text, texts
from kcompliance.model.moment import moment
from kcompliance.model.reading import Kind, Raw, Seen
from kcompliance.model.search.indices import TrailIndex, matches
from kcompliance.model.search.view import SearchStore

__all__ = [
    "Repository",
    "Snapshot",
    "SnapshotPolicy",
    "covers",
    "lacking",
    "repositories",
    "snapshot_policies",
    "snapshots",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotPolicy:
    """One policy; None for what is not told."""

    name: str
    repository: str
    patterns: tuple[str, ...]
    enabled: bool
    last_success: datetime | None
    last_success_name: str | None
    last_failure: datetime | None
    kind: Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One snapshot in a repository."""

    name: str
    repository: str
    state: str
    started: datetime | None
    ended: datetime | None
    indices: frozenset[str]
    failed_shards: int
    raw: Raw

    @property
    def whole(self) -> bool:
        """Everything that was to be saved was."""
        return self.state == "SUCCESS" and not self.failed_shards


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """Where snapshots go."""

    name: str
    type: str
    readonly: bool


_URL: Final = "url"
"""A type of repository that can only be read."""


def snapshot_policies(store: SearchStore) -> tuple[SnapshotPolicy, ...]:
    """SLM's, or those of OpenSearch's snapshot management."""
    return (*_slm(store), *_sm(store))


def _slm(store: SearchStore) -> Iterator[SnapshotPolicy]:
    for name, each in store.fields(Kind.ELASTICSEARCH_SLM_POLICIES).items():
        policy = mapping(at(each, "policy"))
        success, failure = mapping(at(each, "last_success")), mapping(at(each, "last_failure"))
        yield SnapshotPolicy(
            name=name,
            repository=text(policy.get("repository")) or "",
            patterns=_patterns(at(policy, "config", "indices")),
            enabled=True,
            last_success=_time(success, "time"),
            last_success_name=text(success.get("snapshot_name")),
            last_failure=_time(failure, "time"),
            kind=Kind.ELASTICSEARCH_SLM_POLICIES,
        )


def _sm(store: SearchStore) -> Iterator[SnapshotPolicy]:
    """Their last run is told by the snapshots alone, which carry the policy's name."""
    for each in sequence(store.fields(Kind.ELASTICSEARCH_SM_POLICIES).get("policies")):
        policy = mapping(at(each, "sm_policy"))
        name = text(policy.get("name")) or text(at(each, "_id")) or ""
        taken = [found for found in snapshots(store) if found.name.startswith(f"{name}-")]
        good = [found for found in taken if found.whole]
        bad = [found for found in taken if not found.whole]
        newest = max(good, key=_when, default=None)
        yield SnapshotPolicy(
            name=name.removesuffix("-sm-policy"),
            repository=text(at(policy, "snapshot_config", "repository")) or "",
            patterns=_patterns(at(policy, "snapshot_config", "indices")),
            enabled=policy.get("enabled") is not False,
            last_success=None if newest is None else newest.ended or newest.started,
            last_success_name=None if newest is None else newest.name,
            last_failure=max((_when(found) for found in bad), default=None),
            kind=Kind.ELASTICSEARCH_SM_POLICIES,
        )


def _when(found: Snapshot) -> datetime:
    return found.started or _LONG_AGO


_LONG_AGO: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def _patterns(value: object) -> tuple[str, ...]:
    """All, where nothing is said."""
    if isinstance(value, str):
        value = [part for part in value.split(",") if part]
    found = tuple(texts(value))
    if not found:
        return ("*",)
    return ("*", *found) if found[0].startswith("-") else found


def _time(found: Mapping[str, object], name: str) -> datetime | None:
    """In milliseconds, or as text where people are answered."""
    told = moment(found.get(name)) or moment(found.get(f"{name}_millis"))
    written = found.get(name)
    if told is None and isinstance(written, str):
        try:
            told = datetime.fromisoformat(written)
        except ValueError:
            return None
        if told.tzinfo is None:
            return None
    return told


def repositories(store: SearchStore) -> tuple[Repository, ...]:
    """All that the server knows."""
    return tuple(
        Repository(
            name=name,
            type=text(at(each, "type")) or "",
            readonly=text(at(each, "settings", "readonly")) == "true"
            or text(at(each, "type")) == _URL,
        )
        for name, each in sorted(store.fields(Kind.ELASTICSEARCH_REPOSITORIES).items())
    )


def snapshots(store: SearchStore) -> tuple[Snapshot, ...]:
    """The newest of each repository, the oldest first."""
    found = []
    for answer in store.answers(Kind.ELASTICSEARCH_SNAPSHOTS):
        if isinstance(answer, Seen):
            asked = answer.raw.origin.resource.rpartition("/_snapshot/")[2]
            for each in sequence(answer.value.get("snapshots")):
                found.append(_snapshot(mapping(each), asked, answer.raw))
    return tuple(sorted(found, key=_when))


def _snapshot(found: Mapping[str, object], asked: str, raw: Raw) -> Snapshot:
    failed = at(found, "shards", "failed")
    return Snapshot(
        name=text(found.get("snapshot")) or "",
        repository=text(found.get("repository")) or asked,
        state=text(found.get("state")) or "",
        started=moment(found.get("start_time_in_millis")) or _time(found, "start_time"),
        ended=moment(found.get("end_time_in_millis")) or _time(found, "end_time"),
        indices=frozenset(texts(found.get("indices"))),
        failed_shards=failed if isinstance(failed, int) else 0,
        raw=raw,
    )


def covers(patterns: Sequence[str], index: TrailIndex) -> bool:
    """Whether such patterns select an index, by its name or its data stream's."""
    if index.stream is not None and matches(index.stream.name, patterns):
        return True
    return matches(index.name, patterns)


def lacking(snapshot: Snapshot, indices: Sequence[TrailIndex]) -> tuple[str, ...]:
    """Indices that were there when a snapshot began and are not in it."""
    return tuple(
        index.name
        for index in indices
        if index.name not in snapshot.indices
        and index.created is not None
        and snapshot.started is not None
        and index.created < snapshot.started
    )
