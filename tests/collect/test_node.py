"""What is brought back of a node that is looked at through its own folders."""

import json
import os
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from kcompliance.collect.bundle import read_bundle, write_bundle
from kcompliance.collect.interface import Collected, Collection
from kcompliance.collect.node.collector import open_node
from kcompliance.collect.node.processes import processes
from kcompliance.collect.node.root import NodeRoot
from kcompliance.controls import load_controls
from kcompliance.errors import UsageError
from kcompliance.model.assemble import assemble
from kcompliance.model.in_force import FoundPolicy, policy_of, replicas
from kcompliance.model.node_facts import FileType
from kcompliance.model.reading import Capture, Kind, Raw
from kcompliance.scan import evaluate
from tests.captures import LOG_FLAG, NOW, POLICY_FLAG, SOUND_POLICY, pod
from tests.collect.node_layouts import (
    MANIFEST,
    POLICY,
    WEBHOOK,
    at,
    collected,
    facts_of,
    gaps,
    k3s,
    kubeadm,
    put,
    rke2,
)
from tests.servers.toolchain import REPOSITORY

SECRET = "hunter2"
"""What must never be kept."""
_SHARED = REPOSITORY.parent / "shared/data/apiserver-manifests"
FOREIGN = sorted(
    path
    for pattern in ("siderolabs__talos/*.yaml", "kubernetes__kops/*kube-apiserver*.yaml")
    for path in _SHARED.glob(pattern)
    if b"command" in path.read_bytes() or b"args" in path.read_bytes()
)


def _kinds(captures: tuple[Capture, ...]) -> dict[Kind, list[str]]:
    found: dict[Kind, list[str]] = {}
    for capture in captures:
        found.setdefault(capture.origin.kind, []).append(capture.origin.resource)
    return found


def _contents(captures: tuple[Capture, ...]) -> bytes:
    return b"".join(capture.content for capture in captures if isinstance(capture, Raw))


# --- layouts -------------------------------------------------------------------------------------


def test_a_kubeadm_node_is_read_along_its_manifest(tmp_path: Path) -> None:
    captures = collected(kubeadm(tmp_path))

    kinds = _kinds(captures)
    assert kinds[Kind.OBJECTS] == [f"node:cp-1{MANIFEST}"]
    assert kinds[Kind.AUDIT_POLICY] == [f"node:cp-1{POLICY}"]
    assert kinds[Kind.KUBELET_CONFIG] == ["node:cp-1/var/lib/kubelet/config.yaml"]
    assert gaps(captures) == []
    (replica,) = replicas(assemble("c", captures))
    assert isinstance(policy_of(assemble("c", captures), replica), FoundPolicy)
    facts = facts_of(captures)
    assert [facts.reached(path).mode for path in (POLICY, MANIFEST)] == [0o600, 0o600]  # type: ignore[union-attr]
    log = facts.reached("/var/log/kubernetes/audit/audit.log")
    assert log is not None
    assert log.size == len("hunter2-line\n")
    assert facts.processes is None


def test_of_a_log_nothing_is_read(tmp_path: Path) -> None:
    captures = collected(kubeadm(tmp_path))

    assert SECRET.encode() not in _contents(captures)


def test_a_manifest_in_the_folder_that_the_kubelet_names_is_found(tmp_path: Path) -> None:
    kubeadm(tmp_path)
    put(tmp_path, "/var/lib/kubelet/config.yaml", _kubelet("/opt/pods"))
    (tmp_path / "opt").mkdir()
    (tmp_path / MANIFEST.lstrip("/")).parent.rename(tmp_path / "opt/pods")

    captures = collected(tmp_path)

    assert _kinds(captures)[Kind.OBJECTS] == ["node:cp-1/opt/pods/kube-apiserver.yaml"]
    missing = facts_of(captures).file("/etc/kubernetes/manifests")
    assert missing is not None
    assert missing.type is FileType.MISSING


def _kubelet(folder: str) -> str:
    kind = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"
    return f"{kind}staticPodPath: {folder}\n"


