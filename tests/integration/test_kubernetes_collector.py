"""Live scans: of real clusters in all states of auditing, and of servers that answer badly.

A cluster here is a real kube-apiserver with the mirror pod that a kubelet would have made of its
manifest.
"""

import gzip
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from kcompliance.collect.kubernetes import ANSWER_SECONDS, MAX_BYTES
from tests.cli.command import Done, kcompliance
from tests.servers.canned_api import (
    Answer,
    CannedApi,
    cut_off,
    dripping,
    endless,
    first,
    page,
    whole,
)
from tests.servers.fixtures import StartKubeApiServer
from tests.servers.kube_apiserver import USERS, KubeApiServer
from tests.servers.pki import make_pki
from tests.servers.process import free_port
from tests.servers.webhook_receiver import WebhookReceiver

pytestmark = pytest.mark.integration

PODS = "/api/v1/namespaces/kube-system/pods"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
LISTS = (
    "/api/v1/nodes",
    "/api/v1/services",
    "/apis/batch/v1/cronjobs",
    "/apis/apps/v1/daemonsets",
    f"{RBAC}/roles",
    f"{RBAC}/clusterroles",
    f"{RBAC}/rolebindings",
    f"{RBAC}/clusterrolebindings",
)
EVERYTHING = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n"
ONLY_NEW_SECRETS = """\
apiVersion: audit.k8s.io/v1
kind: Policy
rules: [{level: Metadata, verbs: [create], resources: [{group: "", resources: [secrets]}]}]
"""

POLICY_SET = ("KC-AUD-005", "main")
DURABLE, LOG_SET, JSON = (("KC-AUD-006", a) for a in ("durable", "log-path-set", "json-format"))
KNOWN, FIRE, CATCH_ALL = (("KC-AUD-007", a) for a in ("known-fields", "rules-fire", "catch-all"))
WRITES = ("KC-AUD-008", "main")
ON_THE_TEXT = (KNOWN, FIRE, CATCH_ALL, WRITES)

Verdicts = dict[tuple[str, str], str]


