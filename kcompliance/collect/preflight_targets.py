"""What a preflight asks of each target that a user names."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from kcompliance.collect.aws import SharedAnswers, collect_eks
from kcompliance.collect.azure import cloud_of, collect_aks, parse_aks
from kcompliance.collect.cloud_needs import controls_needing
from kcompliance.collect.cloud_reads import Source, kinds_asked
from kcompliance.collect.interface import Progress
from kcompliance.collect.needs import CONTROL_NEEDS
from kcompliance.collect.preflight import Preflight, files_needed
from kcompliance.collect.preflight_kubernetes import preflight_kubernetes
from kcompliance.collect.preflight_reads import preflight_of_captures
from kcompliance.collect.search import DeclaredStore, search_target
from kcompliance.collect.target_names import NamedTarget, context_of, refuse_unknown, scheme_of

__all__ = ["preflight_all"]

_SOURCES: Final = {
    "aks": Source.AZURE,
    "eks": Source.AWS,
    "elasticsearch+https": Source.ELASTICSEARCH,
    "elasticsearch+http": Source.ELASTICSEARCH,
}


def preflight_all(
    targets: Sequence[str],
    named: Mapping[str, NamedTarget],
    controls: Sequence[str],
    now: datetime,
    progress: Progress,
) -> tuple[Preflight, ...]:
    """An answer for each cluster, store and archive, and for files of what they should be.

    Raises UsageError for what is no target, before anything is asked.
    """
    refuse_unknown(targets, named)
    aws = SharedAnswers()
    return tuple(
        found
        for target in dict.fromkeys(targets)
        for found in _Asking(target, controls, now, progress, aws).all(named)
    )


class _Asking:
    """What is asked of one target."""

    def __init__(
        self,
        target: str,
        controls: Sequence[str],
        now: datetime,
        progress: Progress,
        aws: SharedAnswers,
    ) -> None:
        self._target = target
        self._controls = controls
        self._now = now
        self._progress = progress
        self._aws = aws
        self._covered: set[str] = set()

    def all(self, named: Mapping[str, NamedTarget]) -> tuple[Preflight, ...]:
        """Of a `@NAME` all that belongs to it."""
        if self._target.startswith("@"):
            found = tuple(self._parts(named[self._target[1:]]))
        else:
            found = tuple(self._place(self._target, self._target))
        rest = tuple(control for control in self._controls if control not in self._covered)
        return tuple(
            each if each.problem is not None else replace(each, not_covered=rest) for each in found
        )

    def _parts(self, entry: NamedTarget) -> Iterator[Preflight]:
        for part in (entry.cluster, entry.kube):
            if part:
                yield from self._place(part, f"{self._target} {part}")
        if entry.files and not entry.kube:  # files of one cluster need the same, however many
            yield from self._place(entry.files[0], f"{self._target} {entry.files[0]}")
        for store in entry.stores:
            yield self._store(store, f"{self._target} {store.store}")
        if entry.archive is not None:
            self._progress("the archive")
            capture = entry.archive(self._now)
            self._covers(Source.ARCHIVE)
            name = f"{self._target} {capture.origin.resource}"
            yield preflight_of_captures(name, Source.ARCHIVE, (capture,), self._controls)

    def _place(self, part: str, name: str) -> Iterator[Preflight]:
        scheme = scheme_of(part)
        if scheme is None or scheme == "kube":
            self._covered |= set(CONTROL_NEEDS)
        else:
            self._covers(_SOURCES[scheme])
        match scheme:
            case None:
                files = files_needed(self._controls, beside_api=False)
                yield Preflight(target=name, files=files)
            case "kube":
                yield preflight_kubernetes(context_of(part), name, self._controls, self._progress)
            case "aks":
                yield from self._aks(part, name)
            case "eks":
                captures = collect_eks(part, self._now, self._progress, self._aws)
                yield preflight_of_captures(name, Source.AWS, captures, self._controls)
            case _:
                yield self._store(search_target(part), name)

    def _aks(self, part: str, name: str) -> Iterator[Preflight]:
        server = cloud_of().resource_manager
        for found in collect_aks(parse_aks(part), name, self._now, self._progress):
            yield preflight_of_captures(
                found.name, Source.AZURE, found.captures, self._controls, server
            )

    def _store(self, declared: DeclaredStore, name: str) -> Preflight:
        from kcompliance.collect.search.collector import collect_search

        self._covers(Source.ELASTICSEARCH)
        captures = collect_search(declared, self._now, self._progress)
        url = declared.store.url
        return preflight_of_captures(name, Source.ELASTICSEARCH, captures, self._controls, url)

    def _covers(self, source: Source) -> None:
        self._covered |= set(controls_needing(*kinds_asked(source)))
