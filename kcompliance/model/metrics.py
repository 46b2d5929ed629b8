"""The audit counters of a kube-apiserver's `/metrics` (Prometheus text format)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["AuditMetrics", "read_audit_metrics"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditMetrics:
    """Counters since the server's start; None where the server does not export one."""

    events: float | None = None
    """`apiserver_audit_event_total`: emitted stages, counted before any sink has them."""
    levels: Mapping[str, float] = field(default_factory=dict)
    """`apiserver_audit_level_total` by level: requests. Empty where auditing is off."""
    rejected: float | None = None
    """`apiserver_audit_requests_rejected_total`."""
    errors: Mapping[str, float] = field(default_factory=dict)
    """`apiserver_audit_error_total` by plugin: events that a sink did not take."""

    @property
    def recording(self) -> bool:
        """Whether the server has written any event since its start."""
        return bool(self.events)

    @property
    def quiet(self) -> bool:
        """Whether a policy was asked about requests, none of which was to be recorded."""
        asked = {level for level, requests in self.levels.items() if requests}
        return asked == {"None"}


_SAMPLE = re.compile(
    rb"^apiserver_audit_(event_total|level_total|requests_rejected_total|error_total)"
    rb"(?:\{([^}]*)\})?\s+([-+0-9.eE]+|NaN|[-+]?Inf)",
    re.MULTILINE,
)
_LABEL = re.compile(rb'(?:level|plugin)="([^"]*)"')


def read_audit_metrics(data: bytes) -> AuditMetrics:
    """The audit counters in an answer of `/metrics`; other lines are passed over."""
    single: dict[str, float] = {}
    labelled: dict[str, dict[str, float]] = {"level_total": {}, "error_total": {}}
    for name, labels, value in _SAMPLE.findall(data):
        label = _LABEL.search(labels)
        if label and name.decode() in labelled:
            labelled[name.decode()][label[1].decode("utf-8", "replace")] = _number(value)
        else:
            single[name.decode()] = _number(value)
    return AuditMetrics(
        events=single.get("event_total"),
        levels=labelled["level_total"],
        rejected=single.get("requests_rejected_total"),
        errors=labelled["error_total"],
    )


def _number(text: bytes) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
