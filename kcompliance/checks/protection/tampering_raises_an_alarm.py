"""KC-PRO-014: an alarm is raised when logging is turned off, shortened or deleted."""

from collections.abc import Iterator
from dataclasses import dataclass

from kcompliance.checks.interface import check
from kcompliance.checks.protection.alarms_in_aws import alarms_in_aws
from kcompliance.checks.protection.alarms_in_elasticsearch import alarms_in_elasticsearch
from kcompliance.model.cluster import Cluster
from kcompliance.model.finding import Finding

__all__ = ["Params", "tampering_raises_an_alarm"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-PRO-014; each event is `EVENT SOURCE/EVENT NAME` of CloudTrail."""

    required_events: tuple[str, ...] = ()


@check("KC-PRO-014", params=Params)
def tampering_raises_an_alarm(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """An alarm is raised when logging is turned off, shortened or deleted

    In AWS by what CloudTrail records, in Elasticsearch by its own access audit.
    """
    yield from alarms_in_aws(cluster, params.required_events)
    yield from alarms_in_elasticsearch(cluster)
