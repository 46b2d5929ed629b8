"""How what AWS keeps is encrypted, and whom policies of CloudWatch Logs let in."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from kcompliance.model.aws.answers import (
    Answer,
    Fields,
    WrongAnswer,
    answers,
    ask,
    mapping,
    mappings,
    text,
)
from kcompliance.model.aws.iam_documents import statements_in
from kcompliance.model.cluster import Cluster, NotAsked
from kcompliance.model.reading import Kind, Seen, Unreadable

__all__ = ["BucketEncryption", "bucket_encryption", "public_log_policies"]

_ALGORITHMS = ("AES256", "aws:kms", "aws:kms:dsse", "aws:fsx", "aws:backup")
_OF_AWS = "alias/aws/"


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketEncryption:
    """How new objects are encrypted; `key` None: with one that AWS keeps."""

    algorithm: str
    key: str | None


def bucket_encryption(cluster: Cluster, bucket: str) -> Answer[BucketEncryption]:
    """The default of a bucket; Absent where it has none."""
    return ask(cluster, Kind.AWS_BUCKET_ENCRYPTION, bucket, _encryption)


def _encryption(answer: Fields) -> BucketEncryption:
    rules = mappings(mapping(answer, "ServerSideEncryptionConfiguration"), "Rules")
    if not rules:
        raise WrongAnswer("it has no Rules")
    default = mapping(rules[0], "ApplyServerSideEncryptionByDefault")
    algorithm, key = text(default, "SSEAlgorithm"), text(default, "KMSMasterKeyID")
    if algorithm not in _ALGORITHMS:
        raise WrongAnswer(f"the unknown encryption {algorithm}")
    return BucketEncryption(algorithm=algorithm, key=None if key and _OF_AWS in key else key)


def public_log_policies(
    cluster: Cluster, log_group: str
) -> Seen[tuple[str, ...]] | Unreadable | NotAsked:
    """Names of the resource policies that let anybody read a log group, without a condition."""

    def read(answer: Fields) -> tuple[str, ...]:
        if "resourcePolicies" not in answer:
            raise WrongAnswer("it has no resourcePolicies")
        return tuple(
            text(found, "policyName") or "without a name"
            for found in mappings(answer, "resourcePolicies")
            if any(_open(each, log_group) for each in statements_in(found, "policyDocument"))
        )

    seen, gaps = answers(cluster, Kind.AWS_LOG_POLICIES, read)
    if gaps:
        return gaps[0]
    open_to_all = [each for each in seen if each.value]
    first = sorted(open_to_all or seen, key=lambda each: each.raw.origin.resource)
    return first[0] if first else NotAsked()


def _open(statement: Fields, log_group: str) -> bool:
    if statement.get("Effect") != "Allow" or statement.get("Condition"):
        return False
    principal: Any = statement.get("Principal")
    if isinstance(principal, dict):
        principal = principal.get("AWS")
    everybody = principal == "*" or (isinstance(principal, list) and "*" in principal)
    return everybody and any(_covers(place, log_group) for place in _listed(statement, "Resource"))


def _covers(place: str, log_group: str) -> bool:
    return fnmatchcase(log_group, place) or fnmatchcase(f"{log_group}:*", place) or place == "*"


def _listed(statement: Fields, name: str) -> tuple[str, ...]:
    value = statement.get(name)
    found = value if isinstance(value, list) else [value]
    return tuple(each for each in found if isinstance(each, str))
