"""Asks a cluster, before any scan, whether the caller may read what the controls need.

By SelfSubjectAccessReview: a POST that the server answers and never stores. Which namespaces have
log forwarders is read from the DaemonSets, as a scan does.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from kcompliance.collect.hints import HINTS
from kcompliance.collect.interface import Progress
from kcompliance.collect.kubernetes import FLAGZ_SINCE, lists, questions
from kcompliance.collect.kubernetes.connection import (
    Answer,
    Failed,
    NotThere,
    open_client,
    review,
    server_of,
)
from kcompliance.collect.kubernetes.forwarders import logging_daemon_sets
from kcompliance.collect.needs import (
    CONTROL_NEEDS,
    OF_FORWARDERS,
    PERMISSIONS,
    KubernetesPermission,
)
from kcompliance.collect.preflight import Asked, May, Preflight, files_needed, worst
from kcompliance.model.assemble import read_version
from kcompliance.model.reading import Kind
from kcompliance.model.workloads import config_maps_used

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

__all__ = ["preflight_kubernetes"]

_REVIEWS: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_SOME_NAMESPACE: Final = "of each log forwarder"
_MAY_ASK: Final = "create on selfsubjectaccessreviews.authorization.k8s.io"


def preflight_kubernetes(
    context: str | None, target: str, controls: Sequence[str], progress: Progress
) -> Preflight:
    """Ask about everything that these controls need; `context` None is the current one."""
    api = open_client(context)
    if isinstance(api, str):
        return Preflight(target=target, problem=api, hint=HINTS["kubernetes"])
    files = files_needed(controls, beside_api=True)
    asking = _Asking(api=api, target=target, controls=controls, progress=progress)
    try:
        asked = tuple(asking.all())
    except _NoAnswer as stopped:
        failed = stopped.failed
        return Preflight(
            target=target, server=server_of(api), problem=failed.reason, hint=_hint(failed)
        )
    return Preflight(target=target, server=server_of(api), asked=asked, files=files)


def _hint(failed: Failed) -> str:
    if failed.unreachable:
        return "is the server up, and does the kubeconfig name it? try:  kubectl version"
    return "log in anew, or have a look at the user in:  kubectl config view --minify"


class _NoAnswer(Exception):
    """The server does not answer, or not to these credentials."""

    def __init__(self, failed: Failed) -> None:
        super().__init__(failed.reason)
        self.failed = failed


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asking:
    """The questions to one server."""

    api: "ApiClient"
    target: str
    controls: Sequence[str]
    progress: Progress

    def all(self) -> Iterator[Asked]:
        """Every permission that is needed, in the order of the table."""
        no_flagz = self._no_flagz()
        may_list_daemon_sets = False
        for kind, permissions in PERMISSIONS.items():
            ids = self._needing(kind, *(OF_FORWARDERS if kind is Kind.DAEMON_SETS else ()))
            for permission in permissions if ids else ():
                if kind is Kind.FLAGZ and no_flagz:
                    yield Asked(
                        permission=permission, controls=ids, may=May.NOT_NEEDED, reason=no_flagz
                    )
                    continue
                asked = self._ask(permission, ids)
                yield asked
                if kind is Kind.DAEMON_SETS:
                    may_list_daemon_sets = asked.may is May.YES
        yield from self._of_forwarders(known=may_list_daemon_sets)

    def _needing(self, *kinds: Kind) -> tuple[str, ...]:
        needs = {control: CONTROL_NEEDS.get(control, ()) for control in self.controls}
        return tuple(c for c, needed in needs.items() if not set(kinds).isdisjoint(needed))

    def _no_flagz(self) -> str:
        """Why `/flagz` is not asked for; also the first question, which finds who is down."""
        answer = questions.version(self.api)
        _stop_at(answer)
        version = read_version(answer.content) if isinstance(answer, Answer) else None
        old = version is not None and version < FLAGZ_SINCE
        return f"servers have it from {FLAGZ_SINCE} on" if old else ""

    def _of_forwarders(self, *, known: bool) -> Iterator[Asked]:
        kinds = [kind for kind in OF_FORWARDERS if self._needing(kind)]
        if not kinds:
            return
        listed = lists.daemon_sets(self.api) if known else None
        _stop_at(listed)
        why = listed.reason if isinstance(listed, NotThere | Failed) else "they may not be listed"
        for kind in kinds:
            ids = self._needing(kind)
            if not isinstance(listed, Answer):
                somewhere = OF_FORWARDERS[kind].in_namespace(_SOME_NAMESPACE)
                reason = f"the DaemonSets tell which namespaces those are, and {why}"
                yield Asked(permission=somewhere, controls=ids, may=May.UNKNOWN, reason=reason)
                continue
            for permissions in _by_namespace(kind, listed).values():
                yield worst([self._ask(permission, ids) for permission in permissions])

    def _ask(self, permission: KubernetesPermission, controls: tuple[str, ...]) -> Asked:
        self.progress(f"{self.target} {permission}")
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": _spec(permission),
        }
        answer = review(self.api, _REVIEWS, _MAY_ASK, body)
        _stop_at(answer)
        if not isinstance(answer, Answer):
            needed = f" (it needs: {_MAY_ASK})" if isinstance(answer, Failed) else ""
            may, reason = May.UNKNOWN, answer.reason + needed
        else:
            may, reason = _read(answer.content)
        return Asked(permission=permission, controls=controls, may=may, reason=reason)


def _stop_at(answer: object) -> None:
    """Where the server is down or knows nobody of these credentials, one answer says it all."""
    if isinstance(answer, Failed) and (answer.unreachable or answer.reason.startswith("401")):
        raise _NoAnswer(answer)


def _by_namespace(kind: Kind, listed: Answer) -> Mapping[str, list[KubernetesPermission]]:
    """What is asked in each namespace: of ConfigMaps, which one by one are got by name."""
    forwarders, users = logging_daemon_sets(listed)
    base = OF_FORWARDERS[kind]
    found: dict[str, list[KubernetesPermission]] = {}
    if kind is Kind.FORWARDER_PODS:
        for namespace in sorted({each.namespace for each in forwarders}):
            found[namespace] = [base.in_namespace(namespace)]
        return found
    names = {(each.namespace, use.name) for each in users for use in config_maps_used(each)}
    for namespace, name in sorted(names):
        found.setdefault(namespace, []).append(base.in_namespace(namespace, name))
    return found


def _spec(permission: KubernetesPermission) -> dict[str, Any]:
    if permission.path:
        attributes = {"path": permission.path, "verb": permission.verb}
        return {"nonResourceAttributes": attributes}
    return {
        "resourceAttributes": {
            "verb": permission.verb,
            "group": permission.group,
            "resource": permission.resource,
            "namespace": permission.namespace,
            "name": permission.name,
        }
    }


class _Status(msgspec.Struct):
    allowed: bool
    reason: str = ""


class _Review(msgspec.Struct):
    status: _Status


def _read(content: bytes) -> tuple[May, str]:
    try:
        status = msgspec.json.decode(content, type=_Review).status
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return May.UNKNOWN, "the server's answer is no SelfSubjectAccessReview"
    return May.YES if status.allowed else May.NO, status.reason[:300]