def test_a_copy_of_the_manifest_counts_and_a_hidden_file_does_not(tmp_path: Path) -> None:
    kubeadm(tmp_path)
    put(tmp_path, MANIFEST + ".bak", pod(LOG_FLAG))
    put(tmp_path, "/etc/kubernetes/manifests/.kube-apiserver.yaml.swp", pod(LOG_FLAG))

    objects = _kinds(collected(tmp_path))[Kind.OBJECTS]

    assert objects == [f"node:cp-1{MANIFEST}", f"node:cp-1{MANIFEST}.bak"]


def test_k3s_is_read_as_it_puts_its_files_together(tmp_path: Path) -> None:
    captures = collected(k3s(tmp_path))

    (server,) = assemble("c", captures).api_servers
    flags = {flag.name: flag.value for flag in server.value.arguments.flags}
    assert flags == {
        "audit-policy-file": "/var/lib/rancher/k3s/server/audit.yaml",
        "audit-log-path": "/var/lib/rancher/k3s/server/logs/audit.log",
    }
    assert _kinds(captures)[Kind.AUDIT_POLICY] == [
        "node:edge-1/var/lib/rancher/k3s/server/audit.yaml"
    ]
    assert SECRET.encode() not in _contents(captures)
    assert "/token" in server.raw.redactions


def test_an_option_in_the_unit_of_k3s_wins_over_its_files(tmp_path: Path) -> None:
    k3s(tmp_path)
    unit = "ExecStart=/usr/local/bin/k3s server '--kube-apiserver-arg=audit-log-path=-'\n"
    put(tmp_path, "/etc/systemd/system/k3s.service", f"[Service]\n{unit}")

    (server,) = assemble("c", collected(tmp_path)).api_servers

    assert [(f.name, f.value) for f in server.value.arguments.flags] == [("audit-log-path", "-")]


def test_a_k3s_server_without_a_configuration_is_one_without_audit(tmp_path: Path) -> None:
    put(tmp_path, "/etc/hostname", "edge-1")
    put(tmp_path, "/etc/systemd/system/k3s.service", "ExecStart=/usr/local/bin/k3s server\n")

    (server,) = assemble("c", collected(tmp_path)).api_servers

    assert server.value.arguments.flags == ()


def test_an_agent_of_k3s_runs_no_server(tmp_path: Path) -> None:
    put(tmp_path, "/etc/hostname", "edge-2")
    put(tmp_path, "/etc/rancher/k3s/config.yaml", "token: hunter2-token\nserver: https://a:6443\n")

    captures = collected(tmp_path)

    assert assemble("c", captures).api_servers == ()
    assert SECRET.encode() not in _contents(captures)


def test_of_rke2_its_manifest_counts_and_not_its_configuration_too(tmp_path: Path) -> None:
    captures = collected(rke2(tmp_path))

    assert _kinds(captures)[Kind.OBJECTS] == [
        "node:rke-1/var/lib/rancher/rke2/agent/pod-manifests/kube-apiserver.yaml"
    ]
    assert _kinds(captures)[Kind.AUDIT_POLICY] == ["node:rke-1/etc/rancher/rke2/audit-policy.yaml"]
    assert SECRET.encode() not in _contents(captures)


def test_the_webhook_is_kept_without_its_credentials(tmp_path: Path) -> None:
    kubeadm(tmp_path, POLICY_FLAG, "--audit-webhook-config-file=/etc/kubernetes/audit-policy.d/w")
    manifest = tmp_path / MANIFEST.lstrip("/")
    mount = "        - {name: w, mountPath: /etc/kubernetes/audit-policy.d}\n  volumes:\n"
    volume = "    - {name: w, hostPath: {path: /srv/audit}}\n"
    manifest.write_text(manifest.read_text().replace("  volumes:\n", mount) + volume)
    put(tmp_path, "/srv/audit/w", WEBHOOK)

    captures = collected(tmp_path)

    assert _kinds(captures)[Kind.WEBHOOK_CONFIG] == ["node:cp-1/srv/audit/w"]
    assert b"audit.example" in _contents(captures)
    assert SECRET.encode() not in _contents(captures)


