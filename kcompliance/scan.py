"""Runs every chosen check over a cluster: readings in, findings out."""

import traceback
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kcompliance.checks import ALL, Check
from kcompliance.collect.bundle import BROKEN
from kcompliance.controls import parameter_value
from kcompliance.errors import ExitCode
from kcompliance.model.cluster import Cluster
from kcompliance.model.control import Control
from kcompliance.model.finding import Finding, Severity, Status, evidence_of
from kcompliance.model.reading import Kind, Unreadable
from kcompliance.model.verdict import Counted, Judged

__all__ = ["evaluate", "exit_code", "judge_control"]


def evaluate(
    cluster: Cluster,
    controls: Iterable[Control],
    parameters: Mapping[str, Mapping[str, Any]],
) -> Iterator[Judged]:
    """All findings on a cluster, by control; `parameters` are by control id, as written."""
    for control in controls:
        yield from judge_control(control, cluster, parameters.get(control.id, {}))


def judge_control(control: Control, cluster: Cluster, given: Mapping[str, Any]) -> Iterator[Judged]:
    """The findings of one control on one cluster: at least one for each of its aspects."""
    written = {name: given.get(name, p.default) for name, p in control.parameters.items()}
    values = {name: parameter_value(p, written[name]) for name, p in control.parameters.items()}
    findings, broken = _findings(control, cluster, values)
    answered = {finding.aspect for finding in findings}
    findings += [
        Finding.error(cluster.name, "the check gave no answer", aspect=aspect.id)
        for aspect in control.aspects
        if aspect.id not in answered
    ]
    order = [aspect.id for aspect in control.aspects]
    findings.sort(key=lambda finding: (order.index(finding.aspect), finding.resource))
    for finding in findings:
        yield Judged(
            target=cluster.name,
            control=control,
            aspect=control.aspect(finding.aspect),
            finding=finding,
            parameters=written,
            traceback=broken,
        )


def _findings(
    control: Control, cluster: Cluster, values: dict[str, Any]
) -> tuple[list[Finding], str | None]:
    unread = _unread(cluster)
    if unread:
        return [
            Finding.unreadable(gap, aspect=aspect.id)
            for gap in unread
            for aspect in control.aspects
        ], None
    if cluster.platform is not None and cluster.platform not in control.platforms:
        return _not_this_platform(control, cluster), None
    check = _CHECKS.get(control.id)
    if check is None:
        return _everywhere(control, cluster, "not collected yet"), None
    try:
        return [_of_known_aspect(control, finding) for finding in check(cluster, values)], None
    except Exception as error:  # noqa: BLE001 - a broken check is an error, never a missing finding
        because = f"the check itself broke: {type(error).__name__}: {error}"
        return _everywhere(control, cluster, because), traceback.format_exc()


_CHECKS: Mapping[str, Check[Any]] = {check.control: check for check in ALL}


def _of_known_aspect(control: Control, finding: Finding) -> Finding:
    """The finding; KeyError where its aspect is none of the control's."""
    control.aspect(finding.aspect)
    return finding


def _unread(cluster: Cluster) -> tuple[Unreadable, ...]:
    """The gaps that leave nothing to be judged.

    A bundle that cannot be read; or a provider was named and nothing that it or the cluster said
    confirms it.
    """
    broken = tuple(gap for gap in cluster.gaps if gap.origin.collector == BROKEN)
    if broken:
        return broken
    if cluster.platform_raw or cluster.api_servers:
        return ()
    kinds = (Kind.AKS_CLUSTER, Kind.EKS_CLUSTER)
    return tuple(gap for gap in cluster.gaps if gap.origin.kind in kinds)


def _everywhere(control: Control, cluster: Cluster, because: str) -> list[Finding]:
    return [Finding.error(cluster.name, because, aspect=aspect.id) for aspect in control.aspects]


def _not_this_platform(control: Control, cluster: Cluster) -> list[Finding]:
    asked = ", ".join(platform.value for platform in control.platforms)
    because = f"it is about {asked}: {cluster.platform_because}"
    evidence = tuple(e for raw in cluster.platform_raw for e in evidence_of(raw, "whole file"))
    return [
        Finding.not_applicable(cluster.name, because, evidence, aspect=aspect.id)
        for aspect in control.aspects
    ]


# --- what it comes to -----------------------------------------------------------------------


def exit_code(
    judged: Iterable[Counted], fail_on: Severity, *, allow_manual: bool, new_only: bool = False
) -> ExitCode:
    """1 for a fail at or above the threshold, else 3 for what could not be seen, else 0.

    A fail that is waived counts as little as one below the threshold; with `new_only` neither does
    one that the baseline has too.
    """
    code = ExitCode.GOOD
    for item in judged:
        counts = not item.waived and item.aspect.severity >= fail_on
        if item.status is Status.FAIL and counts and not (new_only and item.known):
            return ExitCode.FINDINGS
        unanswered = item.status is Status.MANUAL and not allow_manual
        if item.status is Status.ERROR or unanswered:
            code = ExitCode.INCOMPLETE
    return code
