"""RBAC as kube-apiserver decides by it: who is bound to which rules, and where they count.

Source: k8s.io/kubernetes 1.36 `pkg/registry/rbac/validation/rule.go`, `pkg/apis/rbac/v1/
evaluation_helpers.go`, `plugin/pkg/auth/authorizer/rbac/rbac.go`.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import msgspec

from kcompliance.model.listing import KubernetesObject, Listing
from kcompliance.model.reading import Raw
from kcompliance.model.request import NonResource, ObjectAttributes, Request, User

__all__ = ["Binding", "Rbac", "Role", "Rule", "Subject", "SubjectKind", "read_rbac", "user_named"]

_USER_OF_ACCOUNT: Final = "system:serviceaccount:"
_AUTHENTICATED: Final = "system:authenticated"
_ACCOUNTS: Final = "system:serviceaccounts"


class SubjectKind(StrEnum):
    """Whom a binding can name."""

    USER = "User"
    GROUP = "Group"
    SERVICE_ACCOUNT = "ServiceAccount"


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """Somebody whom a binding names; `namespace` is that of a service account, else ""."""

    kind: SubjectKind
    name: str
    namespace: str = ""

    def __str__(self) -> str:
        name = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.kind} {name}"

    @property
    def groups(self) -> tuple["Subject", ...]:
        """The groups that this subject is in whatever else it is in; nobody can list the rest."""
        names: tuple[str, ...] = ()
        if self.kind is SubjectKind.SERVICE_ACCOUNT:
            names = (_ACCOUNTS, f"{_ACCOUNTS}:{self.namespace}", _AUTHENTICATED)
        elif self.kind is SubjectKind.USER:
            anonymous = self.name == "system:anonymous"
            names = ("system:unauthenticated" if anonymous else _AUTHENTICATED,)
        return tuple(Subject(SubjectKind.GROUP, name) for name in names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of a role; `urls` count in a ClusterRoleBinding only."""

    verbs: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()

    def __str__(self) -> str:
        what = [*self.resources, *self.urls]
        named = f" named {', '.join(self.names)}" if self.names else ""
        return f"{', '.join(self.verbs)} on {', '.join(what)}{named}"

    def allows(self, verb: str, target: ObjectAttributes | NonResource) -> bool:
        """Whether the rule allows this request, where its binding counts."""
        if not _has(self.verbs, verb):
            return False
        if isinstance(target, NonResource):
            return any(_covers(url, target.path) for url in self.urls)
        return self.covers(target.group, target.resource, target.subresource) and (
            not self.names or target.name in self.names
        )

    def covers(self, group: str, resource: str, subresource: str = "") -> bool:
        """Whether the rule is about these objects, whatever their names.

        `*` is every resource and subresource, `*/scale` that subresource of each resource; `pods/*`
        is only a resource of that very name, which there is none of.
        """
        combined = f"{resource}/{subresource}" if subresource else resource
        wanted = {"*", combined, *([f"*/{subresource}"] if subresource else [])}
        return _has(self.groups, group) and not wanted.isdisjoint(self.resources)

    @property
    def is_everything(self) -> bool:
        """Whether nothing that an API server holds is left out."""
        return "*" in self.verbs and self.covers("*", "*") and not self.names


def _has(given: tuple[str, ...], wanted: str) -> bool:
    return "*" in given or wanted in given


