"""Reads which processes of interest run on a node, where its root shows the node's /proc."""

import os
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from kcompliance.collect.node.root import NodeRoot
from kcompliance.collect.secret_settings import without_secrets
from kcompliance.model.apiserver import find_arguments
from kcompliance.model.node_facts import FileType, ProcessFacts

__all__ = ["processes"]

MOST_PROCESSES: Final = 100_000
MOST_KEPT: Final = 1_000
MOST_BYTES: Final = 128 * 1024
MOST_WORDS: Final = 4_000
_STAT_BYTES: Final = 4 * 1024 * 1024
_STARTTIME: Final = 19
"""The 22nd field of /proc/PID/stat, counted behind the name, which may hold anything."""

_OF_INTEREST: Final = re.compile(
    r"kube-apiserver|hyperkube|k3s|k3s-server|rke2|auditd|falco|falco-.*|fluent.*|td-agent.*|"
    r"filebeat|auditbeat|elastic-agent|vector|promtail|alloy|otelcol.*|rsyslogd|syslog-ng"
)
_INTERPRETERS: Final = re.compile(r"ruby|python[\d.]*|java|node")


def processes(root: NodeRoot) -> tuple[ProcessFacts, ...] | None:
    """Those of interest, by their number; None where the root shows no /proc of a node.

    A real /proc has files of no size that hold something all the same; a copy has not.
    """
    found, data = root.read("/proc/stat", _STAT_BYTES)
    booted = re.search(rb"^btime (\d{1,12})$", data or b"", re.MULTILINE)
    if booted is None or found.facts.size != 0:
        return None
    _, names = root.names("/proc", MOST_PROCESSES)
    pids = sorted(int(name) for name in names if name.isascii() and name.isdigit())
    if not [pid for pid in pids if pid != os.getpid()]:
        return None
    boot = datetime.fromtimestamp(int(booted[1]), UTC)
    return tuple(_of_interest(root, pids, boot))


def _of_interest(root: NodeRoot, pids: Sequence[int], boot: datetime) -> Iterator[ProcessFacts]:
    kept = 0
    for pid in pids:
        _, data = root.read(f"/proc/{pid}/cmdline", MOST_BYTES)
        argv = (data or b"").rstrip(b"\0").split(b"\0")[:MOST_WORDS]
        words = [word.decode("utf-8", "backslashreplace") for word in argv]
        name = _name(words)
        if name is None or kept >= MOST_KEPT:
            continue  # a thread of the kernel, one that ended meanwhile, or nobody's business
        kept += 1
        yield ProcessFacts(
            pid=pid,
            name=name,
            arguments=without_secrets(words),
            uid=_owner(root, pid),
            started=_started(root, pid, boot),
        )


def _name(words: Sequence[str]) -> str | None:
    """What runs, if it is of interest; a file of such a name that is only read does not count."""
    programs = [re.split(r"[\s:]", word, maxsplit=1)[0].rpartition("/")[2] for word in words[:2]]
    if programs and _INTERPRETERS.fullmatch(programs[0]):
        programs.pop(0)
    if programs and _OF_INTEREST.fullmatch(programs[0]):
        return programs[0]
    if any("apiserver" in word for word in words) and find_arguments(words, ()) is not None:
        return "kube-apiserver"  # behind a wrapper
    return None


def _owner(root: NodeRoot, pid: int) -> int | None:
    facts = root.look(f"/proc/{pid}").facts
    return facts.uid if facts.type is FileType.FOLDER else None


def _started(root: NodeRoot, pid: int, boot: datetime) -> datetime | None:
    _, data = root.read(f"/proc/{pid}/stat", MOST_BYTES)
    fields = (data or b"").rpartition(b")")[2].split()
    if len(fields) <= _STARTTIME or not fields[_STARTTIME].isdigit():
        return None
    try:
        return boot + timedelta(seconds=int(fields[_STARTTIME]) / os.sysconf("SC_CLK_TCK"))
    except OverflowError:
        return None
