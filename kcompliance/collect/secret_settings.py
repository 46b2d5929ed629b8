"""Takes the values out of command lines and of k3s' and RKE2's settings that may be secrets."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from kcompliance.collect.pointers import pointer_part
from kcompliance.model.apiserver.configurations import is_k3s_configuration
from kcompliance.model.apiserver.flag_names import BOOLEAN_FLAGS, VALUE_FLAGS
from kcompliance.model.reading import REDACTED

__all__ = ["redact_settings", "without_secrets"]

_SECRET: Final = re.compile(
    r"token|secret|passw|passphrase|credential|private.?key|access.?key|api.?key|"
    r"datastore-endpoint|vpn-auth|-env\b|authorization|cookie",
    re.IGNORECASE,
)
_HARMLESS: Final = re.compile(r"(/[^\s:@]*|true|false|\d+(\.\d+)?(ms|s|m|h|d))?", re.IGNORECASE)
"""File names, switches and durations: no secrets. A number may be a password."""
_IN_URL: Final = re.compile(r"(?<=://)[^/@\s]*(?=@)")
_FLAG: Final = re.compile(r"(--?)?([A-Za-z][\w.:-]*)(=)?(.*)", re.DOTALL)


def without_secrets(argv: Sequence[str]) -> tuple[str, ...]:
    """The words of a command line; what may be a password or token is overwritten."""
    words: list[str] = []
    hide_next = False
    for word in argv:
        if hide_next and not word.startswith("-"):
            words.append(_hidden(word))
            hide_next = False
            continue
        shown, hide_next = _word(word)
        words.append(shown)
    return tuple(words)


def _word(word: str) -> tuple[str, bool]:
    """The word, and whether the one behind it is its value and to be hidden."""
    found = _FLAG.fullmatch(word)
    if found is None:
        return _IN_URL.sub(REDACTED, word), False
    dashes, name, equals, value = found.groups("")
    if name.endswith("-arg") and equals:  # --kube-apiserver-arg=NAME=VALUE
        return f"{dashes}{name}={_word(value)[0]}", False
    known = name.replace("_", "-") in (*VALUE_FLAGS, *BOOLEAN_FLAGS)
    if known or not _SECRET.search(name):
        return _IN_URL.sub(REDACTED, word), False
    if equals:
        return f"{dashes}{name}={_hidden(value)}", False
    return word, bool(dashes)


def _hidden(value: str) -> str:
    return value if _HARMLESS.fullmatch(value) else REDACTED


def redact_settings(document: Any, pointer: str) -> list[str]:
    """Overwrite, in place, the secrets of a k3s or RKE2 configuration; say where they were."""
    if not (isinstance(document, dict) and is_k3s_configuration(_named(document))):
        return []
    done: list[str] = []
    for key, value in document.items():
        if not isinstance(key, str):
            continue
        where = f"{pointer}/{pointer_part(key)}"
        if isinstance(value, list):
            for index, item in enumerate(value):
                shown = _setting(key, item)
                if shown != item:
                    value[index] = shown
                    done.append(f"{where}/{index}")
        elif (shown := _setting(key, value)) != value:
            document[key] = shown
            done.append(where)
    return sorted(done)


def _setting(key: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value if not (_SECRET.search(key) and value is not None) else _of_other_type(value)
    return _word(f"--{key.rstrip('+')}={value}")[0].partition("=")[2]


def _of_other_type(value: Any) -> Any:
    """A password of digits only is read as a number; a switch is none."""
    return value if isinstance(value, bool) else REDACTED


def _named(document: Mapping[Any, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if isinstance(key, str)}
