"""Scans what the loopback Azure has, live and again from the bundle of that scan."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kcompliance.collect.bundle import read_bundle, write_bundle
from kcompliance.collect.interface import Collected, Collection
from kcompliance.collect.targets import NamedTarget, collect
from kcompliance.controls import load_controls, published_policies
from kcompliance.model.assemble import assemble
from kcompliance.model.finding import Finding, Status
from kcompliance.model.reading import Capture, Kind, Raw, Unreadable
from kcompliance.scan import judge_control
from tests.azure_rm.documents import CLUSTER
from tests.captures import NOW, whole

__all__ = ["AKS_CONTROLS", "Scan", "live", "live_and_from_bundle"]

AKS_CONTROLS = ("KC-AUD-001", "KC-AUD-002", "KC-AUD-003", "KC-RET-007", "KC-RET-008")


@dataclass(frozen=True, slots=True)
class Scan:
    """What was collected, to be judged by any control."""

    collection: Collection
    targets: tuple[Collected, ...]
    """One for each cluster."""

    def captures(self, kind: Kind) -> list[Capture]:
        """The captures of a kind, of all targets."""
        return [c for t in self.targets for c in t.captures if c.origin.kind is kind]

    def unreadable(self, kind: Kind) -> Unreadable:
        """The only capture of a kind, which could not be read."""
        (capture,) = self.captures(kind)
        assert isinstance(capture, Unreadable)
        return capture

    def content(self) -> bytes:
        """Everything that was kept, in one."""
        raws = [c for t in self.targets for c in t.captures if isinstance(c, Raw)]
        return b"\n".join(raw.content for raw in raws)

    def findings(self, control: str) -> list[Finding]:
        """The findings of one control, of all targets."""
        found = []
        for target in self.targets:
            cluster = assemble(target.name, target.captures, target.platform, published_policies())
            judged = judge_control(load_controls()[control], cluster, {})
            found += [item.finding for item in judged]
        return found

    def statuses(self, control: str, aspect: str = "main") -> list[Status]:
        """The verdicts on one aspect."""
        return [found.status for found in self.findings(control) if found.aspect == aspect]

    def reason(self, control: str, aspect: str = "main") -> str:
        """The reasons of one aspect."""
        return "; ".join(f.because for f in self.findings(control) if f.aspect == aspect)


def live(*targets: str, named: Sequence[NamedTarget] = ()) -> Scan:
    """A live scan; without a target of the usual cluster."""
    by_name = {entry.name: entry for entry in named}
    asked = targets or (f"aks:{CLUSTER}",)
    return Scan(*whole(collect(asked, by_name, None, NOW, lambda _: None)))


def live_and_from_bundle(folder: Path, *targets: str) -> Scan:
    """A live scan whose bundle is seen to give the very same findings."""
    first = live(*targets)
    write_bundle(first.collection, folder / "bundle")
    again = Scan(*whole(read_bundle(folder / "bundle")))
    for control in load_controls():
        assert again.findings(control) == first.findings(control), control
    return first
