import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from kcompliance.model.apiserver import (
    ApiServer,
    Arguments,
    Durable,
    Ephemeral,
    FromObject,
    HostPath,
    Mount,
    Source,
    UnknownSource,
    api_servers_in,
    audit_settings,
)
from kcompliance.model.kubernetes_version import KubernetesVersion

POD = """
apiVersion: v1
kind: Pod
metadata: {name: kube-apiserver-cp1, namespace: kube-system, labels: {component: kube-apiserver}}
spec:
  containers:
  - name: kube-apiserver
    image: registry.k8s.io/kube-apiserver:v1.33.5@sha256:0123
    command:
    - kube-apiserver
    - --audit-policy-file=/etc/kubernetes/audit-policy.yaml
    - --audit-log-path=/var/log/kubernetes/audit/audit.log
    volumeMounts:
    - {name: policy, mountPath: /etc/kubernetes/audit-policy.yaml, readOnly: true}
    - {name: log, mountPath: /var/log/kubernetes/audit/}
  - name: sidecar
    image: example/kube-apiserver-proxy:v9
    command: [/kube-apiserver-proxy, --audit-log-path=/x]
  volumes:
  - {name: policy, hostPath: {path: /srv/audit-policy.yaml, type: File}}
  - {name: log, hostPath: {path: /srv/audit, type: DirectoryOrCreate}}
"""


def servers(text: str) -> tuple[ApiServer, ...]:
    found = api_servers_in(yaml.safe_load(text))
    assert found.problems == ()
    return found.servers


def only_server(text: str) -> ApiServer:
    (server,) = servers(text)
    return server


def pod(container: dict[str, Any], volumes: list[Any] | None = None) -> dict[str, Any]:
    return {
        "kind": "Pod",
        "metadata": {"name": "a"},
        "spec": {"containers": [container], "volumes": volumes or []},
    }


def server_with(*mounts: Mount, on_host: bool = False) -> ApiServer:
    return ApiServer(name="a", source="Pod", arguments=Arguments(), mounts=mounts, on_host=on_host)


# --- pods ------------------------------------------------------------------------------------


def test_a_static_pod() -> None:
    server = only_server(POD)
    assert server.name == "kube-system/kube-apiserver-cp1"
    assert server.source == "Pod"
    assert server.version == KubernetesVersion(1, 33)
    assert not server.on_host
    assert server.arguments.value("audit-log-path") == "/var/log/kubernetes/audit/audit.log"
    assert server.host_path("/etc/kubernetes/audit-policy.yaml") == "/srv/audit-policy.yaml"
    assert server.host_path("/var/log/kubernetes/audit/audit.log") == "/srv/audit/audit.log"
    assert server.host_path("/var/log/kubernetes/other.log") is None
    mount = server.mount_for("/etc/kubernetes/audit-policy.yaml")
    assert mount is not None
    assert mount.read_only


@pytest.mark.parametrize("kind", ["List", "PodList"])
def test_lists_of_pods(kind: str) -> None:
    one = yaml.safe_load(POD)
    two = {key: value for key, value in one.items() if key != "kind"}
    items = [one, two if kind == "PodList" else one, {"kind": "Service"}, None, "x"]
    found = api_servers_in({"kind": "List", "items": [{"kind": kind, "items": items}]})
    assert len(found.servers) == 2
    assert api_servers_in([one, [one]]).servers == found.servers


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", None])
def test_hosted_control_planes_are_workloads(kind: str | None) -> None:
    container = {
        "name": "apiserver",
        "command": ["/usr/local/bin/kube-apiserver"],
        "args": ["--audit-log-path", "/var/log/kubernetes/audit/audit.log"],
        "volumeMounts": [{"name": "audit-log", "mountPath": "/var/log/kubernetes/audit"}],
    }
    document = {
        "kind": kind,
        "metadata": {"name": "apiserver", "namespace": "cluster-x"},
        "spec": {
            "template": {
                "spec": {
                    "containers": [container],
                    "volumes": [{"name": "audit-log", "emptyDir": {}}],
                }
            }
        },
    }
    (server,) = api_servers_in(document).servers
    assert server.name == "cluster-x/apiserver"
    assert server.source == (kind or "PodTemplate")
    mount = server.mount_for("/var/log/kubernetes/audit/audit.log")
    assert mount is not None
    assert mount.source == Ephemeral(kind="emptyDir")
    assert server.host_path("/var/log/kubernetes/audit/audit.log") is None


