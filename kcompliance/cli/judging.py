"""Judges the targets of a scan one after the other, and holds only what they come to."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from kcompliance.baseline import Comparison
from kcompliance.cli.choices import asked_by
from kcompliance.cli.declarations import declared_for, without_declarations
from kcompliance.cli.nothing_read import Sight
from kcompliance.collect.bundle import broken_target
from kcompliance.collect.interface import Collected, Collection
from kcompliance.controls import published_policies
from kcompliance.errors import BundleError
from kcompliance.model.assemble import assemble
from kcompliance.model.control import Control
from kcompliance.model.tally import Tally
from kcompliance.model.verdict import Judged
from kcompliance.report import ChosenFramework, Findings, Outcome, Target
from kcompliance.scan import evaluate, exit_code
from kcompliance.waivers import STALE, Declared, Review, declare, stale_findings

if TYPE_CHECKING:
    from kcompliance.cli.scan_run import ScanOptions

__all__ = ["Judging"]


class Judging:
    """A scan while it goes on; the targets of `collection` are added one by one."""

    def __init__(
        self,
        options: "ScanOptions",
        controls: tuple[Control, ...],
        frameworks: tuple[ChosenFramework, ...],
        collection: Collection,
        comparison: Comparison | None,
        kept: Findings,
    ) -> None:
        self._options = options
        self._controls = controls
        self._frameworks = frameworks
        self._as_of = collection.as_of
        self._parameters = collection.parameters
        self._comparison = comparison
        self._kept = kept
        self._tally = Tally()
        self._review = Review(collection.as_of)
        self._sight = Sight()

    def add(self, found: Collected) -> None:
        """Judge a target. Raises BundleError where the only one holds impossible declarations."""
        self._sight.add(found)
        found, declared = self._declared(found)
        captures = without_declarations(found.captures)
        cluster = assemble(found.name, captures, found.platform, published_policies())
        judged = [
            item
            for item in evaluate(cluster, self._controls, self._parameters)
            if not self._frameworks or asked_by(self._frameworks, item.aspect)
        ]
        self._review.add(judged, declared)
        self._kept.add_target(Target(cluster=cluster, captures=found.captures))
        self._keep(declare(judged, declared, self._as_of))

    def _declared(self, found: Collected) -> tuple[Collected, Declared]:
        """A target with what is declared for it; unreadable where that cannot be understood."""
        try:
            return found, declared_for(found)
        except BundleError as error:
            if len(set(self._options.targets)) == 1:
                raise
            return broken_target(found.name, found.name, error, self._as_of, found.platform), ()

    def _keep(self, judged: Iterable[Judged]) -> None:
        findings = tuple(judged if self._comparison is None else self._comparison.marked(judged))
        self._tally.add(findings)
        self._kept.add(findings)

    def outcome(self) -> Outcome:
        """What all targets come to. Raises NothingToScan where not one thing was read."""
        self._sight.refuse_nothing()
        reviewed = self._review.reviewed()
        stale = tuple(stale_findings(reviewed))
        self._keep(stale)
        return Outcome(
            as_of=self._as_of,
            controls=(*self._controls, STALE) if stale else self._controls,
            tally=self._tally,
            parameters=self._parameters,
            frameworks=self._frameworks,
            shown_from=self._options.severity,
            declarations=reviewed,
            comparison=self._comparison,
            new_only=self._options.new_only,
            exit_code=exit_code(
                self._tally.verdicts,
                self._options.fail_on,
                allow_manual=self._options.allow_manual,
                new_only=self._options.new_only,
            ),
        )
