"""The audit settings that a kube-apiserver runs with, by its version.

Source: k8s.io/apiserver `pkg/server/options/audit.go` of 1.29, 1.33 and 1.36: defaults, what the
server refuses, and what a value means.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

import msgspec

from kcompliance.model.apiserver.arguments import Arguments, Flag
from kcompliance.model.apiserver.flag_values import FlagValues
from kcompliance.model.kubernetes_version import KubernetesVersion

__all__ = [
    "ROTATES_BY_DEFAULT_SINCE",
    "AuditSettings",
    "BatchSettings",
    "TruncateSettings",
    "audit_settings",
    "audit_settings_from_flagz",
    "parse_flagz",
]

ROTATES_BY_DEFAULT_SINCE = KubernetesVersion(1, 36)
"""From here on the log is kept 366 days in 100 files of 100 MB unless said otherwise, and a size
of 0 turns rotation off; before, all three are 0, and a size of 0 means 100 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSettings:
    """How a backend collects events; without effect unless its mode is `batch`."""

    buffer_size: int | None
    max_size: int | None
    max_wait: timedelta | None
    throttle_enabled: bool | None
    throttle_qps: float | None
    throttle_burst: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TruncateSettings:
    """How a backend shortens large events; sizes are in bytes."""

    enabled: bool | None
    max_batch_size: int | None
    max_event_size: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSettings:
    """The effective settings; None where the value depends on a version that is not known, or was
    given in a way that does not tell it (`invalid`, `unknown`).

    Paths are those inside of the server's container; None is off.
    """

    policy_file: str | None
    log_path: str | None
    """None: no log. "-": standard output."""
    log_format: str
    log_version: str
    log_mode: str
    log_compress: bool | None
    log_max_age_days: int | None
    """0: no limit."""
    log_max_backups: int | None
    """0: no limit."""
    log_max_size_mb: int | None
    """As set; what 0 means depends on the version: see `log_rotates_at_mb`."""
    log_rotates: bool | None
    """Whether the server begins a new file by itself; None also without a log file."""
    log_rotates_at_mb: int | None
    log_batch: BatchSettings
    log_truncate: TruncateSettings
    webhook_config_file: str | None
    webhook_version: str
    webhook_mode: str
    webhook_initial_backoff: timedelta | None
    webhook_batch: BatchSettings
    webhook_truncate: TruncateSettings
    invalid: tuple[str, ...] = ()
    """What the server would refuse to start with."""
    unknown: tuple[str, ...] = ()
    """Names of flags whose value is only a reference, as `$(LOG_PATH)`."""

    @property
    def log_records(self) -> bool:
        """Whether the log backend gets events: without a policy file it silently gets none."""
        return self.policy_file is not None and self.log_path is not None

    @property
    def webhook_records(self) -> bool:
        """Whether the webhook gets events: without a policy file it silently gets none."""
        return self.policy_file is not None and self.webhook_config_file is not None


def audit_settings(arguments: Arguments, version: KubernetesVersion | None) -> AuditSettings:
    """What a server of `version` does with these arguments; None: the version is not known."""
    values = FlagValues(arguments)
    log_path = values.path("audit-log-path")
    days, backups, size = _rotation_defaults(version)
    max_size = values.integer("audit-log-maxsize", default=size)
    size_given = arguments.flag("audit-log-maxsize") is not None
    rotates, rotates_at = _rotation(log_path, max_size, version, size_given=size_given)
    settings = AuditSettings(
        policy_file=values.path("audit-policy-file"),
        log_path=log_path,
        log_format=values.text("audit-log-format", default="json"),
        log_version=values.text("audit-log-version", default=_VERSION),
        log_mode=values.text("audit-log-mode", default="blocking"),
        log_compress=values.boolean("audit-log-compress", default=False),
        log_max_age_days=values.integer("audit-log-maxage", default=days),
        log_max_backups=values.integer("audit-log-maxbackup", default=backups),
        log_max_size_mb=max_size,
        log_rotates=rotates,
        log_rotates_at_mb=rotates_at,
        log_batch=_batch(values, "log", _LOG_BATCH),
        log_truncate=_truncate(values, "log"),
        webhook_config_file=values.path("audit-webhook-config-file"),
        webhook_version=values.text("audit-webhook-version", default=_VERSION),
        webhook_mode=values.text("audit-webhook-mode", default="batch"),
        webhook_initial_backoff=values.duration(
            "audit-webhook-initial-backoff",
            default=timedelta(seconds=10),
            former="audit-webhook-batch-initial-backoff",
        ),
        webhook_batch=_batch(values, "webhook", _WEBHOOK_BATCH),
        webhook_truncate=_truncate(values, "webhook"),
    )
    unknown = tuple(values.unknown)
    refused = (each for each in _refused(settings) if each[2:].partition("=")[0] not in unknown)
    return replace(settings, invalid=(*values.invalid, *refused), unknown=unknown)


def audit_settings_from_flagz(
    flags: Mapping[str, str], version: KubernetesVersion | None
) -> AuditSettings:
    """The settings in the effective flags that the server itself tells at `/flagz`."""
    given = tuple(Flag(name=name, value=value) for name, value in flags.items())
    return audit_settings(Arguments(flags=given), version)


def parse_flagz(data: bytes) -> Mapping[str, str] | None:
    """The flags in a `/flagz` answer in JSON; None if it is none.

    The answer as text is not read: its separator differs from server to server.
    """
    try:
        flagz = msgspec.json.decode(data, type=_Flagz)
    except (ValueError, RecursionError):
        return None
    of_group = flagz.api_version.partition("/")[0] == "config.k8s.io"
    return flagz.flags if flagz.kind == "Flagz" and of_group else None


