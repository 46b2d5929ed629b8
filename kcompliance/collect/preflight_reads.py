"""Tells from what a scan could read of a cloud, a store or an archive who may read what there.

These have no question such as "may I?" that is free of side effects and true for every read, so a
preflight reads what a scan reads, by the same collectors, and looks at what came.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from kcompliance.collect.cloud_needs import controls_needing
from kcompliance.collect.cloud_reads import (
    ReadPermission,
    Source,
    action_of,
    kinds_asked,
    search_action,
    told_by,
)
from kcompliance.collect.hints import HINTS
from kcompliance.collect.preflight import Asked, May, Preflight, worst
from kcompliance.model.reading import Capture, Kind, Raw, Unreadable
from kcompliance.model.search.product import read_server
from kcompliance.model.search.questions import BY_KIND, Product, Store

__all__ = ["preflight_of_captures"]

_INDEX_PRIVILEGES: Final = frozenset({"read", "read_failure_store", "view_index_metadata"})
_AZURE_PLACE: Final = re.compile(
    r"/subscriptions/[^/]+(?:/resourceGroups/[^/]+(?:/providers/[^/]+/[^/]+/[^/]+)?)?",
    re.IGNORECASE,
)
"""What a role can be given for: a resource, without what hangs on it, its group or more."""


def preflight_of_captures(
    target: str,
    source: Source,
    captures: Sequence[Capture],
    controls: Sequence[str],
    server: str | None = None,
) -> Preflight:
    """What these captures, all that a scan reads there, tell of the caller's permissions."""
    reads = _Reads(source=source, captures=captures)
    problem = reads.problem()
    if problem is not None:
        return Preflight(target=target, server=server, problem=problem, hint=HINTS[source])
    return Preflight(target=target, server=server, asked=tuple(reads.asked(controls)))


@dataclass(slots=True)
class _Row:
    """One permission, and what came of each read that it allows."""

    permission: ReadPermission
    reads: list[tuple[Kind, May, str]] = field(default_factory=list)

    def asked(self, controls: Sequence[str]) -> Asked | None:
        """The worst of the reads that these controls need; None where they need none."""
        needing = {kind: set(controls_needing(kind)) for kind, _, _ in self.reads}
        ids = tuple(c for c in controls if any(c in needed for needed in needing.values()))
        counted = [read for read in self.reads if not needing[read[0]].isdisjoint(controls)]
        if not counted:
            return None
        return worst(
            Asked(permission=self.permission, controls=ids, may=may, reason=reason)
            for _, may, reason in counted
        )


