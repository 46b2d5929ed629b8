"""Answers of the query that counts stored audit events of EKS, in as few words as they allow."""

import json
from collections.abc import Iterable

from kcompliance.model.reading import Kind, Raw
from tests.captures import origin

__all__ = ["ARN", "GROUP", "answer", "counted", "described", "row"]

ARN = "arn:aws:eks:eu-central-1:111122223333:cluster/prod"
GROUP = "/aws/eks/prod/cluster"
_TARGET = "eks:eu-central-1/prod"


def row(words: str) -> list[dict[str, str]]:
    """A row of the answer, from words such as `create pods/exec Request ResponseStarted 3`.

    A resource is followed by its group (`roles.rbac.authorization.k8s.io`); `-` is a path.
    """
    verb, target, level, stage, records = words.split()
    named, _, subresource = target.partition("/")
    resource, _, group = named.partition(".")
    fields = {
        "verb": verb,
        "objectRef.apiGroup": group,
        "objectRef.resource": resource.strip("-"),
        "objectRef.subresource": subresource,
        "level": level,
        "stage": stage,
        "records": records,
    }
    return [{"field": name, "value": value} for name, value in fields.items() if value]


def answer(rows: Iterable[str], status: str = "Complete") -> dict[str, object]:
    """The answer of GetQueryResults."""
    return {"results": [row(words) for words in rows], "status": status}


def counted(*rows: str, collector: str = "aws") -> Raw:
    """The answer as a capture."""
    where = f"{_TARGET} logs:GetQueryResults {GROUP}" if collector == "aws" else "query.json"
    content = json.dumps(answer(rows)).encode()
    return Raw(origin=origin(Kind.AWS_LOG_VERBS, where, collector), content=content)


def described() -> Raw:
    """An EKS cluster that logs its audit events."""
    logging = {"clusterLogging": [{"types": ["audit"], "enabled": True}]}
    cluster = {"name": "prod", "arn": ARN, "status": "ACTIVE", "logging": logging}
    where = origin(Kind.EKS_CLUSTER, f"{_TARGET} eks:DescribeCluster {ARN}", "aws")
    return Raw(origin=where, content=json.dumps({"cluster": cluster}).encode())
