"""The role that is shipped is what the collector asks for, and the documentation names it."""

import json
import re
from pathlib import Path

from kcompliance.collect.azure import questions
from kcompliance.collect.azure.log_queries import Tables, log_queries
from kcompliance.collect.azure.questions import BLOB_ACTION, QUERY_ACTION, Question
from tests.azure_rm.documents import CLUSTER, HUB, STORAGE, SUBSCRIPTION, WORKSPACE

ROOT = Path(__file__).parent.parent.parent


def asked() -> list[Question]:
    return [
        questions.search(SUBSCRIPTION, None),
        *questions.about_cluster(CLUSTER),
        *questions.about_subscription(SUBSCRIPTION),
        *questions.about_workspace(WORKSPACE),
        questions.dedicated_cluster(f"{WORKSPACE}/x"),
        *questions.about_storage(STORAGE),
        *questions.about_scope(CLUSTER),
        questions.event_hub(HUB),
        questions.action_group(f"{CLUSTER}/x"),
        questions.about_role(f"{CLUSTER}/x"),
    ]


def test_the_role_grants_what_is_asked_and_nothing_else() -> None:
    role = json.loads((ROOT / "deploy/azure/role.json").read_text())
    kql = "".join(text for _, text in log_queries(CLUSTER, Tables()))
    tables = set(re.findall(r"\((\w+) \| where", kql))

    granted = {action.lower() for action in role["Actions"]}

    of_tables = {f"microsoft.operationalinsights/workspaces/query/{t.lower()}/read" for t in tables}
    assert granted == {q.action.lower() for q in asked()} | {QUERY_ACTION.lower()} | of_tables
    assert all(action.endswith("/read") for action in granted)
    assert role["DataActions"] == [BLOB_ACTION]


def test_the_documentation_names_each_action() -> None:
    text = (ROOT / "docs/permissions.md").read_text()

    assert {q.action for q in asked() if f"`{q.action}`" not in text} == set()
    assert f"`{QUERY_ACTION}`" in text
    assert f"`{BLOB_ACTION}`" in text


def test_every_version_is_pinned() -> None:
    assert all(re.fullmatch(r"20\d\d-\d\d-\d\d(-preview)?", q.version) for q in asked())