def test_two_servers_in_one_pod_have_names_of_their_own() -> None:
    document = pod({"name": "one", "command": ["kube-apiserver", "--v=1"]})
    document["spec"]["containers"].append({"name": "two", "command": ["kube-apiserver", "--v=2"]})
    assert [server.name for server in api_servers_in(document).servers] == ["a/one", "a/two"]


def test_a_pod_that_looks_like_the_server_but_is_not_understood_is_a_problem() -> None:
    document = pod({"name": "kube-apiserver", "command": ["/strange", "--audit-log-path=/a"]})
    found = api_servers_in(document)
    assert found.servers == ()
    assert found.problems == ("a: none of its containers is seen to start kube-apiserver",)
    labelled = pod({"name": "b", "command": ["/strange"]})
    labelled["metadata"]["labels"] = {"component": "kube-apiserver"}
    assert api_servers_in(labelled).problems


def test_variables_of_the_container_are_put_in_as_the_kubelet_does() -> None:
    container = {
        "name": "a",
        "command": ["kube-apiserver"],
        "args": ["--audit-log-path=$(FILE)", "--advertise-address=$(IP)", "--etcd-prefix=$$(DIR)"],
        "env": [
            {"name": "DIR", "value": "/var/log"},
            {"name": "FILE", "value": "$(DIR)/audit.log"},
            {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        ],
    }
    (server,) = api_servers_in(pod(container)).servers
    assert server.arguments.value("audit-log-path") == "/var/log/audit.log"
    address = server.arguments.flag("advertise-address")
    assert address is not None
    assert not address.known


def test_an_image_whose_entry_point_gets_flags_only() -> None:
    container = {"image": "registry.k8s.io/kube-apiserver:v1.36.0", "args": ["--v=2"]}
    (server,) = api_servers_in(pod(container)).servers
    assert server.arguments.value("v") == "2"
    assert api_servers_in(pod({**container, "image": "example/other:v1"})).servers == ()


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("registry.k8s.io/kube-apiserver:v1.36.4", KubernetesVersion(1, 36)),
        ("localhost:5000/kube-apiserver:1.29.6", KubernetesVersion(1, 29)),
        ("rancher/hardened-kubernetes:v1.31.4-rke2r1-build2024", KubernetesVersion(1, 31)),
        ("kube-apiserver@sha256:abc", None),
        ("kube-apiserver:latest", None),
        ("kube-apiserver", None),
        ("example/entry-point:v1.2", None),
        ("quay.io/openshift/kube-control-plane:v4.15", None),
        ("", None),
    ],
)
def test_the_version_in_the_tag_of_the_image(image: str, version: KubernetesVersion | None) -> None:
    (server,) = api_servers_in(pod({"image": image, "command": ["kube-apiserver"]})).servers
    assert server.version == version


# --- mounts ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("volume", "source"),
    [
        ({"hostPath": {"path": "/x", "type": "File"}}, HostPath(path="/x")),
        ({"hostPath": {}}, UnknownSource(reason="a hostPath without path")),
        ({"emptyDir": {"medium": "Memory"}}, Ephemeral(kind="emptyDir")),
        ({}, Ephemeral(kind="emptyDir")),
        ({"ephemeral": {}}, Ephemeral(kind="ephemeral")),
        ({"configMap": {"name": "c"}}, FromObject(kind="configMap", name="c")),
        ({"secret": {"secretName": "s"}}, FromObject(kind="secret", name="s")),
        ({"projected": {"sources": []}}, FromObject(kind="projected", name="")),
        ({"persistentVolumeClaim": {}}, Durable(kind="persistentVolumeClaim")),
        ({"nfs": {}}, Durable(kind="nfs")),
        ({"csi": {}}, Durable(kind="csi")),
        ({"brandNew": {}}, UnknownSource(reason="a volume of type 'brandNew'")),
        (
            {"hostPath": {"path": "/x"}, "emptyDir": {}},
            UnknownSource(reason="more than one source: emptyDir, hostPath"),
        ),
    ],
)
def test_what_a_volume_is(volume: dict[str, Any], source: Source) -> None:
    container = {"command": ["kube-apiserver"], "volumeMounts": [{"name": "v", "mountPath": "/m"}]}
    (server,) = api_servers_in(pod(container, [{"name": "v", **volume}])).servers
    assert server.mounts == (Mount(path="/m", source=source),)


