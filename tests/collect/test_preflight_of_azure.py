"""`kcompliance preflight` of AKS clusters by the unpatched SDKs: each action refused in turn."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kcompliance.collect.azure import questions
from kcompliance.collect.cloud_needs import controls_needing
from kcompliance.collect.cloud_reads import Source, action_of, kinds_asked
from tests.azure_rm import blob_documents, documents
from tests.azure_rm.documents import CLUSTER, HUB, STORAGE, SUBSCRIPTION, WORKSPACE, setting
from tests.azure_rm.protection_documents import dedicated_cluster, workspace_in
from tests.azure_rm.server import AzureOnLoopback
from tests.captures import NOW
from tests.cli.in_process import run

pytestmark = pytest.mark.integration

ROLE_ID = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/owner"
DEDICATED = f"{WORKSPACE.rpartition('/workspaces/')[0]}/clusters/keys"
ROLE = Path(__file__).parent.parent.parent / "deploy/azure/role.json"
NEEDED = {action_of(k) for k in kinds_asked(Source.AZURE) if controls_needing(k)}


@pytest.fixture
def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AzureOnLoopback]:
    """A cluster with a destination of each kind, and somebody who has a role."""
    with AzureOnLoopback(tmp_path) as server:
        server.environment(monkeypatch)
        server.usual(setting("group:allLogs", storage=STORAGE, hub=HUB))
        server.put_blobs(blob_documents.sound(NOW))
        server.put(workspace_in(DEDICATED))
        server.put(dedicated_cluster(DEDICATED))
        scope = f"{CLUSTER}/providers/Microsoft.Authorization/roleAssignments"
        properties = {"roleDefinitionId": ROLE_ID, "principalId": "p", "scope": CLUSTER}
        server.put_list(scope, [{"id": f"{scope}/a", "properties": properties}])
        server.put({"id": ROLE_ID, "properties": {"roleName": "Owner", "permissions": []}})
        yield server


def _preflight(*arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit code, and the rows by their permission."""
    done = run("preflight", f"aks:{CLUSTER}", "--format", "json", *arguments)
    (target,) = done.json["targets"]
    return done.code, {each["permission"]: each for each in target["permissions"]}


def _allowed(rows: dict[str, dict[str, Any]], *allowed: str) -> set[str]:
    return {row["action"] for row in rows.values() if row["allowed"] in allowed}


def test_the_actions_are_those_of_the_role_that_is_shipped(azure: AzureOnLoopback) -> None:
    code, rows = _preflight()

    assert code == 0
    assert _allowed(rows, "yes") == {row["action"] for row in rows.values()} == NEEDED
    role = json.loads(ROLE.read_text())
    assert {*role["Actions"], *role["DataActions"]} >= NEEDED
    tables = f"Microsoft.OperationalInsights/workspaces/tables/read on {WORKSPACE}"
    assert rows[tables]["controls"] == ["KC-RET-007", "KC-RET-008"]
    assert rows[tables]["place"] == WORKSPACE


def _paths() -> list[tuple[str, str]]:
    """Each action, and one path that is asked by it."""
    asked = [
        *questions.about_cluster(CLUSTER),
        *questions.about_subscription(SUBSCRIPTION),
        *questions.about_workspace(WORKSPACE),
        questions.dedicated_cluster(DEDICATED),
        *questions.about_storage(STORAGE),
        *questions.about_scope(CLUSTER),
        questions.event_hub(HUB),
        questions.about_role(ROLE_ID),
    ]
    return list({each.action: each.path for each in reversed(asked)}.items())


@pytest.mark.parametrize(("action", "path"), _paths(), ids=[action for action, _ in _paths()])
def test_an_action_that_is_refused_is_named(azure: AzureOnLoopback, action: str, path: str) -> None:
    azure.refuse(path, 403, "AuthorizationFailed")

    code, rows = _preflight()

    expected = {action} & NEEDED
    assert _allowed(rows, "no") == expected
    assert code == (3 if expected else 0)
    assert {row["action"] for row in rows.values()} == NEEDED
    for row in rows.values():
        if row["allowed"] == "unknown":
            assert row["reason"].startswith("not reached: not allowed")
            assert row["place"] is None


def test_who_may_not_read_blobs_is_told_so(azure: AzureOnLoopback) -> None:
    path = f"/auditlogs/{blob_documents.CONTAINER}"
    azure.answer(path, blob_documents.refusal(403, "AuthorizationPermissionMismatch"))

    code, rows = _preflight()

    assert (code, _allowed(rows, "no")) == (3, {questions.BLOB_ACTION})


def test_what_goes_wrong_otherwise_is_not_known(azure: AzureOnLoopback) -> None:
    azure.refuse(STORAGE, 500, "InternalServerError")

    code, rows = _preflight("--control", "KC-RET-008")

    assert code == 3
    row = rows[f"Microsoft.Storage/storageAccounts/read on {STORAGE}"]
    assert (row["allowed"], row["reason"][:3]) == ("unknown", "no ")
    policies = rows["Microsoft.Storage/storageAccounts/managementPolicies/read"]
    assert policies["reason"].startswith("not reached: no usable answer")


def test_all_clusters_of_a_subscription_are_asked_about(azure: AzureOnLoopback) -> None:
    listed = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.ContainerService/managedClusters"
    other = f"{CLUSTER}-2"
    azure.put_list(listed, [documents.cluster(), documents.cluster(other)])
    azure.refuse(other, 403, "AuthorizationFailed")

    done = run("preflight", f"aks:subscription/{SUBSCRIPTION}", "--format", "json")

    assert done.code == 3
    first, second = done.json["targets"]
    assert (first["target"], second["target"]) == (f"aks:{CLUSTER}", f"aks:{other}")
    assert {each["allowed"] for each in first["permissions"]} == {"yes"}
    assert {each["allowed"] for each in second["permissions"]} == {"no", "unknown"}


def test_a_search_that_is_refused_names_its_subscription(azure: AzureOnLoopback) -> None:
    listed = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.ContainerService/managedClusters"
    azure.refuse(listed, 403, "AuthorizationFailed")

    arguments = (f"aks:subscription/{SUBSCRIPTION}", "--format", "json")
    done = run("preflight", *arguments, "--control", "KC-AUD-005")

    (row,) = done.json["targets"][0]["permissions"]
    assert (row["allowed"], row["place"]) == ("no", f"/subscriptions/{SUBSCRIPTION}")


def test_wrong_credentials_are_one_error(azure: AzureOnLoopback) -> None:
    azure.refuse_client()

    done = run("preflight", f"aks:{CLUSTER}", "--format", "json")

    assert done.code == 4
    assert "no token" in done.json["error"]["message"]
    assert "az login" in done.json["error"]["hint"]
