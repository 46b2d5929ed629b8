"""What the findings of a scan come to, counted while its clusters come one after the other."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from kcompliance.model.control import Aspect, Control
from kcompliance.model.finding import Severity, Status
from kcompliance.model.verdict import Judged
from kcompliance.model.waiver import Waiver

__all__ = ["Tally", "Verdict"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A finding without its cluster, resource and evidence: what it counts as."""

    control: Control = field(hash=False)
    aspect: Aspect
    status: Status
    waived: bool
    attested: bool
    known: bool


class Tally:
    """Counts by verdict: no larger with more clusters."""

    def __init__(self) -> None:
        self._counts: Counter[Verdict] = Counter()
        self._waivers: Counter[Waiver] = Counter()

    def add(self, judged: Iterable[Judged]) -> None:
        """Count findings."""
        for item in judged:
            verdict = Verdict(
                control=item.control,
                aspect=item.aspect,
                status=item.status,
                waived=item.waived,
                attested=item.attestation is not None,
                known=item.known,
            )
            self._counts[verdict] += 1
            if item.waiver is not None:
                self._waivers[item.waiver.value] += 1

    @property
    def verdicts(self) -> Iterable[Verdict]:
        """Each that occurs, once."""
        return self._counts.keys()

    @property
    def total(self) -> int:
        """How many findings there are."""
        return self._counts.total()

    def count(self, status: Status) -> int:
        """How many findings have this status."""
        return sum(n for verdict, n in self._counts.items() if verdict.status is status)

    def below(self, severity: Severity) -> int:
        """How many findings are about lesser aspects."""
        return sum(n for verdict, n in self._counts.items() if verdict.aspect.severity < severity)

    @property
    def waived(self) -> int:
        """The fails that a waiver lies over."""
        return self._waivers.total()

    @property
    def waivers(self) -> Mapping[Waiver, int]:
        """How many fails each lies over, in the order in which they were met."""
        return self._waivers

    @property
    def known(self) -> int:
        """The fails that the baseline has too."""
        return sum(n for verdict, n in self._counts.items() if verdict.known)

    @property
    def attested(self) -> int:
        """The passes that an attestation made of questions."""
        return sum(n for verdict, n in self._counts.items() if verdict.attested)
