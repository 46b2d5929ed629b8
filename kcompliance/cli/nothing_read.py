"""Tells a scan in which not one thing was read from one that found little."""

from kcompliance.collect.hints import HINTS
from kcompliance.collect.interface import Collected
from kcompliance.errors import NothingToScan
from kcompliance.model.reading import Kind, Raw, Unreadable

__all__ = ["Sight"]

_NOT_OF_IT = (Kind.ENDPOINT, Kind.ELASTICSEARCH_STORE, Kind.DECLARATIONS, Kind.APPROVED)
_WHAT_IS_KNOWN = (
    "a scan needs a kube-apiserver manifest, command line or configuration (kubeadm, k3s, RKE2), "
    "an audit policy, answers of Azure, AWS or Elasticsearch, a saved bundle, or a target that "
    "answers: kube:, aks:, eks: or elasticsearch+https:"
)


class Sight:
    """Whether anything of the targets so far was read; until then, why not."""

    def __init__(self) -> None:
        self._anything = False
        self._names: list[str] = []
        self._reasons: set[str] = set()
        self._first: Unreadable | None = None
        self._hint: str | None = None

    def add(self, found: Collected) -> None:
        """A target."""
        if self._anything or _is_read(found):
            self._anything = True
            return
        self._names.append(found.name)
        for gap in found.captures:
            if isinstance(gap, Unreadable):
                self._first = self._first or gap
                self._reasons.add(gap.reason)
                self._hint = self._hint or _hint(gap)

    def refuse_nothing(self) -> None:
        """There is nothing to judge then, and no report that looks like one: NothingToScan."""
        if self._anything:
            return
        if self._first is None:
            names = ", ".join(self._names)
            raise NothingToScan(f"nothing that kcompliance knows is in {names}", _WHAT_IS_KNOWN)
        others = len(self._reasons) - 1
        more = f" (and {others} other reasons)" if others else ""
        raise NothingToScan(
            f"nothing to judge: {self._first.origin.resource}: {self._first.reason}{more}",
            self._hint or _WHAT_IS_KNOWN,
        )


def _is_read(found: Collected) -> bool:
    return any(isinstance(c, Raw) and c.origin.kind not in _NOT_OF_IT for c in found.captures)


def _hint(gap: Unreadable) -> str | None:
    if gap.permission:
        return f"it needs: {gap.permission}"
    return HINTS.get(gap.origin.collector)
