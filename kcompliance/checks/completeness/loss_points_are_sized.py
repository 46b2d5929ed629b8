"""KC-CMP-010: known loss points are sized."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kcompliance.checks.completeness.daily_cap import daily_cap
from kcompliance.checks.interface import check
from kcompliance.checks.sight import flag_in_doubt, flags_not_seen, policy_question
from kcompliance.model.apiserver import BatchSettings, TruncateSettings
from kcompliance.model.audit_policy import Level, Loaded, Stage, load_policy
from kcompliance.model.cluster import Cluster
from kcompliance.model.control import Platform
from kcompliance.model.finding import Evidence, Finding, Status, evidence_of
from kcompliance.model.in_force import FoundPolicy, Replica, policy_of, replicas
from kcompliance.model.reading import Kind, Seen

__all__ = ["Params", "loss_points_are_sized"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-CMP-010; 0 of the rate and of the receiver: not declared."""

    peak_events_per_second: int = 0
    headroom_percent: int = 80
    backend_latency_seconds: int = 5
    min_event_bytes: int = 16384
    receiver_max_bytes: int = 0


@check("KC-CMP-010", params=Params)
def loss_points_are_sized(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """Known loss points are sized

    Each backend is judged on its own, and the worst of a server's counts. Counters that tell of a
    loss at one of the points overrule all sums.
    """
    yield from daily_cap(cluster, "daily-cap")
    for aspect, judge in _JUDGES.items():
        if cluster.platform in (Platform.AKS, Platform.EKS):
            yield from _of_provider(cluster, aspect)
            continue
        yield from flags_not_seen(cluster, aspect, *_also_needed(cluster, aspect))
        yield from _overrun(cluster, aspect)
        for replica in replicas(cluster):
            yield _of_server(cluster, replica, aspect, judge, params)


def _of_provider(cluster: Cluster, aspect: str) -> Iterator[Finding]:
    """The flags are the provider's: only its counters tell, and only of a loss."""
    kinds = (Kind.METRICS,) if aspect in _PLUGINS else ()
    gaps = cluster.gaps_in(*kinds)
    for gap in gaps:
        yield Finding.unreadable(gap, aspect=aspect)
    overrun = tuple(_overrun(cluster, aspect))
    yield from overrun
    if gaps or overrun:
        return
    yield Finding.manual(
        cluster.name,
        "the flags of kube-apiserver are the provider's, and nobody outside can read them",
        _ASKED_OF_PROVIDER[aspect].format(name=cluster.name),
        tuple(e for raw in cluster.platform_raw for e in evidence_of(raw, "whole file")),
        aspect=aspect,
    )


_ASKED_OF_PROVIDER = {
    "batching": "Were events of {name} lost because a buffer was full? Sum "
    'apiserver_audit_error_total{{plugin="buffered"}} over all its API servers in Prometheus, or '
    "ask the provider.",
    "throttling": "Does the provider of {name} limit how many audit events a second it takes in, "
    "and is the cluster's peak below that? Ask its support, with the peak of "
    "rate(apiserver_audit_event_total[5m]).",
    "truncation": "Are records of {name} cut short? Look in the log store for the annotation "
    "audit.k8s.io/truncated and for bodies that say skipped-too-big-size-object.",
    "size-limits": "How large may one record of {name} be on its way to the log store, and what "
    "becomes of one that is larger? Write an object of 1 MB and look for its event.",
}


def _also_needed(cluster: Cluster, aspect: str) -> Iterator[Kind]:
    """What an aspect asks besides flags; a policy only of a server that is strict."""
    if aspect in _PLUGINS:
        yield Kind.METRICS
    backends = [backend for replica in replicas(cluster) for backend in _backends(replica)]
    if aspect == "batching" and any(each.mode == "blocking-strict" for each in backends):
        yield Kind.AUDIT_POLICY


@dataclass(frozen=True, slots=True, kw_only=True)
class _Backend:
    """One of a server's two backends."""

    name: str
    mode: str
    batch: BatchSettings
    truncate: TruncateSettings

    @property
    def in_batches(self) -> bool:
        return self.mode == "batch"


@dataclass(frozen=True, slots=True)
class _Word:
    """What is to be said of one backend; `question` only where the status is manual."""

    status: Status
    because: str
    question: str = ""
    notes: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()


_Judge = Callable[[Cluster, Replica, _Backend, Params], _Word]


def _of_server(
    cluster: Cluster, replica: Replica, aspect: str, judge: _Judge, params: Params
) -> Finding:
    settings = replica.settings
    backends = list(_backends(replica))
    evidence = _flags(replica, backends)
    doubt = flag_in_doubt(replica, *_names(replica))
    if doubt:
        return Finding.error(replica.name, doubt, evidence, aspect=aspect)
    if settings.invalid:
        because = f"kube-apiserver does not start with {'; '.join(settings.invalid)}"
        return Finding.failed(replica.name, because, evidence, aspect=aspect)
    if not backends:
        because = "it has no backend: see KC-AUD-006"
        return Finding.not_applicable(replica.name, because, evidence, aspect=aspect)
    words = [judge(cluster, replica, backend, params) for backend in backends]
    worst = min((word.status for word in words), key=_ORDER.index)
    because = "; ".join(word.because for word in words if word.status is worst)
    notes = tuple(note for word in words for note in word.notes)
    evidence += tuple(item for word in words for item in word.evidence)
    if worst is Status.MANUAL:
        question = " ".join(word.question for word in words if word.question)
        return Finding.manual(replica.name, because, question, evidence, aspect=aspect, notes=notes)
    verdict = Finding.passed if worst is Status.PASS else Finding.failed
    return verdict(replica.name, because, evidence, aspect=aspect, notes=notes)


_ORDER = (Status.FAIL, Status.MANUAL, Status.PASS)


def _backends(replica: Replica) -> Iterator[_Backend]:
    settings = replica.settings
    if settings.log_path:
        yield _Backend(
            name="log",
            mode=settings.log_mode,
            batch=settings.log_batch,
            truncate=settings.log_truncate,
        )
    if settings.webhook_config_file:
        yield _Backend(
            name="webhook",
            mode=settings.webhook_mode,
            batch=settings.webhook_batch,
            truncate=settings.webhook_truncate,
        )


# --- batching ------------------------------------------------------------------------------------


def _batching(cluster: Cluster, replica: Replica, backend: _Backend, params: Params) -> _Word:
    """Whether the buffer lasts while the backend is slow."""
    if not backend.in_batches:
        return _in_line(cluster, replica, backend)
    buffer = backend.batch.buffer_size or 0
    peak, seconds = params.peak_events_per_second, params.backend_latency_seconds
    if not peak:
        because = f"the {backend.name}'s buffer takes {buffer:,} events, and the peak is not known"
        return _Word(Status.MANUAL, because, _peak_question(replica))
    held = f"{peak * seconds:,} events come in {seconds} seconds of the peak"
    if buffer < peak * seconds:
        because = f"the {backend.name}'s buffer takes {buffer:,} events, and {held}"
        return _Word(Status.FAIL, because)
    return _Word(Status.PASS, f"the {backend.name}'s buffer takes {buffer:,} events: {held}")


def _peak_question(replica: Replica) -> str:
    return (
        f"How many audit events a second does {replica.name} write at its peak? In Prometheus: "
        "max_over_time(sum by(instance)(rate(apiserver_audit_event_total[5m]))[7d:5m]). Give it "
        "as the parameter peak_events_per_second."
    )


def _in_line(cluster: Cluster, replica: Replica, backend: _Backend) -> _Word:
    """Without a buffer; strict keeps its promise only in the stage that it can still refuse in."""
    because = f"the {backend.name} is written in line ({backend.mode}): no buffer can run over"
    if backend.mode != "blocking-strict":
        return _Word(Status.PASS, because)
    found = policy_of(cluster, replica)
    loaded = (
        load_policy(found.policy.text, cluster.version) if isinstance(found, FoundPolicy) else None
    )
    if not isinstance(found, FoundPolicy) or not isinstance(loaded, Loaded):
        lack = "does not load" if isinstance(found, FoundPolicy) else "is not at hand"
        doubt = (
            f"the {backend.name} is blocking-strict, and its policy {lack}: one that omits "
            "RequestReceived makes it refuse nothing"
        )
        path = replica.settings.policy_file or "its policy"
        return _Word(Status.MANUAL, doubt, policy_question(replica.name, path))
    policy = loaded.policy
    recording = [rule for rule in policy.rules if rule.level is not Level.NONE]
    omitting = [
        rule
        for rule in recording
        if Stage.REQUEST_RECEIVED in rule.omit_stages | policy.omit_stages
    ]
    where = ", ".join(str(rule.line) for rule in omitting[:5])
    quoted = evidence_of(found.policy.raw, f"{found.policy.location} omitStages".strip(), where)
    if omitting and len(omitting) == len(recording):
        because = (
            f"the {backend.name} is blocking-strict and refuses nothing, because "
            f"{found.policy.name} omits the stage RequestReceived: requests succeed while their "
            "events are lost"
        )
        return _Word(Status.FAIL, because, evidence=quoted)
    notes = (f"not strict for the rules of line {where}: they omit RequestReceived",)
    return _Word(Status.PASS, because, notes=notes if omitting else (), evidence=quoted)


# --- throttling ----------------------------------------------------------------------------------


def _throttling(_: Cluster, replica: Replica, backend: _Backend, params: Params) -> _Word:
    """Whether as many batches may leave as come in."""
    batch = backend.batch
    if not backend.in_batches:
        return _Word(Status.PASS, f"the {backend.name} is not throttled ({backend.mode})")
    if not batch.throttle_enabled:
        return _Word(Status.PASS, f"the {backend.name} is not throttled")
    ceiling = (batch.throttle_qps or 0) * (batch.max_size or 0)
    words = (
        f"the {backend.name} sends at most {ceiling:,.0f} events a second "
        f"({batch.throttle_qps:g} batches of {batch.max_size})"
    )
    peak = params.peak_events_per_second
    if not peak:
        because = f"{words}, and the peak is not known"
        return _Word(Status.MANUAL, because, _peak_question(replica))
    if peak * 100 > ceiling * params.headroom_percent:
        because = f"{words}, and {peak:,} at the peak are more than {params.headroom_percent} %"
        return _Word(Status.FAIL, because)
    return _Word(Status.PASS, f"{words}, and {peak:,} at the peak leave headroom")


# --- truncation and sizes ------------------------------------------------------------------------


def _truncation(_: Cluster, _replica: Replica, backend: _Backend, _params: Params) -> _Word:
    """Whether one event that is too large costs a whole batch."""
    limit = backend.truncate.max_event_size
    if backend.truncate.enabled:
        because = f"the {backend.name} cuts the bodies out of events above {limit:,} bytes"
        return _Word(Status.PASS, because, notes=("such events keep who, what and when",))
    if backend.name == "log":
        return _Word(Status.PASS, "the log takes events of any size")
    because = (
        "the webhook does not truncate: a post that the receiver finds too large is lost with "
        "all events in it"
    )
    return _Word(Status.FAIL, because)


def _size_limits(_: Cluster, replica: Replica, backend: _Backend, params: Params) -> _Word:
    """Whether an event without bodies fits, and the largest post too.

    In batch mode events are truncated one by one before they are buffered, so that
    --audit-*-truncate-max-batch-size never splits a batch.
    """
    limit = backend.truncate.max_event_size or 0
    if backend.truncate.enabled and limit < params.min_event_bytes:
        because = (
            f"the {backend.name} drops events above {limit:,} bytes that it cannot shorten, and "
            f"{params.min_event_bytes:,} have to fit"
        )
        return _Word(Status.FAIL, because)
    if backend.name == "log":
        return _Word(Status.PASS, "a line of the log may be as long as its event")
    if not backend.truncate.enabled:
        largest, words = None, "the webhook limits neither events nor posts"
    else:
        count = (backend.batch.max_size or 0) if backend.in_batches else 1
        largest = count * limit
        words = f"the webhook posts up to {largest:,} bytes ({count} events of {limit:,})"
    note = "--audit-webhook-truncate-max-batch-size splits no batch of the mode batch"
    notes = (note,) if backend.truncate.enabled and backend.in_batches else ()
    takes = params.receiver_max_bytes
    if not takes:
        question = (
            f"How large a post does the receiver of {replica.name} take? Give the bytes as the "
            "parameter receiver_max_bytes."
        )
        because = f"{words}, and what the receiver takes is not known"
        return _Word(Status.MANUAL, because, question, notes)
    if largest is None or largest > takes:
        return _Word(Status.FAIL, f"{words}, and the receiver takes {takes:,}", notes=notes)
    return _Word(Status.PASS, f"{words}, which the receiver takes", notes=notes)


_JUDGES: dict[str, _Judge] = {
    "batching": _batching,
    "throttling": _throttling,
    "truncation": _truncation,
    "size-limits": _size_limits,
}

# --- counters ------------------------------------------------------------------------------------

_PLUGINS = {"batching": "buffered", "size-limits": "truncate"}


def _overrun(cluster: Cluster, aspect: str) -> Iterator[Finding]:
    """A loss that the counters tell of shows that a point is not sized."""
    plugin = _PLUGINS.get(aspect)
    if plugin is None or not isinstance(cluster.metrics, Seen):
        return
    count = cluster.metrics.value.errors.get(plugin, 0)
    if count != 0:
        raw = cluster.metrics.raw
        why = "its buffer was full" if plugin == "buffered" else "they were too large"
        evidence = evidence_of(
            raw, f'apiserver_audit_error_total{{plugin="{plugin}"}}', f"{count:.0f}"
        )
        because = f"{count:,.0f} events were lost since the server's start: {why}"
        yield Finding.failed(raw.origin.resource, because, evidence, aspect=aspect)


# --- evidence ------------------------------------------------------------------------------------

_ENDINGS = (
    "mode",
    "batch-buffer-size",
    "batch-max-size",
    "batch-throttle-enable",
    "batch-throttle-qps",
    "truncate-enabled",
    "truncate-max-event-size",
)


def _names(replica: Replica) -> tuple[str, ...]:
    backends = _backends(replica)
    sized = (f"audit-{each.name}-{ending}" for each in backends for ending in _ENDINGS)
    return ("audit-log-path", "audit-webhook-config-file", *sized)


def _flags(replica: Replica, backends: list[_Backend]) -> tuple[Evidence, ...]:
    settings, raw = replica.settings, replica.flagz or replica.raw
    evidence = evidence_of(raw, "--audit-log-path", settings.log_path or "not set")
    webhook = settings.webhook_config_file or "not set"
    evidence += evidence_of(raw, "--audit-webhook-config-file", webhook)
    for each in backends:
        batch, truncate = each.batch, each.truncate
        values = (each.mode, batch.buffer_size, batch.max_size, batch.throttle_enabled)
        more = (batch.throttle_qps, truncate.enabled, truncate.max_event_size)
        for ending, value in zip(_ENDINGS, (*values, *more), strict=True):
            evidence += evidence_of(raw, f"--audit-{each.name}-{ending}", _quoted(value))
    return evidence


def _quoted(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
