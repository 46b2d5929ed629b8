"""The findings of a verification: bounded in number, each told once, effects tied to causes."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from kcompliance.archive.verify.interface import ordered
from kcompliance.ledger import Fault, FindingCode

__all__ = ["MOST_OF_A_CODE", "Findings"]

MOST_OF_A_CODE = 10_000
"""Of one code; more are counted only, so that nobody can fill the memory of a verifier."""

_OF_THE_PLACE = frozenset(
    {
        FindingCode.SYMLINK,
        FindingCode.NOT_REGULAR,
        FindingCode.DELETE_MARKER,
        FindingCode.SHADOW_VERSION,
    }
)
"""What is wrong with the name of an object: all else that is wrong with it follows."""


class Findings:
    """Collects faults."""

    def __init__(self) -> None:
        self._faults: dict[Fault, None] = {}
        self._counts: Counter[FindingCode] = Counter()
        self._more: dict[FindingCode, int] = {}
        self._places: set[str] = set()

    def add(self, fault: Fault | None) -> None:
        """Take a fault, unless it was told before."""
        if fault is None or fault in self._faults:
            return
        if fault.code in _OF_THE_PLACE and fault.object is not None:
            self._places.add(fault.object)
        self._counts[fault.code] += 1
        if self._counts[fault.code] > MOST_OF_A_CODE:
            self._more[fault.code] = self._more.get(fault.code, 0) + 1
        else:
            self._faults[fault] = None

    def extend(self, faults: Iterable[Fault]) -> None:
        """Take all of these."""
        for fault in faults:
            self.add(fault)

    def explain(self, code: FindingCode, as_code: FindingCode, *, cause: str) -> None:
        """Let all findings of a code be another's, which something explains."""
        told = [fault for fault in self._faults if fault.code is code]
        for fault in told:
            del self._faults[fault]
            self._faults[replace(fault, code=as_code, caused_by=cause)] = None

    def result(self) -> tuple[Fault, ...]:
        """All of them, the gravest first."""
        more = (
            Fault(code=code, detail=f"and {count} more like these, which are not listed")
            for code, count in self._more.items()
        )
        return ordered([*map(self._attributed, self._faults), *more])

    def _attributed(self, fault: Fault) -> Fault:
        """With the object whose own fault brought this one about."""
        name = fault.object
        if fault.caused_by is not None or fault.code in _OF_THE_PLACE or name is None:
            return fault
        if name in self._places:
            return replace(fault, caused_by=name)
        # A link in the place of a folder: `cp`, `log`, `seg/prod`.
        above = next((each for each in self._places if name.startswith(f"{each}/")), None)
        return fault if above is None else replace(fault, caused_by=above)
