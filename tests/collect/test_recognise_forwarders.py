"""What files tell of log forwarders: lists of kubectl and manifests, without their secrets."""

import json
from typing import Any

import pytest
import yaml

from kcompliance.collect.recognise import recognise
from kcompliance.model.assemble import assemble
from kcompliance.model.documents import Unsure
from kcompliance.model.listing import Listing
from kcompliance.model.reading import Kind
from tests.captures import POLICY_FLAG, pod, raw

SECRET = "hunter2-s3cr3t"
NODE = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}}
SERVICE = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "es"}}
CONFIG_MAP = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "fluent-bit"},
    "data": {"fluent-bit.conf": f"[OUTPUT]\n    Name es\n    HTTP_Passwd {SECRET}\n"},
}
CONTAINER = {
    "name": "fluent-bit",
    "image": "fluent/fluent-bit",
    "args": [f"--token={SECRET}"],
    "env": [{"name": "P", "value": SECRET}],
}
DAEMON_SET = {
    "apiVersion": "apps/v1",
    "kind": "DaemonSet",
    "metadata": {"name": "fluent-bit"},
    "spec": {"template": {"spec": {"containers": [CONTAINER]}}},
}
CRON_JOB = {
    "apiVersion": "batch/v1",
    "kind": "CronJob",
    "metadata": {"name": "curator"},
    "spec": {
        "jobTemplate": {"spec": {"template": {"spec": {"containers": [{"env": CONTAINER["env"]}]}}}}
    },
}
OTHER = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"k": SECRET}}
EACH = {
    Kind.NODES: NODE,
    Kind.SERVICES: SERVICE,
    Kind.CONFIG_MAPS: CONFIG_MAP,
    Kind.DAEMON_SETS: DAEMON_SET,
    Kind.CRON_JOBS: CRON_JOB,
}


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def as_yaml(value: Any) -> bytes:
    return yaml.safe_dump(json.loads(as_json(value))).encode()


def listed(content: bytes, kind: Kind) -> list[Any]:
    cluster = assemble("c", [raw(Kind.OBJECTS, "f", content.decode())])
    found = cluster.listed(kind)
    assert isinstance(found, Listing)
    assert not found.whole
    assert found.raws
    return [each for each, _ in found.objects]


@pytest.mark.parametrize("kind", EACH)
@pytest.mark.parametrize("write", [as_json, as_yaml])
@pytest.mark.parametrize("form", ["alone", "list", "typed list", "documents"])
def test_an_object_is_known_in_every_form(kind: Kind, write: Any, form: str) -> None:
    one: dict[str, Any] = dict(EACH[kind])
    match form:
        case "alone":
            data = write(one)
        case "list":
            data = write({"apiVersion": "v1", "kind": "List", "items": [OTHER, one]})
        case "typed list":
            bare = {key: value for key, value in one.items() if key not in ("kind", "apiVersion")}
            data = write({"apiVersion": "v1", "kind": f"{one['kind']}List", "items": [bare]})
        case _:
            data = b"---\n".join([as_yaml(OTHER), as_yaml(one)])

    found = recognise(data)

    assert found is not None
    assert found.kind is Kind.OBJECTS
    assert SECRET.encode() not in found.content
    (object_,) = listed(found.content, kind)
    assert object_["metadata"] == one["metadata"]


def test_what_was_taken_out_is_pointed_at() -> None:
    items = [DAEMON_SET, CONFIG_MAP, NODE]

    found = recognise(as_json({"apiVersion": "v1", "kind": "List", "items": items}))

    assert found is not None
    container = "/items/0/spec/template/spec/containers/0"
    assert set(found.redactions) == {
        f"{container}/env/0/value",
        f"{container}/args/0",
        "/items/1/data/fluent-bit.conf",
    }


def test_arguments_of_an_api_server_are_kept_to_the_letter() -> None:
    """`--token-auth-file` sounds like a secret, and a control asks about it."""
    flags = (POLICY_FLAG, "--token-auth-file=/etc/kubernetes/tokens.csv")
    daemon_set = json.loads(as_json(DAEMON_SET))
    server = yaml.safe_load(pod(*flags))["spec"]["containers"]
    daemon_set["spec"]["template"]["spec"]["containers"] = server

    found = recognise(as_json(daemon_set))

    assert found is not None
    assert b"--token-auth-file=/etc/kubernetes/tokens.csv" in found.content


@pytest.mark.parametrize(
    "data",
    [
        as_json({**SERVICE, "apiVersion": "serving.knative.dev/v1"}),
        as_json({**CONFIG_MAP, "data": {"settings.ini": "a=b"}}),
        b"kind: DaemonSet\nmetadata: {name: {{ .Release.Name }}}\n",
        b"kind: Node\n",
        as_json(OTHER),
    ],
    ids=["another API", "another ConfigMap", "a template", "no name", "a secret"],
)
def test_what_is_nothing_of_ours_is_passed_over(data: bytes) -> None:
    assert recognise(data) is None


def test_a_policy_beside_objects_of_forwarders_is_not_taken_apart() -> None:
    """A server reads its first document only, and the others may hold secrets."""
    policy = b"apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n---\n"

    with pytest.raises(Unsure, match="one file"):
        recognise(policy + as_yaml(DAEMON_SET))
