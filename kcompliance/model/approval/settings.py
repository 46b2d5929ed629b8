"""The audit settings of a kube-apiserver and its webhook, in the form in which they are approved.

Flags stand there by what they come to: one that is not set by its default, one without effect
(batches of a backend that does not batch) not at all. Of a webhook's kubeconfig it is told which
kind of authority and of credential it has, never a credential.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from kcompliance.model.apiserver import AuditSettings, BatchSettings, TruncateSettings
from kcompliance.model.apiserver.flag_names import BOOLEAN_FLAGS, VALUE_FLAGS

__all__ = ["AUDIT_FLAGS", "audit_flags", "changed_flags"]

Value = str | int | float | bool | timedelta | None
_Pairs = Iterator[tuple[str, Value]]


def audit_flags(settings: AuditSettings) -> dict[str, str | None]:
    """The value of every audit flag that has an effect, by its name; None: it is not known."""
    return {f"audit-{name}": _text(value) for name, value in _pairs(settings)}


def _text(value: Value) -> str | None:
    match value:
        case None | str():
            return value
        case bool():
            return "true" if value else "false"
        case timedelta():
            return f"{value.total_seconds():.6f}".rstrip("0").rstrip(".") + "s"
        case int():
            return str(value)
        case float():
            return f"{value:.15g}"


def _pairs(settings: AuditSettings) -> _Pairs:
    yield "policy-file", settings.policy_file or "not set"
    yield "log-path", settings.log_path or "not set"
    yield "webhook-config-file", settings.webhook_config_file or "not set"
    if settings.log_path is not None:
        yield from _log(settings)
    if settings.webhook_config_file is not None:
        yield from _webhook(settings)


def _log(settings: AuditSettings) -> _Pairs:
    yield "log-format", settings.log_format
    yield "log-version", settings.log_version
    yield "log-mode", settings.log_mode
    if settings.log_path != "-":
        yield "log-compress", settings.log_compress
        yield "log-maxage", settings.log_max_age_days
        yield "log-maxbackup", settings.log_max_backups
        # 0 means 100 MB until 1.35 and no rotation from 1.36 on: what it comes to counts.
        yield "log-maxsize", 0 if settings.log_rotates is False else settings.log_rotates_at_mb
    if settings.log_mode == "batch":
        yield from _batch("log", settings.log_batch)
    yield from _truncate("log", settings.log_truncate)


def _webhook(settings: AuditSettings) -> _Pairs:
    yield "webhook-version", settings.webhook_version
    yield "webhook-mode", settings.webhook_mode
    yield "webhook-initial-backoff", settings.webhook_initial_backoff
    if settings.webhook_mode == "batch":
        yield from _batch("webhook", settings.webhook_batch)
    yield from _truncate("webhook", settings.webhook_truncate)


def _batch(backend: str, batch: BatchSettings) -> _Pairs:
    name = f"{backend}-batch"
    yield f"{name}-buffer-size", batch.buffer_size
    yield f"{name}-max-size", batch.max_size
    yield f"{name}-max-wait", batch.max_wait
    yield f"{name}-throttle-enable", batch.throttle_enabled
    if batch.throttle_enabled is not False:
        yield f"{name}-throttle-qps", batch.throttle_qps
        yield f"{name}-throttle-burst", batch.throttle_burst


def _truncate(backend: str, truncate: TruncateSettings) -> _Pairs:
    name = f"{backend}-truncate"
    yield f"{name}-enabled", truncate.enabled
    if truncate.enabled is not False:
        yield f"{name}-max-batch-size", truncate.max_batch_size
        yield f"{name}-max-event-size", truncate.max_event_size


AUDIT_FLAGS = tuple(sorted(n for n in (*BOOLEAN_FLAGS, *VALUE_FLAGS) if n.startswith("audit-")))
"""Every flag of a server about its audit trail."""


def changed_flags(
    approved: Mapping[str, str | None], now: Mapping[str, str | None]
) -> Iterator[str]:
    """What became of the flags, each such as `--audit-log-maxage: 30 → 1`."""
    for name in sorted({*approved, *now}):
        if (before := _word(approved, name)) != (after := _word(now, name)):
            yield f"--{name}: {before} → {after}"


def _word(flags: Mapping[str, str | None], name: str) -> str:
    if name not in flags:
        return "without effect"
    value = flags[name]
    return "not known" if value is None else value
