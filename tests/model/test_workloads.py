"""Nodes, DaemonSets and pods as they are read from objects of any shape."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcompliance.model.forwarder_config import Software
from kcompliance.model.forwarder_files import (
    Configuration,
    NotAtHand,
    config_of,
    paths_in_container,
)
from kcompliance.model.listing import Listing
from kcompliance.model.reading import Kind
from kcompliance.model.workloads import (
    FORWARDER_IMAGES,
    ConfigMapUse,
    NodeKind,
    Taint,
    config_maps_used,
    image_name,
    read_daemon_set,
    read_node,
    read_pod,
    reads_logs_of_node,
    runs_image,
)
from tests.captures import raw

CONTROL_PLANE = Taint(key="node-role.kubernetes.io/control-plane", value="", effect="NoSchedule")


def daemon_set(*tolerations: Any, **spec: Any) -> dict[str, Any]:
    spec = {"containers": [{"name": "a", "image": "fluent/fluent-bit:3"}], **spec}
    template = {"spec": {"tolerations": list(tolerations), **spec}}
    return {"metadata": {"name": "d", "namespace": "n"}, "spec": {"template": template}}


@pytest.mark.parametrize(
    ("toleration", "tolerated"),
    [
        ({"operator": "Exists"}, True),
        ({"operator": "Exists", "effect": "NoSchedule"}, True),
        ({"operator": "Exists", "effect": "NoExecute"}, False),
        ({"operator": "Exists", "key": CONTROL_PLANE.key}, True),
        ({"key": CONTROL_PLANE.key}, True),
        ({"key": CONTROL_PLANE.key, "value": "x"}, False),
        ({"key": "node-role.kubernetes.io/master", "operator": "Exists"}, False),
        ({}, False),
        ("Exists", False),
    ],
)
def test_a_toleration_meets_a_taint_as_kubernetes_has_it(toleration: Any, tolerated: bool) -> None:
    assert read_daemon_set(daemon_set(toleration)).tolerates(CONTROL_PLANE) is tolerated


@pytest.mark.parametrize(
    ("key", "effect", "tolerated"),
    [
        ("node.kubernetes.io/unschedulable", "NoSchedule", True),
        ("node.kubernetes.io/not-ready", "NoExecute", True),
        ("own", "PreferNoSchedule", True),
        ("own", "NoSchedule", False),
    ],
)
def test_some_taints_every_daemon_set_tolerates(key: str, effect: str, tolerated: bool) -> None:
    taint = Taint(key=key, value="", effect=effect)

    assert read_daemon_set(daemon_set()).tolerates(taint) is tolerated


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("fluent/fluent-bit:3.2", "fluent/fluent-bit"),
        ("cr.example:5000/fluent/fluent-bit@sha256:0", "fluent/fluent-bit"),
        ("localhost/fluentd", "fluentd"),
        ("fluentd", "fluentd"),
        ("vector.example/app:1", "app"),
        ("", ""),
    ],
)
def test_the_name_of_an_image_is_without_registry_and_tag(image: str, name: str) -> None:
    assert image_name(image) == name


@pytest.mark.parametrize(
    ("image", "forwards"),
    [
        ("docker.elastic.example/beats/filebeat:9", True),
        ("otel/opentelemetry-collector-contrib", True),
        ("registry.k8s.io/kube-proxy", False),
        ("vector.example/app", False),
    ],
)
def test_a_forwarder_is_told_by_its_image(image: str, forwards: bool) -> None:
    found = read_daemon_set(daemon_set(containers=[{"name": "a", "image": image}]))

    assert bool(runs_image(found, FORWARDER_IMAGES)) is forwards


@pytest.mark.parametrize(
    ("path", "reads"),
    [
        ("/var/log", True),
        ("/var/log/", True),
        ("/var/log/pods", True),
        ("/var", True),
        ("/", True),
        ("/var/lib/docker/containers", True),
        ("/var/logs", False),
        ("/etc", False),
        ("/proc", False),
    ],
)
def test_who_mounts_a_log_folder_reads_logs(path: str, reads: bool) -> None:
    volumes = [{"name": "v", "hostPath": {"path": path}}]

    assert reads_logs_of_node(read_daemon_set(daemon_set(volumes=volumes))) is reads


@pytest.mark.parametrize(
    ("labels", "spec", "kind"),
    [
        ({}, {}, NodeKind.LINUX),
        ({"kubernetes.io/os": "windows"}, {}, NodeKind.WINDOWS),
        ({"type": "virtual-kubelet"}, {}, NodeKind.VIRTUAL),
        ({"eks.amazonaws.com/compute-type": "fargate"}, {}, NodeKind.VIRTUAL),
        ({}, {"providerID": "aws:///eu/fargate-ip"}, NodeKind.VIRTUAL),
    ],
)
def test_what_runs_pods_on_a_node(labels: Any, spec: Any, kind: NodeKind) -> None:
    assert read_node({"metadata": {"name": "n", "labels": labels}, "spec": spec}).kind is kind


@pytest.mark.parametrize(
    "label", ["node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"]
)
def test_a_node_of_the_control_plane_is_told_by_its_label(label: str) -> None:
    assert read_node({"metadata": {"labels": {label: ""}}}).control_plane
    assert not read_node(
        {"metadata": {"labels": {"node-role.kubernetes.io/worker": ""}}}
    ).control_plane


def test_a_pod_about_to_be_deleted_is_not_ready() -> None:
    status = {"conditions": [{"type": "Ready", "status": "True"}]}
    going = {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}, "status": status}

    assert read_pod({"status": status}).ready
    assert not read_pod(going).ready


def test_of_several_containers_the_worst_counts() -> None:
    pod = read_pod(
        {
            "status": {
                "containerStatuses": [
                    {
                        "restartCount": 2,
                        "state": {"running": {"startedAt": "2026-01-02T00:00:00Z"}},
                    },
                    {"restartCount": 9, "state": {"waiting": {"reason": "CrashLoopBackOff"}}},
                ]
            }
        }
    )

    assert (pod.restarts, pod.waiting) == (9, "CrashLoopBackOff")
    assert pod.running_since == datetime(2026, 1, 2, tzinfo=UTC)


def test_config_maps_are_found_wherever_a_pod_takes_them_in() -> None:
    found = read_daemon_set(
        daemon_set(
            volumes=[
                {"name": "a", "configMap": {"name": "mounted"}},
                {
                    "name": "b",
                    "projected": {
                        "sources": [{"configMap": {"name": "projected"}}, {"secret": {}}]
                    },
                },
                {"name": "c", "configMap": {"name": "perhaps", "optional": True}},
            ],
            initContainers=[{"envFrom": [{"configMapRef": {"name": "in-env"}}]}],
            containers=[{"env": [{"valueFrom": {"configMapKeyRef": {"name": "key"}}}]}],
        )
    )

    assert set(config_maps_used(found)) == {
        ConfigMapUse(name="mounted"),
        ConfigMapUse(name="projected"),
        ConfigMapUse(name="perhaps", optional=True),
        ConfigMapUse(name="in-env"),
        ConfigMapUse(name="key"),
    }


# --- what a container sees -----------------------------------------------------------------------


def forwarder(*mounts: Any, volumes: Any, **container: Any) -> dict[str, Any]:
    one = {"name": "a", "image": "fluent/fluent-bit:3", "volumeMounts": list(mounts), **container}
    return daemon_set(containers=[one], volumes=volumes)


@pytest.mark.parametrize(
    ("mount", "host", "expected"),
    [
        ({"mountPath": "/var/log"}, "/var/log", ("/var/log/audit/a.log",)),
        ({"mountPath": "/host"}, "/", ("/host/var/log/audit/a.log",)),
        ({"mountPath": "/x/"}, "/var/log/audit/", ("/x/a.log",)),
        ({"mountPath": "/x", "subPath": "audit"}, "/var/log", ("/x/a.log",)),
        ({"mountPath": "/x/a.log"}, "/var/log/audit/a.log", ("/x/a.log",)),
        ({"mountPath": "/var/log"}, "/var/logs", ()),
        ({"mountPath": "/var/log"}, "/var/log/audit2", ()),
    ],
)
def test_what_the_container_calls_a_file_of_the_node(
    mount: Any, host: str, expected: tuple[str, ...]
) -> None:
    found = read_daemon_set(
        forwarder({"name": "v", **mount}, volumes=[{"name": "v", "hostPath": {"path": host}}])
    )

    assert paths_in_container(found, found.containers[0], "/var/log/audit/a.log") == expected


def config_maps(**data: Any) -> Listing:
    metadata = {"name": "c", "namespace": "n"}
    found = {"kind": "ConfigMap", "metadata": metadata, "data": data}
    return Listing(objects=((found, raw(Kind.CONFIG_MAPS, "list", "")),), whole=True)


ETC = {"name": "c", "mountPath": "/fluent-bit/etc"}


@pytest.mark.parametrize(
    ("mount", "source", "words", "texts"),
    [
        (ETC, {"configMap": {"name": "c"}}, [], {"/fluent-bit/etc/fluent-bit.conf": "x"}),
        (
            {**ETC, "mountPath": "/fluent-bit/etc/fluent-bit.conf", "subPath": "fluent-bit.conf"},
            {"configMap": {"name": "c"}},
            [],
            {"/fluent-bit/etc/fluent-bit.conf": "x"},
        ),
        (
            {**ETC, "mountPath": "/e"},
            {"configMap": {"name": "c", "items": [{"key": "fluent-bit.conf", "path": "d/a.conf"}]}},
            ["-c", "/e/d/a.conf"],
            {"/e/d/a.conf": "x"},
        ),
        (
            ETC,
            {"projected": {"sources": [{"configMap": {"name": "c"}}]}},
            [],
            {"/fluent-bit/etc/fluent-bit.conf": "x"},
        ),
    ],
    ids=["folder", "file", "items", "projected"],
)
def test_a_configuration_lies_where_it_is_mounted(
    mount: Any, source: Any, words: list[str], texts: dict[str, str]
) -> None:
    found = read_daemon_set(forwarder(mount, volumes=[{"name": "c", **source}], args=words))

    config = config_of(found, found.containers[0], config_maps(**{"fluent-bit.conf": "x"}))

    assert isinstance(config, Configuration), config
    assert config.software is Software.FLUENT_BIT
    assert dict(config.files.texts) == texts
    assert list(config.files.first) == list(texts)


@pytest.mark.parametrize(
    ("source", "image", "because"),
    [
        ({"secret": {"secretName": "s"}}, "fluent-bit", "in the Secret s"),
        ({"configMap": {"name": "gone"}}, "fluent-bit", "neither is the ConfigMap gone"),
        ({"emptyDir": {}}, "fluent-bit", "in no ConfigMap"),
        ({"configMap": {"name": "c"}}, "ama-logs", "is not read"),
    ],
)
def test_a_configuration_that_is_elsewhere_is_not_at_hand(
    source: Any, image: str, because: str
) -> None:
    found = read_daemon_set(forwarder(ETC, volumes=[{"name": "c", **source}], image=image))

    config = config_of(found, found.containers[0], config_maps(other="x"))

    assert isinstance(config, NotAtHand)
    assert because in config.because


# --- hostile objects -----------------------------------------------------------------------------

_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["metadata", "spec", "status", "template", "containers", "volumes", "name", "env"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(found=st.dictionaries(st.sampled_from(["metadata", "spec", "status"]), _ANY))
def test_objects_of_any_shape_are_read(found: dict[str, Any]) -> None:
    read_node(found)
    read_pod(found)
    config_maps_used(read_daemon_set(found))