class _Flagz(msgspec.Struct, rename={"api_version": "apiVersion"}):
    kind: str
    api_version: str
    flags: dict[str, str]


# --- rotation ------------------------------------------------------------------------------


def _rotation_defaults(
    version: KubernetesVersion | None,
) -> tuple[int | None, int | None, int | None]:
    """Days, files and megabytes."""
    if version is None:
        return None, None, None
    return (366, 100, 100) if version >= ROTATES_BY_DEFAULT_SINCE else (0, 0, 0)


_FORMER_SIZE_MB = 100
"""What lumberjack takes for a size of 0."""


def _rotation(
    log_path: str | None,
    max_size: int | None,
    version: KubernetesVersion | None,
    *,
    size_given: bool,
) -> tuple[bool | None, int | None]:
    """Whether and at how many megabytes the server begins a new file."""
    if log_path is None or log_path == "-":
        return None, None
    if not size_given:
        return True, _FORMER_SIZE_MB  # before 1.36 by the 0, since then by the default
    if max_size is None or max_size < 0:
        return None, None
    if max_size > 0:
        return True, max_size
    if version is None:
        return None, None
    return (False, None) if version >= ROTATES_BY_DEFAULT_SINCE else (True, _FORMER_SIZE_MB)


# --- batches and truncation ----------------------------------------------------------------

_VERSION = "audit.k8s.io/v1"
_MODES = ("batch", "blocking", "blocking-strict")
_FORMATS = ("legacy", "json")

_LOG_BATCH = BatchSettings(
    buffer_size=10_000,
    max_size=1,
    max_wait=timedelta(),
    throttle_enabled=False,
    throttle_qps=0.0,
    throttle_burst=0,
)
_WEBHOOK_BATCH = BatchSettings(
    buffer_size=10_000,
    max_size=400,
    max_wait=timedelta(seconds=30),
    throttle_enabled=True,
    throttle_qps=10.0,
    throttle_burst=15,
)


def _batch(values: FlagValues, backend: str, default: BatchSettings) -> BatchSettings:
    name = f"audit-{backend}-batch"
    return BatchSettings(
        buffer_size=values.integer(f"{name}-buffer-size", default=default.buffer_size),
        max_size=values.integer(f"{name}-max-size", default=default.max_size),
        max_wait=values.duration(f"{name}-max-wait", default=default.max_wait),
        throttle_enabled=values.boolean(
            f"{name}-throttle-enable", default=default.throttle_enabled
        ),
        throttle_qps=values.number(f"{name}-throttle-qps", default=default.throttle_qps),
        throttle_burst=values.integer(f"{name}-throttle-burst", default=default.throttle_burst),
    )


def _truncate(values: FlagValues, backend: str) -> TruncateSettings:
    name = f"audit-{backend}-truncate"
    return TruncateSettings(
        enabled=values.boolean(f"{name}-enabled", default=False),
        max_batch_size=values.integer(f"{name}-max-batch-size", default=10 * 1024 * 1024),
        max_event_size=values.integer(f"{name}-max-event-size", default=100 * 1024),
    )


# --- what the server refuses ---------------------------------------------------------------


def _refused(settings: AuditSettings) -> Iterator[str]:
    """What the server checks once it has read all flags; a backend that is off it does not."""
    if settings.log_path is not None:
        yield from _unlisted("audit-log-format", settings.log_format, _FORMATS)
        yield from _negative("audit-log-maxage", settings.log_max_age_days)
        yield from _negative("audit-log-maxbackup", settings.log_max_backups)
        yield from _negative("audit-log-maxsize", settings.log_max_size_mb)
        yield from _unlisted("audit-log-mode", settings.log_mode, _MODES)
        yield from _unlisted("audit-log-version", settings.log_version, (_VERSION,))
        if settings.log_mode == "batch":
            yield from _refused_batch("audit-log-batch", settings.log_batch)
        yield from _refused_truncation("audit-log-truncate", settings.log_truncate)
    if settings.webhook_config_file is not None:
        yield from _unlisted("audit-webhook-mode", settings.webhook_mode, _MODES)
        yield from _unlisted("audit-webhook-version", settings.webhook_version, (_VERSION,))
        if settings.webhook_mode == "batch":
            yield from _refused_batch("audit-webhook-batch", settings.webhook_batch)
        yield from _refused_truncation("audit-webhook-truncate", settings.webhook_truncate)


def _refused_batch(name: str, batch: BatchSettings) -> Iterator[str]:
    yield from _not_positive(f"{name}-buffer-size", batch.buffer_size)
    yield from _not_positive(f"{name}-max-size", batch.max_size)
    if batch.throttle_enabled:
        yield from _not_positive(f"{name}-throttle-qps", batch.throttle_qps)
        yield from _not_positive(f"{name}-throttle-burst", batch.throttle_burst)


def _refused_truncation(name: str, truncate: TruncateSettings) -> Iterator[str]:
    """Checked even where truncation is off."""
    event, batch = truncate.max_event_size, truncate.max_batch_size
    yield from _not_positive(f"{name}-max-event-size", event)
    if event is not None and batch is not None and batch < event:
        yield f"--{name}-max-batch-size={batch} is less than one event"


def _unlisted(name: str, value: str, choices: tuple[str, ...]) -> Iterator[str]:
    if value not in choices:
        yield f"--{name}={value} is none of {', '.join(choices)}"


def _negative(name: str, value: int | None) -> Iterator[str]:
    if value is not None and value < 0:
        yield f"--{name}={value} is negative"


def _not_positive(name: str, value: float | None) -> Iterator[str]:
    if value is not None and value <= 0:
        yield f"--{name}={value} is not positive"
