"""Who may do what to the indices of a trail, as the security of a search server tells.

Elasticsearch: users, API keys and role mappings with the roles they have. OpenSearch: internal
users and the mapping of roles. What is not told (users in files, roles in files) is unknown and
never taken for harmless.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Final

from kcompliance.model.apiserver.plain_data import at, mapping, sequence, text, texts
from kcompliance.model.moment import moment
from kcompliance.model.reading import Kind
from kcompliance.model.search.indices import matches
from kcompliance.model.search.view import SearchStore

__all__ = ["Grants", "Principal", "principals_of", "trail_names"]

_CHANGING: Final = {
    *("all", "manage", "delete", "delete_index", "write", "index", "maintenance"),
    # OpenSearch's groups of actions
    *("*", "indices_all", "unlimited", "crud", "manage_aliases", "data_access"),
}
_CHANGING_ACTIONS: Final = re.compile(
    r"indices:(\*|admin/(\*|delete|close|put|settings|mapping/put|open|forcemerge|freeze|block)"
    r"|data/(\*|write/(\*|index|delete|update|reindex|bulk)))"
)
_ADMINISTERING: Final = {
    *("all", "manage", "manage_ilm", "manage_slm", "manage_snapshots", "manage_security"),
    *("*", "cluster_all", "unlimited"),
}
_ADMINISTERING_ACTIONS: Final = re.compile(
    r"(cluster:(\*|admin/(\*|ilm|slm|snapshot/(restore|delete)|xpack/security|opendistro/ism"
    r"|settings))|restapi:admin)"
)
_ADDING: Final = {"create", "create_doc", "auto_configure", "create_index"}
_LOOKING: Final = {
    *("read", "view_index_metadata", "monitor", "none", "read_cross_cluster", "search", "get"),
    *("read_failure_store", "cross_cluster_replication", "cross_cluster_replication_internal"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Grants:
    """What a role, or several, grant on the indices of a trail and on the cluster."""

    indices: frozenset[str] = frozenset()
    cluster: frozenset[str] = frozenset()
    run_as: bool = False
    """They may act as somebody else, with what that one may do."""

    def __or__(self, other: "Grants") -> "Grants":
        return Grants(
            indices=self.indices | other.indices,
            cluster=self.cluster | other.cluster,
            run_as=self.run_as or other.run_as,
        )

    @property
    def changing(self) -> tuple[str, ...]:
        """With which the trail can be altered or deleted, or the rights to that be got."""
        found = {p for p in self.indices if p in _CHANGING or _CHANGING_ACTIONS.match(p)}
        found |= {
            f"cluster {p}"
            for p in self.cluster
            if p in _ADMINISTERING or _ADMINISTERING_ACTIONS.match(p)
        }
        return tuple(sorted(found))

    @property
    def adding(self) -> bool:
        """Whether events can be written at all."""
        return bool(self.indices & {"create", "create_doc"}) or bool(self.changing)

    @property
    def beyond_adding(self) -> tuple[str, ...]:
        """What is not needed in order to ship events."""
        other = {p for p in self.indices if p not in _ADDING | _LOOKING}
        return tuple(sorted({*self.changing, *other}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Somebody, or a group of people; `unknown` says what of their rights is not told."""

    name: str
    """Such as `user fluent` or `API key shipper`."""
    word: str
    """The name alone."""
    grants: Grants
    everybody: bool = False
    """It stands for whoever logs in."""
    unknown: str = ""


def trail_names(store: SearchStore, patterns: Sequence[str]) -> tuple[str, ...]:
    """Indices, data streams and aliases of the trail; where none are told, the patterns."""
    names: set[str] = set()
    resolved = store.fields(Kind.ELASTICSEARCH_INDICES)
    for group in ("indices", "data_streams", "aliases"):
        names |= {
            name for each in sequence(resolved.get(group)) if (name := text(at(each, "name")))
        }
    names |= set(store.fields(Kind.ELASTICSEARCH_SETTINGS))
    if store.declared is None:
        names = {name for name in names if matches(name.removeprefix(".ds-"), patterns)}
    return tuple(sorted(names or set(store.patterns or patterns)))