class _Reads:
    """All reads of one place."""

    def __init__(self, *, source: Source, captures: Sequence[Capture]) -> None:
        self._source = source
        self._kinds = kinds_asked(source)
        self._captures = [each for each in captures if each.origin.kind in self._kinds]
        self._seen = {each.origin.kind for each in self._captures}
        self._gaps: dict[Kind, Unreadable] = {}
        for each in self._captures:
            if isinstance(each, Unreadable):
                self._gaps.setdefault(each.origin.kind, each)
        self._store = _declared(captures)
        self._product = _product(captures)

    def problem(self) -> str | None:
        """Why nothing could be asked at all, where that is so."""
        gaps = [each for each in self._captures if isinstance(each, Unreadable)]
        if len(gaps) < len(self._captures) or any(gap.permission for gap in gaps):
            return None
        return gaps[0].reason if gaps else "nothing was asked"

    def asked(self, controls: Sequence[str]) -> Iterator[Asked]:
        """A row for each permission that one of these controls needs."""
        found = (row.asked(controls) for row in self._rows())
        yield from (each for each in found if each is not None)

    def _rows(self) -> Iterator[_Row]:
        rows: dict[str, _Row] = {}
        for capture in self._captures:
            permission = self._permission(capture)
            row = rows.setdefault(str(permission).lower(), _Row(permission))
            row.reads.append((capture.origin.kind, *self._outcome(capture)))
        for kind, gap in self._not_reached():
            action = action_of(kind)
            beside = next((r for r in rows.values() if r.permission.action == action), None)
            permission = ReadPermission(source=self._source, action=action, place=None)
            row = beside or rows.setdefault(action, _Row(permission))
            row.reads.append((kind, May.UNKNOWN, f"not reached: {gap.reason}"))
        yield from rows.values()

    def _outcome(self, capture: Capture) -> tuple[May, str]:
        if not isinstance(capture, Unreadable):
            return May.YES, "" if isinstance(capture, Raw) else capture.reason
        if self._not_tried(capture):
            return May.UNKNOWN, f"not reached: {capture.reason}"
        return May.UNKNOWN if capture.permission is None else May.NO, capture.reason

    def _not_tried(self, gap: Unreadable) -> bool:
        """Whether it only repeats why what leads to it could not be read."""
        teller = told_by(gap.origin.kind)
        before = None if teller is None else self._gaps.get(teller)
        return before is not None and (before.reason, before.permission) == (
            gap.reason,
            gap.permission,
        )

    def _not_reached(self) -> Iterator[tuple[Kind, Unreadable]]:
        """What nobody asked for, as an answer before it did not come."""
        for kind in self._kinds:
            if kind in self._seen or not self._of_product(kind):
                continue
            before = told_by(kind)
            while before is not None and before not in self._seen:
                before = told_by(before)
            if before in self._gaps:
                yield kind, self._gaps[before]

    def _of_product(self, kind: Kind) -> bool:
        questions = BY_KIND.get(kind, ())
        return not questions or any(each.of in (None, self._product) for each in questions)

    # --- the right to one read -------------------------------------------------------------------

    def _permission(self, capture: Capture) -> ReadPermission:
        match self._source:
            case Source.AZURE:
                return _of_azure(capture)
            case Source.AWS:
                return _of_aws(capture)
            case Source.ELASTICSEARCH:
                return self._of_search(capture)
            case Source.ARCHIVE:
                action = getattr(capture, "permission", None) or action_of(capture.origin.kind)
                place = capture.origin.resource
                return ReadPermission(source=self._source, action=action, place=place)

    def _of_search(self, capture: Capture) -> ReadPermission:
        """As the server names it, where it refuses."""
        kind, store = capture.origin.kind, self._store
        asked = BY_KIND.get(kind, ())
        question = next((q for q in asked if store.asked(q) == capture.origin.resource), None)
        action = action_of(kind) if question is None else search_action(question)
        if isinstance(capture, Unreadable) and not self._not_tried(capture):
            action = capture.permission or action
        place = store.url
        if action in _INDEX_PRIVILEGES or action.startswith("indices:"):
            indices = ",".join(store.patterns)
            if question is not None and "{" not in question.path:
                indices = question.path.split("/")[1]
            place = f"{store.url}/{indices}"
        return ReadPermission(source=self._source, action=action, place=place)


def _of_azure(capture: Capture) -> ReadPermission:
    named = capture.permission if isinstance(capture, Unreadable) else None
    path = named.partition(" on ")[2] if named else capture.origin.resource
    found = _AZURE_PLACE.match(path)
    return ReadPermission(
        source=Source.AZURE,
        action=action_of(capture.origin.kind),
        place=found[0] if found else "/",
    )


_NARROWED: Final = ("s3:", "logs:FilterLogEvents", "logs:StartQuery")
"""Operations whose action is granted for one bucket or log group; others know no resource."""


def _of_aws(capture: Capture) -> ReadPermission:
    _, operation, subject = capture.origin.resource.split(" ", 2)
    return ReadPermission(
        source=Source.AWS,
        action=action_of(capture.origin.kind),
        place=subject if operation.startswith(_NARROWED) else "*",
    )


def _declared(captures: Sequence[Capture]) -> Store:
    for each in captures:
        if each.origin.kind is Kind.ELASTICSEARCH_STORE and isinstance(each, Raw):
            return Store.load(each.content) or Store(url="", patterns=())
    return Store(url="", patterns=())


def _product(captures: Sequence[Capture]) -> Product:
    """Which of the two answered; the collector, too, takes an unknown one for Elasticsearch."""
    for each in captures:
        if each.origin.kind is Kind.ELASTICSEARCH_SERVER and isinstance(each, Raw):
            known = read_server(msgspec.json.decode(each.content))
            if known is not None:
                return known.product
    return Product.ELASTICSEARCH