# --- scanning --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scan:
    """What a scan with `--format json` left behind."""

    done: Done

    @property
    def findings(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.done.json["findings"]
        return found

    @property
    def verdicts(self) -> Verdicts:
        """The status of each control and aspect, of which there must be one finding."""
        keys = [(each["control"], each["aspect"]) for each in self.findings]
        assert len(keys) == len(set(keys)), self.findings
        return {key: each["status"] for key, each in zip(keys, self.findings, strict=True)}

    def errors(self) -> list[dict[str, Any]]:
        return [each for each in self.findings if each["status"] == "error"]


ALL_FOUR = frozenset({"KC-AUD-005", "KC-AUD-006", "KC-AUD-007", "KC-AUD-008"})


def scan(*arguments: str | Path, kubeconfig: Path | str, folder: Path, **environment: str) -> Scan:
    # What the collector reads and what it makes of bad answers shows in any control: those that
    # came first have one finding each, of which every word is known here.
    chosen = [word for control in sorted(ALL_FOUR) for word in ("--control", control)]
    if "--control" in arguments:
        chosen = []
    done = kcompliance(
        "scan",
        *arguments,
        *chosen,
        "--format",
        "json",
        cwd=folder,
        env={"KUBECONFIG": str(kubeconfig), **environment},
    )
    assert done.json["exit_code"] == done.code
    return Scan(done)


def add_mirror_pod(server: KubeApiServer) -> None:
    """As the kubelet of the control-plane node would, from the argv that the server really has."""
    folder = str(server.folder)
    pod = {
        "metadata": {
            "name": "kube-apiserver-node1",
            "annotations": {"kubernetes.io/config.mirror": "0123"},
            "labels": {"component": "kube-apiserver", "tier": "control-plane"},
        },
        "spec": {
            "nodeName": "node1",
            "hostNetwork": True,
            "containers": [
                {
                    "name": "kube-apiserver",
                    "image": f"kube-apiserver:v{server.version}.4",
                    "command": ["kube-apiserver", *server.argv[1:]],
                    "env": [{"name": "SECRET", "value": "hunter2"}],
                    "volumeMounts": [{"name": "files", "mountPath": folder}],
                }
            ],
            "volumes": [{"name": "files", "hostPath": {"path": folder, "type": "Directory"}}],
        },
    }
    status, text = server.request("POST", PODS, pod)
    assert status == HTTPStatus.CREATED, text


def configuration(folder: Path, server: KubeApiServer, policy: str | None) -> Path:
    """A kcompliance.yaml whose target `t` is the cluster and a copy of its node's files."""
    files = []
    if policy is not None:
        copy = folder / "node1" / server.folder.relative_to("/") / "audit-policy.yaml"
        copy.parent.mkdir(parents=True)
        copy.write_text(policy)
        files = [str(folder / "node1")]
    path = folder / "settings.yaml"
    path.write_text(json.dumps({"targets": {"t": {"kube": "kube:test", "files": files}}}))
    return path


# --- a cluster in each state -----------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How a server is started, and what a scan says of it with the policy's text at hand."""

    expected: Verdicts
    policy: str | None = None
    log: bool = False
    webhook: bool = False
    arguments: tuple[str, ...] = ()
    version: str = "1.36"


def verdicts(policy: str, durable: str, log: str, format_: str, text: str, writes: str) -> Verdicts:
    return {
        POLICY_SET: policy,
        DURABLE: durable,
        LOG_SET: log,
        JSON: format_,
        **dict.fromkeys((KNOWN, FIRE, CATCH_ALL), text),
        WRITES: writes,
    }


SOUND = verdicts("pass", "pass", "pass", "pass", "pass", "pass")
STATES = {
    "no audit at all": State(
        expected=verdicts("fail", "fail", "fail", "not_applicable", "not_applicable", "fail")
    ),
    "a policy without a backend": State(
        policy=EVERYTHING,
        expected=verdicts("pass", "fail", "fail", "not_applicable", "pass", "pass"),
    ),
    "a backend without a policy": State(
        log=True, expected=verdicts("fail", "fail", "pass", "pass", "not_applicable", "fail")
    ),
    "a log": State(policy=EVERYTHING, log=True, expected=SOUND),
    "a log of a server of 1.33": State(policy=EVERYTHING, log=True, version="1.33", expected=SOUND),
    "a log in batch mode": State(
        policy=EVERYTHING, log=True, arguments=("--audit-log-mode=batch",), expected=SOUND
    ),
    "a log in legacy format": State(
        policy=EVERYTHING,
        log=True,
        arguments=("--audit-log-format=legacy",),
        expected={**SOUND, JSON: "fail"},
    ),
    "a webhook": State(
        policy=EVERYTHING,
        webhook=True,
        expected=verdicts("pass", "pass", "fail", "not_applicable", "pass", "pass"),
    ),
    "a log of hardly anything": State(
        policy=ONLY_NEW_SECRETS, log=True, expected={**SOUND, CATCH_ALL: "fail", WRITES: "fail"}
    ),
}


@pytest.mark.parametrize("name", STATES)
def test_a_cluster_is_judged_by_how_its_server_really_runs(
    name: str,
    webhook_receiver: WebhookReceiver,  # first, so that the server finds it until it has ended
    kube_apiserver: StartKubeApiServer,
    tmp_path: Path,
) -> None:
    state = STATES[name]
    server = kube_apiserver(
        version=state.version,
        audit_policy=state.policy,
        audit_log=state.log,
        audit_webhook=webhook_receiver.kubeconfig() if state.webhook else None,
        extra_args=state.arguments,
    )
    add_mirror_pod(server)
    settings = configuration(tmp_path, server, state.policy)

    alone = scan("kube:test", kubeconfig=server.kubeconfig, folder=tmp_path)
    with_text = scan(
        "@t",
        "--config",
        settings,
        "--save-bundle",
        "saved",
        kubeconfig=server.kubeconfig,
        folder=tmp_path,
    )
    again = scan("saved", kubeconfig="/nowhere", folder=tmp_path)

    assert with_text.verdicts == state.expected
    assert alone.verdicts == {**state.expected, **(asked_for_text() if state.policy else {})}
    assert {each["confidence"] for each in alone.findings} == {"live"}
    (target,) = alone.done.json["targets"]
    assert (target["platform"], target["kubernetes_version"]) == ("self-managed", state.version)
    assert again.done.out == with_text.done.out
    assert "hunter2" not in alone.done.out + with_text.done.out
    assert not [
        p for p in (tmp_path / "saved").rglob("*") if p.is_file() and b"hunter2" in p.read_bytes()
    ]


def asked_for_text() -> Verdicts:
    """No API tells what the policy file says."""
    return dict.fromkeys((POLICY_SET, *ON_THE_TEXT), "manual")


def test_a_scan_only_reads(kube_apiserver: StartKubeApiServer, tmp_path: Path) -> None:
    """As the server itself has recorded it."""
    server = kube_apiserver(audit_policy=EVERYTHING)
    add_mirror_pod(server)

    scan("kube:test", kubeconfig=server.kubeconfig, folder=tmp_path)
    server.stop()

    ours = [
        event
        for event in server.audit_events()
        if event.get("userAgent", "").startswith("kcompliance/")
    ]
    asked = {(event["verb"], event["requestURI"].partition("?")[0]) for event in ours}
    assert asked == {
        *(("get", path) for path in ("/version", "/flagz", "/metrics")),
        *(("list", path) for path in (PODS, *LISTS)),
    }
    assert {event["user"]["username"] for event in ours} == {"admin"}


# --- permissions -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Lacking:
    """What a reader may not, what a finding must say is missing, and where it must say so."""

    rights: tuple[str, ...]
    permission: str
    controls: frozenset[str]


LACKING = {
    "pods": Lacking(
        rights=("/metrics", "/flagz"),
        permission="list on pods in the namespace kube-system",
        controls=ALL_FOUR,
    ),
    "metrics": Lacking(
        rights=("pods", "/flagz"),
        permission="get on the non-resource URL /metrics",
        controls=frozenset({"KC-AUD-006"}),
    ),
    "flagz": Lacking(
        rights=("pods", "/metrics"),
        permission="get on the non-resource URL /flagz",
        controls=ALL_FOUR,
    ),
}


@pytest.mark.parametrize("name", LACKING)
def test_a_missing_permission_is_an_error_that_names_it(
    name: str, kube_apiserver: StartKubeApiServer, tmp_path: Path
) -> None:
    lacking = LACKING[name]
    server = kube_apiserver(audit_policy=EVERYTHING)
    add_mirror_pod(server)
    pods = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]
    urls = [each for each in lacking.rights if each.startswith("/")]
    kubeconfig = reader_with(
        server,
        tmp_path,
        pods if "pods" in lacking.rights else [],
        [{"nonResourceURLs": urls, "verbs": ["get"]}],
    )

    scanned = scan("kube:test", kubeconfig=kubeconfig, folder=tmp_path)

    errors = scanned.errors()
    assert {each["permission"] for each in errors} == {lacking.permission}
    assert {each["control"] for each in errors} == lacking.controls
    assert all("403" in each["because"] for each in errors)
    assert scanned.done.code == 3


