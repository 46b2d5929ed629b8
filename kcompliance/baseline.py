"""A former scan that a new one is compared with: which of its fails are known already.

A finding is known where the same control, aspect and resource of the same target failed there.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

import msgspec

from kcompliance.errors import UsageError
from kcompliance.model.digest import Sha256, sha256
from kcompliance.model.finding import Status
from kcompliance.model.verdict import Judged

__all__ = ["MAX_BASELINE_BYTES", "Baseline", "Comparison", "FindingKey", "read_baseline"]

MAX_BASELINE_BYTES: Final = 256 * 1024 * 1024

FindingKey: TypeAlias = tuple[str, str, str, str]
"""Target, control, aspect, resource."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The fails of a former scan."""

    sha256: Sha256
    """Of the report that it was read from."""
    as_of: str
    failed: frozenset[FindingKey]


class Comparison:
    """A baseline beside a new scan, whose clusters come one after the other."""

    def __init__(self, baseline: Baseline) -> None:
        self.baseline = baseline
        self._now: dict[FindingKey, Status] = {}

    def marked(self, judged: Iterable[Judged]) -> Iterator[Judged]:
        """The findings, with those fails that were one then as known."""
        for item in judged:
            key = (item.target, item.control.id, item.aspect.id, item.finding.resource)
            if key not in self.baseline.failed:
                yield item
                continue
            self._now[key] = item.status
            yield replace(item, known=item.status is Status.FAIL)

    def no_longer(self) -> Mapping[FindingKey, Status | None]:
        """What failed then and does not now: what it is now, None where nothing is said of it.

        Only a pass is mended: what could not be seen today may be as bad as before.
        """
        gone = sorted(k for k in self.baseline.failed if self._now.get(k) is not Status.FAIL)
        return {key: self._now.get(key) for key in gone}


class _Finding(msgspec.Struct):
    target: str
    control: str
    aspect: str
    resource: str
    status: Status


class _Report(msgspec.Struct):
    schema: str
    as_of: str
    findings: list[_Finding]


def read_baseline(data: bytes, name: str) -> Baseline:
    """A report of `scan --format json`. Raises UsageError, which quotes nothing of it."""
    hint = "give the report of an earlier: kcompliance scan … --format json -o scan.json"
    try:
        report = msgspec.json.decode(data, type=_Report)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f'"{name}" is no report of a scan: {error}', hint) from error
    if report.schema != "kcompliance/scan/v1":
        raise UsageError(f'"{name}" is no report of a scan that this version knows', hint)
    failed = (each for each in report.findings if each.status is Status.FAIL)
    return Baseline(
        sha256=sha256(data),
        as_of=report.as_of,
        failed=frozenset((f.target, f.control, f.aspect, f.resource) for f in failed),
    )
