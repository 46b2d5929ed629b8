"""Patterns of paths and tags as forwarders match them, without a regular expression of theirs."""

import re
from functools import lru_cache

__all__ = ["path_matches", "search_simply", "wildcard_matches", "worked_out"]

_MOST_BRACES = 64


@lru_cache(maxsize=4096)
def path_matches(pattern: str, path: str) -> bool:
    """Glob of a path: `*` and `?` stay in a folder, `**` crosses folders, `{a,b}` are choices.

    Dates, as `%Y%m%d` in fluentd, match anything.
    """
    if len(pattern) > 4096:
        return False
    pattern = re.sub(r"%[a-zA-Z]", "*", worked_out(pattern))
    return any(_parts_match(choice.split("/"), path.split("/")) for choice in _choices(pattern))


def _parts_match(pattern: list[str], path: list[str]) -> bool:
    """Whether folders match one by one; each row tells which prefixes of the path are taken."""
    reached = {0}
    for part in pattern:
        if part == "**":
            reached = set(range(min(reached), len(path) + 1)) if reached else set()
            continue
        reached = {at + 1 for at in reached if at < len(path) and wildcard_matches(part, path[at])}
    return len(path) in reached


def worked_out(path: str) -> str:
    """A path without `//`, `.` and a slash at its end."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    return ("/" if path.startswith("/") else "") + "/".join(parts)


def wildcard_matches(pattern: str, text: str) -> bool:
    """`*` is anything, `?` a character, `[ab]` one of them; linear in time but for the product."""
    units = _units(pattern)
    row = [True] + [False] * len(text)
    for unit in units:
        if unit == "*":
            first = next((i for i, taken in enumerate(row) if taken), len(row))
            row = [i >= first for i in range(len(row))]
        else:
            row = [False] + [row[i] and _takes(unit, text[i]) for i in range(len(text))]
    return row[-1]


def _units(pattern: str) -> list[str]:
    units = re.findall(r"\*+|\[[^\]]+\]|.", pattern, re.DOTALL)
    return ["*" if unit.startswith("*") else unit for unit in units]


def _takes(unit: str, character: str) -> bool:
    if unit == "?":
        return True
    if len(unit) < 3:
        return unit == character
    inside, negated = unit[1:-1], unit[1] in "!^"
    inside = inside[1:] if negated else inside
    found = any(
        low <= character <= (high or low)
        for low, high in re.findall(r"(.)(?:-(.))?", inside, re.DOTALL)
    )
    return found != negated


def _choices(pattern: str) -> list[str]:
    done: list[str] = []
    pending = [pattern]
    while pending and len(done) + len(pending) <= _MOST_BRACES:
        text = pending.pop()
        found = re.search(r"\{([^{}]*)\}", text)
        if found is None:
            done.append(text)
            continue
        head, tail = text[: found.start()], text[found.end() :]
        pending += [head + choice + tail for choice in found[1].split(",")]
    return done


_SIMPLE = re.compile(r"\^?(?:[\w/\-]|\\[.\-/_]|\.\*|\.)*\$?")


def search_simply(pattern: str, text: str) -> bool | None:
    """Whether a simple regular expression is found in a text; None for one that is not simple.

    Somebody else's expression could take forever.
    """
    if len(pattern) > 200 or pattern.count(".*") > 3 or not _SIMPLE.fullmatch(pattern):
        return None
    return re.search(pattern, text[:1024]) is not None
