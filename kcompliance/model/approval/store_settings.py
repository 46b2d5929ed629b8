"""The settings of a search store in the form in which they are approved.

What governs an index is what `model/search/kept.py` finds, and the pipelines that its settings
name. Beside those documents stand the snapshot policies that save it, and all pipelines through
which audit events may go. Versions, dates, descriptions and the like, which a server or a package
counts on by itself, are no part of them.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from kcompliance.model.apiserver.plain_data import at, mapping, sequence, text
from kcompliance.model.approval.documents import TooDeep, canonical_document, document_sha256
from kcompliance.model.approval.stores import ApprovedDocumentV1, ApprovedStoreV1
from kcompliance.model.reading import Kind
from kcompliance.model.search.indices import DataStream, TrailIndex, data_streams
from kcompliance.model.search.ingest import pipelines_of
from kcompliance.model.search.kept import Kept, kept_by_lifecycle
from kcompliance.model.search.snapshots import covers, snapshot_policies
from kcompliance.model.search.view import SearchStore

__all__ = ["approved_store"]

_ILM, _ISM, _PIPELINE = "ILM policy ", "ISM policy ", "ingest pipeline "
_STREAM: Final = "the lifecycle of data stream "
_OWN_BOOKS: Final = frozenset(
    {
        *("_meta", "version", "description", "deprecated", "user"),
        *("created_date", "created_date_millis", "modified_date", "modified_date_millis"),
        *("policy_id", "schema_version", "last_updated_time", "enabled_time", "schedule"),
    }
)
"""At the top of a document; `schedule` is that of OpenSearch's own job, never of a snapshot."""


def approved_store(
    store: SearchStore, indices: Sequence[TrailIndex], now: datetime
) -> ApprovedStoreV1 | str:
    """What can be approved of a store that was read; or why it cannot be told."""
    kept = kept_by_lifecycle(store, indices, now)
    governed = _governed(kept)
    found: dict[str, object] = dict(_lifecycles(store, governed))
    found |= _snapshots(store, indices, {one.waits_for for one in kept})
    found |= _pipelines(store)
    try:
        documents = tuple(_document(name, found[name]) for name in sorted(found))
    except TooDeep:
        return "one of its policies or pipelines is nested too deeply"
    for each in documents:
        if each.canonical is None and each.name.startswith(_ISM):
            return f"its {each.name} is not among those that could be read"
    return ApprovedStoreV1(name=store.name, governed=governed, documents=documents)


def _document(name: str, value: object) -> ApprovedDocumentV1:
    canonical = canonical_document(value)
    return ApprovedDocumentV1(name=name, sha256=document_sha256(canonical), canonical=canonical)


_RESTORED: Final = re.compile(r"^(?:shrink-[\w-]{4}-|partial-|restored-)+")

_COUNTED: Final = re.compile(r"(?<![a-zA-Z0-9])[wW]?[0-9]+(?:[wW][0-9]+)*(?![a-zA-Z0-9])")
"""Numbers and dates, that of a week too; not the digit of a word such as k8s."""


def _family(index: TrailIndex) -> str:
    if index.stream is not None:
        return f"data stream {index.stream.name}"
    return f"indices {_COUNTED.sub('#', _RESTORED.sub('', index.name))}"


def _governed(kept: Sequence[Kept]) -> dict[str, tuple[tuple[str, ...], ...]]:
    """By family what governs its newest index, and then what any of the others."""
    families: dict[str, list[Kept]] = {}
    for each in kept:
        families.setdefault(_family(each.index), []).append(each)
    found = {}
    for name, members in sorted(families.items()):
        newest = max(members, key=_age)
        others = {tuple(_governing(each)) for each in members if each is not newest}
        found[name] = (tuple(_governing(newest)), *sorted(others))
        if newest.index.stream is not None:
            found[f"{name}, next index"] = (_following(newest.index.stream),)
    return found


def _age(kept: Kept) -> tuple[int, datetime, str]:
    """Of a data stream the last is the one that is written to."""
    index = kept.index
    streamed = index.stream.indices if index.stream is not None else ()
    place = streamed.index(index.name) if index.name in streamed else -1
    return place, index.created or datetime.min.replace(tzinfo=UTC), index.name


def _governing(kept: Kept) -> Iterator[str]:
    yield kept.mechanism or "no lifecycle"
    for role in ("default", "final"):
        name = kept.index.settings.get(f"index.{role}_pipeline", "_none")
        if name != "_none":
            yield f"{role} {_PIPELINE}{name}"


def _following(stream: DataStream) -> tuple[str, ...]:
    """What the template of a data stream gives to its next index."""
    return (f"{_ILM}{stream.ilm_policy}" if stream.ilm_policy else "no ILM policy",)


# --- the documents -------------------------------------------------------------------------------


def _lifecycles(
    store: SearchStore, governed: Mapping[str, tuple[tuple[str, ...], ...]]
) -> Iterator[tuple[str, object]]:
    ilm = store.fields(Kind.ELASTICSEARCH_ILM_POLICIES)
    ism = dict(_ism(store))
    streams = {stream.name: stream for stream in data_streams(store)}
    for name in {word for each in governed.values() for which in each for word in which}:
        if name.startswith(_ILM):
            yield name, _content(at(ilm.get(name.removeprefix(_ILM)), "policy"))
        elif name.startswith(_ISM):
            yield name, ism.get(name.removeprefix(_ISM))
        elif name.startswith(_STREAM):
            told = mapping(streams[name.removeprefix(_STREAM)].lifecycle)
            kept = text(told.get("effective_retention")) or text(told.get("data_retention"))
            enabled = told.get("enabled") is not False
            yield name, {"enabled": enabled, "kept": kept, "downsampling": told.get("downsampling")}


def _ism(store: SearchStore) -> Iterator[tuple[str, object]]:
    for each in sequence(store.fields(Kind.ELASTICSEARCH_ISM_POLICIES).get("policies")):
        policy = mapping(at(each, "policy"))
        name = text(policy.get("policy_id")) or text(at(each, "_id"))
        if name is not None:
            templates = [_content(each) for each in sequence(policy.get("ism_template"))]
            yield name, {**mapping(_content(policy)), "ism_template": templates}


def _snapshots(
    store: SearchStore, indices: Sequence[TrailIndex], waited_for: set[str | None]
) -> dict[str, object]:
    slm = store.fields(Kind.ELASTICSEARCH_SLM_POLICIES)
    sm = {
        (text(at(each, "sm_policy", "name")) or text(at(each, "_id")) or "").removesuffix(
            "-sm-policy"
        ): _content(at(each, "sm_policy"))
        for each in sequence(store.fields(Kind.ELASTICSEARCH_SM_POLICIES).get("policies"))
    }
    return {
        f"snapshot policy {each.name}": (
            sm.get(each.name)
            if each.kind is Kind.ELASTICSEARCH_SM_POLICIES
            else at(slm.get(each.name), "policy")
        )
        for each in snapshot_policies(store)
        if each.name in waited_for or any(covers(each.patterns, index) for index in indices)
    }


def _pipelines(store: SearchStore) -> dict[str, object]:
    pipelines = store.fields(Kind.ELASTICSEARCH_PIPELINES)
    names = pipelines_of(store.fields(Kind.ELASTICSEARCH_SETTINGS), pipelines)
    return {f"{_PIPELINE}{name}": _content(pipelines.get(name)) for name in names}


def _content(value: object) -> object:
    """Without what is written down by itself; None where it is no object."""
    if not isinstance(value, Mapping):
        return None
    return {name: each for name, each in mapping(value).items() if name not in _OWN_BOOKS}
