"""The files of one audit log on a node: the one that is written and those that rotation kept."""

import itertools
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import Final

from kcompliance.model.node_facts import FileFacts, FileType, LogRate

__all__ = ["is_of_log", "log_rate", "room_for_log"]

_COMPRESSED: Final = (".gz", ".xz", ".zst", ".bz2", ".lz4", ".Z")
_LEAST: Final = timedelta(hours=1)
_MOST_FILES: Final = 2_000


def is_of_log(log: str, path: str) -> bool:
    """Whether a file is this log, or one that was rotated out of it.

    kube-apiserver writes `audit-TIME.log`, logrotate `audit.log.1` or `audit.log-DATE`.
    """
    wanted, given = PurePosixPath(log), PurePosixPath(path)
    if wanted.parent != given.parent:
        return False
    by_server = given.name.startswith(f"{wanted.stem}-") and wanted.suffix in (*given.suffixes, "")
    return path == log or by_server or bool(re.match(re.escape(wanted.name) + r"[.-]", given.name))


def log_rate(log: str, files: Iterable[FileFacts]) -> LogRate | None:
    """How fast the log grew; None where the files do not tell for an hour at least.

    Each file begins where the one before it ended. What was compressed tells when it ended, but
    not how much was written, so that only the files behind it count.
    """
    known = [f for f in files if f.type is FileType.FILE and is_of_log(log, f.path)]
    ends = sorted(
        ((end, file) for file in known if (end := _end(log, file)) is not None),
        key=lambda each: each[0],
    )[-_MOST_FILES:]
    steps: list[tuple[datetime, datetime, int]] = []
    for (since, _), (until, file) in itertools.pairwise(ends):
        if file.path.endswith(_COMPRESSED) or file.size is None:
            steps.clear()
        elif until > since:
            steps.append((since, until, file.size))
    if not steps or steps[-1][1] - steps[0][0] < _LEAST:
        return None
    return LogRate(
        path=log,
        size=sum(size for _, _, size in steps),
        since=steps[0][0],
        until=steps[-1][1],
        peak=_peak(steps),
    )


def _end(log: str, file: FileFacts) -> datetime | None:
    """When the last line was written: in the name that kube-apiserver gives, else its mtime."""
    named = re.match(r"-(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d)", _behind_stem(log, file.path))
    if named is None:
        return file.modified
    try:
        return datetime.strptime(named[1], "%Y-%m-%dT%H-%M-%S").replace(tzinfo=UTC)
    except ValueError:
        return file.modified


def _behind_stem(log: str, path: str) -> str:
    return PurePosixPath(path).name.removeprefix(PurePosixPath(log).stem)


def _peak(steps: Sequence[tuple[datetime, datetime, int]]) -> int:
    """Bytes an hour over the busiest run of files that lasts an hour or more."""
    best = 0.0
    first, size = 0, 0
    for _, until, more in steps:
        size += more
        while first + 1 < len(steps) and until - steps[first + 1][0] >= _LEAST:
            size -= steps[first][2]
            first += 1
        lasted = until - steps[first][0]
        if lasted >= _LEAST:
            best = max(best, size / (lasted.total_seconds() / 3600))
    return round(best)


def room_for_log(log: str, folder: FileFacts | None, files: Iterable[FileFacts]) -> int | None:
    """Bytes that the log may take: what is free beside what it has already; None: not known."""
    if folder is None or folder.free is None:
        return None
    taken = sum(f.size or 0 for f in files if f.type is FileType.FILE and is_of_log(log, f.path))
    return folder.free + taken