def principals_of(store: SearchStore, names: Sequence[str], now: datetime) -> tuple[Principal, ...]:
    """Everybody who is not built in. The answers about roles and users must have been seen."""
    roles = _roles(store, names)
    if store.is_opensearch:
        return tuple(_of_opensearch(store, roles))
    return (
        *_users(store, roles),
        *_api_keys(store, roles, names, now),
        *_role_mappings(store, roles),
    )


# --- roles ---------------------------------------------------------------------------------------


def _roles(store: SearchStore, names: Sequence[str]) -> Mapping[str, Grants]:
    answer = store.fields(Kind.ELASTICSEARCH_ROLES)
    read = _opensearch_grants if store.is_opensearch else _grants
    return {name: read(mapping(role), names) for name, role in answer.items()}


def _grants(role: Mapping[str, object], names: Sequence[str]) -> Grants:
    granted: set[str] = set()
    for entry in sequence(role.get("indices")) + sequence(role.get("index")):
        listed = at(entry, "names")
        wanted = [listed] if isinstance(listed, str) else texts(listed)
        if any(_reaches(pattern, names) for pattern in wanted):
            granted |= set(texts(at(entry, "privileges")))
    return Grants(
        indices=frozenset(each.lower() for each in granted),
        cluster=frozenset(each.lower() for each in texts(role.get("cluster"))),
        run_as=bool(texts(role.get("run_as"))),
    )


def _opensearch_grants(role: Mapping[str, object], names: Sequence[str]) -> Grants:
    granted: set[str] = set()
    for entry in sequence(role.get("index_permissions")):
        if any(_reaches(pattern, names) for pattern in texts(at(entry, "index_patterns"))):
            granted |= set(texts(at(entry, "allowed_actions")))
    return Grants(
        indices=frozenset(each.lower() for each in granted),
        cluster=frozenset(each.lower() for each in texts(role.get("cluster_permissions"))),
    )


def _reaches(pattern: str, names: Iterable[str]) -> bool:
    """Whether a role's pattern selects one of the trail's; a regular expression may."""
    if pattern.startswith("/") and pattern.endswith("/") and len(pattern) > 1:
        return any(_fits(pattern[1:-1], name) for name in names)
    literal = pattern.replace("[", "[[]")
    return any(
        fnmatchcase(name, literal)
        or fnmatchcase(name.removeprefix(".ds-"), literal)
        or ("*" in name and fnmatchcase(pattern, name))
        for name in names
    )


_PLAIN: Final = re.compile(r"(?:[\w.\-*+?()|^]|\[\.\])*\Z")
_NESTED: Final = re.compile(r"\)[*+?]")
_LONGEST: Final = 200
_REPEATS: Final = 3


def _fits(expression: str, name: str) -> bool:
    """Of Lucene's expressions only plain ones are tried; any other is taken to fit."""
    negated = expression.startswith("~(") and expression.endswith(")")
    bare = expression[2:-1] if negated else expression
    slow = len(bare) > _LONGEST or sum(map(bare.count, "*+?")) > _REPEATS or _NESTED.search(bare)
    if not _PLAIN.match(bare) or slow or "*" in name:
        return True
    try:
        return (re.fullmatch(bare, name) is not None) != negated
    except re.error:
        return True


# --- Elasticsearch -------------------------------------------------------------------------------


def _together(names: Iterable[str], roles: Mapping[str, Grants]) -> tuple[Grants, str]:
    found, missing = Grants(), []
    for name in names:
        if name in roles:
            found |= roles[name]
        else:
            missing.append(name)
    if missing:
        return found, f"the role {', '.join(missing)} is not told"
    return found, "it may act as other users" if found.run_as else ""


