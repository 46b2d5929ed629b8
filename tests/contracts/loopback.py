"""Serves a case as the services that it tells of, and scans them: real collectors, real sockets."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest

from kcompliance.collect.interface import Collected, Collection
from kcompliance.collect.search import DeclaredStore
from kcompliance.collect.targets import NamedTarget, collect
from kcompliance.controls import Case, published_policies
from kcompliance.model.assemble import assemble
from kcompliance.model.control import Control
from kcompliance.model.documents import read_documents
from kcompliance.model.finding import Finding
from kcompliance.model.reading import Capture, Kind, Raw, Unreadable
from kcompliance.model.search.questions import Store
from kcompliance.scan import judge_control
from tests.aws_answers.of_captures import AwsOfCaptures, fits_protocol
from tests.azure_rm.of_captures import put_captures
from tests.azure_rm.server import AzureOnLoopback
from tests.captures import NOW
from tests.collect.search.of_captures import SearchOfCaptures, stores_in
from tests.contracts.situations import EKS_TARGET
from tests.servers.canned_api import Answer, CannedApi, whole

__all__ = ["Loopback", "findings_of", "loopback", "why_not_live"]

_KUBERNETES = {
    Kind.VERSION: "/version",
    Kind.API_SERVER_PODS: "/api/v1/namespaces/kube-system/pods",
    Kind.CRON_JOBS: "/apis/batch/v1/cronjobs",
    Kind.SERVICES: "/api/v1/services",
}
_EMPTY_LISTS = (
    *_KUBERNETES.values(),
    "/api/v1/nodes",
    "/apis/apps/v1/daemonsets",
    *(
        f"/apis/rbac.authorization.k8s.io/v1/{name}"
        for name in ("roles", "clusterroles", "rolebindings", "clusterrolebindings")
    ),
)
_NOT_ENDED = ("Cancelled", "Failed", "Running", "Scheduled", "Timeout", "Unknown")
"""What a query of CloudWatch Logs is that has not looked at everything."""


def why_not_live(case: Case) -> str | None:
    """Why no service can bring about what a case holds; None where one can."""
    for capture in case.captures:
        if capture.origin.collector == "files":
            return "it is about files"
        if isinstance(capture, Raw) and not _can_be_sent(capture):
            return "no service sends this"
        if isinstance(capture, Unreadable) and capture.reason.startswith("nothing answers"):
            return "who never answers is waited for, half a minute long"
    return None


def _can_be_sent(raw: Raw) -> bool:
    """Half an answer and wrong types are never kept of a service: it is an `Unreadable` then."""
    if raw.origin.collector not in ("azure", "aws", "elasticsearch"):
        return True
    try:
        document = json.loads(raw.content)
    except ValueError:
        return False
    if raw.origin.collector == "aws" and not fits_protocol(raw.origin.kind, document):
        return False
    of_query = raw.origin.kind.value.startswith(("aws-log-", "azure-log-"))
    partly = of_query and ("error" in document or document.get("status") in _NOT_ENDED)
    return not partly


def findings_of(control: Control, case: Case, found: Collected) -> list[Finding]:
    """The verdicts on what was collected, under the parameters of the case."""
    cluster = assemble("case", found.captures, found.platform, published_policies())
    return [judged.finding for judged in judge_control(control, cluster, case.parameters)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loopback:
    """The services that stay up from case to case."""

    azure: AzureOnLoopback
    aws: AwsOfCaptures
    kubernetes: CannedApi
    kubeconfig: Path

    def scan(self, case: Case) -> tuple[Collection, Mapping[str, str]]:
        """A live scan of what a case tells of; and for each live URL that of the case."""
        own: dict[str, list[Capture]] = defaultdict(list)
        for capture in case.captures:
            own[capture.origin.collector].append(capture)
        put_captures(self.azure, own["azure"])
        self.aws.captures = own["aws"]
        self._put_kubernetes(own["kubernetes"])
        with ExitStack() as running:
            urls = {
                store.url: running.enter_context(SearchOfCaptures(store.url, case.captures)).url
                for store in stores_in(case.captures)
            }
            target = NamedTarget(
                name="case",
                cluster=_cluster(case),
                kube="kube:prod" if own["kubernetes"] else None,
                platform=case.platform,
                stores=tuple(_at(urls[store.url], store) for store in stores_in(case.captures)),
                archive=next((partial(_handed_over, c) for c in own["archive"]), None),
            )
            self._lead_here(running.enter_context(pytest.MonkeyPatch.context()))
            found = collect(["@case"], {"case": target}, None, _as_of(case), lambda what: None)
            read = tuple(found.targets)  # while somebody answers
        return replace(found, targets=read), {live: own_url for own_url, live in urls.items()}

    def _lead_here(self, patch: pytest.MonkeyPatch) -> None:
        """What a user sets so that the SDKs come here."""
        self.azure.environment(patch)
        for name, value in self.aws.environment().items():
            patch.setenv(name, value)
        patch.setenv("KUBECONFIG", str(self.kubeconfig))
        patch.setenv("KCOMPLIANCE_ELASTICSEARCH_API_KEY", "key")

    def _put_kubernetes(self, captures: list[Capture]) -> None:
        self.kubernetes.answers.clear()
        for path in _EMPTY_LISTS:
            self.kubernetes.answers[path] = whole({"kind": "List", "metadata": {}, "items": []})
        self.kubernetes.answers["/version"] = whole({"gitVersion": "v1.35.4"})
        for capture in captures:
            if capture.origin.kind in _KUBERNETES:
                self.kubernetes.answers[_KUBERNETES[capture.origin.kind]] = _of_kubernetes(capture)


def _as_of(case: Case) -> datetime:
    return case.captures[-1].origin.collected_at if case.captures else NOW


def _at(url: str, store: Store) -> DeclaredStore:
    return DeclaredStore(store=replace(store, url=url))


def _handed_over(capture: Capture, now: datetime) -> Capture:
    """An archive is read by no collector: what the case has of it is handed over as it is."""
    return capture


def _cluster(case: Case) -> str | None:
    for capture in case.captures:
        if capture.origin.kind is Kind.AKS_CLUSTER:
            return f"aks:{capture.origin.resource}"
        if capture.origin.kind is Kind.EKS_CLUSTER:
            return EKS_TARGET
    return None


def _of_kubernetes(capture: Capture) -> Answer:
    if isinstance(capture, Raw):
        (answer,) = read_documents(capture.content)
        if capture.origin.kind is Kind.API_SERVER_PODS and "items" not in answer:
            answer = {"kind": "PodList", "metadata": {}, "items": [answer]}
        return whole(answer)
    what = _KUBERNETES[capture.origin.kind].rpartition("/")[2]
    refusal = {"reason": "Forbidden", "code": 403, "message": f"{what} is forbidden"}
    return whole({"kind": "Status", "status": "Failure", **refusal}, 403)


@contextmanager
def loopback(folder: Path) -> Iterator[Loopback]:
    """All services of all cases."""
    with (
        AzureOnLoopback(folder / "azure") as azure,
        AwsOfCaptures() as aws,
        CannedApi(folder / "kubernetes") as kubernetes,
    ):
        kubeconfig = kubernetes.kubeconfig()
        kubeconfig.write_text(kubeconfig.read_text().replace('"test"', '"prod"'))
        yield Loopback(azure=azure, aws=aws, kubernetes=kubernetes, kubeconfig=kubeconfig)