def test_rules_of_auditd_and_falco_are_kept(tmp_path: Path) -> None:
    kubeadm(tmp_path)
    put(tmp_path, "/etc/audit/rules.d/k8s.rules", "-w /etc/kubernetes -p wa -k k8s\n")
    put(tmp_path, "/etc/audit/auditd.conf", "log_file = /var/log/audit/audit.log\n")
    put(tmp_path, "/etc/falco/falco_rules.local.yaml", "- rule: a\n")

    captures = collected(tmp_path)

    kinds = _kinds(captures)
    assert kinds[Kind.AUDITD_RULES] == ["node:cp-1/etc/audit/rules.d/k8s.rules"]
    assert kinds[Kind.FALCO_RULES] == ["node:cp-1/etc/falco/falco_rules.local.yaml"]
    types = {f.path: f.type for f in facts_of(captures).files}
    assert types["/etc/audit/auditd.conf"] is FileType.FILE
    assert types["/run/auditd.pid"] is FileType.MISSING


@pytest.mark.parametrize("path", FOREIGN, ids=lambda path: path.name)
def test_manifests_of_other_tools_are_found(path: Path, tmp_path: Path) -> None:
    put(tmp_path, "/etc/hostname", "cp-1")
    documents = yaml.safe_load_all(path.read_bytes())
    document = next(each for each in documents if "bin/kube-apiserver" in str(each))
    manifest = document.get("contents") or path.read_bytes()  # kops says what it writes
    put(tmp_path, f"/etc/kubernetes/manifests/{path.name}", manifest)

    captures = collected(tmp_path)

    assert assemble("c", captures).api_servers
    assert not [gap for gap in gaps(captures) if gap.origin.kind is Kind.OBJECTS]


def test_manifests_of_other_tools_are_at_hand() -> None:
    if not FOREIGN:
        pytest.skip(f"left out: no manifests of other tools in {_SHARED}")
    assert len(FOREIGN) > 3


# --- links and other traps -----------------------------------------------------------------------


@pytest.fixture
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("outside") / "secret"
    file.write_text(SOUND_POLICY + f"# {SECRET}\n")
    return file


def _replace(path: Path, make: Callable[[Path], None]) -> None:
    path.unlink()
    make(path)


LINKS = ["absolute", "upward", "chained", "through-proc"]


@pytest.mark.parametrize("kind", LINKS)
def test_no_link_leads_out_of_the_root(kind: str, tmp_path: Path, outside: Path) -> None:
    kubeadm(tmp_path)
    policy = tmp_path / POLICY.lstrip("/")
    targets = {
        "absolute": str(outside),
        "upward": "../" * 30 + str(outside).lstrip("/"),
        "chained": "link",
        "through-proc": f"/proc/self/root{outside}",
    }
    _replace(policy, lambda path: path.symlink_to(targets[kind]))
    (policy.parent / "link").symlink_to(outside)

    captures = collected(tmp_path)

    assert SECRET.encode() not in _contents(captures)
    assert Kind.AUDIT_POLICY not in _kinds(captures)
    facts = facts_of(captures)
    link = facts.file(POLICY)
    assert link is not None
    assert (link.type, link.target) == (FileType.LINK, targets[kind])
    assert facts.way(POLICY)[-1].type is FileType.MISSING


def test_an_absolute_link_leads_below_the_root(tmp_path: Path) -> None:
    kubeadm(tmp_path)
    policy = tmp_path / POLICY.lstrip("/")
    put(tmp_path, "/srv/policy.yaml", SOUND_POLICY, 0o640)
    _replace(policy, lambda path: path.symlink_to("/srv/policy.yaml"))

    captures = collected(tmp_path)

    assert _kinds(captures)[Kind.AUDIT_POLICY] == [f"node:cp-1{POLICY}"]
    reached = facts_of(captures).reached(POLICY)
    assert reached is not None
    assert (reached.path, reached.mode) == ("/srv/policy.yaml", 0o640)