def test_a_user_without_any_rights_learns_them_all(
    kube_apiserver: StartKubeApiServer, tmp_path: Path
) -> None:
    server = kube_apiserver(audit_policy=EVERYTHING)
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(server.kubeconfig_for("nobody"))

    scanned = scan("kube:test", kubeconfig=kubeconfig, folder=tmp_path)

    assert {each["permission"] for each in scanned.errors()} == {
        lacking.permission for lacking in LACKING.values()
    }
    assert "pass" not in {each["status"] for each in scanned.findings}
    assert scanned.done.code == 3


def reader_with(
    server: KubeApiServer,
    folder: Path,
    rules: list[dict[str, Any]],
    cluster_rules: list[dict[str, Any]],
) -> Path:
    """A kubeconfig of the user audit-reader once these rights are in force."""
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    subject = {"kind": "User", "name": "audit-reader", "apiGroup": "rbac.authorization.k8s.io"}
    for kind, at, granted in (
        ("Role", f"{rbac}/namespaces/kube-system", rules),
        ("ClusterRole", rbac, cluster_rules),
    ):
        named = {"metadata": {"name": "kcompliance-scan"}}
        bound = {
            "roleRef": {"kind": kind, "name": "kcompliance-scan", "apiGroup": subject["apiGroup"]},
            "subjects": [subject],
        }
        prefix = kind.lower()
        for path, body in ((f"{prefix}s", {"rules": granted}), (f"{prefix}bindings", bound)):
            status, text = server.request("POST", f"{at}/{path}", {**named, **body})
            assert status == HTTPStatus.CREATED, text
    wanted = [url for rule in cluster_rules for url in rule["nonResourceURLs"]]
    for path in [*wanted, *([PODS] if rules else [])]:
        wait_until_allowed(server, path)
    kubeconfig = folder / "reader.kubeconfig"
    kubeconfig.write_text(server.kubeconfig_for("audit-reader"))
    return kubeconfig


