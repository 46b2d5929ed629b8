"""Reads what `auditctl -s` printed: the state of the kernel's audit."""

import re
from dataclasses import dataclass
from typing import Final

__all__ = ["AuditdStatus", "looks_like_status", "read_status"]

MAX_LENGTH = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditdStatus:
    """The state of the kernel's audit; what was not printed is None."""

    enabled: int
    """0: off, 1: on, 2: on and locked until the next start of the node."""
    pid: int
    """The process that reads the records; 0: none."""
    failure: int | None = None
    """0: silent, 1: a line in the kernel's log, 2: the node stops."""
    rate_limit: int | None = None
    """Records a second; 0: no limit."""
    backlog_limit: int | None = None
    lost: int | None = None
    """Records lost since the node started."""
    backlog: int | None = None


def read_status(text: str) -> AuditdStatus | None:
    """The status; None where the text is none, or says one thing in two ways.

    Lines of `name value`, or the single line `AUDIT_STATUS: name=value …` of older versions.
    """
    if len(text) > MAX_LENGTH:
        return None
    found: dict[str, int] = {}
    for name, value in _PAIR.findall(text):
        name = "failure" if name == "flag" else name
        if found.setdefault(name, int(value)) != int(value):
            return None
    if "enabled" not in found or "pid" not in found or found["enabled"] > 2:
        return None
    return AuditdStatus(
        enabled=found["enabled"],
        pid=found["pid"],
        failure=found.get("failure"),
        rate_limit=found.get("rate_limit"),
        backlog_limit=found.get("backlog_limit"),
        lost=found.get("lost"),
        backlog=found.get("backlog"),
    )


_PAIR: Final = re.compile(
    r"(?:^|(?<=[ :]))(enabled|flag|failure|pid|rate_limit|backlog_limit|lost|backlog)"
    r"[ =]([0-9]{1,19})(?![^\s])",
    re.MULTILINE,
)


def looks_like_status(text: str) -> bool:
    """Whether this is the output of `auditctl -s` and nothing else."""
    if len(text) > MAX_LENGTH:
        return False
    body = text.strip()
    if body.startswith("AUDIT_STATUS: "):
        return read_status(body) is not None
    lines = [line.strip() for line in body.splitlines() if line.strip()]
    shaped = all(re.fullmatch(r"[a-z_]+ [0-9]+( (un)?locked)?", line) for line in lines)
    return len(lines) >= 4 and shaped and read_status(body) is not None
