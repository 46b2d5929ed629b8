"""Who may bypass, disable or read the audit chain, and by which binding and rule.

What somebody may do as somebody else counts too: who runs pods in a namespace can be each of its
service accounts. Groups are judged as such, because RBAC does not say who is in them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from kcompliance.model.rbac.grants import (
    Binding,
    Rbac,
    Role,
    Rule,
    Subject,
    SubjectKind,
    user_named,
)
from kcompliance.model.rbac.wants import CLUSTER_WIDE, WANTS, Reach, Want

__all__ = ["BYPASS", "DISABLE", "READ", "Dangers", "Power", "find_dangers"]

BYPASS: Final = "bypass"
DISABLE: Final = "disable"
READ: Final = "read"
_SYSTEM: Final = "kube-system"
_LONGEST: Final = 300
_MASTERS: Final = Subject(SubjectKind.GROUP, "system:masters")
_INTO_ACCOUNTS: Final = frozenset({Reach.RUN, Reach.ACCOUNT, Reach.SECRETS, Reach.ANY_RIGHT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """Something that a subject may do; `words` completes `may …`."""

    words: str
    binding: Binding
    rule: Rule


Powers = Mapping[Subject, tuple[Power, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dangers:
    """What RBAC gives to whom; subjects in order."""

    powers: Mapping[str, Powers]
    """By `BYPASS`, `DISABLE` and `READ`."""
    elsewhere: Powers
    """Who may run pods in namespaces other than those of the audit chain."""
    webhooks: Powers
    """Who may write admission webhooks."""


@dataclass(frozen=True, slots=True)
class _Held:
    """A want that a binding grants by a rule; the binding's namespace is where, "" everywhere."""

    want: Want
    rule: Rule
    binding: Binding

    @property
    def namespace(self) -> str:
        return self.binding.namespace

    def within(self, namespaces: frozenset[str]) -> bool:
        """Whether it counts in at least one of these."""
        if self.want.resource == "namespaces" and self.rule.names:
            namespaces &= frozenset(self.rule.names)
        return bool(namespaces) if not self.namespace else self.namespace in namespaces

    def power(self, then: str = "") -> Power:
        where = self.namespace or "every namespace"
        words = self.want.words.format(namespace=where)
        if self.rule.is_everything and self.want.reach is not Reach.LIFT:
            words = f"do everything in {where}" if self.namespace else "do everything"
        return Power(words=words + then, binding=self.binding, rule=self.rule)


def find_dangers(rbac: Rbac, logging_namespaces: Iterable[str]) -> Dangers:
    """All dangers; `logging_namespaces` hold what collects, ships and watches."""
    logging = frozenset(logging_namespaces)
    held = _held(rbac)
    found = {
        BYPASS: _direct(held, lambda each: _bypasses(each, logging | {_SYSTEM})),
        DISABLE: _direct(held, lambda each: _disables(each, logging)),
        READ: _direct(held, lambda each: _reads(each, logging)),
    }
    found[BYPASS] |= _combined(held, without=found[BYPASS])
    for powers in found.values():
        _add_who_can_be_them(powers, held)
    runs = _direct(held, lambda each: _runs_elsewhere(each, logging | {_SYSTEM}))
    webhooks = _direct(held, lambda each: each.want.reach is Reach.WEBHOOKS)
    return Dangers(
        powers={aspect: _sorted(powers) for aspect, powers in found.items()},
        elsewhere=_sorted(runs),
        webhooks=_sorted(webhooks),
    )


def _sorted(powers: Mapping[Subject, list[Power]]) -> Powers:
    """The powers of each subject, once for each binding and wording."""
    return {
        subject: tuple({(each.words, str(each.binding)): each for each in powers[subject]}.values())
        for subject in sorted(powers)
    }


# --- what is granted -----------------------------------------------------------------------------

_Holdings = Mapping[Subject, list[_Held]]
_Judge = Callable[[_Held], bool]


def _held(rbac: Rbac) -> _Holdings:
    """What each subject is granted by bindings that name it, of what nobody unexpected should."""
    wants_of = _Wants(rbac)
    return {
        subject: [held for binding in bindings for held in wants_of.granted(binding)]
        for subject, bindings in rbac.by_subject().items()
    }


class _Wants:
    """The wants that roles grant; each role is looked at once."""

    def __init__(self, rbac: Rbac) -> None:
        self._rbac = rbac
        self._known: dict[tuple[str, str], tuple[tuple[Want, Rule], ...]] = {}

    def granted(self, binding: Binding) -> Iterator[_Held]:
        if binding.role is None:
            return
        for want, rule in self._of_role(binding.role):
            if binding.namespace and want.reach in CLUSTER_WIDE:
                continue
            if want.reach is Reach.ANY_RIGHT and _binds_named_only(rule):
                yield from self._of_bound(want, rule, binding)
            else:
                yield _Held(want, rule, binding)

    def _of_bound(self, bind: Want, rule: Rule, binding: Binding) -> Iterator[_Held]:
        """Who may bind certain roles has what those grant."""
        home = binding.namespace if bind.resource == "roles" else ""
        for name in rule.names:
            role = self._rbac.roles.get((home, name))
            for want, _ in self._of_role(role) if role else ():
                if not (binding.namespace and want.reach in CLUSTER_WIDE):
                    yield _Held(want, rule, binding)

    def _of_role(self, role: Role) -> tuple[tuple[Want, Rule], ...]:
        key = (role.namespace, role.name)
        if key not in self._known:
            self._known[key] = tuple(
                (want, rule) for rule in role.rules for want in WANTS if want.granted_by(rule)
            )
        return self._known[key]


