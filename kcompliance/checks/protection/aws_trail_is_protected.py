"""KC-PRO-010: log group and archive bucket of EKS are protected from deletion and from too many."""

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from kcompliance.checks.eks import describe, not_given
from kcompliance.checks.interface import check
from kcompliance.checks.protection.aws_buckets import public_access
from kcompliance.model.aws.acts import deleting, reading, tampering
from kcompliance.model.aws.answers import Fields, answers, ask, mappings, text
from kcompliance.model.aws.cluster_settings import EksCluster, account_of
from kcompliance.model.aws.delivery import archive_buckets
from kcompliance.model.aws.iam_documents import denies, statements_in
from kcompliance.model.aws.log_group import LogGroup, log_group
from kcompliance.model.aws.principals import Principal, read_principals
from kcompliance.model.cluster import Cluster, NotAsked
from kcompliance.model.finding import Evidence, Finding, evidence_of
from kcompliance.model.reading import Absent, Kind, Seen, Unreadable

__all__ = ["Params", "aws_trail_is_protected"]

_ASPECTS: Final = ("deletion", "public-access", "principals", "static-keys")
_NAMES_SHOWN: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-PRO-010."""

    max_principals: int = 5
    break_glass: tuple[str, ...] = ()


@check("KC-PRO-010", params=Params)
def aws_trail_is_protected(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """Log group and archive bucket of EKS are protected from deletion and from too many

    What is counted is who may do it by the policies of the account.
    """
    found, early = describe(cluster, _ASPECTS)
    yield from early
    if found is None:
        return
    people = _people(cluster, found.value)
    yield _deletion(cluster, found, people, params)
    yield from public_access(cluster, found, "public-access")
    yield from _principals(cluster, found, people, params)
    yield from _static_keys(cluster, found, people)


_People = Seen[tuple[Principal, ...]] | Unreadable | NotAsked


def _people(cluster: Cluster, found: EksCluster) -> _People:
    """The principals of the cluster's own account."""
    seen, gaps = answers(cluster, Kind.AWS_IAM_DETAILS, read_principals)
    if gaps:
        return gaps[0]
    account = account_of(found.arn)
    ours = [each for each in seen if any(account_of(p.arn) == account for p in each.value)]
    ours.sort(key=lambda each: each.raw.origin.resource)
    if any(each.value != ours[0].value for each in ours):
        return Unreadable(origin=ours[-1].raw.origin, reason="a second answer says something else")
    return ours[0] if ours else NotAsked()


# --- deletion --------------------------------------------------------------------------------


def _deletion(
    cluster: Cluster, found: Seen[EksCluster], people: _People, params: Params
) -> Finding:
    name, aspect = found.value.log_group, "deletion"
    group = log_group(cluster, name)
    if isinstance(group, Unreadable):
        return Finding.unreadable(group, aspect=aspect)
    if isinstance(group, NotAsked):
        command = f"aws logs describe-log-groups --log-group-name-prefix {name}"
        return not_given(found.value.arn, f"the log group {name}", command, aspect)
    if isinstance(group, Absent):
        because = f"there is no log group {name} to protect: see KC-AUD-004"
        evidence = evidence_of(found.raw, "cluster", found.value.arn)
        return Finding.not_applicable(found.value.arn, because, evidence, aspect=aspect)
    return _of_group(cluster, found.value, group, people, params)