def test_a_link_below_a_mount_that_leaves_it_is_a_gap(tmp_path: Path) -> None:
    """In the container it leads elsewhere, so the file at its end is not the server's."""
    kubeadm(tmp_path)
    manifest = tmp_path / MANIFEST.lstrip("/")
    text = manifest.read_text().replace(f"mountPath: {POLICY}", "mountPath: /etc/kubernetes")
    text = text.replace(f"hostPath: {{path: {POLICY}}}", "hostPath: {path: /etc/kubernetes}")
    manifest.write_text(text)
    put(tmp_path, "/srv/policy.yaml", SOUND_POLICY)
    _replace(tmp_path / POLICY.lstrip("/"), lambda path: path.symlink_to("/srv/policy.yaml"))

    captures = collected(tmp_path)

    (gap,) = gaps(captures)
    assert gap.origin.kind is Kind.AUDIT_POLICY
    assert "a link out of /etc/kubernetes" in gap.reason


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    kubeadm(tmp_path)
    policy = tmp_path / POLICY.lstrip("/")
    _replace(policy, lambda path: path.symlink_to("other"))
    (policy.parent / "other").symlink_to(policy.name)

    facts = facts_of(collected(tmp_path))

    assert facts.reached(POLICY) is None
    assert {f.path for f in facts.files if f.type is FileType.LINK} == {
        POLICY,
        "/etc/kubernetes/other",
    }


def _device(path: Path) -> None:
    try:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 9))
    except PermissionError:
        pytest.skip("this user makes no devices")


@pytest.mark.parametrize(
    "make", [os.mkfifo, _device, lambda path: path.mkdir()], ids=["pipe", "device", "folder"]
)
def test_what_is_no_file_is_never_opened(make: Callable[[Path], None], tmp_path: Path) -> None:
    kubeadm(tmp_path)
    _replace(tmp_path / POLICY.lstrip("/"), make)

    captures = collected(tmp_path)

    (gap,) = gaps(captures)
    assert gap.origin.kind is Kind.AUDIT_POLICY
    assert "not read: it is a" in gap.reason


def test_a_file_that_is_swapped_all_the_time_never_shows_what_is_outside(
    tmp_path: Path, outside: Path
) -> None:
    file = put(tmp_path, "/etc/kubernetes/audit-policy.yaml", SOUND_POLICY)
    link, kept = tmp_path / "link", tmp_path / "kept"
    done = threading.Event()

    def swap() -> None:
        while not done.is_set():
            link.symlink_to(outside)
            file.rename(kept)
            link.rename(file)
            kept.replace(file)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        with NodeRoot(tmp_path) as root:
            links, read = set(), set()
            for _ in range(100_000):
                found, data = root.read(POLICY, 4096)
                links.add(bool(found.links))
                read.add(data)
                if links == {True, False} and len(read) > 1:
                    break
    finally:
        done.set()
        thread.join()

    assert links == {True, False}
    assert read == {None, SOUND_POLICY.encode()}


def test_a_file_that_is_no_policy_is_not_kept(tmp_path: Path) -> None:
    kubeadm(tmp_path)
    put(tmp_path, POLICY, "root:$6$hunter2:19000::::::\n")

    captures = collected(tmp_path)

    (gap,) = gaps(captures)
    assert gap.origin.kind is Kind.AUDIT_POLICY
    assert SECRET.encode() not in _contents(captures)


def test_a_file_that_is_too_large_is_a_gap(tmp_path: Path) -> None:
    kubeadm(tmp_path)
    put(tmp_path, POLICY, SOUND_POLICY + "#" * (4 * 1024 * 1024))

    (gap,) = gaps(collected(tmp_path))

    assert "larger than" in gap.reason


