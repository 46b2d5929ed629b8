"""Takes out of Azure's answers what is or may be a secret, or somebody's address."""

import re
from typing import Any, Final

from kcompliance.collect.pointers import pointer_part
from kcompliance.model.reading import REDACTED

__all__ = ["without_secrets"]

_SECRET: Final = re.compile(
    r"(passwd|password|passphrase|secret|connectionstring|accesskey|apikey|sharedkey|primarykey|"
    r"secondarykey|sastoken|accesstoken|callbackurl|triggerurl|serviceuri|webhookresourceid|"
    r"emailaddress|phonenumber|customdata|userdata|kubeconfig)$",
    re.IGNORECASE,
)
"""Names of fields whose values are never kept. Settings about secrets, such as keySource, stay."""
_ALL_BELOW: Final = frozenset({"webhookproperties", "tags", "config", "customproperties"})
"""Objects in which a user can have written anything."""
_HARMLESS: Final = re.compile(
    r"|true|false|-?\d{1,9}|/subscriptions/[^?#]*|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    re.IGNORECASE,
)
_URL: Final = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*://)(?P<user>[^/@\s]*@)?(?P<rest>[^?#\s]*)"
    r"(?P<query>[?#]\S*)?",
    re.IGNORECASE,
)
_SHARED_SIGNATURE: Final = re.compile(
    r"(?i)\b(sig|code|token|AccountKey|SharedAccessKey)=[^;&\s\"]+"
)


def without_secrets(document: Any, pointer: str = "") -> list[str]:
    """Overwrite them in place; the JSON pointers of what was overwritten, sorted."""
    done: list[str] = []
    pending: list[tuple[str, Any, bool]] = [(pointer, document, False)]
    while pending:
        where, item, hide = pending.pop()
        children = item.items() if isinstance(item, dict) else enumerate(item)
        for name, child in list(children):
            place = f"{where}/{pointer_part(str(name))}"
            if isinstance(child, dict | list):
                pending.append((place, child, hide or _hides(name)))
            elif isinstance(child, str):
                kept = _kept(str(name), child, hide=hide)
                if kept != child:
                    item[name] = kept
                    done.append(place)
    return sorted(done)


def _hides(name: object) -> bool:
    return isinstance(name, str) and (name.lower() in _ALL_BELOW or bool(_SECRET.search(name)))


def _kept(name: str, value: str, *, hide: bool) -> str:
    if (hide or _SECRET.search(name)) and not _HARMLESS.fullmatch(value):
        return REDACTED
    value = _URL.sub(_plain, value)
    return _SHARED_SIGNATURE.sub(lambda found: f"{found[1]}={REDACTED}", value)


def _plain(found: re.Match[str]) -> str:
    """The address without the user and the query in it, which is where credentials stand."""
    user = f"{REDACTED}@" if found["user"] else ""
    query = f"{found['query'][0]}{REDACTED}" if found["query"] else ""
    return f"{found['scheme']}{user}{found['rest']}{query}"
