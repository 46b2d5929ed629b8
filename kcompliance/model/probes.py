"""Requests that are put to an audit policy, and what it says of each.

Which requests a control asks about stands with its check; who asks them stands in `personas`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from kcompliance.model.audit_policy import (
    AuditPolicy,
    Decision,
    GroupResources,
    Level,
    PolicyEvaluator,
    Rule,
    Stage,
    matches,
)
from kcompliance.model.personas import PROBE_NAME, PROBE_NAMESPACE, Persona, request_of
from kcompliance.model.request import ObjectAttributes, Request

__all__ = [
    "NAMESPACE_OBJECT",
    "Probe",
    "Trial",
    "Tried",
    "ask",
    "cluster_wide",
    "in_words_of",
    "objects",
    "recording_less",
    "recording_more",
    "try_each",
]

Probe = tuple[Persona, Request]
"""Who asks, and what."""

NAMESPACE_OBJECT = ObjectAttributes(
    resource="namespaces", namespace=PROBE_NAMESPACE, name=PROBE_NAMESPACE
)
"""To the policy a namespace lies in itself, but not while it is created."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One request by one persona, and how it is recorded."""

    persona: Persona
    request: Request
    decision: Decision

    def recorded_at(self, level: Level) -> bool:
        """Whether an event of this level or more is written.

        A body is in the events after RequestReceived only. A failed login has one stage, and
        whether that one is omitted is the matter of KC-CMP-005 alone.
        """
        if self.decision.level < level:
            return False
        if self.request.user is None:
            return True
        if level > Level.METADATA:
            return Stage.RESPONSE_COMPLETE in self.decision.stages
        return bool(self.decision.stages)

    @property
    def words(self) -> str:
        """Such as `a human create pods in app (None: rule 0, line 4)`."""
        decision = self.decision
        rule = "no rule matches"
        if decision.rule is not None:
            rule = f"rule {decision.rule}, line {decision.line}"
        level = decision.level.value
        if decision.level is not Level.NONE and decision.omit_stages - {Stage.REQUEST_RECEIVED}:
            level += f" without {', '.join(sorted(decision.omit_stages))}"
        return f"{self.persona.name} {self.request} ({level}: {rule})"


_MOST_HOLES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What came of many requests; `holes` are those that are not recorded as they should be."""

    tried: int
    personas: int
    holes: tuple[Tried, ...]
    stopped: bool = False
    """Whether so many holes were found that the rest was not tried."""


def try_each(
    policy: AuditPolicy, probes: Iterable[Probe], is_good: Callable[[Tried], bool]
) -> Trial:
    """Put each request to the policy, the same one only once, until there is no doubt left."""
    evaluator = PolicyEvaluator(policy)
    seen: set[Probe] = set()
    holes = []
    for persona, request in probes:
        if (persona, request) in seen:
            continue
        seen.add((persona, request))
        tried = Tried(persona=persona, request=request, decision=evaluator.decide(request))
        if not is_good(tried):
            holes.append(tried)
        if len(holes) == _MOST_HOLES:
            break
    return Trial(
        tried=len(seen),
        personas=len({persona for persona, _ in seen}),
        holes=tuple(holes),
        stopped=len(holes) == _MOST_HOLES,
    )


def ask(
    personas: Iterable[Persona], verbs: Iterable[str], targets: Iterable[ObjectAttributes]
) -> Iterator[Probe]:
    """Each persona, verb and object together."""
    verbs, targets = tuple(verbs), tuple(targets)
    for persona in personas:
        for target in targets:
            for verb in verbs:
                yield persona, request_of(persona, verb, target)


def objects(
    group: str, *specs: str, namespace: str = PROBE_NAMESPACE
) -> tuple[ObjectAttributes, ...]:
    """One object of each resource (`pods`, `pods/exec`) of a group; `namespace` "" of a cluster."""
    return tuple(
        ObjectAttributes(
            group=group,
            resource=spec.partition("/")[0],
            subresource=spec.partition("/")[2],
            namespace=namespace,
            name=PROBE_NAME,
        )
        for spec in specs
    )


def cluster_wide(targets: Iterable[ObjectAttributes]) -> tuple[ObjectAttributes, ...]:
    """The same in no namespace, as a list over all namespaces is to the policy."""
    return tuple(dict.fromkeys(replace(target, namespace="") for target in targets))


def recording_less(policy: AuditPolicy, level: Level) -> tuple[Rule, ...]:
    """The rules that a request recorded at less than this level, or not in time, can be due to."""
    all_ = bool(policy.omit_stages - {Stage.REQUEST_RECEIVED})
    return tuple(
        rule
        for rule in policy.rules
        if all_ or rule.level < level or rule.omit_stages - {Stage.REQUEST_RECEIVED}
    )


def recording_more(policy: AuditPolicy, level: Level) -> tuple[Rule, ...]:
    """The rules that record more than this level."""
    return tuple(rule for rule in policy.rules if rule.level > level)


def in_words_of(
    rules: Iterable[Rule], targets: Iterable[ObjectAttributes]
) -> tuple[ObjectAttributes, ...]:
    """These objects, and each under every name and in every namespace that a rule on it names.

    Of a rule that names several of both, each name once and each namespace once.
    """
    found: dict[ObjectAttributes, None] = {}
    about_objects = [rule for rule in rules if rule.resources_only]
    for target in targets:
        found[target] = None
        for rule in about_objects:
            found.update(dict.fromkeys(_variants(rule, target)))
    return tuple(found)


def _variants(rule: Rule, target: ObjectAttributes) -> Iterator[ObjectAttributes]:
    namespaces = rule.namespaces if target.namespace else ()
    names = [
        name
        for group in rule.resources
        if group.resource_names and _is_about(group, target)
        for name in group.resource_names
    ]
    if rule.resources and not any(_is_about(group, target) for group in rule.resources):
        return
    first_namespace = next(iter(namespaces), target.namespace)
    first_name = next(iter(names), target.name)
    for namespace in namespaces:
        yield replace(target, namespace=namespace)
        yield replace(target, namespace=namespace, name=first_name)
    for name in names:
        yield replace(target, namespace=first_namespace, name=name)


def _is_about(group: GroupResources, target: ObjectAttributes) -> bool:
    """Whether it covers such objects, whatever their name."""
    any_name = Rule(level=Level.NONE, resources=(replace(group, resource_names=()),))
    return matches(any_name, Request(user=None, verb="get", target=target))