def test_a_mount_of_a_volume_that_is_not_there_or_there_twice() -> None:
    container = {"command": ["kube-apiserver"], "volumeMounts": [{"name": "v", "mountPath": "/m"}]}
    (server,) = api_servers_in(pod(container)).servers
    assert server.mounts is not None
    assert server.mounts[0].source == UnknownSource(reason="no volume has the name 'v'")
    twice = [{"name": "v", "hostPath": {"path": "/x"}}, {"name": "v", "emptyDir": {}}]
    (server,) = api_servers_in(pod(container, twice)).servers
    assert server.mounts is not None
    assert server.mounts[0].source == UnknownSource(reason="two volumes have the name 'v'")


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/var/log/audit.log", "/srv/log/audit.log"),
        ("/var/log/kubernetes/audit.log", "/srv/kubernetes/audit.log"),
        ("/var/log/kubernetes", "/srv/kubernetes"),
        ("/var/log/kubernetes-other/a", "/srv/log/kubernetes-other/a"),
        ("/var/log/../log//./kubernetes/a", "/srv/kubernetes/a"),
        ("/var/log/kubernetes/../a", "/srv/log/a"),
        ("/var/lo", None),
        ("/../../var/log/a", "/srv/log/a"),
        ("var/log/a", None),
        ("", None),
        ("-", None),
    ],
)
def test_the_longest_mount_above_a_path_decides(path: str, found: str | None) -> None:
    server = server_with(
        Mount(path="/var/log/kubernetes/", source=HostPath(path="/srv/kubernetes")),
        Mount(path="/var/log", source=HostPath(path="/srv/log/")),
    )
    assert server.host_path(path) == found


def test_a_mount_of_something_else_below_a_host_path_hides_it() -> None:
    server = server_with(
        Mount(path="/var/log", source=HostPath(path="/var/log")),
        Mount(path="/var/log/audit", source=Ephemeral(kind="emptyDir")),
    )
    assert server.host_path("/var/log/audit/audit.log") is None
    assert server.host_path("/var/log/audit.log") == "/var/log/audit.log"


def test_a_sub_path_is_below_the_path_of_the_volume() -> None:
    source = HostPath(path="/srv")
    known = server_with(Mount(path="/p.yaml", source=source, sub_path="a/policy.yaml"))
    assert known.host_path("/p.yaml") == "/srv/a/policy.yaml"
    unknown = server_with(Mount(path="/p.yaml", source=source, sub_path="$(NODE)/policy.yaml"))
    assert unknown.host_path("/p.yaml") is None


def test_the_root_can_be_mounted() -> None:
    server = server_with(Mount(path="/", source=HostPath(path="/")))
    assert server.host_path("/a/b") == "/a/b"
    assert server.host_path("/") == "/"


def test_a_server_on_the_host_has_the_paths_of_the_node() -> None:
    on_host = ApiServer(name="a", source="k3s", arguments=Arguments(), on_host=True)
    assert on_host.host_path("/a/../b") == "/b"
    assert on_host.host_path("b") is None
    untold = ApiServer(name="a", source="ps", arguments=Arguments())
    assert untold.host_path("/a") is None
    assert untold.mount_for("/a") is None


# --- configurations --------------------------------------------------------------------------

KUBEADM_V1BETA3 = """
apiVersion: kubeadm.k8s.io/v1beta3
kind: ClusterConfiguration
kubernetesVersion: v1.29.6
apiServer:
  extraArgs:
    audit-policy-file: /etc/kubernetes/audit/policy.yaml
    audit-log-maxage: 30
    audit-log-compress: true
  extraVolumes:
  - {name: audit, hostPath: /srv/audit, mountPath: /etc/kubernetes/audit, readOnly: true}
"""

KUBEADM_V1BETA4 = """
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
apiServer:
  extraArgs:
  - {name: audit-log-path, value: /a}
  - {name: audit-log-path, value: /b}
  - {name: audit-log-maxage, value: ""}
"""


def test_kubeadm_up_to_v1beta3() -> None:
    server = only_server(KUBEADM_V1BETA3)
    assert server.source == "ClusterConfiguration"
    assert server.version == KubernetesVersion(1, 29)
    settings = audit_settings(server.arguments, server.version)
    assert (settings.log_max_age_days, settings.log_compress) == (30, True)
    assert server.host_path("/etc/kubernetes/audit/policy.yaml") == "/srv/audit/policy.yaml"
    assert server.host_path("/etc/kubernetes/pki/ca.crt") == "/etc/kubernetes/pki/ca.crt"
    assert server.host_path("/etc/kubernetes/other") is None


