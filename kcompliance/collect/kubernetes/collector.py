"""Asks a cluster everything in turn, and hands over one capture for each thing asked."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from kcompliance.collect.interface import Progress
from kcompliance.collect.kubernetes import lists, questions
from kcompliance.collect.kubernetes.connection import (
    Answer,
    Failed,
    NotThere,
    Outcome,
    open_client,
    server_of,
)
from kcompliance.collect.kubernetes.forwarders import (
    Lacking,
    config_maps,
    forwarder_pods,
    logging_daemon_sets,
)
from kcompliance.model.assemble import read_version
from kcompliance.model.reading import Absent, Capture, Kind, Origin, Raw, Unreadable

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

__all__ = ["collect_kubernetes"]


def collect_kubernetes(
    context: str | None, name: str, now: datetime, progress: Progress
) -> tuple[Capture, ...]:
    """Everything that the controls ask of a cluster; `context` None is the current one.

    Where the server cannot be reached at all, it is asked once and not once for each reading.
    """
    opened = open_client(context)
    if isinstance(opened, str):
        origin = _origin(Kind.ENDPOINT, name, now)
        return (Unreadable(origin=origin, reason=opened),)
    work = _Work(api=opened, name=name, now=now, progress=progress)
    work.captures.append(_endpoint(opened, name, now))
    for kind, what, ask in _QUESTIONS:
        answer = work.ask(kind, what, ask)
        if kind is Kind.DAEMON_SETS:
            listed = answer
    for kind, what, ask_about in _ABOUT_FORWARDERS:
        ask_about(work, kind, what, listed)
    return tuple(work.captures)


_QUESTIONS: tuple[tuple[Kind, str, "Callable[[ApiClient], Outcome]"], ...] = (
    (Kind.VERSION, "/version", questions.version),
    (Kind.API_SERVER_PODS, f"pods in {questions.NAMESPACE}", questions.pods),
    (Kind.FLAGZ, "/flagz", questions.flagz),
    (Kind.METRICS, "/metrics", questions.metrics),
    (Kind.NODES, "nodes", lists.nodes),
    (Kind.SERVICES, "services", lists.services),
    (Kind.CRON_JOBS, "cronjobs", lists.cron_jobs),
    (Kind.RBAC, "roles and bindings", lists.rbac),
    (Kind.DAEMON_SETS, "daemonsets", lists.daemon_sets),
)


@dataclass(slots=True, kw_only=True)
class _Work:
    """A scan of one cluster on its way."""

    api: "ApiClient"
    name: str
    now: datetime
    progress: Progress
    captures: list[Capture] = field(default_factory=list)
    down: str | None = None
    """Why the server is not asked any more."""

    def ask(self, kind: Kind, what: str, question: "Callable[[ApiClient], Outcome]") -> Outcome:
        """Ask, unless the server has not answered at all before."""
        self.progress(f"{self.name} {what}")
        if self.down is not None:
            return self.keep(kind, what, Failed(self.down))
        no_flagz = _no_flagz_before(self.captures) if kind is Kind.FLAGZ else None
        return self.keep(kind, what, no_flagz or question(self.api))

    def keep(self, kind: Kind, what: str, answer: Outcome, *, absent: bool = False) -> Outcome:
        """Write down what came; `absent`: that there is no such thing is an answer."""
        origin = _origin(kind, f"{self.name} {what}", self.now)
        self.captures.append(_capture(origin, answer, absent=absent or kind is Kind.FLAGZ))
        if isinstance(answer, Failed) and answer.unreachable:
            self.down = answer.reason
        return answer


def _no_flagz_before(captures: list[Capture]) -> NotThere | None:
    """Before 1.36 there is no JSON `/flagz`, and asking would only meet a misleading 403."""
    for capture in captures:
        if isinstance(capture, Raw) and capture.origin.kind is Kind.VERSION:
            version = read_version(capture.content)
            if version is not None and version < questions.FLAGZ_SINCE:
                return NotThere(f"not asked: servers have it from {questions.FLAGZ_SINCE} on")
    return None


# --- what depends on the DaemonSets --------------------------------------------------------------


def _ask_for_pods(work: _Work, kind: Kind, what: str, listed: Outcome) -> None:
    if not isinstance(listed, Answer):
        work.keep(kind, what, _not_asked(listed))
        return
    forwarders, _ = logging_daemon_sets(listed)
    work.ask(kind, what, lambda api: forwarder_pods(api, forwarders))


def _ask_for_config_maps(work: _Work, kind: Kind, what: str, listed: Outcome) -> None:
    if not isinstance(listed, Answer):
        work.keep(kind, what, _not_asked(listed))
        return
    work.progress(f"{work.name} {what}")
    if work.down is not None:
        work.keep(kind, what, Failed(work.down))
        return
    _, users = logging_daemon_sets(listed)
    for each in config_maps(work.api, users):
        match each:
            case Lacking(name=name, outcome=outcome):
                work.keep(kind, f"configmap {name}", outcome, absent=True)
            case Answer():
                work.keep(kind, what, each)


def _not_asked(listed: NotThere | Failed) -> Failed:
    permission = listed.permission if isinstance(listed, Failed) else None
    return Failed("not asked: which DaemonSets there are is not known", permission=permission)


_ABOUT_FORWARDERS: tuple[tuple[Kind, str, "Callable[[_Work, Kind, str, Outcome], None]"], ...] = (
    (Kind.FORWARDER_PODS, "pods of log forwarders", _ask_for_pods),
    (Kind.CONFIG_MAPS, "configmaps of log forwarders", _ask_for_config_maps),
)


# --- captures ------------------------------------------------------------------------------------


def _endpoint(api: "ApiClient", name: str, now: datetime) -> Raw:
    content = json.dumps({"server": server_of(api)}).encode()
    return Raw(origin=_origin(Kind.ENDPOINT, f"{name} endpoint", now), content=content)


def _capture(origin: Origin, answer: Outcome, *, absent: bool) -> Capture:
    match answer:
        case Answer(content=content, redactions=redactions):
            return Raw(origin=origin, content=content, redactions=redactions)
        case NotThere(reason=reason) if absent:
            return Absent(origin=origin, reason=reason)
        case NotThere(reason=reason):
            return Unreadable(origin=origin, reason=reason)
        case Failed(reason=reason, permission=permission):
            return Unreadable(origin=origin, reason=reason, permission=permission)


def _origin(kind: Kind, resource: str, now: datetime) -> Origin:
    return Origin(kind=kind, resource=resource, collector="kubernetes", collected_at=now)