def _of_group(
    cluster: Cluster,
    found: EksCluster,
    group: Seen[LogGroup],
    people: _People,
    params: Params,
) -> Finding:
    name, aspect = group.value.name, "deletion"
    protected = group.value.deletion_protected
    shown = {True: "true", False: "false", None: "not in the answer"}[protected]
    evidence = evidence_of(group.raw, f"logGroups[{name}].deletionProtectionEnabled", shown)
    lost = _lost_key(cluster, group.value)
    if isinstance(lost, Unreadable):
        return Finding.unreadable(lost, aspect=aspect)
    if lost is not None:
        because = f"its events are encrypted with {lost.value[0]}, which is {lost.value[1]}"
        evidence += evidence_of(lost.raw, "KeyMetadata.KeyState", lost.value[1])
        return Finding.failed(name, because, evidence, aspect=aspect)
    if protected:
        return Finding.passed(name, "deletion protection is on", evidence, aspect=aspect)
    if isinstance(people, Seen) and not _unread(people, params):
        able = [p for p in _counted(people, params) if p.may_any(deleting(found))]
        if not able:
            because = "nobody may delete it, besides those for an emergency"
            evidence += evidence_of(people.raw, "policies", f"{len(people.value)} principals")
            return Finding.passed(name, because, evidence, aspect=aspect)
    denying = _denied_by_organization(cluster, found)
    if denying is not None:
        return Finding.manual(
            name,
            f"the organization's policy {denying.value} denies to delete it",
            f"Is {denying.value} attached to the account {account_of(found.arn)}, or above it?",
            evidence + evidence_of(denying.raw, "Policy.Content", denying.value),
            aspect=aspect,
        )
    if protected is None:
        return Finding.manual(
            name,
            "the answer does not say whether deletion protection is on",
            f"Is deletion protection of {name} on? Scan live, or with a newer aws command.",
            evidence,
            aspect=aspect,
        )
    note = "a service control policy that denies it would do: add aws organizations describe-policy"
    because = "deletion protection is off: the whole log can be deleted with one call"
    return Finding.failed(name, because, evidence, aspect=aspect, notes=(note,))


def _lost_key(cluster: Cluster, group: LogGroup) -> Seen[tuple[str, str]] | Unreadable | None:
    """The group's key, if what was encrypted with it cannot be read any more."""
    if not group.kms_key:
        return None

    def read(answer: Fields) -> tuple[str, str]:
        found: Any = answer.get("KeyMetadata")
        fields: Fields = found if isinstance(found, dict) else {}
        return text(fields, "Arn") or "", text(fields, "KeyState") or ""

    seen, gaps = answers(cluster, Kind.AWS_KMS_KEY, read)
    if gaps:
        return gaps[0]
    lost = ("Disabled", "PendingDeletion", "PendingReplicaDeletion", "Unavailable")
    ours = [each for each in seen if group.kms_key.endswith(each.value[0].rpartition("/")[2])]
    return next((each for each in ours if each.value[1] in lost), None)


def _denied_by_organization(cluster: Cluster, found: EksCluster) -> Seen[str] | None:
    def read(answer: Fields) -> tuple[str, tuple[Fields, ...]]:
        policy: Any = answer.get("Policy")
        fields: Fields = policy if isinstance(policy, dict) else {}
        summary: Any = fields.get("PolicySummary")
        name = text(summary if isinstance(summary, dict) else {}, "Name") or "without a name"
        return name, _unconditional(statements_in(fields, "Content"))

    seen, _ = answers(cluster, Kind.AWS_ORGANIZATION_POLICY, read)
    for each in seen:
        name, statements = each.value
        if all(denies(statements, act) for act in deleting(found)[:1]):
            return Seen(value=name, raw=each.raw)
    return None


def _unconditional(statements: tuple[Fields, ...]) -> tuple[Fields, ...]:
    """Exceptions for an emergency's roles are what such a policy is made with."""
    return tuple(
        {key: value for key, value in statement.items() if key != "Condition"}
        if "aws:principalarn" in str(statement.get("Condition")).lower()
        else statement
        for statement in statements
    )


# --- people ----------------------------------------------------------------------------------


def _counted(people: Seen[tuple[Principal, ...]], params: Params) -> list[Principal]:
    return [
        p for p in people.value if not any(fnmatchcase(p.arn, glob) for glob in params.break_glass)
    ]


def _unread(people: Seen[tuple[Principal, ...]], params: Params) -> list[Principal]:
    return [p for p in _counted(people, params) if p.unread]


