"""Who may alter a trail: patterns of roles, and people of whom little is told."""

import json
from typing import Any

import pytest

from kcompliance.model.assemble import assemble
from kcompliance.model.reading import Kind
from kcompliance.model.search.principals import Principal, principals_of
from kcompliance.model.search.view import stores_of
from tests.captures import NOW, raw

NAMES = ("logs-kubernetes.audit_logs-default", ".ds-logs-kubernetes.audit_logs-default-000001")


def _principals(roles: Any, users: Any, mappings: Any = None) -> tuple[Principal, ...]:
    captures = [
        raw(kind, f"{kind.value}.json", json.dumps(value))
        for kind, value in (
            (Kind.ELASTICSEARCH_ROLES, roles),
            (Kind.ELASTICSEARCH_USERS, users),
            (Kind.ELASTICSEARCH_ROLE_MAPPINGS, mappings or {}),
            (Kind.ELASTICSEARCH_API_KEYS, {"api_keys": []}),
        )
    ]
    (store,) = stores_of(assemble("c", captures))
    return principals_of(store, NAMES, NOW)


def _one(**role: Any) -> Principal:
    (found,) = _principals({"r": role}, {"u": {"roles": ["r"], "enabled": True}})
    return found


def _with(name: str, *privileges: str) -> Principal:
    return _one(indices=[{"names": [name], "privileges": list(privileges)}])


@pytest.mark.parametrize(
    ("pattern", "reached"),
    [
        ("*", True),
        ("logs-*", True),
        ("logs-kubernetes.audit_logs-default", True),
        (".ds-logs-*", True),
        ("logs-kubernetes.audit_logs-defaul?", True),
        ("metrics-*", False),
        ("logs-kubernetes", False),
        ("/logs-.*/", True),
        ("/metrics-.*/", False),
        ("/~(([.]|ilm-history-).*)/", True),
        ("/~(.*logs-.*)/", False),
        ("/(a|logs).*-default/", True),
        ("/((l|l)+)+x/", True),  # not tried, so it may be
        ("/@&~(x)/", True),
        ("/(/", True),
    ],
)
def test_a_pattern_of_a_role_reaches_the_trail_or_not(pattern: str, reached: bool) -> None:
    assert bool(_with(pattern, "all").grants.changing) is reached


@pytest.mark.parametrize(
    ("privilege", "changing", "adding"),
    [
        ("create_doc", False, True),
        ("create", False, True),
        ("auto_configure", False, False),
        ("read", False, False),
        ("index", True, True),
        ("write", True, True),
        ("delete", True, True),
        ("ALL", True, True),
        ("indices:data/write/update", True, True),
        ("indices:data/read/search", False, False),
    ],
)
def test_a_privilege_alters_or_adds_or_only_looks(
    privilege: str, changing: bool, adding: bool
) -> None:
    grants = _with("logs-*", privilege).grants

    assert bool(grants.changing) is changing
    assert grants.adding is adding


@pytest.mark.parametrize("privilege", ["manage_security", "manage_ilm", "cluster:admin/ilm/put"])
def test_a_right_on_the_cluster_is_one_on_the_trail(privilege: str) -> None:
    assert _one(cluster=[privilege]).grants.changing


def test_who_may_act_as_others_has_rights_that_are_not_told() -> None:
    assert _one(run_as=["boss"]).unknown


@pytest.mark.parametrize(
    ("rules", "everybody"),
    [
        ({"field": {"username": "*"}}, True),
        ({"field": {"username": ["ann", "*"]}}, True),
        ({"field": {"username": "ann"}}, False),
        ({"any": [{"field": {"groups": "x"}}, {"field": {"username": "*"}}]}, True),
        ({"all": [{"field": {"groups": "x"}}, {"field": {"username": "*"}}]}, False),
        ({"all": [{"field": {"username": "*"}}, {"except": {"field": {"username": "a"}}}]}, True),
        ({}, False),
        ("nonsense", False),
    ],
)
def test_a_role_mapping_that_lets_everybody_in(rules: object, everybody: bool) -> None:
    (found,) = _principals({"r": {}}, {}, {"m": {"enabled": True, "roles": ["r"], "rules": rules}})

    assert found.everybody is everybody


@pytest.mark.parametrize("odd", [[], "x", 7, None, {"u": 7}, {"u": {"roles": {"a": 1}}}])
def test_answers_of_another_shape_do_no_harm(odd: object) -> None:
    assert not [each for each in _principals(odd, odd, odd) if each.grants.changing]
