"""KC-AUD-002: the full kube-audit stream is shipped, not only kube-audit-admin."""

from collections.abc import Iterator
from dataclasses import dataclass

from kcompliance.checks.azure_sight import (
    group_unknown,
    of_settings,
    settings_partly,
    stored_in_admin,
    trails_to_judge,
)
from kcompliance.checks.interface import check
from kcompliance.model.azure.diagnostics import KUBE_AUDIT, KUBE_AUDIT_ADMIN
from kcompliance.model.azure.trail import Trail
from kcompliance.model.cluster import Cluster
from kcompliance.model.finding import Finding, evidence_of

__all__ = ["Params", "aks_ships_reads_too"]

_READS = ("get", "list")
_SESSIONS = ("exec", "attach", "portforward")


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-AUD-002."""

    require_reads: bool = True


@check("KC-AUD-002", params=Params)
def aks_ships_reads_too(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """AKS: the full kube-audit stream is collected, not only kube-audit-admin

    kube-audit-admin leaves out get and list, and kubectl opens exec and attach with a get.
    """
    for found in trails_to_judge(cluster, ("main",)):
        yield found if isinstance(found, Finding) else _of_trail(cluster, found, params)


def _of_trail(cluster: Cluster, trail: Trail, params: Params) -> Finding:
    evidence = of_settings(trail)
    shipped = trail.shipped
    if shipped.has(KUBE_AUDIT):
        both = shipped.has(KUBE_AUDIT_ADMIN) and not shipped.everything
        twice = ("kube-audit-admin is a part of it, and is paid for twice",) if both else ()
        because = "kube-audit is shipped, with reads and sessions"
        return Finding.passed(trail.id, because, evidence, notes=twice)
    admin = shipped.has(KUBE_AUDIT_ADMIN)
    if admin and not params.require_reads:
        because = "kube-audit-admin is shipped, and require_reads asks for no more"
        note = "reads and sessions are not in it: see KC-CMP-002 and KC-CMP-003"
        return Finding.passed(trail.id, because, evidence, notes=(note,))
    unknown = group_unknown(trail, KUBE_AUDIT)
    if unknown is not None:
        return unknown
    if not admin:
        because = "kube-audit is not shipped, nor kube-audit-admin: see KC-AUD-001"
        if not trail.settings_whole:
            return settings_partly(trail, because)
        return Finding.failed(trail.id, because, evidence)
    return _admin_only(cluster, trail)


def _admin_only(cluster: Cluster, trail: Trail) -> Finding:
    evidence = of_settings(trail)
    sessions = False
    for raw, verbs in stored_in_admin(cluster, trail):
        reads = [each for each in verbs if each.verb.lower() in _READS and each.records > 0]
        plain = [each for each in reads if each.subresource.lower() not in _SESSIONS]
        if plain:
            words = ", ".join(f"{each.verb} {each.records}" for each in plain[:3])
            quoted = evidence_of(raw, f"{plain[0].source} of the last week", words)
            because = "only kube-audit-admin is shipped, but reads are among its stored records"
            note = "Microsoft documents kube-audit-admin as without get and list: do not rely on it"
            return Finding.passed(trail.id, because, evidence + quoted, notes=(note,))
        if reads:
            sessions = True
            evidence += evidence_of(raw, reads[0].source, f"{reads[0].subresource} {reads[0].verb}")
    because = (
        "only kube-audit-admin is shipped: get and list are not in it, and with them what kubectl "
        "opens as a WebSocket (exec, attach, port-forward)"
    )
    notes = ("sessions were seen among its stored records, reads were not",) if sessions else ()
    if not trail.settings_whole:
        return settings_partly(trail, because)
    return Finding.failed(trail.id, because, evidence, notes=notes)
