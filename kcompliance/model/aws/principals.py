"""Who in an account may do what: `GetAccountAuthorizationDetails`, evaluated.

Policies of the organization (SCPs), sessions and resources are not in it: what is denied there
only is counted as allowed here.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from kcompliance.model.aws.answers import (
    Fields,
    WrongAnswer,
    items,
    mapping,
    mappings,
    needed,
    text,
)
from kcompliance.model.aws.iam_documents import Act, allows, denies, statements_in

__all__ = ["Principal", "read_principals"]

_SERVICE_LINKED: Final = "/aws-service-role/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A user or role and the statements that bind it; `boundary` None: it has none."""

    arn: str
    name: str
    is_user: bool
    statements: tuple[Fields, ...]
    boundary: tuple[Fields, ...] | None
    unread: tuple[str, ...]
    """ARNs of policies that it has, and whose text is not in the answer."""

    def may(self, act: Act) -> bool:
        """Whether nothing that is known of its policies stops it; unread ones are not counted."""
        if denies(self.statements, act) or not allows(self.statements, act):
            return False
        if self.boundary is None:
            return True
        return allows(self.boundary, act) and not denies(self.boundary, act)

    def may_any(self, acts: Iterable[Act]) -> bool:
        """Whether it may do one of these."""
        return any(self.may(act) for act in acts)


def read_principals(answer: Fields) -> tuple[Principal, ...]:
    """The users and roles that people and programs can be; without service-linked roles.

    Those can be used by the one AWS service that they belong to. Raises WrongAnswer.
    """
    if "UserDetailList" not in answer or "RoleDetailList" not in answer:
        raise WrongAnswer("it has no users and roles")
    managed = dict(_managed(answer))
    groups = {
        needed(text(found, "GroupName"), "GroupName"): found
        for found in mappings(answer, "GroupDetailList")
    }
    users = [_user(found, groups, managed) for found in mappings(answer, "UserDetailList")]
    roles = [
        _principal(found, "RoleName", "RolePolicyList", (), managed)
        for found in mappings(answer, "RoleDetailList")
        if not (text(found, "Path") or "").startswith(_SERVICE_LINKED)
    ]
    return tuple(sorted([*users, *roles], key=lambda principal: principal.arn))


def _managed(answer: Fields) -> Iterator[tuple[str, tuple[Fields, ...]]]:
    for policy in mappings(answer, "Policies"):
        for version in mappings(policy, "PolicyVersionList"):
            if version.get("IsDefaultVersion") is True and version.get("Document") is not None:
                yield needed(text(policy, "Arn"), "Arn"), statements_in(version, "Document")


def _user(
    found: Fields, groups: Mapping[str, Fields], managed: Mapping[str, tuple[Fields, ...]]
) -> Principal:
    names = [str(name) for name in items(found, "GroupList")]
    if missing := [name for name in names if name not in groups]:
        raise WrongAnswer(f"the group {missing[0]} is not in it")
    return _principal(
        found, "UserName", "UserPolicyList", [groups[name] for name in names], managed
    )


def _principal(
    found: Fields,
    name: str,
    inline: str,
    groups: Iterable[Fields],
    managed: Mapping[str, tuple[Fields, ...]],
) -> Principal:
    holders = [(found, inline), *((group, "GroupPolicyList") for group in groups)]
    statements: list[Fields] = []
    attached: list[str] = []
    for holder, field in holders:
        for policy in mappings(holder, field):
            statements += statements_in(policy, "PolicyDocument")
        for policy in mappings(holder, "AttachedManagedPolicies"):
            attached.append(needed(text(policy, "PolicyArn"), "PolicyArn"))
    limit = text(mapping(found, "PermissionsBoundary"), "PermissionsBoundaryArn")
    for arn in attached:
        statements += managed.get(arn, ())
    wanted = [*attached, *([limit] if limit else [])]
    return Principal(
        arn=needed(text(found, "Arn"), "Arn"),
        name=needed(text(found, name), name),
        is_user=name == "UserName",
        statements=tuple(statements),
        boundary=managed.get(limit) if limit else None,
        unread=tuple(dict.fromkeys(arn for arn in wanted if arn not in managed)),
    )
