"""Statements of IAM policies: what one allows or denies, on what, as far as text can tell.

Where it cannot be told without the request (a condition, a policy variable), an Allow counts as
given and a Deny as not given: nobody is overlooked who might have the right.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kcompliance.model.aws.answers import Fields, WrongAnswer, embedded

__all__ = ["Act", "allows", "denies", "statements_in"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Something that somebody may do: an action, on one of these resources.

    A resource that ends with `*` stands for everything that begins like it.
    """

    action: str
    resources: tuple[str, ...]


def statements_in(holder: Fields, name: str) -> tuple[Fields, ...]:
    """The statements of the policy in this field. Raises WrongAnswer."""
    policy = embedded(holder, name)
    if policy is None:
        raise WrongAnswer(f"it has no {name}")
    found = policy.get("Statement")
    statements = found if isinstance(found, list) else [found]
    if not all(isinstance(statement, dict) for statement in statements):
        raise WrongAnswer(f"the statements of {name} are no objects")
    return tuple(statements)


def allows(statements: Iterable[Fields], act: Act) -> bool:
    """Whether any of these statements may allow it on any of the resources."""
    return any(
        statement.get("Effect") == "Allow"
        and _names_action(statement, act.action)
        and any(_may_concern(statement, resource) for resource in act.resources)
        for statement in statements
    )


def denies(statements: Iterable[Fields], act: Act) -> bool:
    """Whether it is forbidden on all of the resources, whatever the circumstances."""
    statements = [s for s in statements if s.get("Effect") == "Deny" and not s.get("Condition")]
    return all(
        any(_names_action(s, act.action) and _surely_concerns(s, resource) for s in statements)
        for resource in act.resources
    )


def _names_action(statement: Fields, action: str) -> bool:
    if "NotAction" in statement:
        return not any(_glob(each.lower()).fullmatch(action.lower()) for each in _not(statement))
    return any(
        _glob(each.lower()).fullmatch(action.lower()) for each in _texts(statement.get("Action"))
    )


def _not(statement: Fields) -> Iterator[str]:
    return _texts(statement["NotAction"])


def _may_concern(statement: Fields, resource: str) -> bool:
    if "NotResource" in statement:
        return not any(_covers(each, resource) for each in _texts(statement["NotResource"]))
    return any(_overlaps(each, resource) for each in _texts(statement.get("Resource")))


def _surely_concerns(statement: Fields, resource: str) -> bool:
    if "NotResource" in statement:
        return not any(_overlaps(each, resource) for each in _texts(statement["NotResource"]))
    return any(_covers(each, resource) for each in _texts(statement.get("Resource")))


def _overlaps(pattern: str, resource: str) -> bool:
    """Whether both may mean the same thing; too much rather than too little."""
    pattern = re.sub(r"\$\{[^}]*\}", "*", pattern)
    if not resource.endswith("*"):
        return _glob(pattern).fullmatch(resource) is not None
    head, ours = re.split(r"[*?]", pattern, maxsplit=1)[0], resource.removesuffix("*")
    if not re.search(r"[*?]", pattern):
        return pattern.startswith(ours)
    return head.startswith(ours) or ours.startswith(head)


def _covers(pattern: str, resource: str) -> bool:
    """Whether the pattern holds for all that the resource stands for."""
    if "${" in pattern:
        return False
    if not resource.endswith("*"):
        return _glob(pattern).fullmatch(resource) is not None
    # The star of the resource is a character that only a star of the pattern can stand for.
    return _glob(pattern, star=r".*").fullmatch(resource) is not None and pattern.endswith("*")


def _texts(value: Any) -> Iterator[str]:
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, str):
            yield item


@lru_cache(maxsize=4096)
def _glob(pattern: str, star: str = ".*") -> re.Pattern[str]:
    parts = re.split(r"([*?])", re.sub(r"\*+", "*", pattern))
    words = {"*": star, "?": "."}
    return re.compile("".join(words.get(part) or re.escape(part) for part in parts), re.DOTALL)