def wait_until_allowed(server: KubeApiServer, path: str) -> None:
    deadline = time.monotonic() + 10
    while server.request("GET", path, user="audit-reader")[0] == HTTPStatus.FORBIDDEN:
        assert time.monotonic() < deadline, path
        time.sleep(0.05)


# --- no answer at all ------------------------------------------------------------------------


def test_credentials_that_are_not_taken_end_the_scan_with_one_error(
    kube_apiserver: StartKubeApiServer, tmp_path: Path
) -> None:
    server = kube_apiserver(audit_policy=EVERYTHING)
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(server.kubeconfig.read_text().replace(USERS["admin"].token, "stale"))

    scanned = scan("kube:test", kubeconfig=kubeconfig, folder=tmp_path)

    assert_one_error(scanned, "401: the server does not take these credentials")


def test_a_server_that_is_down_ends_the_scan_with_one_error(
    kube_apiserver: StartKubeApiServer, tmp_path: Path
) -> None:
    server = kube_apiserver()
    address = server.url
    server.stop()

    scanned = scan("kube:test", kubeconfig=server.kubeconfig, folder=tmp_path)

    assert_one_error(scanned, rf"{address} did not answer: .*[Cc]onnection refused")


@pytest.mark.parametrize(
    ("target", "kubeconfig", "words"),
    [
        ("kube:nowhere", None, r"no usable kubeconfig: .*nowhere"),
        ("kube", "/nowhere/kubeconfig", "no usable kubeconfig"),
        ("kube:test", "kubeconfig", "no usable kubeconfig"),
    ],
)
def test_a_context_that_cannot_be_used_ends_the_scan_with_one_error(
    target: str, kubeconfig: str | None, words: str, tmp_path: Path
) -> None:
    (tmp_path / "kubeconfig").write_text("contexts: [[")
    with CannedApi(tmp_path) as api:
        known = api.kubeconfig() if kubeconfig is None else kubeconfig

        scanned = scan(target, kubeconfig=known, folder=tmp_path)

    assert_one_error(scanned, words)


def test_a_server_that_another_authority_vouches_for_is_not_asked(tmp_path: Path) -> None:
    other = make_pki(tmp_path / "other")
    with canned(tmp_path) as api:
        kubeconfig = api.kubeconfig()
        config = json.loads(kubeconfig.read_text())
        config["clusters"][0]["cluster"]["certificate-authority"] = str(other.ca_certificate)
        kubeconfig.write_text(json.dumps(config))

        scanned = scan("kube:test", kubeconfig=kubeconfig, folder=tmp_path)

    assert_one_error(scanned, "certificate verify failed")
    assert api.asked == []


def assert_one_error(scanned: Scan, words: str) -> None:
    """Exit code 4, one JSON document about it, and one line for people with a hint."""
    assert scanned.done.code == 4
    assert set(scanned.done.json) == {"schema", "error", "exit_code"}
    assert re.search(words, scanned.done.json["error"]["message"]), scanned.done.out
    lines = scanned.done.err.splitlines()
    assert sum(line.startswith("error:") for line in lines) == 1
    assert re.search(words, scanned.done.err)
    assert len(lines) <= 2


