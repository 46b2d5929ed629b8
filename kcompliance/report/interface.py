"""What a report is made of: the outcome of a scan, before anyone decided how it looks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from kcompliance.baseline import Comparison
from kcompliance.errors import ExitCode
from kcompliance.model.cluster import Cluster
from kcompliance.model.control import Control, Framework
from kcompliance.model.finding import Severity
from kcompliance.model.reading import Capture
from kcompliance.model.tally import Tally
from kcompliance.model.verdict import Judged
from kcompliance.waivers import Reviewed

__all__ = ["ChosenFramework", "Findings", "Outcome", "Target"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What was scanned, and everything that was read for it."""

    cluster: Cluster
    captures: tuple[Capture, ...]


class Findings(Protocol):
    """What a format keeps of the targets and findings of a scan until all of them are there.

    In memory that is next to nothing, so that clusters may be many.
    """

    def add_target(self, target: Target) -> None:
        """A target; its findings come next."""

    def add(self, judged: Iterable[Judged]) -> None:
        """Findings on one target, by control, in the same order of controls for every target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenFramework:
    """A framework that was asked for, by one version of it or by all."""

    framework: Framework
    version: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A whole scan but its targets and findings.

    `shown_from` hides lesser findings from sight, never from the counts.
    """

    as_of: datetime
    controls: tuple[Control, ...]
    tally: Tally
    parameters: Mapping[str, Mapping[str, Any]]
    frameworks: tuple[ChosenFramework, ...]
    shown_from: Severity
    exit_code: ExitCode
    declarations: tuple[Reviewed, ...] = ()
    """The attestations and waivers of the scan, and what became of them."""
    comparison: Comparison | None = None
    """With a former scan; `new_only`: what failed there does not count for the exit code."""
    new_only: bool = False