def _principals(
    cluster: Cluster, found: Seen[EksCluster], people: _People, params: Params
) -> Iterator[Finding]:
    arn, aspect = found.value.arn, "principals"
    if not isinstance(people, Seen):
        yield _people_lacking(found.value, people, aspect)
        return
    buckets = archive_buckets(cluster, found.value.log_group)
    if isinstance(buckets, Unreadable):
        yield Finding.unreadable(buckets, aspect=aspect)
        return
    acts = tampering(found.value, sorted(buckets.names))
    able = [p for p in _counted(people, params) if p.may_any(acts)]
    names = ", ".join(p.name for p in able[:_NAMES_SHOWN])
    more = f" and {len(able) - _NAMES_SHOWN} more" if len(able) > _NAMES_SHOWN else ""
    evidence: tuple[Evidence, ...] = evidence_of(
        people.raw, "policies", f"{len(able)} of {len(people.value)} principals: {names}{more}"
    )
    counted = f"{len(able)} principals may delete, shorten or stop the trail"
    if len(able) > params.max_principals:
        because = f"{counted}, more than {params.max_principals}: {names}{more}"
        yield Finding.failed(arn, because, evidence, aspect=aspect)
        return
    unread = _unread(people, params)
    if len(able) + len([p for p in unread if p not in able]) > params.max_principals:
        missing = unread[0].unread[0]
        because = f"the policy {missing} of {unread[0].name} is not in the answer"
        yield Finding.error(arn, because, evidence, aspect=aspect)
        return
    because = f"{counted}: {names}" if able else "nobody may delete, shorten or stop the trail"
    note = "roles of AWS's own services and policies of the organization are not counted"
    yield Finding.passed(arn, because, evidence, aspect=aspect, notes=(note,))


def _people_lacking(found: EksCluster, people: Unreadable | NotAsked, aspect: str) -> Finding:
    if isinstance(people, Unreadable):
        return Finding.unreadable(people, aspect=aspect)
    what = f"who has which policies in the account {account_of(found.arn)}"
    command = "aws iam get-account-authorization-details"
    return not_given(found.arn, what, command, aspect)


def _static_keys(cluster: Cluster, found: Seen[EksCluster], people: _People) -> Iterator[Finding]:
    arn, aspect = found.value.arn, "static-keys"
    if not isinstance(people, Seen):
        yield _people_lacking(found.value, people, aspect)
        return
    buckets = archive_buckets(cluster, found.value.log_group)
    if isinstance(buckets, Unreadable):
        yield Finding.unreadable(buckets, aspect=aspect)
        return
    acts = reading(found.value, sorted(buckets.names))
    users = [p for p in people.value if p.is_user and p.may_any(acts)]
    evidence = evidence_of(people.raw, "UserDetailList", f"{len(users)} users can fetch the trail")
    clean = True
    for user in users:
        keys = ask(cluster, Kind.AWS_ACCESS_KEYS, user.name, _active_keys)
        match keys:
            case Unreadable():
                yield Finding.unreadable(keys, aspect=aspect)
            case NotAsked() | Absent():
                command = f"aws iam list-access-keys --user-name {user.name}"
                yield not_given(user.arn, f"the access keys of {user.name}", command, aspect)
            case Seen(value=0):
                continue
            case Seen():
                because = f"{user.name} can fetch the trail with an access key that never ends"
                shown = evidence + evidence_of(
                    keys.raw, "AccessKeyMetadata", f"{keys.value} active"
                )
                yield Finding.failed(user.arn, because, shown, aspect=aspect)
        clean = False
    if clean:
        because = "no user with a static access key can fetch the trail"
        yield Finding.passed(arn, because, evidence, aspect=aspect)


def _active_keys(answer: Fields) -> int:
    keys = mappings(answer, "AccessKeyMetadata")
    return len([key for key in keys if text(key, "Status") != "Inactive"])