def test_of_several_clusters_one_that_is_down_is_an_error_of_its_own(
    kube_apiserver: StartKubeApiServer, tmp_path: Path
) -> None:
    server = kube_apiserver(audit_policy=EVERYTHING)
    add_mirror_pod(server)
    both = tmp_path / "kubeconfig"
    both.write_text(json.dumps(with_context_down(json.loads(server.kubeconfig.read_text()))))

    alone = scan("kube:test", kubeconfig=server.kubeconfig, folder=tmp_path)
    scanned = scan("kube:test", "kube:down", kubeconfig=both, folder=tmp_path)

    up = [each for each in scanned.findings if each["target"] == "kube:test"]
    down = [each for each in scanned.findings if each["target"] == "kube:down"]
    assert {(e["control"], e["aspect"]): e["status"] for e in up} == alone.verdicts
    assert {each["status"] for each in down} == {"error"}
    assert {(each["control"], each["aspect"]) for each in down} == set(alone.verdicts)
    assert all("did not answer" in each["because"] for each in down)
    assert scanned.done.code == 3


def with_context_down(kubeconfig: dict[str, Any]) -> dict[str, Any]:
    cluster = {**kubeconfig["clusters"][0]["cluster"], "server": f"https://127.0.0.1:{free_port()}"}
    user = kubeconfig["users"][0]["name"]
    kubeconfig["clusters"].append({"name": "down", "cluster": cluster})
    kubeconfig["contexts"].append({"name": "down", "context": {"cluster": "down", "user": user}})
    return kubeconfig


def test_while_a_server_restarts_a_scan_tells_all_or_an_error(
    kube_apiserver: StartKubeApiServer, tmp_path: Path
) -> None:
    server = kube_apiserver(audit_policy=EVERYTHING)
    add_mirror_pod(server)
    settings = configuration(tmp_path, server, EVERYTHING)

    def scan_now() -> Scan:
        return scan("@t", "--config", settings, kubeconfig=server.kubeconfig, folder=tmp_path)

    before = scan_now()
    assert before.verdicts == SOUND
    restart = threading.Thread(target=server.restart)
    restart.start()
    during = []
    while restart.is_alive():
        during.append(scan_now())
    after = scan_now()

    for scanned in during:
        if scanned.done.code == 0:
            assert scanned.verdicts == SOUND
        else:
            assert scanned.done.code in (3, 4), scanned.done.out
    assert during
    assert after.verdicts == SOUND


# --- bad answers -----------------------------------------------------------------------------

VERSION = {"major": "1", "minor": "36", "gitVersion": "v1.36.4"}
METRICS = b"""\
# TYPE apiserver_audit_event_total counter
apiserver_audit_event_total 57
# TYPE apiserver_audit_level_total counter
apiserver_audit_level_total{level="Metadata"} 30
"""
FLAGS = {"audit-policy-file": "/etc/kubernetes/policy.yaml", "audit-log-path": "/var/log/a.log"}
FLAGZ = {"kind": "Flagz", "apiVersion": "config.k8s.io/v1beta1", "flags": FLAGS}
HTML = b"<!doctype html><title>Please log in</title><form action=/login>"


def api_server_pod(name: str = "kube-apiserver-node1") -> dict[str, Any]:
    mounts = [{"name": "etc", "mountPath": "/etc"}, {"name": "log", "mountPath": "/var/log"}]
    return {
        "metadata": {"name": name, "namespace": "kube-system"},
        "spec": {
            "containers": [
                {
                    "name": "kube-apiserver",
                    "image": "kube-apiserver:v1.36.4",
                    "command": ["kube-apiserver", *(f"--{k}={v}" for k, v in FLAGS.items())],
                    "volumeMounts": mounts,
                }
            ],
            "volumes": [
                {"name": each["name"], "hostPath": {"path": each["mountPath"]}} for each in mounts
            ],
        },
    }


