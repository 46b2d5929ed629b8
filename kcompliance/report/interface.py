"""What a report is made of: the outcome of a scan, before anyone decided how it looks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kcompliance.baseline import Baseline
from kcompliance.errors import ExitCode
from kcompliance.model.cluster import Cluster
from kcompliance.model.control import Control, Framework
from kcompliance.model.finding import Severity, Status
from kcompliance.model.reading import Capture
from kcompliance.model.verdict import Judged
from kcompliance.waivers import Reviewed

__all__ = ["ChosenFramework", "Outcome", "Renderer", "Target"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What was scanned, and everything that was read for it."""

    cluster: Cluster
    captures: tuple[Capture, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenFramework:
    """A framework that was asked for, by one version of it or by all."""

    framework: Framework
    version: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A whole scan. `shown_from` hides lesser findings from sight, never from the counts."""

    as_of: datetime
    targets: tuple[Target, ...]
    controls: tuple[Control, ...]
    judged: tuple[Judged, ...]
    parameters: Mapping[str, Mapping[str, Any]]
    frameworks: tuple[ChosenFramework, ...]
    shown_from: Severity
    exit_code: ExitCode
    declarations: tuple[Reviewed, ...] = ()
    """The attestations and waivers of the scan, and what became of them."""
    baseline: Baseline | None = None
    """A former scan; `new_only`: what failed there does not count for the exit code."""
    new_only: bool = False

    @property
    def shown(self) -> tuple[Judged, ...]:
        """The findings that the user wants to see."""
        return tuple(item for item in self.judged if item.aspect.severity >= self.shown_from)

    def count(self, status: Status) -> int:
        """How many findings have this status."""
        return sum(item.finding.status is status for item in self.judged)

    @property
    def waived(self) -> tuple[Judged, ...]:
        """The fails that a waiver lies over."""
        return tuple(item for item in self.judged if item.waiver is not None)

    @property
    def known(self) -> tuple[Judged, ...]:
        """The fails that the baseline has too."""
        return tuple(item for item in self.judged if self.is_known(item))

    def is_known(self, item: Judged) -> bool:
        """Whether the baseline has this fail too."""
        return self.baseline is not None and self.baseline.knows(item)

    @property
    def attested(self) -> tuple[Judged, ...]:
        """The passes that an attestation made of questions."""
        return tuple(item for item in self.judged if item.attestation is not None)


Renderer = Callable[[Outcome], str]
"""A pure function to the whole text of a report."""