def _users(store: SearchStore, roles: Mapping[str, Grants]) -> Iterator[Principal]:
    for name, user in store.fields(Kind.ELASTICSEARCH_USERS).items():
        built_in = at(user, "metadata", "_reserved") is True
        if not built_in and at(user, "enabled") is not False:
            granted, unknown = _together(texts(at(user, "roles")), roles)
            yield Principal(name=f"user {name}", word=name, grants=granted, unknown=unknown)


def _api_keys(
    store: SearchStore, roles: Mapping[str, Grants], names: Sequence[str], now: datetime
) -> Iterator[Principal]:
    users = store.fields(Kind.ELASTICSEARCH_USERS)
    for key in sequence(store.fields(Kind.ELASTICSEARCH_API_KEYS).get("api_keys")):
        ends = moment(at(key, "expiration"))
        other = at(key, "type") == "cross_cluster"  # it reads and replicates
        if at(key, "invalidated") is True or (ends is not None and ends <= now) or other:
            continue
        name = text(at(key, "name")) or text(at(key, "id")) or "without a name"
        own = mapping(at(key, "role_descriptors"))
        if own:
            granted, unknown = Grants(), ""
            for role in own.values():
                granted |= _grants(mapping(role), names)
        else:  # then it may do what its owner may
            owner = text(at(key, "username")) or ""
            user = users.get(owner)
            granted, unknown = _together(texts(at(user, "roles")), roles)
            if user is None:
                unknown = f"what its owner {owner} may do is not told"
        yield Principal(name=f"API key {name}", word=name, grants=granted, unknown=unknown)


def _role_mappings(store: SearchStore, roles: Mapping[str, Grants]) -> Iterator[Principal]:
    for name, found in store.fields(Kind.ELASTICSEARCH_ROLE_MAPPINGS).items():
        if at(found, "enabled") is False or at(found, "metadata", "_reserved") is True:
            continue
        granted, unknown = _together(texts(at(found, "roles")), roles)
        if sequence(at(found, "role_templates")):
            unknown = "its roles are made by a template"
        yield Principal(
            name=f"role mapping {name}",
            word=name,
            grants=granted,
            everybody=_everybody(at(found, "rules")),
            unknown=unknown,
        )


def _everybody(rule: object) -> bool:
    """Whether a rule lets everybody in: `*` as a user name, or nothing that has to hold."""
    rules = mapping(rule)
    if "except" in rules:
        return True  # all the others
    if "any" in rules:
        return any(_everybody(each) for each in sequence(rules["any"]))
    if "all" in rules:
        return all(_everybody(each) for each in sequence(rules["all"]))
    field = mapping(rules.get("field"))
    values = field.get("username", field.get("dn"))
    return "*" in (texts(values) or texts([values]))


# --- OpenSearch ----------------------------------------------------------------------------------


def _of_opensearch(store: SearchStore, roles: Mapping[str, Grants]) -> Iterator[Principal]:
    """Users by name and groups by backend role; admin certificates stand in no answer."""
    mapped = store.fields(Kind.ELASTICSEARCH_ROLE_MAPPINGS)
    users = store.fields(Kind.ELASTICSEARCH_USERS)
    for name, user in users.items():
        direct = set(texts(at(user, "opendistro_security_roles")))
        backend = set(texts(at(user, "backend_roles")))
        direct |= {
            role
            for role, found in mapped.items()
            if {name, "*"} & set(texts(at(found, "users")))
            or backend & set(texts(at(found, "backend_roles")))
        }
        granted, unknown = _together(sorted(direct), roles)
        yield Principal(name=f"user {name}", word=name, grants=granted, unknown=unknown)
    own = {role for user in users.values() for role in texts(at(user, "backend_roles"))}
    for role, found in mapped.items():
        outside = sorted(set(texts(at(found, "backend_roles"))) - own)
        everybody = "*" in texts(at(found, "users")) or "*" in texts(at(found, "hosts"))
        if outside or everybody:
            granted, unknown = _together([role], roles)
            yield Principal(
                name=f"role mapping {role} of {', '.join(outside) or 'everybody'}",
                word=role,
                grants=granted,
                everybody=everybody,
                unknown=unknown,
            )
