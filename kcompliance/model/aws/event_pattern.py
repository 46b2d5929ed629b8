"""Event patterns of EventBridge: does one match this event?

Every field of a pattern has to match, one of the alternatives in its list each. A pattern with an
operator that is not known here gives None: neither that it matches nor that it does not.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

__all__ = ["matches_event"]

Verdict: TypeAlias = bool | None
_MISSING: Final = object()


def matches_event(pattern: Mapping[str, Any], event: Mapping[str, Any]) -> Verdict:
    """Whether EventBridge would send this event to the rule's targets."""
    if not pattern:
        return None  # AWS refuses an empty pattern
    try:
        return _object(pattern, event)
    except RecursionError:
        return None


def _object(pattern: Mapping[str, Any], event: Any) -> Verdict:
    verdicts: list[Verdict] = []
    for name, wanted in pattern.items():
        if name == "$or" and isinstance(wanted, list):
            verdicts.append(_any([_either(choice, event) for choice in wanted]))
            continue
        values = _values(event, name)
        if isinstance(wanted, Mapping):
            verdicts.append(
                _any([_object(wanted, value) for value in values] or [_object(wanted, {})])
            )
        elif isinstance(wanted, list):
            verdicts.append(_field(wanted, values))
        else:
            verdicts.append(None)
    return _all(verdicts)


def _either(choice: Any, event: Any) -> Verdict:
    return _object(choice, event) if isinstance(choice, Mapping) else None


def _values(event: Any, name: str) -> list[Any]:
    """The values of a field; of a list of objects, those of each."""
    if isinstance(event, list):
        return [value for item in event for value in _values(item, name)]
    if not isinstance(event, Mapping) or name not in event:
        return []
    found = event[name]
    return list(found) if isinstance(found, list) else [found]


def _field(choices: list[Any], values: list[Any]) -> Verdict:
    if not choices:
        return False
    leaves: list[Any] = [value for value in values if not isinstance(value, Mapping)]
    return _any([_choice(choice, value) for choice in choices for value in leaves or [_MISSING]])


def _choice(choice: Any, value: Any) -> Verdict:
    if not isinstance(choice, Mapping):
        return _same(choice, value)
    if len(choice) != 1:
        return None
    ((operator, wanted),) = choice.items()
    if operator == "exists":
        return (value is not _MISSING) is wanted if isinstance(wanted, bool) else None
    if value is _MISSING:
        return False
    matcher = _OPERATORS.get(operator)
    return matcher(wanted, value) if matcher else None


def _same(wanted: Any, value: Any) -> bool:
    if value is _MISSING or isinstance(wanted, bool) is not isinstance(value, bool):
        return False
    return bool(wanted == value)


# --- operators -------------------------------------------------------------------------------


def _prefix(wanted: Any, value: Any) -> Verdict:
    return _ends(wanted, value, str.startswith)


def _suffix(wanted: Any, value: Any) -> Verdict:
    return _ends(wanted, value, str.endswith)


def _ends(wanted: Any, value: Any, holds: Callable[[str, str], bool]) -> Verdict:
    if isinstance(wanted, Mapping) and set(wanted) == {"equals-ignore-case"}:
        inner = wanted["equals-ignore-case"]
        if not isinstance(inner, str):
            return None
        return isinstance(value, str) and holds(value.casefold(), inner.casefold())
    if not isinstance(wanted, str):
        return None
    return isinstance(value, str) and holds(value, wanted)


def _ignoring_case(wanted: Any, value: Any) -> Verdict:
    if not isinstance(wanted, str):
        return None
    return isinstance(value, str) and value.casefold() == wanted.casefold()


def _wildcard(wanted: Any, value: Any) -> Verdict:
    if not isinstance(wanted, str):
        return None
    if not isinstance(value, str):
        return False
    pattern, escaped = "", False
    for character in wanted:
        if escaped or character not in "*\\":
            pattern, escaped = pattern + re.escape(character), False
        elif character == "\\":
            escaped = True
        else:
            pattern += ".*"
    return re.fullmatch(pattern, value, re.DOTALL) is not None


def _anything_but(wanted: Any, value: Any) -> Verdict:
    choices = wanted if isinstance(wanted, list) else [wanted]
    verdicts: list[Verdict] = []
    for choice in choices:
        if isinstance(choice, Mapping):
            ((operator, inner),) = choice.items() if len(choice) == 1 else ((None, None),)
            matcher = _OPERATORS.get(str(operator))
            inners = inner if isinstance(inner, list) else [inner]
            verdicts += [matcher(each, value) if matcher else None for each in inners]
        else:
            verdicts.append(_same(choice, value))
    found = _any(verdicts)
    return None if found is None else not found


def _numeric(wanted: Any, value: Any) -> Verdict:
    if not isinstance(wanted, list) or not wanted or len(wanted) % 2:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    verdicts: list[Verdict] = []
    for operator, limit in zip(wanted[::2], wanted[1::2], strict=True):
        compare = _COMPARISONS.get(str(operator))
        usable = isinstance(limit, int | float) and not isinstance(limit, bool)
        verdicts.append(compare(value, limit) if compare and usable else None)
    return _all(verdicts)


def _cidr(wanted: Any, value: Any) -> Verdict:
    try:
        network = ipaddress.ip_network(wanted)
    except (ValueError, TypeError):
        return None
    try:
        return ipaddress.ip_address(value) in network
    except (ValueError, TypeError):
        return False


_COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "=": lambda value, limit: value == limit,
    "<": lambda value, limit: value < limit,
    "<=": lambda value, limit: value <= limit,
    ">": lambda value, limit: value > limit,
    ">=": lambda value, limit: value >= limit,
}
_OPERATORS: Final[Mapping[str, Callable[[Any, Any], Verdict]]] = {
    "prefix": _prefix,
    "suffix": _suffix,
    "equals-ignore-case": _ignoring_case,
    "wildcard": _wildcard,
    "anything-but": _anything_but,
    "numeric": _numeric,
    "cidr": _cidr,
}


# --- three values ----------------------------------------------------------------------------


def _any(verdicts: list[Verdict]) -> Verdict:
    if any(verdict is True for verdict in verdicts):
        return True
    return None if any(verdict is None for verdict in verdicts) else False


def _all(verdicts: list[Verdict]) -> Verdict:
    if any(verdict is False for verdict in verdicts):
        return False
    return None if any(verdict is None for verdict in verdicts) else True
