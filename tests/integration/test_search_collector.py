"""The collector of stores against real servers: Elasticsearch with its real security, OpenSearch.

`_ilm` and `_data_stream` of this Elasticsearch are stand-ins over the server's own parsers and
cluster state, which look at no privilege and carry nothing out; `_slm` it does not have. What they
answer in full, and who may not ask them, is in tests/collect/search.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from kcompliance.collect.search.collector import collect_search
from kcompliance.collect.search.recognise import search_answer
from kcompliance.collect.search.target import DeclaredStore, search_target
from kcompliance.model.reading import Absent, Capture, Kind, Raw, Unreadable
from tests.cli.in_process import run
from tests.servers.search_server import JSON_LINES, SearchServer

CONTROLS = ("KC-RET-001", "KC-RET-002", "KC-RET-003", "KC-RET-004", "KC-RET-006")
ROLE = Path(__file__).parents[2] / "deploy" / "elasticsearch" / "role.json"
_KEYWORD = {"type": "keyword"}
_AUDIT = {
    **dict.fromkeys(("auditID", "verb", "level", "stage", "requestURI"), _KEYWORD),
    "stageTimestamp": {"type": "date"},
    "requestReceivedTimestamp": {"type": "date"},
}
MAPPINGS: dict[str, Any] = {
    "dynamic": False,
    "properties": {
        "@timestamp": {"type": "date"},
        "host": {"properties": {"name": _KEYWORD}},
        "orchestrator": {"properties": {"cluster": {"properties": {"name": _KEYWORD}}}},
        "kubernetes": {"properties": {"audit": {"properties": _AUDIT}}},
    },
}


def _fill(server: SearchServer, *, days: Iterable[int], policy: str | None = None) -> str:
    """A daily index for each of these days ago; the pattern of their names."""
    prefix = f"k8s-audit-{uuid4().hex[:8]}"
    now = datetime.now(UTC)
    for day in days:
        when = now - timedelta(days=day)
        index = f"{prefix}-{when:%Y.%m.%d}"
        settings: dict[str, object] = {"number_of_shards": 1, "number_of_replicas": 0}
        if policy is not None:
            settings["index.lifecycle.name"] = policy
        server.must("PUT", f"/{index}", {"settings": settings, "mappings": MAPPINGS})
        lines = "".join(_line(when - timedelta(seconds=n), n) for n in range(12))
        status, answer = server.request(
            "POST", f"/{index}/_bulk?refresh=true", lines.encode(), content_type=JSON_LINES
        )
        assert status == 200
        assert not answer["errors"]
    return f"{prefix}-*"


def _line(when: datetime, number: int) -> str:
    audit = {
        "auditID": str(uuid4()),
        "verb": ("get", "list", "create")[number % 3],
        "level": "Metadata",
        "stage": "ResponseComplete",
        "requestURI": "/api/v1/namespaces/x/secrets?token=geheim",
        "requestObject": {"data": "geheim"},
        "stageTimestamp": when.isoformat(),
        "requestReceivedTimestamp": when.isoformat(),
    }
    event = {
        "@timestamp": when.isoformat(),
        "host": {"name": f"cp-{number % 2}"},
        "orchestrator": {"cluster": {"name": "prod" if number % 2 else "test"}},
        "kubernetes": {"audit": audit},
    }
    return json.dumps({"create": {}}) + "\n" + json.dumps(event) + "\n"


def _role(pattern: str) -> dict[str, Any]:
    role: dict[str, Any] = json.loads(ROLE.read_text())
    for each in role["indices"]:
        each["names"] = [pattern]
    return role


def _key(server: SearchServer, role: Mapping[str, Any]) -> str:
    body = {"name": uuid4().hex, "role_descriptors": {"only": role}}
    encoded: str = server.must("POST", "/_security/api_key", body)["encoded"]
    return encoded


def _captures(
    server: SearchServer, pattern: str, key: str | None = None, **more: Any
) -> tuple[Capture, ...]:
    declared = search_target(f"elasticsearch+{server.url}/{pattern}", **more)
    environment = {} if key is None else {"KCOMPLIANCE_ELASTICSEARCH_API_KEY": key}
    store = DeclaredStore(store=declared.store, ca_cert=server.ca_cert, environment=environment)
    return collect_search(store, datetime.now(UTC).replace(microsecond=0), lambda what: None)


def _kinds(captures: Iterable[Capture], of: type) -> set[Kind]:
    return {capture.origin.kind for capture in captures if isinstance(capture, of)}


def _policy(server: SearchServer, min_age: str) -> str:
    name = f"audit-{uuid4().hex[:8]}"
    phases = {"hot": {"actions": {}}, "delete": {"min_age": min_age, "actions": {"delete": {}}}}
    server.must("PUT", f"/_ilm/policy/{name}", {"policy": {"phases": phases}})
    return name


# --- the role ------------------------------------------------------------------------------------

_NOT_HERE = {
    Kind.ELASTICSEARCH_USAGE,  # needs modules that are not published: 500
}


def test_the_role_that_is_shipped_is_enough(secured_elasticsearch: SearchServer) -> None:
    server = secured_elasticsearch
    pattern = _fill(server, days=(0, 3), policy=_policy(server, "270d"))

    captures = _captures(server, pattern, _key(server, _role(pattern)))

    assert _kinds(captures, Unreadable) <= _NOT_HERE
    assert {
        Kind.ELASTICSEARCH_SERVER,
        Kind.ELASTICSEARCH_SETTINGS,
        Kind.ELASTICSEARCH_ROLES,
        Kind.ELASTICSEARCH_USERS,
        Kind.ELASTICSEARCH_REPOSITORIES,
        Kind.ELASTICSEARCH_TIMES,
        Kind.ELASTICSEARCH_SAMPLE,
    } <= _kinds(captures, Raw)


@pytest.mark.parametrize(
    ("privilege", "kind"),
    [
        ("monitor", Kind.ELASTICSEARCH_HEALTH),
        ("monitor_snapshot", Kind.ELASTICSEARCH_REPOSITORIES),
        ("read_pipeline", Kind.ELASTICSEARCH_PIPELINES),
        ("read_security", Kind.ELASTICSEARCH_ROLES),
        ("read", Kind.ELASTICSEARCH_TIMES),
        ("view_index_metadata", Kind.ELASTICSEARCH_SETTINGS),
    ],
)
def test_a_privilege_less_is_named(
    secured_elasticsearch: SearchServer, privilege: str, kind: Kind
) -> None:
    """`read_ilm` and `read_slm` are of modules that are not here."""
    server = secured_elasticsearch
    pattern = _fill(server, days=(0,))
    role = _role(pattern)
    role["cluster"] = [each for each in role["cluster"] if each != privilege]
    for each in role["indices"]:
        each["privileges"] = [other for other in each["privileges"] if other != privilege]
    role["indices"] = [each for each in role["indices"] if each["privileges"]]

    captures = _captures(server, pattern, _key(server, role))

    refused = [c for c in captures if isinstance(c, Unreadable) and c.origin.kind is kind]
    assert [each.permission for each in refused] == [privilege]


def test_credentials_that_are_not_known_are_refused_once(
    secured_elasticsearch: SearchServer,
) -> None:
    captures = _captures(secured_elasticsearch, "k8s-audit-*", "aWQ6a2V5")

    (gap,) = (capture for capture in captures if not isinstance(capture, Raw))
    assert isinstance(gap, Unreadable)
    assert "not accepted" in gap.reason


def test_nothing_secret_is_kept(secured_elasticsearch: SearchServer) -> None:
    server = secured_elasticsearch
    pattern = _fill(server, days=(0,))
    key = _key(server, _role(pattern))

    captures = _captures(server, pattern, key)

    assert server.admin is not None
    for capture in captures:
        told = capture.content if isinstance(capture, Raw) else capture.reason.encode()
        assert b"geheim" not in told
        assert key.encode() not in told
        assert server.admin.password.encode() not in told


def test_somebody_without_credentials_is_told_nothing(secured_elasticsearch: SearchServer) -> None:
    server = secured_elasticsearch
    captures = _captures(server, "*", _key(server, _role("*")))

    (found,) = (c for c in captures if c.origin.kind is Kind.ELASTICSEARCH_ANONYMOUS)
    assert isinstance(found, Raw)
    assert json.loads(found.content) == {"status": 401}


# --- verdicts, live and saved --------------------------------------------------------------------


def _scan(*arguments: str | Path, **variables: str) -> dict[str, dict[str, set[str]]]:
    chosen = [word for control in CONTROLS for word in ("--control", control)]
    done = run("scan", *arguments, *chosen, "--format", "json", **variables)
    document = json.loads(done.out)
    assert "findings" in document, document
    found: dict[str, dict[str, set[str]]] = {}
    for finding in document["findings"]:
        by_aspect = found.setdefault(finding["control"], {})
        by_aspect.setdefault(finding["aspect"], set()).add(finding["status"])
    return found


def _findings(*arguments: str | Path, **variables: str) -> Any:
    chosen = [word for control in CONTROLS for word in ("--control", control)]
    done = run("scan", *arguments, *chosen, "--format", "json", **variables)
    return json.loads(done.out)["findings"]


def _variables(server: SearchServer, key: str) -> dict[str, str]:
    return {
        "KCOMPLIANCE_ELASTICSEARCH_API_KEY": key,
        "KCOMPLIANCE_CA_CERT": str(server.ca_cert),
    }


def test_a_live_scan_and_one_of_its_bundle_find_the_same(
    secured_elasticsearch: SearchServer, tmp_path: Path
) -> None:
    server = secured_elasticsearch
    pattern = _fill(server, days=range(0, 35, 5), policy=_policy(server, "270d"))
    target = f"elasticsearch+{server.url}/{pattern}"
    bundle = tmp_path / "bundle"
    variables = _variables(server, _key(server, _role(pattern)))

    live = _findings(target, "--save-bundle", bundle, **variables)

    assert live == _findings(bundle)
    assert not [each for each in live if each["status"] == "error"], live


@pytest.mark.parametrize(("min_age", "status"), [("270d", "pass"), ("90d", "fail")])
def test_how_long_a_lifecycle_keeps_is_judged(
    secured_elasticsearch: SearchServer, min_age: str, status: str
) -> None:
    server = secured_elasticsearch
    pattern = _fill(server, days=(0, 1), policy=_policy(server, min_age))
    variables = _variables(server, _key(server, _role(pattern)))

    found = _scan(f"elasticsearch+{server.url}/{pattern}", **variables)

    assert found["KC-RET-001"]["main"] == {status}


def test_a_data_stream_is_judged_by_its_own_lifecycle(
    secured_elasticsearch: SearchServer,
) -> None:
    server = secured_elasticsearch
    name = f"logs-kubernetes.audit_logs-{uuid4().hex[:8]}"
    template = {
        "index_patterns": [name],
        "data_stream": {},
        "priority": 500,
        "template": {"mappings": MAPPINGS, "lifecycle": {"data_retention": "30d"}},
    }
    server.must("PUT", f"/_index_template/{name}", template)
    server.must("PUT", f"/_data_stream/{name}")

    captures = _captures(server, name, _key(server, _role(name)))
    found = _scan(
        f"elasticsearch+{server.url}/{name}", **_variables(server, _key(server, _role(name)))
    )

    assert Kind.ELASTICSEARCH_DATA_STREAMS in _kinds(captures, Raw)
    assert found["KC-RET-001"]["main"] == {"fail"}


def test_a_filter_chooses_one_cluster_of_several(elasticsearch: SearchServer) -> None:
    pattern = _fill(elasticsearch, days=(0,))

    captures = _captures(elasticsearch, pattern, filters={"orchestrator.cluster.name": "prod"})

    (found,) = (c for c in captures if c.origin.kind is Kind.ELASTICSEARCH_TIMES)
    assert isinstance(found, Raw)
    assert json.loads(found.content)["hits"]["total"]["value"] == 6
    assert "orchestrator.cluster.name=prod" in found.origin.resource


def test_a_snapshot_that_holds_the_indices_is_a_backup(
    elasticsearch: SearchServer, opensearch: SearchServer
) -> None:
    for server in (elasticsearch, opensearch):
        pattern = _fill(server, days=(0, 1))
        target = f"elasticsearch+{server.url}/{pattern}"
        assert _scan(target)["KC-RET-004"]["main"] == {"fail"}
        name = f"r-{uuid4().hex[:8]}"
        place = {"location": str(server.folder / "snapshots" / name)}
        server.must("PUT", f"/_snapshot/{name}", {"type": "fs", "settings": place})
        body = {"indices": pattern, "include_global_state": False}
        server.must("PUT", f"/_snapshot/{name}/s-1?wait_for_completion=true", body)

        assert _scan(target)["KC-RET-004"]["main"] == {"pass"}


def test_an_opensearch_without_index_management_deletes_nothing(
    opensearch: SearchServer, tmp_path: Path
) -> None:
    pattern = _fill(opensearch, days=range(0, 200, 5))
    target, bundle = f"elasticsearch+{opensearch.url}/{pattern}", tmp_path / "bundle"

    captures = _captures(opensearch, pattern)
    live = _scan(target, "--save-bundle", bundle)

    plugins = {
        *(Kind.ELASTICSEARCH_ISM_POLICIES, Kind.ELASTICSEARCH_SM_POLICIES),
        *(Kind.ELASTICSEARCH_MONITORS, Kind.ELASTICSEARCH_AUDIT_CONFIG),
    }
    assert plugins <= _kinds(captures, Absent)
    assert live["KC-RET-001"]["main"] == {"pass"}
    assert live["KC-RET-002"]["main"] == {"pass"}
    assert live == _scan(bundle)


def test_a_store_of_a_named_target_belongs_to_its_cluster(
    elasticsearch: SearchServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pattern = _fill(elasticsearch, days=range(0, 200, 5))
    store = {
        "url": f"elasticsearch+{elasticsearch.url}/{pattern}",
        "filter": {"orchestrator.cluster.name": "prod"},
    }
    monkeypatch.chdir(tmp_path)
    Path("version.json").write_text('{"gitVersion": "v1.36.0"}')
    Path("kcompliance.yaml").write_text(
        json.dumps({"targets": {"prod": {"files": ["version.json"], "stores": [store]}}})
    )

    found = _scan("@prod")

    assert found["KC-RET-002"]["main"] == {"pass"}
    assert found["KC-RET-001"]["main"] == {"pass"}


# --- answers saved as files ----------------------------------------------------------------------


def test_answers_that_were_saved_as_files_are_recognised(
    secured_elasticsearch: SearchServer, tmp_path: Path
) -> None:
    server = secured_elasticsearch
    pattern = _fill(server, days=range(0, 200, 7), policy=_policy(server, "270d"))
    paths = {
        "root": "/",
        "health": f"/_cluster/health/{pattern}",
        "settings": f"/{pattern}/_settings",
        "data-streams": "/_data_stream",
        "ilm-policy": "/_ilm/policy",
        "ilm-explain": f"/{pattern}/_ilm/explain",
        "resolved": f"/_resolve/index/{pattern}",
        "repositories": "/_snapshot",
        "roles": "/_security/role",
        "users": "/_security/user",
        "node-settings": "/_nodes/settings",
        "cluster-settings": "/_cluster/settings",
        "license": "/_license",
    }
    expected = {
        "root": Kind.ELASTICSEARCH_SERVER,
        "health": Kind.ELASTICSEARCH_HEALTH,
        "settings": Kind.ELASTICSEARCH_SETTINGS,
        "data-streams": Kind.ELASTICSEARCH_DATA_STREAMS,
        "ilm-policy": Kind.ELASTICSEARCH_ILM_POLICIES,
        "ilm-explain": Kind.ELASTICSEARCH_ILM_EXPLAIN,
        "resolved": Kind.ELASTICSEARCH_INDICES,
        "roles": Kind.ELASTICSEARCH_ROLES,
        "users": Kind.ELASTICSEARCH_USERS,
        "node-settings": Kind.ELASTICSEARCH_NODE_SETTINGS,
        "cluster-settings": Kind.ELASTICSEARCH_CLUSTER_SETTINGS,
        "license": Kind.ELASTICSEARCH_LICENSE,
    }
    folder = tmp_path / "answers"
    folder.mkdir()
    for name, path in paths.items():
        (folder / f"{name}.json").write_text(json.dumps(server.must("GET", path), indent=2))

    found = _scan(folder, "--save-bundle", tmp_path / "bundle")
    index = json.loads((tmp_path / "bundle" / "bundle.json").read_text())
    kinds = {
        Path(reading["resource"]).stem: reading["kind"]
        for reading in index["targets"][0]["readings"]
    }

    assert {name: kinds.get(name) for name in expected} == {
        name: kind.value for name, kind in expected.items()
    }
    assert found["KC-RET-001"]["main"] == {"pass"}
    assert found["KC-RET-002"]["main"] == {"manual"}
    flat = json.dumps(server.must("GET", f"/{pattern}/_settings?flat_settings=true")).encode()
    answer = search_answer(flat)
    assert answer is not None
    assert answer[0] is Kind.ELASTICSEARCH_SETTINGS