def other_pods(number: int) -> list[dict[str, Any]]:
    return [{"metadata": {"name": f"pod-{each}"}, "spec": {}} for each in range(number)]


@contextmanager
def canned(folder: Path, bad: Mapping[str, Answer] | None = None) -> Iterator[CannedApi]:
    """A server that answers as it should but where it is told otherwise."""
    with CannedApi(folder) as api:
        api.answers = {
            "/version": whole(VERSION),
            PODS: whole(page([*other_pods(3), api_server_pod()])),
            "/flagz": whole(FLAGZ),
            "/metrics": whole(METRICS),
            **(bad or {}),
        }
        yield api


def scan_canned(folder: Path, bad: Mapping[str, Answer] | None = None) -> Scan:
    with canned(folder, bad) as api:
        return scan("kube:test", kubeconfig=api.kubeconfig(), folder=folder)


ALL_ALONE = {**SOUND, **asked_for_text()}


def test_good_answers_are_judged_as_those_of_a_real_server(tmp_path: Path) -> None:
    assert scan_canned(tmp_path).verdicts == ALL_ALONE


WHERE = {
    "/version": frozenset({"KC-AUD-005", "KC-AUD-007", "KC-AUD-008"}),
    PODS: ALL_FOUR,
    "/flagz": ALL_FOUR,
    "/metrics": frozenset({"KC-AUD-006"}),
}
GOOD: dict[str, object] = {
    "/version": VERSION,
    PODS: page([api_server_pod()]),
    "/flagz": FLAGZ,
    "/metrics": METRICS,
}
BAD: dict[str, tuple[Callable[[object], Answer], str]] = {
    "cut off": (lambda body: cut_off(body), "IncompleteRead|cut off"),
    "cut off between chunks": (
        lambda body: cut_off(body, chunked=True),
        "IncompleteRead|InvalidChunkLength|Connection broken|cut off",
    ),
    "a login page": (lambda _: whole(HTML), "not JSON|could not be read|no audit counters"),
    "an empty answer": (lambda _: whole(b""), "not JSON|could not be read|no audit counters"),
    "an error of the server": (lambda _: whole({"message": "etcd"}, 500), "500 .*: etcd"),
    "too many requests, for ever": (
        lambda _: whole({"message": "later"}, 429, {"Retry-After": "0"}),
        "429 .*: later",
    ),
    "an answer without end": (lambda _: endless(), f"larger than {MAX_BYTES // 2**20} MiB"),
    "an answer that is too large": (
        lambda _: whole(b" " * (MAX_BYTES + 1)),
        f"larger than {MAX_BYTES // 2**20} MiB",
    ),
    "an answer that unpacks without end": (
        lambda _: whole(gzip.compress(b" " * (MAX_BYTES + 10)), 200, {"Content-Encoding": "gzip"}),
        f"larger than {MAX_BYTES // 2**20} MiB",
    ),
    "an answer that does not unpack": (
        lambda _: whole(b"abc", 200, {"Content-Encoding": "gzip"}),
        "did not answer|decod",
    ),
}


@pytest.mark.parametrize("path", WHERE)
@pytest.mark.parametrize("name", BAD)
def test_a_bad_answer_is_an_error_wherever_it_counts(name: str, path: str, tmp_path: Path) -> None:
    make, words = BAD[name]

    scanned = scan_canned(tmp_path, {path: make(GOOD[path])})

    errors = scanned.errors()
    assert {each["control"] for each in errors} == WHERE[path]
    assert all(re.search(words, each["because"]) for each in errors), errors
    assert scanned.done.code == 3


def test_half_a_list_of_pods_is_no_list(tmp_path: Path) -> None:
    """The second page is missing, on which a server without a policy could be."""
    second_pages = {
        "cut off": cut_off(page([api_server_pod("kube-apiserver-node2")])),
        "expired": whole({"message": "the continue token is too old"}, 410),
        "gone": whole({"message": "no"}, 404),
        "another thing": whole({"kind": "PodList", "items": None}),
    }
    for answer in second_pages.values():
        first_page = whole(page([api_server_pod()], token="a b&c"))
        scanned = scan_canned(tmp_path_in(tmp_path), {PODS: first(1, first_page, answer)})

        assert {each["control"] for each in scanned.errors()} == ALL_FOUR
        assert scanned.done.code == 3


