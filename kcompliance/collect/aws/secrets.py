"""Takes out of AWS's answers what lets somebody in, or is nobody's business.

AWS hands out no secret keys, but tokens of destinations, ids of access keys, external ids of
trust policies, texts that rules send on and whatever people wrote into audit events are in its
answers.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from kcompliance.collect.event_trimming import trim_event
from kcompliance.collect.pointers import pointer_part
from kcompliance.model.reading import REDACTED, Kind

__all__ = ["redact"]

_NAMES: Final[dict[Kind, frozenset[str]]] = {
    Kind.AWS_DELIVERY_STREAM: frozenset(
        {
            "hectoken",
            "attributevalue",
            "accesskey",
            "password",
            "privatekey",
            "keypassphrase",
            "username",
            "user",
            "clusterjdbcurl",
            "url",
        }
    ),
    Kind.AWS_RULE_TARGETS: frozenset(
        {"input", "inputtemplate", "headerparameters", "querystringparameters", "sql", "dbuser"}
    ),
    Kind.AWS_ACCESS_KEYS: frozenset({"accesskeyid"}),
    Kind.AWS_IAM_DETAILS: frozenset({"sts:externalid"}),
}


def redact(kind: Kind, answer: Any) -> list[str]:
    """Overwrite it, in place; the JSON pointers of where that was."""
    if kind is Kind.AWS_LOG_EVENTS:
        return sorted(_trimmed(answer))
    names = _NAMES.get(kind)
    return sorted(_redacted(answer, names)) if names else []


def _redacted(answer: Any, names: frozenset[str]) -> Iterator[str]:
    pending = [("", answer)]
    while pending:
        where, value = pending.pop()
        if isinstance(value, list):
            pending += [(f"{where}/{index}", item) for index, item in enumerate(value)]
        elif isinstance(value, dict):
            for name, item in value.items():
                pointer = f"{where}/{pointer_part(name)}"
                if name.lower() not in names:
                    pending.append((pointer, item))
                elif item not in (None, "", REDACTED):
                    value[name] = REDACTED
                    yield pointer


# --- events ----------------------------------------------------------------------------------


def _trimmed(answer: Any) -> Iterator[str]:
    """Messages as they are kept of events; what is no event is told of and not kept."""
    found = answer.get("events") if isinstance(answer, dict) else None
    for index, event in enumerate(found if isinstance(found, list) else ()):
        if isinstance(event, dict):
            message = event.get("message")
            event["message"] = _kept(message)
            if event["message"] != message:
                yield f"/events/{index}/message"


def _kept(message: object) -> str:
    try:
        found = msgspec.json.decode(message if isinstance(message, str) else "")
        if not isinstance(found, dict):
            return REDACTED
        trim_event(found, "")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return REDACTED
    # Written anew: of a name that stands there twice only the last was looked at.
    return json.dumps(found, ensure_ascii=False, separators=(",", ":"))