def test_kubeadm_v1beta4_repeats_names() -> None:
    server = only_server(KUBEADM_V1BETA4)
    assert server.arguments.value("audit-log-path") == "/b"
    assert server.arguments.value("audit-log-maxage") == ""
    assert len(server.arguments.flags) == 3


@pytest.mark.parametrize(
    "extra", ["text", 1, [1], [{"name": "a", "value": {}}], [{"value": "a"}], {"a": []}]
)
def test_kubeadm_arguments_of_a_strange_shape_are_a_problem(extra: object) -> None:
    document = {"kind": "ClusterConfiguration", "apiServer": {"extraArgs": extra}}
    (server,) = api_servers_in(document).servers
    assert server.arguments.problems


def test_kubeadm_before_v1beta1_is_not_taken_for_one_without_arguments() -> None:
    document = {"kind": "ClusterConfiguration", "apiServerExtraArgs": {"audit-log-path": "/a"}}
    (server,) = api_servers_in(document).servers
    assert server.arguments.problems


@pytest.mark.parametrize("template", [False, True])
def test_cluster_api(template: bool) -> None:
    spec: dict[str, Any] = {
        "version": "v1.30.1",
        "kubeadmConfigSpec": {"clusterConfiguration": yaml.safe_load(KUBEADM_V1BETA4)},
    }
    kind = "KubeadmControlPlane"
    if template:
        kind, spec = "KubeadmControlPlaneTemplate", {"template": {"spec": spec}}
    document = {"kind": kind, "metadata": {"name": "cp", "namespace": "ns"}, "spec": spec}
    (server,) = api_servers_in(document).servers
    assert (server.name, server.source) == ("ns/cp", kind)
    assert server.version == KubernetesVersion(1, 30)
    assert server.arguments.value("audit-log-path") == "/b"


def config_map(**data: str) -> dict[str, Any]:
    metadata = {"name": "kubeadm-config", "namespace": "kube-system"}
    return {"kind": "ConfigMap", "metadata": metadata, "data": data}


def test_what_kubeadm_keeps_in_the_cluster() -> None:
    (server,) = api_servers_in(config_map(ClusterConfiguration=KUBEADM_V1BETA3)).servers
    assert server.name == "kube-system/kubeadm-config"
    assert server.arguments.value("audit-log-maxage") == "30"


@pytest.mark.parametrize(
    "content",
    [
        "a: [",
        "- a",
        "text",
        "",
        "a: *b",
        "[" * 5000,
        "\0",
        "a: b\n" * 100_000,
        "? {a: b}\n: c\n? []",
    ],
)
def test_a_kubeadm_configuration_that_cannot_be_read_is_a_problem(content: str) -> None:
    found = api_servers_in(config_map(ClusterConfiguration=content))
    assert found.servers == ()
    assert len(found.problems) == 1
    assert found.problems[0].startswith("kube-system/kubeadm-config: ClusterConfiguration is")


def test_no_code_in_yaml_is_run() -> None:
    content = "apiServer: !!python/object/apply:os.system ['exit 1']\n"
    (server,) = api_servers_in(config_map(ClusterConfiguration=content)).servers
    assert server.arguments.flags == ()


def test_other_config_maps_hold_no_server() -> None:
    assert api_servers_in(config_map(**{"config.yaml": "a: ["})) == api_servers_in(None)


def test_k3s() -> None:
    server = only_server(
        """
        kube-apiserver-arg: ['audit-log-path=/var/log/a', '--audit-policy-file=/p']
        kube-apiserver-arg+: ['audit-log-path=/var/log/b']
        """
    )
    assert (server.source, server.on_host, server.mounts) == ("k3s config.yaml", True, None)
    assert server.arguments.value("audit-log-path") == "/var/log/b"
    assert server.host_path("/p") == "/p"
    single = only_server("kube-apiserver-arg: audit-log-path=/var/log/a")
    assert single.arguments.value("audit-log-path") == "/var/log/a"
    without = only_server("secrets-encryption: true\n")
    assert without.arguments.flags == ()
    assert api_servers_in({"server": "https://a:6443", "kubelet-arg": ["v=2"]}).servers == ()


