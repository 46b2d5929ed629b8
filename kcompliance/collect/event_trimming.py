"""What is kept of a stored audit event: the names of its fields, and harmless values only.

Bodies of requests and responses hold secrets, and what people call their things is in many other
fields: whether a field is there is asked about, and its value only of those that are named here.
"""

import re
from typing import Any, Final

from kcompliance.collect.pointers import pointer_part
from kcompliance.model.reading import REDACTED

__all__ = ["trim_event"]

Json = dict[str, Any]

_QUERY_OF_URL: Final = re.compile(r"(?<=\?)\S+")
_HARMLESS: Final = re.compile(
    r"(auditID|verb|level|stage|kind|apiVersion|requestReceivedTimestamp|stageTimestamp"
    r"|(user|impersonatedUser)\.(username|groups|uid)|sourceIPs|userAgent"
    r"|objectRef\.(resource|namespace|name|uid|apiGroup|apiVersion|resourceVersion|subresource)"
    r"|responseStatus\.(code|status|reason|metadata)"
    r"|annotations\.(authorization|mutation|pod-security|apiserver|audit|k8s|failed)[^=]*)\Z"
)
_HARMLESS_AROUND: Final = re.compile(
    r"(@timestamp|tags|ecs\.version|error\.type|data_stream\.\w+"
    r"|event\.(action|category|created|dataset|ingested|kind|module|outcome|type|id)"
    r"|(host|agent|node|cloud\.instance|orchestrator\.cluster|orchestrator\.resource)\.(name|id)"
    r"|host\.hostname|kubernetes\.node\.name|log\.file\.path|input\.type|cluster|hostname|pod"
    r"|source\.(ip|address)|client\.ip|user\.(name|id)|related\.\w+|orchestrator\.\w+(\.\w+)?"
    r"|user_agent\.(original|name)|url\.path|http\.response\.status_code)\Z"
)
_PREFIX: Final = re.compile(r"\Akubernetes\.audit\.")
_LONGEST: Final = 2_000
_TOO_BIG: Final = "skipped-too-big-size-object"
"""What AKS writes in place of a body: no secret, and asked about."""
_BODIES: Final = {"requestObject", "responseObject", "extra"}


def trim_event(event: Json, pointer: str) -> list[str]:
    """Overwrite, in place, what is not to be kept; the JSON pointers of where that was.

    `event` is nested or has dots in its names; `pointer` is where it stands in an answer.
    """
    done: list[str] = []
    _event(event, "", pointer, done)
    return done


def _event(found: Json, path: str, pointer: str, done: list[str]) -> None:
    for key, value in found.items():
        name = f"{path}.{key}" if path else key
        place = f"{pointer}/{pointer_part(key)}"
        plain = _PREFIX.sub("", name)
        if plain in {"requestURI", "url.original"} and isinstance(value, str):
            short = _QUERY_OF_URL.sub(REDACTED, value)[:_LONGEST]
            if short != value:
                found[key] = short
                done.append(place)
        elif isinstance(value, dict) and plain.split(".")[-1] not in _BODIES:
            _event(value, name, place, done)
        elif value not in (None, "", [], {}, _TOO_BIG) and not _is_harmless(plain, name, value):
            found[key] = REDACTED
            done.append(place)


def _is_harmless(plain: str, name: str, value: object) -> bool:
    if not (_HARMLESS.match(plain) or _HARMLESS_AROUND.match(name)):
        return False
    parts = value if isinstance(value, list) else [value]
    return all(
        isinstance(part, str | int | float | bool | None) and len(str(part)) <= _LONGEST
        for part in parts
    )
