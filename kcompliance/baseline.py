"""A former scan that a new one is compared with: which of its fails are known already.

A finding is known where the same control, aspect and resource of the same target failed there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import msgspec

from kcompliance.errors import UsageError
from kcompliance.model.digest import Sha256, sha256
from kcompliance.model.finding import Status
from kcompliance.model.verdict import Judged

__all__ = ["MAX_BASELINE_BYTES", "Baseline", "FindingKey", "read_baseline"]

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

    def knows(self, item: Judged) -> bool:
        """Whether this fail was one then."""
        return item.finding.status is Status.FAIL and key_of(item) in self.failed

    def no_longer(self, judged: Iterable[Judged]) -> Mapping[FindingKey, Status | None]:
        """What failed then and does not now: what it is now, None where nothing is said of it.

        Only a pass is mended: what could not be seen today may be as bad as before.
        """
        now = {key_of(item): item.finding.status for item in judged}
        gone = sorted(key for key in self.failed if now.get(key) is not Status.FAIL)
        return {key: now.get(key) for key in gone}


def key_of(item: Judged) -> FindingKey:
    """What a finding is told apart by."""
    return item.target, item.control.id, item.aspect.id, item.finding.resource


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
