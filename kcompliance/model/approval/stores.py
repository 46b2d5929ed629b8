"""What is approved of a search store: what governs the indices of a trail, and how it reads.

An index is told by its data stream, or by its name without digits: every day has another. What
one index has (its lifecycle, its pipelines) stands together, so that nothing can be taken from
one and hidden behind what another still has.
"""

from collections.abc import Iterator
from typing import Any

from kcompliance.model.approval.documents import changed_document, document_sha256, is_canonical
from kcompliance.model.approval.part import Part

__all__ = ["ApprovedDocumentV1", "ApprovedStoreV1", "changed_store", "unchanged_notes"]


class ApprovedDocumentV1(Part, frozen=True):
    """A policy or pipeline; `canonical` is null where only its name was there."""

    name: str
    sha256: str
    canonical: Any


class ApprovedStoreV1(Part, frozen=True):
    """One store; `governed`: what governs the newest of these indices, then what the others."""

    name: str
    governed: dict[str, tuple[tuple[str, ...], ...]]
    documents: tuple[ApprovedDocumentV1, ...]

    def names(self, document: str) -> bool:
        """Whether any index is governed by this policy or pipeline."""
        governing = (word for each in self.governed.values() for which in each for word in which)
        return any(word.endswith(document) for word in governing)

    def problem(self) -> str | None:
        """Why this does not hold together."""
        names = [each.name for each in self.documents]
        if len(set(names)) < len(names):
            return f"a document of {self.name} stands there twice"
        for each in self.documents:
            if not is_canonical(each.canonical):
                return f"{each.name} of {self.name} is not in canonical form"
            if document_sha256(each.canonical) != each.sha256:
                return f"{each.name} of {self.name} does not have its sha256"
        return None


def changed_store(before: ApprovedStoreV1, now: ApprovedStoreV1) -> Iterator[str]:
    """What became of it, such as `ILM policy audit: phases.delete.min_age: 270d → 30d`."""
    yield from _governed(before, now)
    old, new = ({each.name: each for each in store.documents} for store in (before, now))
    for name in sorted({*old, *new}):
        if name not in old:
            yield f"{name}: was not there"
        elif name in new:
            lines = changed_document(old[name].canonical, new[name].canonical)
            yield from (f"{name}: {line}" for line in lines)
        elif before.names(name) <= now.names(name):  # else no index has it, which is told above
            yield f"{name}: is no longer there, or no longer saves these indices"


def _governed(before: ApprovedStoreV1, now: ApprovedStoreV1) -> Iterator[str]:
    known = {which for each in before.governed.values() for which in each}
    for name in sorted({*before.governed, *now.governed}):
        was, is_ = before.governed.get(name, ()), now.governed.get(name, ())
        if not is_:
            yield f"{name}: no longer there"
        elif not was:
            new = [_words(which) for which in is_ if which not in known]
            yield from (f"{name}: was not there, and is governed by {which}" for which in new)
        else:
            if was[0] != is_[0]:
                yield f"{name}: {_words(was[0])} → {_words(is_[0])}"
            new = [_words(which) for which in is_[1:] if which not in was]
            yield from (f"{name}: some are governed by {which}, and none was" for which in new)


def unchanged_notes(before: ApprovedStoreV1, now: ApprovedStoreV1) -> tuple[str, ...]:
    """What is otherwise than it was, and no change of what was approved."""
    return tuple(
        f"{name}: was not there when it was approved, and is governed as what was"
        for name in sorted(now.governed)
        if name not in before.governed
    )


def _words(which: tuple[str, ...]) -> str:
    return ", ".join(which) or "nothing"