def tmp_path_in(folder: Path) -> Path:
    path = folder / str(len(list(folder.iterdir())))
    path.mkdir()
    return path


def test_a_list_in_pages_is_read_to_its_end(tmp_path: Path) -> None:
    pages = [
        whole(page(other_pods(2), token="a b&c")),
        whole(page([api_server_pod()], token="2")),
        whole(page([api_server_pod("kube-apiserver-node2")])),
    ]
    in_order = first(1, pages[0], first(1, pages[1], pages[2]))

    with canned(tmp_path, {PODS: in_order}) as api:
        scanned = scan("kube:test", kubeconfig=api.kubeconfig(), folder=tmp_path)

    resources = {each["resource"] for each in scanned.findings if each["aspect"] == "durable"}
    assert resources == {f"kube-system/kube-apiserver-node{number}" for number in (1, 2)}
    asked = [each.path for each in api.asked if each.path.startswith(PODS)]
    assert [each.rpartition("continue=")[2] for each in asked[1:]] == ["a%20b%26c", "2"]


def test_a_list_whose_pages_never_end_is_given_up(tmp_path: Path) -> None:
    scanned = scan_canned(tmp_path, {PODS: whole(page(other_pods(1), token="again"))})

    assert {each["control"] for each in scanned.errors()} == ALL_FOUR


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(whole({"message": "later"}, 429, {"Retry-After": "1"}), id="429"),
        pytest.param(whole({"message": "starting"}, 503), id="503"),
    ],
)
def test_what_passes_is_waited_for(answer: Answer, tmp_path: Path) -> None:
    good = whole(page([api_server_pod()]))

    scanned = scan_canned(tmp_path, {PODS: first(2, answer, good)})

    assert scanned.verdicts == ALL_ALONE


def test_nothing_is_tried_again_for_ever(tmp_path: Path) -> None:
    busy = whole({"message": "later"}, 429, {"Retry-After": "0"})

    with canned(tmp_path, {PODS: busy}) as api:
        scanned = scan("kube:test", kubeconfig=api.kubeconfig(), folder=tmp_path)

    assert len([each for each in api.asked if each.path.startswith(PODS)]) == 4
    others = [each.path.partition("?")[0] for each in api.asked if not each.path.startswith(PODS)]
    assert len(others) == len(set(others))
    assert scanned.errors()


@pytest.mark.long
def test_an_answer_that_only_drips_is_given_up(tmp_path: Path) -> None:
    """A byte every second keeps each single read alive for ever."""
    scanned = scan_canned(tmp_path, {"/metrics": dripping(1, b" " * 1000)})

    (error,) = scanned.errors()
    assert error["control"] == "KC-AUD-006"
    assert error["because"].endswith(f"not complete after {ANSWER_SECONDS} seconds")


def test_the_credentials_follow_no_redirect_to_another_server(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with CannedApi(tmp_path / "other") as other, canned(tmp_path) as api:
        for path in WHERE:
            other.answers[path] = whole(GOOD[path])
            api.answers[path] = whole(b"", 302, {"Location": f"{other.url}{path}"})

        scan("kube:test", kubeconfig=api.kubeconfig(), folder=tmp_path)

    assert all("authorization" in each.headers for each in api.asked)
    assert not [each for each in other.asked if "authorization" in each.headers]


def test_nothing_of_the_credentials_is_shown_or_saved(tmp_path: Path) -> None:
    with canned(tmp_path) as api:
        scanned = scan(
            "kube:test", "--save-bundle", "saved", kubeconfig=api.kubeconfig(), folder=tmp_path
        )

    assert api.asked[0].headers["authorization"] == "Bearer a-secret-token"
    saved = [path.read_text() for path in (tmp_path / "saved").rglob("*") if path.is_file()]
    assert "a-secret-token" not in "".join([scanned.done.out, scanned.done.err, *saved])
