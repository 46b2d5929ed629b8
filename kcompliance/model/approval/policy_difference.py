"""What another audit policy changes: who doing what is recorded otherwise, and by which rules.

Both policies are asked the same: every kind of user, action and transport of `policy_coverage`,
and besides the users, objects and paths that the changed rules name.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final

from kcompliance.model.approval.policy import canonical_policy
from kcompliance.model.approval.rule_changes import changed_rules, listed
from kcompliance.model.audit_policy import (
    AuditPolicy,
    Decision,
    Level,
    PolicyEvaluator,
    Rule,
    Stage,
)
from kcompliance.model.personas import (
    PERSONAS,
    READS,
    UNKNOWN,
    WRITES,
    Persona,
    probes_of,
    request_of,
)
from kcompliance.model.policy_coverage import Asked, Transport, cover
from kcompliance.model.request import NonResource, ObjectAttributes, Request, User

__all__ = ["PolicyDifference", "Recorded", "compare_policies"]

_MOST_WORK: Final = 2_000_000
"""How many rules are tried for what only the changed rules name; beyond, fewer requests are."""
_MOST_NAMED: Final = 12
_MOST_LINES: Final = 3
_MOST_ACTIONS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """Who doing what is recorded otherwise, all in the same way."""

    who: str
    """Such as `a human, a node`, or `everybody`."""
    actions: tuple[str, ...]
    change: str
    """Such as `RequestResponse → None`."""

    def words(self, most: int) -> str:
        """Such as `a cluster admin: exec and attach over WebSocket: RequestResponse → None`.

        Of many actions the first of each `most` are named.
        """
        return f"{self.who}: {_first(self.actions, most, ', ')}: {self.change}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDifference:
    """What less and what more is recorded, and what became of the rules."""

    less: tuple[Recorded, ...] = ()
    more: tuple[Recorded, ...] = ()
    rules: tuple[str, ...] = ()
    """Such as `removed rule 2: Metadata for verbs get`. Empty only where nothing differs."""

    @property
    def lines(self) -> tuple[str, ...]:
        """All of it in sentences, what matters most first."""
        less = (f"less is recorded: {each.words(99)}" for each in self.less)
        more = (f"more is recorded: {each.words(99)}" for each in self.more)
        return (*less, *more, *self.rules)

    @property
    def shortened(self) -> bool:
        """Whether the summary leaves anything out."""
        found = (self.less, self.more, self.rules)
        actions = (len(each.actions) for each in (*self.less, *self.more))
        return max(map(len, found)) > _MOST_LINES or max(actions, default=0) > _MOST_ACTIONS

    @property
    def summary(self) -> str:
        """The first of each, and how many more there are, in one sentence."""
        parts = []
        for what, found in (("less is recorded", self.less), ("more is recorded", self.more)):
            if found:
                parts.append(f"{what}: {_first([each.words(_MOST_ACTIONS) for each in found])}")
        if not parts:
            parts.append("nothing that was tried is recorded otherwise")
        return "; ".join([*parts, _first(self.rules)])


def _first(items: Sequence[str], most: int = _MOST_LINES, separator: str = "; ") -> str:
    rest = len(items) - most
    return separator.join(items[:most]) + (f"{separator}and {rest} more" if rest > 0 else "")


def compare_policies(before: AuditPolicy, now: AuditPolicy) -> PolicyDifference:
    """What `now` changes of `before`."""
    rules = tuple(changed_rules(before, now))
    if not rules:
        return PolicyDifference()
    changes = list(_changes(before, now))
    return PolicyDifference(
        less=_grouped(change for change in changes if change.loses),
        more=_grouped(change for change in changes if not change.loses),
        rules=rules,
    )


def _grouped(changes: "Iterable[_Change]") -> tuple[Recorded, ...]:
    """Actions of which the same is to be said of the same people stand together."""
    people: dict[tuple[str, str], list[str]] = {}
    for change in changes:
        people.setdefault((change.action, change.words), []).append(change.persona.name)
    actions: dict[tuple[str, str], list[str]] = {}
    for (action, words), names in people.items():
        actions.setdefault((_who(names), words), []).append(action)
    return tuple(
        Recorded(who=who, actions=tuple(found), change=words)
        for (who, words), found in actions.items()
    )


def _who(names: Sequence[str]) -> str:
    missing = [persona.name for persona in PERSONAS if persona.name not in names]
    if len(missing) > 1:
        return ", ".join(names)
    return f"everybody but {missing[0]}" if missing else "everybody"


# --- requests ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Change:
    """One persona and action, of which some requests are recorded otherwise in the same way."""

    persona: Persona
    action: str
    words: str
    loses: bool


@dataclass(slots=True)
class _Outcome:
    """Requests of one cell that changed in the same way."""

    loses: bool
    requests: list[Request] = field(default_factory=list)


def _changes(before: AuditPolicy, now: AuditPolicy) -> Iterator[_Change]:
    changed = _changed_part(before, now)
    personas = (*PERSONAS, *islice(_named_personas(changed), _MOST_NAMED))
    old = cover(before, personas=personas, named_in=_NOTHING_NAMED)
    new = cover(now, personas=personas, named_in=_NOTHING_NAMED)
    asked: dict[Persona, set[Request]] = {persona: set() for persona in personas}
    for was, is_ in zip(old.rows, new.rows, strict=True):
        for cell, other in zip(was.cells, is_.cells, strict=True):
            action = was.action.replace(", ", " and ")
            if was.transport in (Transport.SPDY, Transport.WEBSOCKET):
                action += f" over {was.transport}"
            asked[cell.persona] |= {each.request for each in cell.asked}
            yield from _of_cell(cell.persona, action, cell.asked, other.asked)
    yield from _of_named(before, now, changed, asked)


_NOTHING_NAMED: Final = AuditPolicy(rules=(Rule(level=Level.NONE),))


def _of_cell(
    persona: Persona, action: str, before: Sequence[Asked], now: Sequence[Asked]
) -> Iterator[_Change]:
    outcomes = _outcomes(zip(before, now, strict=True))
    for words, outcome in outcomes.items():
        part = ""
        if len(outcome.requests) < len(before):
            part = f" ({_requests_in_words(outcome.requests)})"
        yield _Change(persona, f"{action}{part}", words, outcome.loses)


def _of_named(
    before: AuditPolicy,
    now: AuditPolicy,
    changed: AuditPolicy,
    asked: Mapping[Persona, set[Request]],
) -> Iterator[_Change]:
    """Requests for what the changed rules name, where no action asked them."""
    old, new = PolicyEvaluator(before), PolicyEvaluator(now)
    most = _MOST_WORK // (len(asked) * (len(before.rules) + len(now.rules)))
    for persona, known in asked.items():
        requests = islice(_named_requests(changed, persona), max(most, 1))
        pairs = [
            (Asked(request, old.decide(request)), Asked(request, new.decide(request)))
            for request in requests
            if request not in known
        ]
        for words, outcome in _outcomes(pairs).items():
            yield _Change(persona, _requests_in_words(outcome.requests), words, outcome.loses)


def _outcomes(pairs: Iterable[tuple[Asked, Asked]]) -> dict[str, _Outcome]:
    found: dict[str, _Outcome] = {}
    for was, is_ in pairs:
        words = _change_in_words(was, is_)
        if words:
            loses = _weight(is_) < _weight(was)
            found.setdefault(words, _Outcome(loses)).requests.append(is_.request)
    return found


def _weight(asked: Asked) -> tuple[Level, int, bool]:
    decision = asked.decision
    return asked.level, len(decision.stages), not _leaves_fields_out(decision)


def _change_in_words(was: Asked, is_: Asked) -> str:
    """Such as `Metadata → None`; empty where the request is recorded as before."""
    level = is_.level.value
    if was.level is not is_.level:
        return f"{was.level.value} → {level}"
    if is_.level is Level.NONE:
        return ""
    parts = []
    before, now = set(was.decision.stages), set(is_.decision.stages)
    if lost := [stage for stage in Stage if stage in before - now]:
        parts.append(f"no longer at {listed(lost)}")
    if come := [stage for stage in Stage if stage in now - before]:
        parts.append(f"now also at {listed(come)}")
    fields = _leaves_fields_out(is_.decision)
    if fields != _leaves_fields_out(was.decision):
        parts.append(f"{'without' if fields else 'with'} managedFields")
    return f"{level}, {', '.join(parts)}" if parts else ""


def _leaves_fields_out(decision: Decision) -> bool:
    """Only bodies hold managedFields."""
    return decision.omit_managed_fields and decision.level >= Level.REQUEST


def _requests_in_words(requests: Sequence[Request]) -> str:
    """Such as `create, update pods/exec`: the verbs of one object, and how many others."""
    by_target: dict[str, list[str]] = {}
    for request in requests:
        by_target.setdefault(_kind(request.target), []).append(request.verb)
    first, *rest = (f"{_verbs(verbs)} {kind}" for kind, verbs in by_target.items())
    return first + (f" and {len(rest)} more kinds of objects" if rest else "")


def _verbs(verbs: Sequence[str]) -> str:
    return "any verb on" if {*WRITES, *READS} <= {*verbs} else listed(dict.fromkeys(verbs))


def _kind(target: ObjectAttributes | NonResource) -> str:
    """The object without the names that only probes have."""
    if isinstance(target, NonResource):
        return target.path
    name = "" if target.name == UNKNOWN.name else target.name
    namespace = "" if target.namespace == UNKNOWN.namespace else target.namespace
    group, resource = target.group, target.resource
    if resource == UNKNOWN.resource:
        group, resource = (
            "",
            "anything" + ("" if group == UNKNOWN.group else f" of {group or 'core'}"),
        )
    return str(replace(target, group=group, resource=resource, name=name, namespace=namespace))


# --- what the changed rules name -----------------------------------------------------------


def _changed_part(before: AuditPolicy, now: AuditPolicy) -> AuditPolicy:
    """The rules of both between those that they begin and end with in common."""
    old, new = canonical_policy(before).rules, canonical_policy(now).rules
    start = next(
        (i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b),
        min(len(old), len(new)),
    )
    rest = min(len(old), len(new)) - start
    end = next((i for i in range(rest) if old[-1 - i] != new[-1 - i]), rest)
    rules = (
        *before.rules[start : len(old) - end],
        *now.rules[start : len(new) - end],
    )
    return AuditPolicy(rules=rules)


def _named_personas(changed: AuditPolicy) -> Iterator[Persona]:
    """Somebody of each name and group that a changed rule asks for."""
    known = {group for persona in PERSONAS if persona.user for group in persona.user.groups}
    seen = {("", group) for group in ("", *known)}
    for rule in changed.rules:
        for group in rule.user_groups or ("",):
            for name in rule.users or ("",):
                if (name, group) not in seen:
                    seen.add((name, group))
                    yield _named_persona(name, group)


def _named_persona(name: str, group: str) -> Persona:
    words = " in ".join([f"the user {name}" if name else "somebody", *([group] if group else [])])
    groups = dict.fromkeys((*_own_groups(name), *([group] if group else [])))
    return Persona(name=words, user=User(name=name or "kcompliance:member", groups=tuple(groups)))


def _own_groups(name: str) -> tuple[str, ...]:
    """The groups that the server itself gives a user of this name."""
    match name.split(":"):
        case ["system", "anonymous"]:
            return ("system:unauthenticated",)
        case ["system", "serviceaccount", namespace, _]:
            of_namespace = f"system:serviceaccounts:{namespace}"
            return ("system:serviceaccounts", of_namespace, "system:authenticated")
        case ["system", "node", _]:
            return ("system:nodes", "system:authenticated")
        case _:
            return ("system:authenticated",)


def _named_requests(changed: AuditPolicy, persona: Persona) -> Iterator[Request]:
    """Reads and writes of the objects, and the paths, that these rules name."""
    for rule in changed.rules:
        for url in rule.non_resource_urls:
            target = NonResource(path=url.rstrip("*") or "/")
            yield Request(user=persona.user, verb="get", target=target)
    for request in probes_of(changed, persona):
        if isinstance(request.target, NonResource):
            continue
        yield request
        if request.verb == "update":
            for verb in (*READS, "watch"):
                yield request_of(persona, verb, request.target)