def _covers(url: str, path: str) -> bool:
    return url in ("*", path) or (url.endswith("*") and path.startswith(url.rstrip("*")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A Role or ClusterRole; `namespace` "" is a ClusterRole."""

    name: str
    namespace: str = ""
    rules: tuple[Rule, ...] = ()
    raw: Raw

    def __str__(self) -> str:
        return _named("Role" if self.namespace else "ClusterRole", self.namespace, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """A RoleBinding, or with `namespace` "" a ClusterRoleBinding; `role` None is not there."""

    name: str
    namespace: str = ""
    subjects: tuple[Subject, ...] = ()
    role_name: str
    """As written, such as `ClusterRole edit`."""
    role: Role | None
    raw: Raw

    def __str__(self) -> str:
        kind = "RoleBinding" if self.namespace else "ClusterRoleBinding"
        return f"{_named(kind, self.namespace, self.name)} → {self.role_name}"

    @property
    def rules(self) -> tuple[Rule, ...]:
        """What it grants: nothing where the role is not there."""
        return self.role.rules if self.role else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rbac:
    """All roles and bindings of a cluster, or those that were given."""

    bindings: tuple[Binding, ...] = ()
    roles: Mapping[tuple[str, str], Role] = field(default_factory=dict)
    """By namespace and name; a ClusterRole has the namespace ""."""
    problems: tuple[str, ...] = ()
    """Objects that could not be understood, in words."""

    def by_subject(self) -> Mapping[Subject, tuple[Binding, ...]]:
        """The bindings of each subject that any of them names, without those of its groups."""
        found: defaultdict[Subject, list[Binding]] = defaultdict(list)
        for binding in self.bindings:
            for subject in dict.fromkeys(binding.subjects):
                found[subject].append(binding)
        return {subject: tuple(found[subject]) for subject in sorted(found)}

    def allowing(self, request: Request) -> Binding | None:
        """The binding that allows the request, None where RBAC does not; no user: nobody."""
        if request.user is None:
            return None
        asking = _subjects_of(request.user)
        target = request.target
        namespace = target.namespace if isinstance(target, ObjectAttributes) else ""
        for binding in self.bindings:
            counts = binding.namespace in ("", namespace)
            if counts and not asking.isdisjoint(binding.subjects):
                for rule in binding.rules:
                    if rule.allows(request.verb, target):
                        return binding
        return None


def _subjects_of(user: User) -> set[Subject]:
    return {user_named(user.name), *(Subject(SubjectKind.GROUP, group) for group in user.groups)}


def user_named(name: str) -> Subject:
    """The user of this name; the user of a service account's token is that service account."""
    namespace, colon, account = name.removeprefix(_USER_OF_ACCOUNT).partition(":")
    if name.startswith(_USER_OF_ACCOUNT) and namespace and colon and account:
        return Subject(SubjectKind.SERVICE_ACCOUNT, account, namespace)
    return Subject(SubjectKind.USER, name)


# --- reading the objects -------------------------------------------------------------------------


class _Metadata(msgspec.Struct):
    name: str
    namespace: str | None = None
    labels: dict[str, str] | None = None


class _Rule(msgspec.Struct, rename="camel"):
    verbs: list[str] | None = None
    api_groups: list[str] | None = None
    resources: list[str] | None = None
    resource_names: list[str] | None = None
    urls: list[str] | None = msgspec.field(default=None, name="nonResourceURLs")


class _Expression(msgspec.Struct):
    key: str
    operator: str
    values: list[str] | None = None


class _Selector(msgspec.Struct, rename="camel"):
    match_labels: dict[str, str] | None = None
    match_expressions: list[_Expression] | None = None


class _Aggregation(msgspec.Struct, rename="camel"):
    cluster_role_selectors: list[_Selector] | None = None


class _Role(msgspec.Struct, rename="camel"):
    metadata: _Metadata
    rules: list[_Rule] | None = None
    aggregation_rule: _Aggregation | None = None


class _Subject(msgspec.Struct):
    kind: str
    name: str
    namespace: str | None = None


class _RoleRef(msgspec.Struct):
    kind: str
    name: str


class _Binding(msgspec.Struct, rename="camel"):
    metadata: _Metadata
    role_ref: _RoleRef
    subjects: list[_Subject] | None = None


def read_rbac(listing: Listing) -> Rbac:
    """The roles and bindings of a listing.

    An aggregated ClusterRole of a live server has its rules filled in, and they are what counts. In
    files it mostly has none: there its selectors are resolved among the ClusterRoles at hand.
    """
    problems: list[str] = []
    roles: dict[tuple[str, str], Role] = {}
    aggregated: list[tuple[Role, _Role]] = []
    labels: list[tuple[Role, Mapping[str, str]]] = []
    for kind in ("ClusterRole", "Role"):
        for read, raw in _typed(listing, kind, _Role, problems):
            role = _role(read, kind, raw, roles)
            roles[role.namespace, role.name] = role
            if kind == "ClusterRole":
                labels.append((role, read.metadata.labels or {}))
                aggregated.append((role, read))
    if not listing.whole:
        for role, read in aggregated:
            roles["", role.name] = _with_aggregated(roles["", role.name], read, labels)
    bindings = [
        _binding(read, kind, raw, roles)
        for kind in ("ClusterRoleBinding", "RoleBinding")
        for read, raw in _typed(listing, kind, _Binding, problems)
    ]
    return Rbac(
        bindings=tuple(sorted(bindings, key=lambda each: (each.namespace, each.name))),
        roles=roles,
        problems=tuple(problems),
    )


def _typed(
    listing: Listing, kind: str, shape: type[Any], problems: list[str]
) -> Iterator[tuple[Any, Raw]]:
    for found, raw in listing.of_kind(kind):
        try:
            read = msgspec.convert(found, shape)
        except msgspec.ValidationError as error:
            problems.append(f"{kind} {_name_of(found)}: {error}")
            continue
        if kind in ("Role", "RoleBinding") and not read.metadata.namespace:
            problems.append(f"{kind} {read.metadata.name} names no namespace")
            continue
        yield read, raw


def _name_of(found: KubernetesObject) -> str:
    metadata = found.get("metadata")
    return str(metadata.get("name"))[:253] if isinstance(metadata, Mapping) else "without a name"


def _role(read: _Role, kind: str, raw: Raw, before: Mapping[tuple[str, str], Role]) -> Role:
    """The role; of one that was given twice, in two files, the rules of both."""
    namespace = (read.metadata.namespace or "") if kind == "Role" else ""
    twin = before.get((namespace, read.metadata.name))
    rules = tuple(_rule(rule) for rule in read.rules or ())
    more = tuple(rule for rule in twin.rules if rule not in rules) if twin else ()
    return Role(name=read.metadata.name, namespace=namespace, rules=rules + more, raw=raw)


def _rule(read: _Rule) -> Rule:
    return Rule(
        verbs=tuple(read.verbs or ()),
        groups=tuple(read.api_groups or ()),
        resources=tuple(read.resources or ()),
        names=tuple(read.resource_names or ()),
        urls=tuple(read.urls or ()),
    )


def _with_aggregated(
    role: Role, read: _Role, labelled: list[tuple[Role, Mapping[str, str]]]
) -> Role:
    selectors = (read.aggregation_rule and read.aggregation_rule.cluster_role_selectors) or []
    rules = dict.fromkeys(role.rules)
    for other, labels in labelled:
        if any(_selects(selector, labels) for selector in selectors):
            rules.update(dict.fromkeys(other.rules))
    return Role(name=role.name, rules=tuple(rules), raw=role.raw)


def _selects(selector: _Selector, labels: Mapping[str, str]) -> bool:
    wanted = (selector.match_labels or {}).items()
    expressions = selector.match_expressions or []
    return all(labels.get(key) == value for key, value in wanted) and all(
        _fits(each, labels) for each in expressions
    )


def _fits(expression: _Expression, labels: Mapping[str, str]) -> bool:
    value, values = labels.get(expression.key), expression.values or []
    match expression.operator:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case _:
            return False


def _binding(read: _Binding, kind: str, raw: Raw, roles: Mapping[tuple[str, str], Role]) -> Binding:
    namespace = (read.metadata.namespace or "") if kind == "RoleBinding" else ""
    role = None
    if read.role_ref.kind == "ClusterRole":
        role = roles.get(("", read.role_ref.name))
    elif read.role_ref.kind == "Role" and namespace:
        role = roles.get((namespace, read.role_ref.name))
    subjects = (_subject(each, namespace) for each in read.subjects or ())
    return Binding(
        name=read.metadata.name,
        namespace=namespace,
        subjects=tuple(each for each in subjects if each),
        role_name=f"{read.role_ref.kind} {read.role_ref.name}",
        role=role,
        raw=raw,
    )


def _subject(read: _Subject, namespace: str) -> Subject | None:
    """Whom it names; None for what applies to nobody."""
    match read.kind:
        case "User":
            return user_named(read.name)
        case "Group":
            return Subject(SubjectKind.GROUP, read.name)
        case "ServiceAccount":
            home = read.namespace or namespace
            return Subject(SubjectKind.SERVICE_ACCOUNT, read.name, home) if home else None
        case _:
            return None


def _named(kind: str, namespace: str, name: str) -> str:
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"
