"""CronJobs that delete indices, and after which age as far as they tell.

Elasticsearch Curator counts a month as 30 days and a year as 365, weeks as 7 (its documentation,
"filter element: unit"). A filter of kind `space` deletes by size, whatever the age.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from kcompliance.model.apiserver.plain_data import at, mapping, sequence, text, texts
from kcompliance.model.cluster import Cluster
from kcompliance.model.documents import Malformed, Unsure, read_documents
from kcompliance.model.listing import KubernetesObject, Listing
from kcompliance.model.reading import Kind, Raw

__all__ = ["Deletes", "DeletionJob", "deletion_jobs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletes:
    """One thing that a job deletes."""

    said_by: str
    """The words that tell."""
    age: timedelta | None
    """None: not to be told."""
    by_size: bool = False
    prefixes: tuple[str, ...] = ()
    """What the names of the indices begin with; empty: of any."""
    expression: str | None = None
    """A regular expression for their names."""

    def touches(self, names: Iterable[str]) -> bool:
        """Whether it deletes any of these indices, or may."""
        names = list(names)
        if self.expression is not None:
            try:
                wanted = re.compile(self.expression)
            except (re.error, RecursionError):
                return True
            return any(wanted.search(name) for name in names)
        if self.prefixes:
            return any(name.startswith(self.prefixes) for name in names)
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionJob:
    """A CronJob that deletes indices."""

    name: str
    schedule: str
    suspended: bool
    last_success: datetime | None
    deletes: tuple[Deletes, ...]
    raw: Raw


_DELETES: Final = re.compile(
    r"curator|_delete_by_query|(?:-X|--request)[\s=\"']*DELETE|indices\.delete|delete_indices"
    r"|method[\"'\s:=]+DELETE|\bDELETE\s+/",
    re.IGNORECASE,
)
_DATE: Final = re.compile(
    r"date\b[^|;&`\n]*?(?:-d|--date|-v)[\s=]*[\"']?[^\"'`)\n]*?-?\s*(\d{1,5})\s*"
    r"(days?|weeks?|months?|years?|d|w|m|y)\b",
    re.IGNORECASE,
)
_NOW: Final = re.compile(r"now-(\d{1,5})([dwMyhms])")
_UNITS: Final = {
    "s": timedelta(seconds=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "day": timedelta(days=1),
    "w": timedelta(days=7),
    "week": timedelta(days=7),
    "m": timedelta(days=30),
    "month": timedelta(days=30),
    "y": timedelta(days=365),
    "year": timedelta(days=365),
    "hour": timedelta(hours=1),
    "minute": timedelta(minutes=1),
    "second": timedelta(seconds=1),
}


def deletion_jobs(cluster: Cluster) -> tuple[DeletionJob, ...]:
    """The CronJobs that look as if they delete indices of a search server."""
    listing = cluster.listed(Kind.CRON_JOBS)
    if not isinstance(listing, Listing):
        return ()
    config = _config_maps(cluster)
    found = (_job(job, raw, config) for job, raw in listing.of_kind("CronJob"))
    return tuple(job for job in found if job is not None)


def _config_maps(cluster: Cluster) -> Mapping[tuple[str, str], Mapping[str, object]]:
    listing = cluster.listed(Kind.CONFIG_MAPS)
    if not isinstance(listing, Listing):
        return {}
    return {_name(found): mapping(found.get("data")) for found, _ in listing.of_kind("ConfigMap")}


def _name(found: KubernetesObject) -> tuple[str, str]:
    metadata = found.get("metadata")
    return text(at(metadata, "namespace")) or "default", text(at(metadata, "name")) or ""


def _job(
    found: KubernetesObject,
    raw: Raw,
    config: Mapping[tuple[str, str], Mapping[str, object]],
) -> DeletionJob | None:
    pod = at(found.get("spec"), "jobTemplate", "spec", "template", "spec")
    namespace, name = _name(found)
    words = [line for container in _containers(pod) for line in _words(container)]
    mounted = list(_mounted(pod, namespace, config))
    whole = "\n".join([*words, *mounted])
    if not _DELETES.search(whole):
        return None
    deletes = [one for each in mounted for one in _curator_file(each)]
    deletes += [one for each in words for one in _curator_words(each)]
    if not deletes:
        deletes = list(_scripted(whole))
    return DeletionJob(
        name=f"CronJob {namespace}/{name}",
        schedule=text(at(found.get("spec"), "schedule")) or "",
        suspended=at(found.get("spec"), "suspend") is True,
        last_success=_when(at(found.get("status"), "lastSuccessfulTime")),
        deletes=tuple(deletes) or (Deletes(said_by=_quote(whole), age=None),),
        raw=raw,
    )


def _containers(pod: object) -> list[object]:
    return [*sequence(at(pod, "initContainers")), *sequence(at(pod, "containers"))]


def _words(container: object) -> Iterator[str]:
    image = text(at(container, "image"))
    yield f"image {image}" if image else ""
    yield "\n".join([*texts(at(container, "command")), *texts(at(container, "args"))])


def _mounted(
    pod: object, namespace: str, config: Mapping[tuple[str, str], Mapping[str, object]]
) -> Iterator[str]:
    for volume in sequence(at(pod, "volumes")):
        name = text(at(volume, "configMap", "name"))
        for value in config.get((namespace, name or ""), {}).values():
            if isinstance(value, str):
                yield value


def _quote(words: str) -> str:
    found = _DELETES.search(words)
    start = 0 if found is None else max(0, found.start() - 20)
    return " ".join(words[start : start + 120].split())


def _when(value: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo else None


# --- Curator -------------------------------------------------------------------------------------


def _curator_file(content: str) -> Iterator[Deletes]:
    """The actions `delete_indices` of an action file."""
    try:
        documents = read_documents(content.encode())
    except (Malformed, Unsure):
        return
    for document in documents:
        for action in mapping(_texted(at(document, "actions"))).values():
            disabled = text(at(action, "options", "disable_action"))
            if at(action, "action") == "delete_indices" and disabled != "true":
                yield _filtered(sequence(at(action, "filters")))


def _texted(value: object) -> object:
    """Actions are numbered, and a number is no text."""
    return {str(key): each for key, each in value.items()} if isinstance(value, Mapping) else None


def _curator_words(words: str) -> Iterator[Deletes]:
    """`curator_cli … delete_indices --filter_list JSON`."""
    for found in re.finditer(r"--filter_list[\s=]+'?(?=[\[{])", words):
        filters = _json_at(words, found.end())
        yield _filtered(filters if isinstance(filters, list) else [filters])


def _json_at(words: str, start: int) -> Any:
    try:
        return json.JSONDecoder().raw_decode(words, start)[0]
    except (ValueError, RecursionError):
        return None


def _filtered(filters: list[object]) -> Deletes:
    """What an action with these filters deletes: all that pass every one of them."""
    age: timedelta | None = timedelta()
    prefixes: list[str] = []
    expression, by_size = None, False
    for each in filters:
        match at(each, "filtertype"):
            case "age" if at(each, "direction") == "older" and not _excludes(each):
                told = _age(each)
                age = None if age is None or told is None else max(age, told)
            case "space":
                by_size = True
            case "pattern" if not _excludes(each):
                value = text(at(each, "value")) or ""
                kind = text(at(each, "kind"))
                if kind == "prefix":
                    prefixes.append(value)
                elif kind in {"regex", "timestring"}:
                    expression = value if kind == "regex" else None
                elif kind == "suffix":
                    expression = f"{re.escape(value)}$"
            case _:
                pass
    kinds = ", ".join(str(at(each, "filtertype")) for each in filters) or "no filter"
    return Deletes(
        said_by=f"delete_indices by {kinds}",
        age=age,
        by_size=by_size,
        prefixes=tuple(prefixes),
        expression=expression,
    )


def _excludes(found: object) -> bool:
    return text(at(found, "exclude")) in {"true", "True"}


def _age(found: object) -> timedelta | None:
    count = text(at(found, "unit_count"))
    unit = _UNITS.get((text(at(found, "unit")) or "").rstrip("s"))
    if count is None or unit is None or not re.fullmatch(r"\d{1,6}", count):
        return None
    return int(count) * unit


# --- scripts -------------------------------------------------------------------------------------


def _scripted(words: str) -> Iterator[Deletes]:
    """An age in a call of `date`, or in a query; the least of several counts."""
    ages = [
        int(count) * _UNITS[unit.lower().rstrip("s") or "s"]
        for count, unit in _DATE.findall(words)
        if (unit.lower().rstrip("s") or "s") in _UNITS
    ]
    ages += [int(count) * _in_query(unit) for count, unit in _NOW.findall(words)]
    if ages:
        yield Deletes(said_by=_quote(words), age=min(ages))


def _in_query(unit: str) -> timedelta:
    """Elasticsearch's date math: M are months, m minutes."""
    return timedelta(minutes=1) if unit == "m" else _UNITS[unit.lower()]
