"""Takes out of AWS's answers what lets somebody in, or is nobody's business.

AWS hands out no secret keys, but tokens of destinations, ids of access keys, external ids of
trust policies and texts that rules send on are in its answers.
"""

from collections.abc import Iterator
from typing import Any, Final

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
