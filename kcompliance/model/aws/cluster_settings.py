"""An EKS cluster as `DescribeCluster` tells it, and the updates of its settings."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from kcompliance.model.aws.answers import (
    Fields,
    WrongAnswer,
    flag,
    items,
    mapping,
    mappings,
    moment,
    needed,
    read_answer,
    text,
)
from kcompliance.model.cluster import Cluster, NotAsked
from kcompliance.model.reading import Kind, Seen, Unreadable

__all__ = [
    "LOG_TYPES",
    "EksCluster",
    "Update",
    "UpdateStatus",
    "account_of",
    "eks_cluster",
    "partition_of",
    "read_cluster",
    "read_update",
    "region_of",
]

LOG_TYPES: Final = ("api", "audit", "authenticator", "controllerManager", "scheduler")
"""All that the control plane of EKS can log."""

_ARN: Final = re.compile(
    r"arn:(?P<partition>[a-z0-9-]+):[a-z0-9-]+:(?P<region>[a-z0-9-]*):(?P<account>\d*):"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EksCluster:
    """What is asked of a cluster; `log_types` None: the answer says nothing of logging."""

    name: str
    arn: str
    status: str | None
    log_types: frozenset[str] | None
    connected: bool
    """It runs elsewhere, and is only shown by EKS Connector."""
    on_outpost: bool
    created: datetime | None

    @property
    def log_group(self) -> str:
        """The log group that EKS writes to; its name cannot be chosen."""
        return f"/aws/eks/{self.name}/cluster"

    @property
    def log_group_arn(self) -> str:
        """The log group's ARN, without the `:*` that stands for its streams."""
        region, account = region_of(self.arn), account_of(self.arn)
        return f"arn:{partition_of(self.arn)}:logs:{region}:{account}:log-group:{self.log_group}"


def eks_cluster(cluster: Cluster) -> Seen[EksCluster] | Unreadable | NotAsked:
    """The cluster that was described; two different ones cannot be judged as one."""
    raws = cluster.texts.get(Kind.EKS_CLUSTER, ())
    found = [read_answer(raw, read_cluster) for raw in raws]
    for each in found:
        if isinstance(each, Unreadable):
            return each
    seen = sorted(
        (each for each in found if isinstance(each, Seen)), key=lambda s: s.raw.origin.resource
    )
    if not seen:
        return NotAsked()
    if any(each.value != seen[0].value for each in seen):
        reason = "not judged: a second EKS cluster is in what was given; scan each on its own"
        return Unreadable(origin=seen[-1].raw.origin, reason=reason)
    return seen[0]


def read_cluster(answer: Fields) -> EksCluster:
    """The answer of DescribeCluster. Raises WrongAnswer."""
    found = mapping(answer, "cluster") if "cluster" in answer else answer
    logging = found.get("logging")
    return EksCluster(
        name=needed(text(found, "name"), "name"),
        arn=needed(text(found, "arn"), "arn"),
        status=text(found, "status"),
        log_types=None if logging is None else _log_types(mapping(found, "logging")),
        connected="connectorConfig" in found and found["connectorConfig"] is not None,
        on_outpost=bool(mapping(found, "outpostConfig")),
        created=moment(found, "createdAt"),
    )


def _log_types(logging: Fields) -> frozenset[str]:
    """Usually there is one entry of what is on and one of what is off."""
    types: set[str] = set()
    for entry in mappings(logging, "clusterLogging"):
        if flag(entry, "enabled"):
            types.update(str(item) for item in items(entry, "types"))
    return frozenset(types)


# --- updates ---------------------------------------------------------------------------------


class UpdateStatus(StrEnum):
    """How far an update came."""

    IN_PROGRESS = "InProgress"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
    SUCCESSFUL = "Successful"


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """One change of a cluster's settings."""

    id: str
    of_logging: bool
    status: UpdateStatus
    created: datetime | None


def read_update(answer: Fields) -> Update:
    """The answer of DescribeUpdate. Raises WrongAnswer."""
    found = mapping(answer, "update")
    status = text(found, "status")
    if status not in set(UpdateStatus):
        raise WrongAnswer(f"an update has the unknown status {status}")
    return Update(
        id=needed(text(found, "id"), "id"),
        of_logging=needed(text(found, "type"), "type") == "LoggingUpdate",
        status=UpdateStatus(str(status)),
        created=moment(found, "createdAt"),
    )


# --- ARNs ------------------------------------------------------------------------------------


def account_of(arn: str) -> str:
    """The account in an ARN; empty where it names none, as of buckets."""
    found = _ARN.match(arn)
    return found["account"] if found else ""


def region_of(arn: str) -> str:
    """The region in an ARN; empty where it names none."""
    found = _ARN.match(arn)
    return found["region"] if found else ""


def partition_of(arn: str) -> str:
    """The partition in an ARN, such as aws or aws-cn."""
    found = _ARN.match(arn)
    return found["partition"] if found else "aws"
