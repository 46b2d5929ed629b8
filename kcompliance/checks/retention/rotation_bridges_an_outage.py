"""KC-RET-011: on-disk rotation bridges any forwarder outage."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from kcompliance.checks.interface import check
from kcompliance.checks.retention.log_load import Load, load_of
from kcompliance.checks.sight import flag_in_doubt, flags_not_seen
from kcompliance.model.apiserver import AuditSettings
from kcompliance.model.cluster import Cluster
from kcompliance.model.finding import Evidence, Finding, evidence_of
from kcompliance.model.in_force import Replica, replicas
from kcompliance.model.reading import Kind

__all__ = ["Params", "rotation_bridges_an_outage"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-RET-011; 0 of `mb_per_hour` and `disk_mb`: not declared."""

    min_buffer_hours: int = 72
    mb_per_hour: int = 0
    disk_mb: int = 0
    cis_max_age_days: int = 30
    cis_max_backups: int = 10
    cis_max_size_mb: int = 100


_FLAGS = {"max-age": "audit-log-maxage", "max-backup": "audit-log-maxbackup"}
_FLAGS["max-size"] = "audit-log-maxsize"
_ASPECTS = ("buffer", *_FLAGS)


@check("KC-RET-011", params=Params)
def rotation_bridges_an_outage(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """On-disk rotation bridges any forwarder outage

    Age and number of files both delete: the first that is reached ends what is on the disk.
    """
    for aspect in _ASPECTS:
        yield from flags_not_seen(cluster, aspect, Kind.VERSION)
        for replica in replicas(cluster):
            yield _no_log(replica, aspect) or _judge(cluster, replica, aspect, params)


def _no_log(replica: Replica, aspect: str) -> Finding | None:
    """What is to be said where there is no log file, or no telling whether there is."""
    settings = replica.settings
    path = evidence_of(replica.raw, "--audit-log-path", settings.log_path or "not set")
    doubt = flag_in_doubt(replica, "audit-log-path", *_FLAGS.values())
    if doubt:
        return Finding.error(replica.name, doubt, path, aspect=aspect)
    if settings.invalid:
        because = f"kube-apiserver does not start with {'; '.join(settings.invalid)}"
        return Finding.failed(replica.name, because, path, aspect=aspect)
    if not settings.log_path:
        because = "it writes no log file: see KC-AUD-006"
        return Finding.not_applicable(replica.name, because, path, aspect=aspect)
    if settings.log_path == "-":
        because = "it writes to standard output, which it does not rotate"
        return Finding.not_applicable(replica.name, because, path, aspect=aspect)
    return None


def _judge(cluster: Cluster, replica: Replica, aspect: str, params: Params) -> Finding:
    evidence = _evidence(replica, *([_FLAGS[aspect]] if aspect in _FLAGS else _FLAGS.values()))
    settings = replica.settings
    values = {"max-age": settings.log_max_age_days, "max-backup": settings.log_max_backups}
    values["max-size"] = settings.log_max_size_mb
    asked = values.values() if aspect == "buffer" else (values[aspect],)
    if any(value is None for value in asked):
        return Finding.manual(
            replica.name,
            "the defaults differ: until 1.35 nothing is deleted, from 1.36 on after 366 days or "
            "100 files, and its version is not known",
            f"Which version of Kubernetes does {replica.name} run?",
            evidence,
            aspect=aspect,
        )
    if aspect == "buffer":
        return _buffer(
            replica,
            settings,
            evidence,
            params,
            load_of(cluster, replica, params.mb_per_hour, params.disk_mb),
        )
    least = {"max-age": params.cis_max_age_days, "max-backup": params.cis_max_backups}
    least["max-size"] = params.cis_max_size_mb
    return _number(replica, aspect, values[aspect] or 0, least[aspect], evidence)


# --- the numbers that CIS and STIG ask for -------------------------------------------------------


def _number(
    replica: Replica, aspect: str, value: int, least: int, evidence: tuple[Evidence, ...]
) -> Finding:
    name = _FLAGS[aspect]
    words = f"--{name} is {value}" + ("" if _given(replica, name) else " by default")
    if value < least:
        means = f", which means {_zero(replica, aspect)}" if value == 0 else ""
        because = f"{words}{means}; CIS and STIG ask for {least} or more"
        return Finding.failed(replica.name, because, evidence, aspect=aspect)
    notes: tuple[str, ...] = ()
    if not _given(replica, name):
        notes = ("it is the default from 1.36 on: a scanner that looks for the flag fails it",)
    because = f"{words}, at least the {least} that CIS and STIG ask for"
    return Finding.passed(replica.name, because, evidence, aspect=aspect, notes=notes)


def _zero(replica: Replica, aspect: str) -> str:
    """What a server does with a 0."""
    if aspect != "max-size":
        return "no limit"
    at = replica.settings.log_rotates_at_mb
    if replica.settings.log_rotates is None:
        return "100 MB until 1.35, and no rotation at all from 1.36 on"
    return f"{at} MB before 1.36" if at else "no rotation at all from 1.36 on"


def _given(replica: Replica, name: str) -> bool:
    """`/flagz` alone does not tell whether a value was given."""
    return replica.server is None or replica.server.arguments.flag(name) is not None


# --- how long an outage may last -----------------------------------------------------------------


def _buffer(
    replica: Replica,
    settings: AuditSettings,
    evidence: tuple[Evidence, ...],
    params: Params,
    load: Load,
) -> Finding:
    """Bounds of age, of number and of the disk; the last two need the rate of writing."""
    if settings.log_rotates is None:
        return Finding.manual(
            replica.name,
            f"--audit-log-maxsize=0 means {_zero(replica, 'max-size')}",
            f"Which version of Kubernetes does {replica.name} run?",
            evidence,
            aspect="buffer",
        )
    age_hours = (settings.log_max_age_days or 0) * 24 if settings.log_rotates else 0
    if 0 < age_hours < params.min_buffer_hours:
        because = (
            f"files are deleted after {age_hours} hours, and it takes {params.min_buffer_hours}"
        )
        return Finding.failed(replica.name, because, evidence, aspect="buffer")
    notes = tuple(_notes(settings))
    ring = _ring_mb(settings)
    evidence += load.evidence
    if load.mean_mb is None:
        return Finding.manual(
            replica.name,
            f"it keeps {_kept(ring)}, and how fast it writes is not known",
            f"How many MB an hour does {replica.name} write to {settings.log_path} at its "
            "busiest? Give it as the parameter mb_per_hour, and the room on its disk as disk_mb.",
            evidence,
            aspect="buffer",
            notes=notes,
        )
    if ring is not None and ring / load.mean_mb < params.min_buffer_hours:
        because = (
            f"it keeps {ring:,} MB, which {_mb(load.mean_mb)} MB an hour fill in "
            f"{ring / load.mean_mb:.1f} hours, and it takes {params.min_buffer_hours}{load.words}"
        )
        return Finding.failed(replica.name, because, evidence, aspect="buffer", notes=notes)
    doubt = _too_little_measured(ring, params, load)
    if doubt is not None:
        return Finding.manual(
            replica.name,
            doubt,
            f"How many MB an hour does {replica.name} write to {settings.log_path} through an "
            f"outage of {params.min_buffer_hours} hours at its busiest? Give it as the parameter "
            "mb_per_hour.",
            evidence,
            aspect="buffer",
            notes=notes,
        )
    return _disk(replica, settings, evidence, params, ring, load)


def _too_little_measured(ring: int | None, params: Params, load: Load) -> str | None:
    """Why what the files tell is no proof that the ring lasts."""
    if load.hours is None or load.peak_mb is None:
        return None
    if load.hours < _LEAST_MEASURED_HOURS:
        return (
            f"its files tell {_mb(load.peak_mb)} MB an hour, and of {load.hours:.1f} hours only: "
            "a day has quiet and busy ones"
        )
    if ring is not None and ring / load.peak_mb < params.min_buffer_hours:
        return (
            f"at its average {_mb(load.mean_mb or 0)} MB an hour it keeps enough, and its busiest "
            f"{_mb(load.peak_mb)} MB an hour fill {ring:,} MB in {ring / load.peak_mb:.1f} hours"
        )
    return None


_LEAST_MEASURED_HOURS = 24


def _disk(
    replica: Replica,
    settings: AuditSettings,
    evidence: tuple[Evidence, ...],
    params: Params,
    ring: int | None,
    load: Load,
) -> Finding:
    """Whether the disk takes what the rotation would keep, or at least what the outage brings."""
    notes = tuple(_notes(settings))
    fastest = load.peak_mb or load.mean_mb or 0
    needed = ring or math.ceil(fastest * params.min_buffer_hours)
    if not load.room_mb:
        return Finding.manual(
            replica.name,
            f"it keeps {_kept(ring)}, and the room on its disk is not known",
            f"Does the file system of {settings.log_path} on {replica.name} have {needed:,} MB "
            "for the log? Give its room as the parameter disk_mb.",
            evidence,
            aspect="buffer",
            notes=notes,
        )
    if load.room_mb < needed:
        because = f"the log needs {needed:,} MB, and its disk has {load.room_mb:,} MB"
        return Finding.failed(replica.name, because, evidence, aspect="buffer", notes=notes)
    because = (
        f"it keeps {_kept(ring)}: at {_mb(fastest)} MB an hour no less than "
        f"{params.min_buffer_hours} hours{load.words}"
    )
    return Finding.passed(replica.name, because, evidence, aspect="buffer", notes=notes)


def _mb(value: float) -> str:
    return f"{value:,.0f}" if value >= _TEN else f"{value:,.3g}"


_TEN = 10


def _ring_mb(settings: AuditSettings) -> int | None:
    """The file that is written and those that were put aside; None: nothing bounds them."""
    if not settings.log_rotates or not settings.log_max_backups or not settings.log_rotates_at_mb:
        return None
    return (settings.log_max_backups + 1) * settings.log_rotates_at_mb


def _kept(ring: int | None) -> str:
    return f"{ring:,} MB of log" if ring else "any number of MB of log"


def _notes(settings: AuditSettings) -> Iterator[str]:
    if settings.log_rotates is False:
        yield "nothing rotates the file, so neither age nor number deletes: it grows until full"
    elif not settings.log_max_backups and not settings.log_max_age_days:
        yield "nothing deletes old files: the disk fills up in the end"
    if settings.log_compress:
        yield "old files are compressed, which forwarders that leave out *.gz never catch up on"


def _evidence(replica: Replica, *names: str) -> tuple[Evidence, ...]:
    settings, raw = replica.settings, replica.flagz or replica.raw
    values = {
        "audit-log-maxage": settings.log_max_age_days,
        "audit-log-maxbackup": settings.log_max_backups,
        "audit-log-maxsize": settings.log_max_size_mb,
    }
    evidence: tuple[Evidence, ...] = ()
    for name in names:
        value = "not known" if values[name] is None else str(values[name])
        words = value if _given(replica, name) else f"not set, default {value}"
        evidence += evidence_of(raw, f"--{name}", words)
    return evidence