def test_rke2_with_a_policy_file_turns_the_log_on() -> None:
    server = only_server(
        """
        audit-policy-file: /etc/rancher/rke2/policy.yaml
        kube-apiserver-arg: ['audit-log-maxage=60']
        kube-apiserver-extra-mount: '/srv/etc:/etc/audit:ro'
        """
    )
    assert (server.source, server.on_host) == ("RKE2 config.yaml", True)
    settings = audit_settings(server.arguments, server.version)
    assert settings.policy_file == "/etc/rancher/rke2/policy.yaml"
    assert settings.log_path == "/var/lib/rancher/rke2/server/logs/audit.log"
    assert (settings.log_max_age_days, settings.log_max_backups) == (60, 10)
    assert server.host_path("/etc/audit/webhook.yaml") == "/srv/etc/webhook.yaml"
    assert server.host_path("/etc/rancher/rke2/policy.yaml") == "/etc/rancher/rke2/policy.yaml"


def test_rke2_with_a_cis_profile_has_a_policy_of_its_own() -> None:
    server = only_server("{profile: cis, data-dir: /data, cluster-init: true}")
    assert server.arguments.value("audit-policy-file") == "/etc/rancher/rke2/audit-policy.yaml"
    assert server.arguments.value("audit-log-path") == "/data/server/logs/audit.log"


def test_kops() -> None:
    server = only_server(
        """
        apiVersion: kops.k8s.io/v1alpha2
        kind: Cluster
        spec:
          kubernetesVersion: v1.35.0
          kubeAPIServer:
            anonymousAuth: false
            auditLogPath: /var/log/kube-apiserver-audit.log
            auditLogMaxAge: 10
            auditLogMaxBackups: 1
            auditLogMaxSize: 100
            auditPolicyFile: /etc/kubernetes/audit/policy.yaml
            auditWebhookBatchThrottleEnable: true
            auditWebhookConfigFile: /etc/kubernetes/audit/webhook.yaml
        """
    )
    settings = audit_settings(server.arguments, server.version)
    assert settings.policy_file == "/etc/kubernetes/audit/policy.yaml"
    assert settings.log_path == "/var/log/kube-apiserver-audit.log"
    assert settings.webhook_config_file == "/etc/kubernetes/audit/webhook.yaml"
    assert (settings.log_max_age_days, settings.log_max_backups) == (10, 1)
    assert settings.log_max_size_mb == 100
    assert settings.webhook_batch.throttle_enabled is True
    assert server.host_path("/etc/kubernetes/audit/policy.yaml")
    assert server.version == KubernetesVersion(1, 35)


def test_a_kops_cluster_without_settings_has_a_server_without_flags() -> None:
    server = only_server("{apiVersion: kops.k8s.io/v1alpha3, kind: Cluster, spec: {}}")
    assert server.arguments.flags == ()
    assert servers("{apiVersion: cluster.x-k8s.io/v1beta2, kind: Cluster, spec: {}}") == ()


OPENSHIFT = """
apiVersion: kubecontrolplane.config.openshift.io/v1
kind: KubeAPIServerConfig
apiServerArguments:
  audit-log-path: [/var/log/kube-apiserver/audit.log]
  audit-log-maxsize: ['200']
  audit-log-format: json
  api-audiences: [a, b]
"""


def test_openshift() -> None:
    server = only_server(OPENSHIFT)
    assert server.source == "KubeAPIServerConfig"
    assert server.arguments.value("audit-log-path") == "/var/log/kube-apiserver/audit.log"
    assert server.arguments.value("audit-log-format") == "json"
    assert [flag.value for flag in server.arguments.flags if flag.name == "api-audiences"] == [
        "a",
        "b",
    ]
    (kept,) = api_servers_in(config_map(**{"config.yaml": OPENSHIFT})).servers
    assert kept.arguments == server.arguments


# --- hostile and real documents ----------------------------------------------------------------


