"""`kcompliance preflight` of stores, and of all that belongs to a target, on real servers.

The Elasticsearch has its real security; `_ilm` is a stand-in that looks at no privilege, `_slm` and
`_xpack/usage` it does not have: see test_search_collector.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from kcompliance.collect.cloud_needs import controls_needing
from kcompliance.collect.cloud_reads import Source, kinds_asked
from kcompliance.model.reading import Kind
from tests.cli.command import Done
from tests.cli.in_process import run
from tests.servers.fixtures import StartKubeApiServer
from tests.servers.process import free_port
from tests.servers.search_server import SearchServer

pytestmark = pytest.mark.integration

ROLE: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "deploy/elasticsearch/role.json").read_text()
)
OF_STORES = set(controls_needing(*kinds_asked(Source.ELASTICSEARCH)))
HERE = sorted(OF_STORES - set(controls_needing(Kind.ELASTICSEARCH_USAGE)))
"""The controls that ask nothing which this server cannot answer."""


def _index(server: SearchServer) -> str:
    name = f"k8s-audit-{uuid4().hex[:8]}"
    mappings = {"properties": {"@timestamp": {"type": "date"}}}
    server.must("PUT", f"/{name}", {"mappings": mappings})
    return name


def _role(pattern: str, without: str = "") -> dict[str, Any]:
    """The role that is shipped, less one privilege."""
    own, unrouted = ROLE["indices"]
    indices = [{**own, "names": [pattern]}, unrouted]
    for each in indices:
        each["privileges"] = [name for name in each["privileges"] if name != without]
    return {
        "cluster": [name for name in ROLE["cluster"] if name != without],
        "indices": [each for each in indices if each["privileges"]],
    }


def _variables(server: SearchServer, role: dict[str, Any]) -> dict[str, str]:
    body = {"name": uuid4().hex, "role_descriptors": {"only": role}}
    key = server.must("POST", "/_security/api_key", body)["encoded"]
    ca = str(server.ca_cert)
    return {"KCOMPLIANCE_ELASTICSEARCH_API_KEY": key, "KCOMPLIANCE_CA_CERT": ca}


def _preflight(target: str, controls: Sequence[str] = HERE, **variables: str) -> Done:
    chosen = [word for control in controls for word in ("--control", control)]
    return run("preflight", target, *chosen, "--format", "json", **variables)


def _rows(done: Done, *allowed: str) -> dict[str, dict[str, Any]]:
    return {
        each["permission"]: each
        for target in done.json["targets"]
        for each in target["permissions"]
        if each["allowed"] in allowed
    }


# --- the role ------------------------------------------------------------------------------------


def test_the_role_that_is_shipped_is_enough(secured_elasticsearch: SearchServer) -> None:
    server = secured_elasticsearch
    index = _index(server)
    target = f"elasticsearch+{server.url}/{index}"

    done = _preflight(target, **_variables(server, _role(index)))

    assert _rows(done, "no", "unknown", "not-needed") == {}
    assert done.code == 0
    privileges = {row["action"] for row in _rows(done, "yes").values()}
    shipped = {*ROLE["cluster"], *(p for each in ROLE["indices"] for p in each["privileges"])}
    assert shipped - {"read_security"} <= privileges
    assert f"read on {server.url}/{index}" in _rows(done, "yes")
    assert f"monitor on {server.url}" in _rows(done, "yes")


@pytest.mark.parametrize(
    "privilege",
    [
        "monitor",
        "monitor_snapshot",
        "read_pipeline",
        "read_security",
        "read",
        "view_index_metadata",
    ],
)
def test_a_privilege_less_is_named(secured_elasticsearch: SearchServer, privilege: str) -> None:
    """`monitor_watcher`, `read_ilm` and `read_slm` are of modules that are not here."""
    server = secured_elasticsearch
    index = _index(server)
    target = f"elasticsearch+{server.url}/{index}"
    variables = _variables(server, _role(index, without=privilege))

    done = _preflight(target, sorted(OF_STORES), **variables)

    assert {row["action"] for row in _rows(done, "no").values()} == {privilege}
    assert done.code == 3


def test_credentials_that_are_not_known_are_one_error(
    secured_elasticsearch: SearchServer,
) -> None:
    server = secured_elasticsearch
    ca, key = str(server.ca_cert), "aWQ6a2V5"

    done = _preflight(
        f"elasticsearch+{server.url}/x",
        KCOMPLIANCE_CA_CERT=ca,
        KCOMPLIANCE_ELASTICSEARCH_API_KEY=key,
    )

    assert done.code == 4
    assert "not accepted" in done.json["error"]["message"]
    assert "KCOMPLIANCE_ELASTICSEARCH_API_KEY" in done.json["error"]["hint"]
    assert key not in done.out + done.err


def test_a_pattern_that_matches_nothing_leaves_unknown_what_it_hides(
    secured_elasticsearch: SearchServer,
) -> None:
    server = secured_elasticsearch
    target = f"elasticsearch+{server.url}/no-such-index-*"

    done = _preflight(target, **_variables(server, _role("no-such-index-*")))

    assert done.code == 3
    unknown = _rows(done, "unknown")
    assert {row["action"] for row in unknown.values()} >= {"view_index_metadata", "read"}
    assert [row for row in unknown.values() if "matches" not in row["reason"]] == []


def test_an_opensearch_is_asked_what_it_has(opensearch: SearchServer) -> None:
    index = _index(opensearch)

    done = _preflight(f"elasticsearch+{opensearch.url}/{index}", ["KC-RET-001"])

    assert done.code == 0
    actions = {row["action"] for row in _rows(done, "yes").values()}
    assert "cluster:admin/opendistro/ism/policy/search" in actions
    assert "read_ilm" not in actions


# --- all that belongs to a target ----------------------------------------------------------------


def test_a_named_target_is_its_cluster_its_stores_and_its_archive(
    kube_apiserver: StartKubeApiServer,
    elasticsearch: SearchServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = kube_apiserver()
    monkeypatch.chdir(tmp_path)
    store = f"elasticsearch+{elasticsearch.url}/{_index(elasticsearch)}"
    (tmp_path / "archive").mkdir()
    (tmp_path / "kcompliance.yaml").write_text(
        f"""\
targets:
  prod:
    cluster: "eks:eu-central-1/prod"
    kube: "kube:test"
    stores: [{{url: "{store}"}}]
    archive: {{url: "{tmp_path / "archive"}"}}
"""
    )
    nobody = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}", "AWS_ACCESS_KEY_ID": "k"}

    controls = ["KC-RET-002", "KC-RET-005", "KC-RET-009", "KC-RET-011", "KC-AUD-001"]
    variables = {"KUBECONFIG": str(server.kubeconfig), "AWS_SECRET_ACCESS_KEY": "s", **nobody}
    done = _preflight("@prod", controls, **variables)

    eks, kube, up, archive = done.json["targets"]
    assert done.code == 3
    assert "no answer from eks" in eks["problem"]
    assert {each["kind"] for each in kube["permissions"]} == {"kubernetes"}
    assert [each for each in up["permissions"] if each["allowed"] != "yes"] == []
    assert up["server"] == elasticsearch.url
    (right,) = archive["permissions"]
    assert (right["kind"], right["allowed"]) == ("archive", "yes")
    assert right["controls"] == ["KC-RET-002", "KC-RET-005"]
    assert [each["not_covered"] for each in (kube, up, archive)] == [["KC-AUD-001"]] * 3
    assert all(each["target"].startswith("@prod ") for each in done.json["targets"])
