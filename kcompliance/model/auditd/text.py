"""Lines of rules for the kernel's audit: how files are joined, and what looks like rules at all.

Source: augenrules(8) of audit-userspace.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

__all__ = [
    "MAX_LINE",
    "MAX_LINES",
    "SourceLine",
    "is_listing",
    "join_as_augenrules",
    "lines_of",
    "looks_like_rules",
]

MAX_LINES: Final = 20_000
MAX_LINE: Final = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLine:
    """A line of a text; numbers from 1."""

    source: str
    number: int
    text: str


def lines_of(source: str, text: str) -> tuple[SourceLine, ...]:
    """The lines of a text; only a line feed ends one, as for auditctl."""
    return tuple(
        SourceLine(source=source, number=number, text=line)
        for number, line in enumerate(text.split("\n"), start=1)
    )


def join_as_augenrules(
    files: Sequence[tuple[SourceLine, ...]],
) -> tuple[SourceLine, ...]:
    """The files of rules.d as augenrules joins them.

    In the natural order of their names, without those that do not end in .rules; the last -D, -b
    and -f go to the front, the last -e to the end.
    """
    first: dict[str, SourceLine] = {}
    last: list[SourceLine] = []
    rest = []
    named = [file for file in files if file and file[0].source.endswith(".rules")]
    for file in sorted(named, key=lambda file: _natural(PurePosixPath(file[0].source).name)):
        for line in file:
            words = line.text.split()
            if not words or line.text.startswith("#"):
                continue
            if line.text.startswith("-e"):
                last = [line]
            elif line.text.startswith(("-b", "-f")) or (words[0] == "-D" and len(words) == 1):
                first[words[0][:2]] = line
            else:
                rest.append(line)
    return (*(first[name] for name in ("-D", "-b", "-f") if name in first), *rest, *last)


def _natural(name: str) -> list[tuple[int, int, str]]:
    """A key for the order of `ls -v`: runs of digits count as numbers."""
    parts = re.findall(r"[0-9]{1,18}|[^0-9]+", name)
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts]


# --- telling rules from anything else ------------------------------------------------------------

_RULE_LINE: Final = re.compile(
    r"-w /\S+( +-[pk] ?\S+)*|-[aA] +(always|never|\w+,(always|never))\S* .*|-[aA] never,task"
    r"|-[aA] task,never|-D|-[bfer] +[0-9]+|--backlog_wait_time +[0-9]+|-[ci]|-W /\S+.*|-d \w+,\w+.*"
)
_TELLING: Final = re.compile(r"-w /|-[aA] +(always|never|exit|task|exclude|user|filesystem)\b")


def looks_like_rules(text: str) -> bool:
    """Whether a text is rules: most of its lines are, and one of them says something.

    `No rules` is what `auditctl -l` prints where there are none.
    """
    if text.strip() == "No rules":
        return True
    lines = [line.strip() for line in text.split("\n")[:MAX_LINES]]
    lines = [line for line in lines if line and not line.startswith("#")]
    good = [line for line in lines if _RULE_LINE.fullmatch(line[:MAX_LINE])]
    telling = [line for line in good if _TELLING.match(line)]
    only_control = bool(good) and len(good) == len(lines) and "-D" in good
    return 2 * len(good) > len(lines) and (bool(telling) or only_control)


def is_listing(name: str, text: str) -> bool:
    """Whether rules are those that `auditctl -l` printed, and not a file that will be loaded.

    It prints rules only: no comments, no blank lines, none of the options that tune the audit.
    """
    path = PurePosixPath(name)
    if path.suffix == ".rules" or path.parts[-3:-1] == ("etc", "audit"):
        return False
    body = text.strip()
    if body == "No rules":
        return True
    return bool(body) and all(
        line.startswith(("-w /", "-a ")) for line in body.replace("\r", "").split("\n")
    )