@pytest.mark.parametrize(
    "document",
    [
        None,
        "",
        1,
        [],
        {},
        {1: 2, None: 3},
        {"kind": 1},
        {"kind": ["Pod"]},
        {"kind": "Pod"},
        {"kind": "Pod", "metadata": 1, "spec": 2},
        {"kind": "Pod", "spec": {"containers": {}, "volumes": 1}},
        {"kind": "Pod", "spec": {"containers": [1, None, {"command": 1, "args": {}}]}},
        {"kind": "Pod", "spec": {"containers": [{"command": [None, {}, []]}]}},
        {"kind": "List", "items": {}},
        {"kind": "PodList", "items": [1]},
        {"kind": "ConfigMap", "data": {"ClusterConfiguration": 1}},
        {"kind": "ConfigMap", "data": []},
        {"kind": "Cluster", "spec": {}},
        {"kind": "Deployment", "spec": {"template": []}},
    ],
)
def test_documents_of_other_shapes_hold_no_server(document: object) -> None:
    assert api_servers_in(document).servers == ()


@pytest.mark.parametrize(
    "document",
    [
        {"kind": "KubeadmControlPlane", "spec": 1},
        {"kind": "ClusterConfiguration", "apiServer": [], "kubernetesVersion": {}},
        {"kind": "ClusterConfiguration", "apiServer": {"extraVolumes": [1, {"hostPath": []}]}},
        {"kind": "KubeAPIServerConfig", "apiServerArguments": {1: 2, "a": {}, "b": [None, []]}},
        {"kind": "Cluster", "spec": {"kubeAPIServer": {"auditLogPath": [], "auditX": 1}}},
        {"kube-apiserver-arg": [1, None, {}, "a=b"], "kube-apiserver-extra-mount": ["a", 1, ":"]},
        pod({"command": ["kube-apiserver", 1, 1.5, True, None], "env": [1, {"name": []}]}),
        pod({"command": ["kube-apiserver"], "volumeMounts": [1, {"mountPath": 1}]}, [1, {}]),
        pod({"name": {}, "image": [], "command": ["kube-apiserver", 10**9999]}),
    ],
)
def test_strange_values_never_raise(document: object) -> None:
    (server,) = api_servers_in(document).servers
    audit_settings(server.arguments, server.version)
    server.host_path("/a")


def test_documents_that_refer_to_themselves_end() -> None:
    before = time.process_time()
    endless: dict[str, Any] = {"kind": "List"}
    endless["items"] = [endless] * 100
    found = api_servers_in(endless)
    assert found.problems == ("too many documents, or lists in lists: the rest was not read",)
    grown = [{"name": "A0", "value": "x" * 100}]
    grown += [{"name": f"A{i}", "value": f"$(A{i - 1})" * 50} for i in range(1, 50)]
    api_servers_in(pod({"command": ["kube-apiserver", "$(A49)" * 50], "env": grown}))
    assert time.process_time() - before < 5


MANIFESTS = Path(__file__).parents[2].parent / "shared" / "data" / "apiserver-manifests"


def real_servers(pattern: str) -> list[ApiServer]:
    """The servers in files, and in the file contents that kops keeps in its own."""
    found: list[ApiServer] = []
    for path in sorted(MANIFESTS.glob(pattern)):
        for document in yaml.safe_load_all(path.read_text()):
            found.extend(api_servers_in(document).servers)
            inside = document.get("contents") if isinstance(document, dict) else None
            if isinstance(inside, str) and "kind: Pod" in inside:
                found.extend(api_servers_in(yaml.safe_load(inside)).servers)
    return found


@pytest.mark.skipif(not MANIFESTS.is_dir(), reason="the manifests of others are not here")
@pytest.mark.parametrize(
    ("pattern", "log", "on_node"),
    [
        (
            "kubernetes__kops/audit__tasks-kube-apiserver.yaml",
            "/var/log/kube-apiserver-audit.log",
            True,
        ),
        ("kubernetes__kops/audit__cluster.yaml", "/var/log/kube-apiserver-audit.log", True),
        ("kubermatic__kubermatic/*.yaml", "/var/log/kubernetes/audit/audit.log", False),
        ("aws__eks-anywhere/*.yaml", "/var/log/kubernetes/api-audit.log", True),
        ("k3s-io__k3s/*.yaml", "/var/lib/rancher/k3s/server/logs/audit.log", True),
        ("siderolabs__talos/*.yaml", None, False),
        ("openshift__*/defaultconfig.yaml", "/var/log/kube-apiserver/audit.log", False),
    ],
)
def test_manifests_of_real_projects(pattern: str, log: str | None, on_node: bool) -> None:
    found = real_servers(pattern)
    assert found
    for server in found:
        settings = audit_settings(server.arguments, server.version)
        assert settings.log_path == log
        assert settings.invalid == ()
        assert (server.host_path(log or "/x") is not None) == on_node