def test_names_that_are_not_utf_8_are_told(tmp_path: Path) -> None:
    kubeadm(tmp_path)
    name = os.fsencode(tmp_path / "var/log/kubernetes/audit") + b"/audit-\xff.log"
    Path(os.fsdecode(name)).touch()

    paths = [file.path for file in facts_of(collected(tmp_path)).files]

    assert "/var/log/kubernetes/audit/audit-\\xff.log" in paths


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can reach, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_what_may_not_be_read_is_a_gap_that_says_what_is_needed(open_folder: Path) -> None:
    """As another user than root, who may read everything."""
    kubeadm(open_folder)
    (open_folder / "var/lib/kubelet/config.yaml").chmod(0o644)
    (open_folder / "etc/kubernetes/manifests").chmod(0o700 if os.geteuid() == 0 else 0)
    done = subprocess.run(
        [sys.executable, "-B", "-c", _AS_NOBODY, str(open_folder)],
        env={"PYTHONPATH": str(REPOSITORY), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    (gap,) = done.stdout.splitlines()
    assert gap.startswith("objects|node:cp-1/etc/kubernetes/manifests|the capability")
    assert "Permission denied" in gap


_AS_NOBODY = """
import ctypes, os, sys
from pathlib import Path
from tests.collect.node_layouts import collected, gaps
if os.geteuid() == 0:
    os.setgroups([]), os.setgid(65534), os.setuid(65534)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # its own /proc is its own again
for gap in gaps(collected(Path(sys.argv[1]))):
    print(gap.origin.kind.value, gap.origin.resource, gap.permission, gap.reason, sep="|")
"""


# --- names, times, processes ---------------------------------------------------------------------


def test_a_root_without_a_name_needs_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not tell its name"):
        open_node(str(tmp_path), None)

    assert open_node(str(tmp_path), "cp-1").name == "cp-1"


@pytest.mark.parametrize("name", ["CP 1", "../x", "a/b", "", "x" * 300, "a\n"])
def test_what_no_node_can_be_called_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no name of a node"):
        open_node(str(tmp_path), name)


def test_how_fast_a_log_grows_is_told_by_its_rotated_files(tmp_path: Path) -> None:
    kubeadm(tmp_path)
    begin = datetime(2026, 1, 10, tzinfo=UTC)
    folder = "/var/log/kubernetes/audit/"
    for hours, size in ((0, 7), (2, 4000), (4, 1000)):
        moment = begin + timedelta(hours=hours)
        put(tmp_path, f"{folder}audit-{moment:%Y-%m-%dT%H-%M-%S}.000.log", "x" * size)
    at(put(tmp_path, f"{folder}audit.log", "x" * 500), (begin + timedelta(hours=5)).timestamp())

    (rate,) = facts_of(collected(tmp_path)).log_rates

    assert (rate.size, rate.hours, rate.peak) == (5500, 5.0, 2000)
    assert rate.path == f"{folder}audit.log"


def test_a_folder_named_proc_is_no_proc(tmp_path: Path) -> None:
    put(tmp_path, "/proc/stat", "cpu 1\nbtime 1700000000\n")
    put(tmp_path, "/proc/1/cmdline", "kube-apiserver\0")

    with NodeRoot(tmp_path) as root:
        assert processes(root) is None


def test_processes_of_interest_are_told_without_their_secrets() -> None:
    argv = ["falco", "-c", "import time; time.sleep(60)", "--token=hunter2", "--password", SECRET]
    before = datetime.now(UTC)
    with subprocess.Popen(argv, executable=sys.executable) as process:
        try:
            with NodeRoot(Path("/")) as root:
                found = {each.pid: each for each in processes(root) or ()}
        finally:
            process.kill()

    falco = found[process.pid]
    assert (falco.name, falco.uid) == ("falco", os.geteuid())
    assert SECRET not in " ".join(falco.arguments)
    assert falco.started is not None
    assert abs(falco.started - before) < timedelta(minutes=5)


# --- into a bundle and back ----------------------------------------------------------------------


def test_a_bundle_of_a_node_gives_the_same_findings(tmp_path: Path) -> None:
    captures = collected(kubeadm(tmp_path / "node"))
    target = Collected(name="node:cp-1", captures=captures)
    write_bundle(Collection(as_of=NOW, targets=(target,), parameters={}), tmp_path / "bundle")
    (again,) = read_bundle(tmp_path / "bundle").targets

    assert again.captures == captures
    assert _verdicts(again) == _verdicts(target)


def _verdicts(target: Collected) -> str:
    judged = evaluate(assemble(target.name, target.captures), load_controls().values(), {})
    return json.dumps([repr(item) for item in judged])
