"""Takes secrets out of texts whose form is not known: configurations of log forwarders.

fluentd, fluent-bit, filebeat, elastic-agent, vector, promtail, alloy and the OpenTelemetry
collector write `password x`, `password: x`, `password = "x"` or `{"password": "x"}`. What follows a
name that sounds like a secret is overwritten up to the end of the value, comments too. Better a
harmless value too many than a secret in a bundle.
"""

import re
from typing import Any

from kcompliance.collect.pointers import pointer_part
from kcompliance.model.reading import REDACTED

__all__ = ["redact_arguments", "redact_config_maps", "without_secrets"]

_PART = r"[\w.\-]{0,80}"
_SOUNDS = (
    r"(?:passw|passphrase|pwd|secret|token|api[_.\-]?key|access[_.\-]?key|private[_.\-]?key"
    r"|shared[_.\-]?key|account[_.\-]?key|license[_.\-]?key|ingest(?:ion)?[_.\-]?key"
    r"|encryption[_.\-]?key|credential|cloud[_.]auth|connection[_.\-]?string|authorization"
    r"|sasl\.jaas|cookie)"
)
_NAME = rf"{_PART}{_SOUNDS}{_PART}"
_HEAD = re.compile(rf"{_SOUNDS}{_PART}[\"']?(?:[ \t]*[:=][ \t]*|[ \t]+)(?=\S)", re.IGNORECASE)
"""Up to where a value begins; what stands before the word that sounds like one does not matter."""
_OPENS_BLOCK = re.compile(
    rf"^(?P<indent>[ \t]*(?:-[ \t]+)?)[\"']?{_NAME}[\"']?[ \t]*[:=][ \t]*"
    r"(?P<opens>[|>][+\-0-9]*|\"\"\"|'''|\[|\{|)[ \t]*(?:#.*)?$",
    re.IGNORECASE,
)
_WORD = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^,}\]\s]+")
_ENDS = re.compile(r"[ \t\r]*(?:$|[,}\]#])")
_ANYWHERE = (
    (re.compile(r"(?<=://)[^/\s@\"']+(?=@)"), REDACTED),
    (re.compile(r"\b(Bearer|Basic|ApiKey|Splunk)[ \t]+[\w.~+/=\-]{6,}", re.IGNORECASE), REDACTED),
    (
        re.compile(
            rf"([?&]{_PART}(?:token|sig|key|secret|passw|auth){_PART}=)[^&\s\"']+", re.IGNORECASE
        ),
        rf"\1{REDACTED}",
    ),
    (re.compile(r"(?<=/)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.IGNORECASE), REDACTED),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), REDACTED),
    (
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*-----|\Z)", re.DOTALL),
        REDACTED,
    ),
)


def without_secrets(text: str) -> str:
    """The text with each value that may be a secret overwritten; the same text if there is none."""
    lines = _without_blocks(text.splitlines(keepends=True))
    text = _without_values("".join(lines))
    for pattern, instead in _ANYWHERE:
        text = pattern.sub(instead, text)
    return text


def redact_config_maps(value: Any, pointer: str, kind: str | None = None) -> list[str]:
    """Overwrite, in place, secrets in a ConfigMap or in each of a List; say where they were.

    `kind` is that of an object which does not say its own, as an item of a typed list.
    """
    done: list[str] = []
    items = value.get("items") if isinstance(value, dict) else None
    if isinstance(items, list):
        for index, item in enumerate(items):
            done += redact_config_maps(item, f"{pointer}/items/{index}")
    elif isinstance(value, dict) and value.get("kind", kind) == "ConfigMap":
        for part in ("data", "binaryData"):
            texts = value.get(part)
            if isinstance(texts, dict):
                done += _redact_texts(texts, f"{pointer}/{part}", opaque=part == "binaryData")
    return sorted(done)


def _redact_texts(texts: dict[str, Any], pointer: str, *, opaque: bool) -> list[str]:
    done = []
    for key, text in texts.items():
        if not isinstance(text, str) or text == REDACTED:
            continue
        named_so = re.fullmatch(_NAME, key, re.IGNORECASE) and "\n" not in text.strip()
        kept = REDACTED if opaque or named_so else without_secrets(text)
        if kept != text:
            texts[key] = kept
            done.append(f"{pointer}/{pointer_part(key)}")
    return done


_FLAG = re.compile(rf"^(?P<flag>--?{_NAME})(?:=(?P<value>.+))?$", re.IGNORECASE | re.DOTALL)


def redact_arguments(value: Any, pointer: str) -> list[str]:
    """Overwrite, in place, secrets in `command` and `args` of containers; say where that was."""
    done: list[str] = []
    pending = [(pointer, value)]
    while pending:
        where, item = pending.pop()
        if isinstance(item, dict):
            for key, child in item.items():
                below = f"{where}/{pointer_part(key)}"
                if key in ("command", "args") and isinstance(child, list):
                    done += _redact_words(child, below)
                else:
                    pending.append((below, child))
        elif isinstance(item, list):
            pending += [(f"{where}/{index}", child) for index, child in enumerate(item)]
    return sorted(done)


def _redact_words(words: list[Any], pointer: str) -> list[str]:
    done = []
    takes_next = False
    for index, word in enumerate(words):
        if not isinstance(word, str):
            takes_next = False
            continue
        flag = _FLAG.match(word)
        kept = without_secrets(word)
        if takes_next and not word.startswith("-"):
            kept = REDACTED
        elif flag and flag["value"]:
            kept = f"{flag['flag']}={REDACTED}"
        takes_next = bool(flag and not flag["value"])
        if kept != word:
            words[index] = kept
            done.append(f"{pointer}/{index}")
    return done


# --- one text ----------------------------------------------------------------------------------


def _without_blocks(lines: list[str]) -> list[str]:
    """Without what stands below a secret's name: a block of YAML, a text or list of many lines."""
    kept: list[str] = []
    index = 0
    while index < len(lines):
        line = lines[index]
        kept.append(line)
        index += 1
        opening = _OPENS_BLOCK.match(line)
        if opening is None:
            continue
        end = _end_of_block(lines, index, opening)
        if end > index:
            kept[-1] = f"{line[: opening.start('opens')].rstrip()} {REDACTED}\n"
            index = end
    return kept


_CLOSES = {'"""': '"""', "'''": "'''", "[": "]", "{": "}"}


def _end_of_block(lines: list[str], start: int, opening: re.Match[str]) -> int:
    """The index of the first line behind it."""
    closes = _CLOSES.get(opening["opens"])
    if closes:
        end = next((i for i in range(start, len(lines)) if closes in lines[i]), len(lines) - 1)
        return end + 1
    depth = len(opening["indent"].expandtabs())
    index = start
    while index < len(lines):
        line = lines[index]
        if line.strip() and len(line) - len(line.lstrip()) <= depth:
            break
        index += 1
    return index


def _without_values(text: str) -> str:
    """A value alone on its line goes whole; of one among others, as in `{a: x, b: y}`, itself."""
    pieces: list[str] = []
    done, among_others = 0, False
    while found := _HEAD.search(text, done):
        before = text[done : found.start()]
        line = before.rpartition("\n")[2]
        among_others = bool(re.search(r"[{\[]", line)) or (among_others and line == before)
        start = found.end()
        line_end = text.find("\n", start)
        line_end = len(text) if line_end < 0 else line_end
        done, kept = _value(text, start, line_end, among_others=among_others)
        pieces += [before, found[0], kept]
    return "".join([*pieces, text[done:]])


def _value(text: str, start: int, line_end: int, *, among_others: bool) -> tuple[int, str]:
    """Where the value ends, and what stands for it."""
    quote = text[start] if text[start] in "\"'" else ""
    word = _WORD.match(text, start, line_end) if quote or among_others else None
    if word is not None and _ENDS.match(text, word.end(), line_end):
        return word.end(), f"{quote}{REDACTED}{quote}"
    end = line_end - 1 if text[line_end - 1] == "\r" else line_end
    return end, REDACTED
