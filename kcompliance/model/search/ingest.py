"""What ingest pipelines do to audit events, and how often they fail."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from kcompliance.model.apiserver.plain_data import at, mapping, sequence, text
from kcompliance.model.search.indices import flat
from kcompliance.model.search.view import Fields

__all__ = ["Failures", "conflicts", "failures", "pipelines_of", "unguarded"]

_LIKELY: Final = re.compile(r"@custom\Z|kubernetes|k8s|audit|aws", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """What one pipeline did since its nodes started."""

    name: str
    count: int
    failed: int

    def above(self, percent: float) -> bool:
        """Whether more of the documents than this failed."""
        return self.failed * 100 > self.count * percent


def pipelines_of(settings: Fields, pipelines: Fields) -> frozenset[str]:
    """Those that the indices name, those they call, and those whose names tell of audit events."""
    flats = [flat(mapping(each).get("settings")) for each in settings.values()]
    named = {
        found[name]
        for found in flats
        for name in ("index.default_pipeline", "index.final_pipeline")
        if found.get(name, "_none") != "_none"
    }
    wanted = {name for name in pipelines if name in named or _LIKELY.search(name)}
    pending = sorted(wanted)
    while pending:
        called = {
            name
            for processor in _processors(pipelines.get(pending.pop()))
            if (name := text(at(processor, "pipeline", "name")))
        }
        fresh = (called & pipelines.keys()) - wanted
        wanted |= fresh
        pending += sorted(fresh)
    return frozenset(wanted)


def failures(answer: Fields, names: frozenset[str]) -> tuple[Failures, ...] | str:
    """The sums over all nodes; or why the answer is none."""
    nodes = at(answer, "nodes")
    if not isinstance(nodes, Mapping):
        return () if not answer else "no nodes in it"
    sums: dict[str, tuple[int, int]] = {}
    for node in nodes.values():
        for name, told in mapping(at(node, "ingest", "pipelines")).items():
            count, failed = at(told, "count"), at(told, "failed")
            if name not in names:
                continue
            if not (isinstance(count, int) and isinstance(failed, int)):
                return f"the counters of {name} cannot be read"
            known = sums.get(name, (0, 0))
            sums[name] = (known[0] + count, known[1] + failed)
    return tuple(
        Failures(name=name, count=count, failed=failed)
        for name, (count, failed) in sorted(sums.items())
    )


_BARE: Final = re.compile(r"\bctx(?:\.message|\[['\"]message['\"]\])\s*\.\s*\w+\s*\(")
_GUARD: Final = re.compile(
    r"ctx\??\.message\s*!=\s*null|null\s*!=\s*ctx\??\.message|ctx\??\.message\s+instanceof"
    r"|containsKey\(\s*['\"]message['\"]\s*\)|ctx\[['\"]message['\"]\]\s*!=\s*null"
)


def unguarded(pipeline: object) -> str | None:
    """A condition that throws for a document without a message, which then is not indexed.

    A pipeline with an `on_failure` of its own keeps such a document.
    """
    if sequence(at(pipeline, "on_failure")):
        return None
    for processor in _processors(pipeline):
        for settings in mapping(processor).values():
            condition = text(at(settings, "if"))
            if condition and _BARE.search(condition) and not _GUARD.search(condition):
                return condition
    return None


def _processors(pipeline: object) -> Iterator[object]:
    """All processors, those that follow a failure too."""
    pending = [*sequence(at(pipeline, "processors")), *sequence(at(pipeline, "on_failure"))]
    while pending:
        processor = pending.pop(0)
        yield processor
        for settings in mapping(processor).values():
            pending += sequence(at(settings, "on_failure"))
            inner = at(settings, "processor")
            pending += [inner] if inner is not None else []


_FAMILIES: Final = {
    "constant_keyword": "keyword",
    "wildcard": "keyword",
    "match_only_text": "text",
    "date_nanos": "date",
    **dict.fromkeys(("integer", "short", "byte", "unsigned_long"), "long"),
    **dict.fromkeys(("float", "half_float", "scaled_float"), "double"),
}


def conflicts(types: Mapping[str, Mapping[str, object]]) -> tuple[str, ...]:
    """Fields that are of one type in an index and of quite another in the next."""
    found = []
    for field, kinds in sorted(types.items()):
        families = {_FAMILIES.get(kind, kind) for kind in kinds}
        if len(families) > 1:
            found.append(f"{field} ({', '.join(sorted(kinds))})")
    return tuple(found)