def _binds_named_only(rule: Rule) -> bool:
    return bool(rule.names) and {"*", "escalate"}.isdisjoint(rule.verbs)


# --- what is a danger by itself ------------------------------------------------------------------


def _direct(held: _Holdings, is_danger: _Judge) -> dict[Subject, list[Power]]:
    found = {
        subject: [each.power() for each in holdings if is_danger(each)]
        for subject, holdings in held.items()
    }
    return {subject: powers for subject, powers in found.items() if powers}


def _bypasses(held: _Held, privileged: frozenset[str]) -> bool:
    """Namespaces of the control plane and of collectors have pods that may touch their node."""
    match held.want.reach:
        case Reach.BYPASS:
            return True
        case Reach.IDENTITY:
            return not held.rule.names  # named ones: by what those may
        case Reach.ANY_RIGHT | Reach.RUN:
            return held.within(privileged)
        case Reach.SECRETS:
            return held.within(frozenset({_SYSTEM}))
        case _:
            return False


def _disables(held: _Held, logging: frozenset[str]) -> bool:
    reach = held.want.reach
    return reach is Reach.DISABLE_ALL or (reach is Reach.DISABLE and held.within(logging))


def _reads(held: _Held, logging: frozenset[str]) -> bool:
    reach = held.want.reach
    return reach is Reach.READ_ALL or (reach is Reach.READ and held.within(logging))


def _runs_elsewhere(held: _Held, privileged: frozenset[str]) -> bool:
    runs = held.want.reach in (Reach.RUN, Reach.ANY_RIGHT)
    return runs and bool(held.namespace) and held.namespace not in privileged


def _combined(
    held: _Holdings, without: Mapping[Subject, list[Power]]
) -> dict[Subject, list[Power]]:
    """What is a danger only for somebody who may also run pods somewhere."""
    found: dict[Subject, list[Power]] = {}
    for subject, holdings in held.items():
        if subject in without:
            continue
        every = [*holdings, *(each for group in subject.groups for each in held.get(group, ()))]
        homes = frozenset(
            each.namespace for each in every if each.want.reach in (Reach.RUN, Reach.ANY_RIGHT)
        )
        for each in holdings:
            lifts = each.want.reach is Reach.LIFT and each.within(homes)
            if lifts or (each.want.reach is Reach.DISK and homes):
                found.setdefault(subject, []).append(each.power())
    return found


# --- what is a danger because one can be somebody else -------------------------------------------


def _add_who_can_be_them(powers: dict[Subject, list[Power]], held: _Holdings) -> None:
    """Add those who can be one of the dangerous, and those who can be those, and so on."""
    accounts: dict[str, list[Subject]] = {}
    added = list(powers)
    while True:  # once at least: system:masters is dangerous without a binding
        for subject in added:
            for home in _homes(subject):
                accounts.setdefault(home, []).append(subject)
        added = []
        for subject, holdings in held.items():
            if subject in powers:
                continue
            found = (p for each in holdings for p in _by_being_another(each, powers, accounts))
            power = next(found, None)
            if power is not None:
                powers[subject] = [power]
                added.append(subject)
        if not added:
            return


def _by_being_another(
    held: _Held, powers: Mapping[Subject, list[Power]], accounts: Mapping[str, list[Subject]]
) -> Iterator[Power]:
    if held.want.reach is Reach.IDENTITY and held.rule.names:
        of_users = held.want.resource == "users"
        for name in held.rule.names:
            target = user_named(name) if of_users else Subject(SubjectKind.GROUP, name)
            if target in powers or target == _MASTERS:
                yield held.power(f", namely {target}, {_which_may(target, powers)}")
    if held.want.reach in _INTO_ACCOUNTS:
        named = held.rule.names if held.want.reach is Reach.ACCOUNT else ()
        for target in (*accounts.get(held.namespace, ()), *accounts.get(_ANYWHERE, ())):
            if named and target.kind is SubjectKind.SERVICE_ACCOUNT and target.name not in named:
                continue
            yield held.power(f", and so be {target}, {_which_may(target, powers)}")


_ANYWHERE: Final = "*"


def _homes(subject: Subject) -> tuple[str, ...]:
    """From where a subject can be reached that is a service account, or a group of them.

    A namespace; "" for who may reach into all of them; `_ANYWHERE` for a group in each.
    """
    if subject.kind is SubjectKind.SERVICE_ACCOUNT:
        return (subject.namespace, "")
    prefix, colon, namespace = subject.name.rpartition("system:serviceaccounts:")
    if subject.kind is SubjectKind.GROUP and colon and not prefix:
        return (namespace, "")
    if subject.name in ("system:serviceaccounts", "system:authenticated"):
        return (_ANYWHERE,)
    return ()


def _which_may(target: Subject, powers: Mapping[Subject, list[Power]]) -> str:
    words = powers[target][0].words if target in powers else "do everything"
    return f"which may {words if len(words) <= _LONGEST else f'{words[:_LONGEST]}…'}"
