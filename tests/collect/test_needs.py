"""The one table of what controls need agrees with the checks, the role and the documentation."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from kcompliance.collect.needs import (
    CONTROL_NEEDS,
    FILES,
    OF_FORWARDERS,
    PERMISSIONS,
    KubernetesPermission,
)
from kcompliance.controls import Case, cases_of, load_controls, published_policies
from kcompliance.model.assemble import assemble
from kcompliance.model.control import Platform
from kcompliance.report.table_preflight import in_short
from kcompliance.scan import judge_control
from tests.captures import unreadable

ROOT = Path(__file__).parent.parent.parent
CONTROLS = load_controls()
_TOLD = set(FILES)
"""What the table is about: Kubernetes and files, and not what clouds and stores are asked."""
_LACKING = "a reading that is lacking"
_CASES = 2


def test_the_table_is_about_controls_that_there_are() -> None:
    assert set(CONTROL_NEEDS) <= set(CONTROLS)
    assert all(CONTROL_NEEDS.values())


def test_for_every_kind_there_are_words_for_a_file() -> None:
    assert {kind for kinds in CONTROL_NEEDS.values() for kind in kinds} <= set(FILES)


def _may_be_self_managed(case: Case) -> bool:
    cluster = assemble("case", case.captures, case.platform, published_policies())
    return cluster.platform in (None, Platform.SELF_MANAGED)


@pytest.mark.parametrize("id_", CONTROLS)
def test_a_control_needs_what_is_an_error_of_its_own_when_it_is_lacking(id_: str) -> None:
    control = CONTROLS[id_]
    cases = [c for c in cases_of(control) if _may_be_self_managed(c)][:_CASES]
    needed = set()
    for kind in _TOLD:
        gap = unreadable(kind, _LACKING)
        for case in cases:
            cluster = assemble("case", (*case.captures, gap), case.platform, published_policies())
            judged = judge_control(control, cluster, case.parameters)
            if any(item.finding.resource == _LACKING for item in judged):
                needed.add(kind)
                break

    assert needed == set(CONTROL_NEEDS.get(id_, ()))


# --- the role that is shipped --------------------------------------------------------------------


def documents(name: str) -> list[dict[str, Any]]:
    text = (ROOT / "deploy/kubernetes" / name).read_text(encoding="utf-8")
    return list(yaml.safe_load_all(text))


def granted(role: dict[str, Any]) -> set[str]:
    """The rules of a role in the words of the table."""
    namespace = role["metadata"].get("namespace", "")
    found = set()
    for rule in role["rules"]:
        for verb in rule["verbs"]:
            for url in rule.get("nonResourceURLs", ()):
                found.add(str(KubernetesPermission(verb=verb, path=url)))
            for group in rule.get("apiGroups", ()):
                for resource in rule["resources"]:
                    everywhere = role["kind"] == "ClusterRole" and resource not in _IN_NO_NAMESPACE
                    found.add(
                        str(
                            KubernetesPermission(
                                verb=verb,
                                group=group,
                                resource=resource,
                                namespace=namespace,
                                everywhere=everywhere,
                            )
                        )
                    )
    return found


_IN_NO_NAMESPACE = ("nodes", "clusterroles", "clusterrolebindings")


def test_the_role_grants_what_some_control_needs_and_nothing_else() -> None:
    roles = [d for d in documents("clusterrole.yaml") if d["kind"] in ("Role", "ClusterRole")]
    (of_namespace,) = [d for d in documents("logging-namespace.yaml") if d["kind"] == "Role"]
    needed = {kind for kinds in CONTROL_NEEDS.values() for kind in kinds}

    assert set().union(*map(granted, roles)) == {
        str(each) for kind, every in PERMISSIONS.items() if kind in needed for each in every
    }
    assert granted(of_namespace) == {str(p) for kind, p in OF_FORWARDERS.items() if kind in needed}


@pytest.mark.parametrize("name", ["clusterrole.yaml", "logging-namespace.yaml"])
def test_a_rule_names_the_controls_that_need_it(name: str) -> None:
    text = (ROOT / "deploy/kubernetes" / name).read_text(encoding="utf-8")
    named = {word for word in CONTROLS if word in text}

    assert named <= set(CONTROLS)
    assert "KC-" in text
    assert "*" not in text.replace("# ", "")


# --- the documentation ---------------------------------------------------------------------------


def rows() -> list[str]:
    """The table of docs/permissions.md, as the code has it."""
    lines = ["| asks | permission | controls that need it |", "|---|---|---|"]
    every = {kind: every for kind, every in PERMISSIONS.items()}
    every |= {k: (p.in_namespace("of each log forwarder"),) for k, p in OF_FORWARDERS.items()}
    for kind, permissions in every.items():
        ids = [control for control, kinds in CONTROL_NEEDS.items() if kind in kinds]
        told = in_short(ids) or "none in this version"
        lines += [f"| {kind.value} | {permission} | {told} |" for permission in permissions]
    return lines


def test_the_documentation_shows_the_table() -> None:
    text = (ROOT / "docs/permissions.md").read_text(encoding="utf-8")

    assert "\n".join(rows()) in text, "\n" + "\n".join(rows())
