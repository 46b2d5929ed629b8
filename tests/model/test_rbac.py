"""RBAC out of objects, and the dangers in it. The decisions themselves: tests/integration."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcompliance.model.listing import Listing
from kcompliance.model.rbac.dangers import BYPASS, DISABLE, READ, find_dangers
from kcompliance.model.rbac.grants import Rbac, read_rbac
from kcompliance.model.rbac.wants import CLUSTER_WIDE, WANTS, Reach, Want
from kcompliance.model.reading import Kind
from tests.captures import raw

LOGGING = ("logging", "kube-system")
RAW = raw(Kind.RBAC, "rbac.json", "{}")


def rbac(*objects: dict[str, Any], whole: bool = True) -> Rbac:
    return read_rbac(Listing(objects=tuple((each, RAW) for each in objects), whole=whole))


def role(name: str, *rules: dict[str, Any], namespace: str = "", **more: Any) -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    metadata |= more.pop("metadata", {})
    kind = "Role" if namespace else "ClusterRole"
    return {"kind": kind, "metadata": metadata, "rules": list(rules), **more}


def binding(role_name: str, *subjects: dict[str, str], namespace: str = "") -> dict[str, Any]:
    metadata = {"name": f"to-{role_name}", **({"namespace": namespace} if namespace else {})}
    kind = "RoleBinding" if namespace else "ClusterRoleBinding"
    ref = {"kind": "ClusterRole", "name": role_name}
    return {"kind": kind, "metadata": metadata, "roleRef": ref, "subjects": list(subjects)}


def rule(group: str, resource: str, *verbs: str, names: tuple[str, ...] = ()) -> dict[str, Any]:
    found = {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}
    return {**found, "resourceNames": list(names)} if names else found


ANN = {"kind": "User", "name": "ann"}


def dangers_of(*objects: dict[str, Any], whole: bool = True) -> dict[str, list[str]]:
    """The words of each power by aspect, of whom nobody declared."""
    found = find_dangers(rbac(*objects, whole=whole), LOGGING)
    return {
        aspect: [f"{s}: {p.words}" for s, every in powers.items() for p in every]
        for aspect, powers in found.powers.items()
        if powers
    }


def granting(want: Want) -> dict[str, Any]:
    resource = f"{want.resource}/{want.subresource}" if want.subresource else want.resource
    names = tuple(sorted(want.names or ()))
    return rule(want.group, resource, *sorted(want.verbs), names=names)


@pytest.mark.parametrize("want", WANTS, ids=lambda w: f"{w.resource}/{w.subresource} {w.reach}")
def test_nothing_that_nobody_should_have_goes_unseen(want: Want) -> None:
    objects = [role("r", granting(want)), binding("r", ANN)]
    if want.reach in (Reach.LIFT, Reach.DISK):  # only with pods to use it
        objects += [role("pods", rule("", "pods", "create")), binding("pods", ANN, namespace="a")]
    if want.reach is Reach.ACCOUNT:  # only where there is a service account worth it
        account = {"kind": "ServiceAccount", "name": "sa", "namespace": "ci"}
        objects += [role("all", rule("*", "*", "*")), binding("all", account)]

    found = dangers_of(*objects)
    webhooks = find_dangers(rbac(*objects), LOGGING).webhooks

    seen = [words for every in found.values() for words in every if words.startswith("User ann")]
    assert seen or (want.reach is Reach.WEBHOOKS and webhooks)


@pytest.mark.parametrize("want", WANTS, ids=lambda w: f"{w.resource}/{w.subresource} {w.reach}")
def test_in_another_namespace_nothing_of_it_is_a_danger_by_itself(want: Want) -> None:
    found = dangers_of(role("r", granting(want)), binding("r", ANN, namespace="elsewhere"))

    assert found == {}


def test_what_is_outside_of_namespaces_no_role_binding_grants() -> None:
    wants = [granting(each) for each in WANTS if each.reach in CLUSTER_WIDE]

    for granted in wants:
        objects = (role("r", granted), binding("r", ANN, namespace="kube-system"))
        assert dangers_of(*objects) == {}


@pytest.mark.parametrize("verb", ["create", "deletecollection"])
def test_a_rule_with_names_never_allows_what_is_asked_without_one(verb: str) -> None:
    objects = (role("r", rule("", "pods", verb, names=("one",))), binding("r", ANN))

    assert dangers_of(*objects) == {}


def test_who_can_be_somebody_who_can_be_somebody_dangerous_is_dangerous() -> None:
    account = {"kind": "ServiceAccount", "name": "middle", "namespace": "b"}
    admin = {"kind": "ServiceAccount", "name": "admin", "namespace": "c"}
    found = dangers_of(
        role("all", rule("*", "*", "*")),
        binding("all", admin),
        role("pods", rule("", "pods", "create")),
        binding("pods", account, namespace="c"),
        role("exec", rule("", "pods/exec", "create")),
        binding("exec", ANN, namespace="b"),
    )

    for aspect in (BYPASS, DISABLE, READ):
        assert any(
            words.startswith("User ann: run commands in the pods of b") for words in found[aspect]
        )


def test_all_service_accounts_of_a_namespace_are_as_dangerous_as_their_group() -> None:
    accounts = {"kind": "Group", "name": "system:serviceaccounts:ci"}
    found = dangers_of(
        role("all", rule("*", "*", "*")),
        binding("all", accounts),
        role("pods", rule("apps", "deployments", "update")),
        binding("pods", ANN, namespace="ci"),
    )

    assert any(words.startswith("User ann") for words in found[READ])


@pytest.mark.parametrize(
    ("names", "danger"), [(("system:masters",), True), (("interns",), False)], ids=str
)
def test_who_may_be_certain_groups_is_what_those_are(names: tuple[str, ...], danger: bool) -> None:
    objects = (role("r", rule("", "groups", "impersonate", names=names)), binding("r", ANN))

    assert bool(dangers_of(*objects)) is danger


@pytest.mark.parametrize("whole", [True, False])
def test_an_aggregated_role_is_gathered_only_where_no_controller_did(whole: bool) -> None:
    selectors = [{"matchExpressions": [{"key": "to", "operator": "In", "values": ["monitoring"]}]}]
    part = role("part", rule("", "nodes/proxy", "get"), metadata={"labels": {"to": "monitoring"}})
    other = role("other", rule("", "secrets", "get"), metadata={"labels": {"to": "viewers"}})
    all_ = role("sum", aggregationRule={"clusterRoleSelectors": selectors})

    found = dangers_of(part, other, all_, binding("sum", ANN), whole=whole)

    assert set(found) == (set() if whole else {BYPASS, READ})


def test_a_role_that_is_given_twice_has_the_rules_of_both() -> None:
    found = dangers_of(
        role("r", rule("", "nodes/proxy", "get")), role("r"), binding("r", ANN), whole=False
    )

    assert BYPASS in found


@pytest.mark.parametrize(
    "odd",
    [
        {"kind": "Role", "metadata": {"name": "r"}},
        {"kind": "RoleBinding", "metadata": {"name": "b"}, "roleRef": {"kind": "Role", "name": ""}},
        {"kind": "ClusterRole", "metadata": {"name": "r"}, "rules": [{"verbs": "get"}]},
        {"kind": "ClusterRole", "metadata": None},
        {"kind": "ClusterRoleBinding", "metadata": {"name": "b"}, "roleRef": None},
    ],
    ids=str,
)
def test_what_is_of_another_shape_is_told(odd: dict[str, Any]) -> None:
    assert len(rbac(odd).problems) == 1


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["*", "get", "ClusterRole", "r"]),
    lambda part: (
        st.lists(part, max_size=3)
        | st.dictionaries(
            st.sampled_from(["kind", "name", "metadata", "rules", "verbs", "roleRef", "subjects"]),
            part,
        )
    ),
    max_leaves=12,
)


@given(
    st.lists(st.dictionaries(st.sampled_from(["metadata", "rules", "roleRef"]), _JSON)),
    st.booleans(),
)
def test_nothing_that_is_given_breaks_it(objects: list[dict[str, Any]], whole: bool) -> None:
    kinds = ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")
    named = [{**each, "kind": kinds[index % 4]} for index, each in enumerate(objects)]

    find_dangers(rbac(*named, whole=whole), LOGGING)
