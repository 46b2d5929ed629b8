"""How fast an audit log is written, and the room that its disk has."""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from kcompliance.model.audit_log_files import room_for_log
from kcompliance.model.cluster import Cluster
from kcompliance.model.finding import Evidence, evidence_of
from kcompliance.model.in_force import Replica
from kcompliance.model.on_node import path_on_node

__all__ = ["Load", "load_of"]

_MB: Final = 1024 * 1024
"""As --audit-log-maxsize counts."""
_LEAST_MB: Final = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """MB an hour and MB of room: as declared, else as the node's files tell; None: not known."""

    mean_mb: float | None = None
    peak_mb: float | None = None
    """In the busiest time that was measured; None where the rate was declared."""
    hours: float | None = None
    """How long it was measured."""
    room_mb: int | None = None
    words: str = ""
    evidence: tuple[Evidence, ...] = ()


def load_of(cluster: Cluster, replica: Replica, mb_per_hour: int, disk_mb: int) -> Load:
    """What is declared (not 0) wins over what was measured."""
    measured = _measured(cluster, replica)
    mean = float(mb_per_hour) if mb_per_hour else measured.mean_mb
    given = bool(mb_per_hour)
    return Load(
        mean_mb=mean,
        peak_mb=None if given else measured.peak_mb,
        hours=None if given else measured.hours,
        room_mb=disk_mb or measured.room_mb,
        words="" if given else measured.words,
        evidence=() if given and disk_mb else measured.evidence,
    )


def _measured(cluster: Cluster, replica: Replica) -> Load:
    """By the sizes and times of the log's files on the node that runs it."""
    server, log = replica.server, replica.settings.log_path
    path = path_on_node(server, log) if log and server is not None and server.node else None
    seen = next((n for n in cluster.nodes if server and n.value.node == server.node), None)
    if path is None or seen is None:
        return Load()
    reached = seen.value.reached(path)
    at = reached.path if reached is not None else path
    folder = seen.value.file(str(PurePosixPath(at).parent))
    room = room_for_log(at, folder, seen.value.files)
    evidence: tuple[Evidence, ...] = ()
    if room is not None and folder is not None:
        evidence += evidence_of(seen.raw, folder.path, f"{room // _MB:,} MB for the log")
    rate = next((rate for rate in seen.value.log_rates if rate.path == at), None)
    if rate is None:
        return Load(room_mb=None if room is None else room // _MB, evidence=evidence)
    quote = f"{rate.size // _MB:,} MB from {rate.since.isoformat()} to {rate.until.isoformat()}"
    return Load(
        mean_mb=max(rate.per_hour / _MB, _LEAST_MB),
        peak_mb=max(rate.peak / _MB, rate.per_hour / _MB, _LEAST_MB),
        hours=rate.hours,
        room_mb=None if room is None else room // _MB,
        words=f" (measured over {rate.hours:.0f} hours)",
        evidence=evidence + evidence_of(seen.raw, f"{at}*", quote),
    )
