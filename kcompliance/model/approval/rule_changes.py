"""Which rules of an audit policy were added, removed, changed and moved, in words."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from kcompliance.model.approval.policy import CanonicalRuleV1, canonical_policy
from kcompliance.model.audit_policy import AuditPolicy

__all__ = ["changed_rules", "listed", "rule_in_words"]

_LONGEST_RULE: Final = 200


def changed_rules(before: AuditPolicy, now: AuditPolicy) -> Iterator[str]:
    """What became of the rules, such as `added rule 0 (line 4): None for users mallory`.

    Nothing where both policies are the same in canonical form. Rules count from 0.
    """
    old, new = canonical_policy(before).rules, canonical_policy(now).rules
    gone = _taken(old, Counter(old) - Counter(new))
    come = _taken(new, Counter(new) - Counter(old))
    by_conditions = {_conditions(new[number]): number for number in reversed(come)}
    paired: dict[int, int] = {}
    for number in gone:
        other = by_conditions.pop(_conditions(old[number]), None)
        if other is not None:
            paired[number] = other
            change = f"{rule_in_words(old[number])} → {_effect_in_words(new[other])}"
            yield f"changed {_place(now, other)}: {change}"
    for number in gone:
        if number not in paired:
            yield f"removed rule {number}: {rule_in_words(old[number])}"
    now_paired = set(paired.values())
    for number in come:
        if number not in now_paired:
            yield f"added {_place(now, number)}: {rule_in_words(new[number])}"
    stayed = [
        _conditions(rule) if number in paired else rule
        for number, rule in enumerate(old)
        if number in paired or number not in gone
    ]
    stays = [number for number in range(len(new)) if number in now_paired or number not in come]
    for was, number in zip(stayed, stays, strict=True):
        if was != (_conditions(new[number]) if number in now_paired else new[number]):
            yield f"another order from {_place(now, number)} on: {rule_in_words(new[number])}"
            return


def _place(policy: AuditPolicy, number: int) -> str:
    line = policy.rules[number].line
    in_lines = any(rule.line > 1 for rule in policy.rules)
    return f"rule {number} (line {line})" if in_lines else f"rule {number}"


def _taken(
    rules: Sequence[CanonicalRuleV1], wanted: Mapping[CanonicalRuleV1, int]
) -> dict[int, None]:
    """The numbers of as many of these rules as are wanted, in order."""
    left = dict(wanted)
    taken: dict[int, None] = {}
    for number, rule in enumerate(rules):
        if left.get(rule, 0):
            left[rule] -= 1
            taken[number] = None
    return taken


def _conditions(rule: CanonicalRuleV1) -> CanonicalRuleV1:
    """The rule by what it matches, whatever it does then."""
    return msgspec.structs.replace(rule, level="None", omit_stages=(), omit_managed_fields=False)


def rule_in_words(rule: CanonicalRuleV1) -> str:
    """Such as `None for users mallory; verbs get, list; pods/exec`."""
    parts = []
    if rule.users:
        parts.append(f"users {listed(rule.users)}")
    if rule.user_groups:
        parts.append(f"groups {listed(rule.user_groups)}")
    if rule.verbs:
        parts.append(f"verbs {listed(rule.verbs)}")
    for group in rule.resources:
        name = f"{group.group or 'core'}: {listed(group.resources or ('all',))}"
        parts.append(
            name + (f" named {listed(group.resource_names)}" if group.resource_names else "")
        )
    if rule.namespaces:
        parts.append(f"namespaces {listed(rule.namespaces)}")
    if rule.non_resource_urls:
        parts.append(f"paths {listed(rule.non_resource_urls)}")
    text = f"{_effect_in_words(rule)} for {'; '.join(parts) or 'everything'}"
    return text if len(text) <= _LONGEST_RULE else f"{text[: _LONGEST_RULE - 1]}…"


def _effect_in_words(rule: CanonicalRuleV1) -> str:
    left_out = [*rule.omit_stages, *(["managedFields"] if rule.omit_managed_fields else [])]
    return f"{rule.level} without {listed(left_out)}" if left_out else rule.level


def listed(items: Iterable[str]) -> str:
    """With commas, and the empty string as `""`."""
    return ", ".join(item or '""' for item in items)
