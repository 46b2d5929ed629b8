"""Scans of AKS over the unpatched SDKs: Azure Resource Manager on loopback, tokens included."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kcompliance.collect.azure.connection import LONGEST_WAIT_SECONDS
from kcompliance.collect.targets import NamedTarget
from kcompliance.errors import UsageError
from kcompliance.model.finding import Confidence, Status
from kcompliance.model.reading import Absent, Kind, Raw
from tests.azure_rm import documents
from tests.azure_rm.documents import (
    CLUSTER,
    HUB,
    LOGS_SUBSCRIPTION,
    STORAGE,
    SUBSCRIPTION,
    WORKSPACE,
    Json,
    error,
    log,
    setting,
)
from tests.azure_rm.scanning import AKS_CONTROLS, live, live_and_from_bundle
from tests.azure_rm.server import AzureOnLoopback
from tests.servers.canned_api import cut_off, endless, first, whole

pytestmark = pytest.mark.integration

PASS, FAIL, MANUAL, ERROR = Status.PASS, Status.FAIL, Status.MANUAL, Status.ERROR
NOT_APPLICABLE = Status.NOT_APPLICABLE
SETTINGS = f"{CLUSTER}/providers/Microsoft.Insights/diagnosticSettings"


@pytest.fixture
def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AzureOnLoopback]:
    with AzureOnLoopback(tmp_path) as server:
        server.environment(monkeypatch)
        yield server


# --- the situations that other scanners get wrong ------------------------------------------------


def _only_container_insights(azure: AzureOnLoopback) -> None:
    azure.usual()
    azure.put(documents.cluster(addonProfiles={"omsagent": {"enabled": True, "config": {}}}))


def _every_category_off(azure: AzureOnLoopback) -> None:
    azure.usual(setting(*(log(name, on=False) for name in documents.ALL_CATEGORIES)))


def _only_the_autoscaler(azure: AzureOnLoopback) -> None:
    azure.usual(setting("cluster-autoscaler"))


def _group_audit(azure: AzureOnLoopback) -> None:
    azure.usual(setting("group:audit"))


def _group_all_logs(azure: AzureOnLoopback) -> None:
    azure.usual(setting("group:allLogs"))


def _two_that_together_suffice(azure: AzureOnLoopback) -> None:
    azure.usual(
        setting("kube-audit", name="reads", workspace=None, storage=STORAGE),
        setting(*(name for name in documents.ALL_CATEGORIES if name != "kube-audit")),
    )


def _no_guard_without_entra(azure: AzureOnLoopback) -> None:
    azure.usual(setting("kube-audit"))
    azure.put(documents.cluster(entra=False))


def _destination_deleted(azure: AzureOnLoopback) -> None:
    azure.usual(setting("kube-audit"))
    azure.remove(WORKSPACE)


def _destination_in_another_tenant(azure: AzureOnLoopback) -> None:
    azure.usual(setting("kube-audit"))
    azure.refuse(
        WORKSPACE,
        401,
        "InvalidAuthenticationTokenTenant",
        "The access token is from the wrong issuer.",
    )


@pytest.mark.parametrize(
    ("situation", "shipped", "reads", "guard"),
    [
        pytest.param(_only_container_insights, FAIL, FAIL, FAIL, id="only Container insights"),
        pytest.param(_every_category_off, FAIL, FAIL, FAIL, id="every category off"),
        pytest.param(_only_the_autoscaler, FAIL, FAIL, FAIL, id="only cluster-autoscaler"),
        pytest.param(_group_audit, PASS, PASS, PASS, id="group audit"),
        pytest.param(_group_all_logs, PASS, PASS, PASS, id="group allLogs"),
        pytest.param(_two_that_together_suffice, PASS, PASS, PASS, id="two together"),
        pytest.param(_no_guard_without_entra, PASS, PASS, NOT_APPLICABLE, id="no Entra ID"),
        pytest.param(_destination_deleted, FAIL, PASS, FAIL, id="destination deleted"),
        pytest.param(_destination_in_another_tenant, MANUAL, PASS, FAIL, id="another tenant"),
    ],
)
def test_nine_situations_that_scanners_get_wrong(
    azure: AzureOnLoopback,
    tmp_path: Path,
    situation: Callable[[AzureOnLoopback], None],
    shipped: Status,
    reads: Status,
    guard: Status,
) -> None:
    situation(azure)

    scan = live_and_from_bundle(tmp_path)

    assert scan.statuses("KC-AUD-001") == [shipped]
    assert scan.statuses("KC-AUD-002") == [reads]
    assert scan.statuses("KC-AUD-003", "guard") == [guard]


def test_a_sound_cluster_passes_live(azure: AzureOnLoopback, tmp_path: Path) -> None:
    azure.usual(setting("group:allLogs", storage=STORAGE, hub=HUB))

    scan = live_and_from_bundle(tmp_path)

    for control in AKS_CONTROLS:
        findings = scan.findings(control)
        assert {found.status for found in findings} == {PASS}, control
        assert {found.confidence for found in findings} == {Confidence.LIVE}


def test_what_keeps_too_short_fails(azure: AzureOnLoopback, tmp_path: Path) -> None:
    azure.usual(setting(log("kube-audit", days=730), storage=STORAGE))
    azure.put(documents.table("AKSAudit", plan="Basic", days=30, total=365))
    azure.put(documents.lifecycle(90))

    scan = live_and_from_bundle(tmp_path)

    assert scan.statuses("KC-RET-007") == [FAIL]
    assert scan.statuses("KC-RET-008") == [FAIL]
    assert scan.statuses("KC-RET-008", "dead-retention") == [FAIL]


def test_reads_among_the_stored_records_are_evidence(
    azure: AzureOnLoopback, tmp_path: Path
) -> None:
    azure.usual(setting("kube-audit-admin"))
    azure.answer_query([["AKSAuditAdmin", "get", "", 5]])

    scan = live_and_from_bundle(tmp_path)

    assert scan.statuses("KC-AUD-002") == [PASS]
    assert all(CLUSTER.lower() in each.body for each in azure.asked_for("/query"))


# --- what is asked -------------------------------------------------------------------------------


def test_nothing_is_written_and_no_key_is_asked_for(azure: AzureOnLoopback) -> None:
    azure.usual(setting("kube-audit", storage=STORAGE, hub=HUB))

    live()

    posted = {each.path.rsplit("/", 1)[-1] for each in azure.asked if each.method != "GET"}
    assert posted == {"token", "query"}
    assert not azure.asked_for("listkeys")


def test_destinations_in_other_subscriptions_are_looked_at(azure: AzureOnLoopback) -> None:
    azure.usual(setting("kube-audit", storage=STORAGE, hub=HUB))

    scan = live()

    assert {c.origin.resource for c in scan.captures(Kind.AZURE_SUBSCRIPTION)} == {
        f"/subscriptions/{SUBSCRIPTION}",
        f"/subscriptions/{LOGS_SUBSCRIPTION}",
    }
    kinds = (Kind.AZURE_WORKSPACE, Kind.AZURE_STORAGE_ACCOUNT, Kind.AZURE_EVENT_HUB)
    assert all(isinstance(c, Raw) for kind in kinds for c in scan.captures(kind))


def test_a_list_is_read_to_its_end(azure: AzureOnLoopback) -> None:
    azure.usual()
    azure.put_list(SETTINGS, [setting("kube-scheduler", name=f"s{n}") for n in range(5)], page=2)

    (capture,) = live().captures(Kind.AZURE_DIAGNOSTIC_SETTINGS)

    assert isinstance(capture, Raw)
    assert [item["name"] for item in json.loads(capture.content)["value"]] == [
        "s0",
        "s1",
        "s2",
        "s3",
        "s4",
    ]


def test_roles_and_locks_are_asked_at_each_scope(azure: AzureOnLoopback) -> None:
    role = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/r-1"
    azure.usual(setting("kube-audit"))
    given = documents.assignment(CLUSTER, role)
    azure.put_list(f"{CLUSTER}/providers/Microsoft.Authorization/roleAssignments", [given])
    azure.put(documents.role(role, "*/read"))

    scan = live()

    assert [c.origin.resource for c in scan.captures(Kind.AZURE_ROLE_DEFINITION)] == [role]
    (asked,) = azure.asked_for(f"{CLUSTER}/providers/microsoft.authorization/roleassignments")
    assert asked.query["$filter"] == ["atScope()"]
    scopes = {
        c.origin.resource.split("/providers/Microsoft.Auth")[0]
        for c in scan.captures(Kind.AZURE_LOCKS)
    }
    assert scopes == {
        CLUSTER,
        WORKSPACE,
        f"/subscriptions/{SUBSCRIPTION}",
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/apps",
        f"/subscriptions/{LOGS_SUBSCRIPTION}",
        f"/subscriptions/{LOGS_SUBSCRIPTION}/resourceGroups/logs",
    }


def test_no_secret_is_kept(azure: AzureOnLoopback) -> None:
    within = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/apps/providers/microsoft.insights"
    group = f"{within}/actionGroups/on-call"
    azure.usual(setting("kube-audit"))
    azure.put(
        documents.cluster(
            httpProxyConfig={"httpProxy": "http://user:pass-word@proxy:3128"},
            windowsProfile={"adminUsername": "azure", "adminPassword": "pass-word"},
        )
    )
    alert = documents.alert(group=group, secret="a-hook-key")
    azure.put_list(
        f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Insights/activityLogAlerts", [alert]
    )
    receivers = {
        "emailReceivers": [{"name": "me", "emailAddress": "someone@example.org"}],
        "webhookReceivers": [{"name": "chat", "serviceUri": "https://chat.example/hooks/T0/B0"}],
        "logicAppReceivers": [{"name": "l", "callbackUrl": "https://l.example/run?sig=abcdef"}],
    }
    azure.put_list(
        f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Insights/actionGroups",
        [{"id": group, "name": "on-call", "properties": {"enabled": True, **receivers}}],
    )

    scan = live()

    kept = scan.content()
    for secret in (
        b"pass-word",
        b"a-hook-key",
        b"someone@",
        b"hooks/T0",
        b"abcdef",
        b"access-token",
    ):
        assert secret not in kept
    assert b'"emailReceivers":[{"name":"me"' in kept
    redacted = [
        r
        for c in scan.captures(Kind.AZURE_ACTION_GROUPS)
        if isinstance(c, Raw)
        for r in c.redactions
    ]
    assert "/value/0/properties/webhookReceivers/0/serviceUri" in redacted


# --- searches ------------------------------------------------------------------------------------


def _two_clusters(azure: AzureOnLoopback) -> str:
    other = CLUSTER.replace("/prod", "/staging")
    azure.usual(setting("kube-audit", of=other), cluster=other)
    azure.usual(setting("kube-audit"))
    listed = [
        documents.cluster(other, tags={"Env": "staging"}),
        documents.cluster(tags={"env": "prod", "note": "ours"}),
    ]
    path = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.ContainerService/managedClusters"
    azure.put_list(path, listed, page=1)
    return other


def test_a_subscription_becomes_a_target_for_each_cluster(
    azure: AzureOnLoopback, tmp_path: Path
) -> None:
    other = _two_clusters(azure)

    scan = live_and_from_bundle(tmp_path, f"aks:subscription/{SUBSCRIPTION}")

    assert [target.name for target in scan.targets] == [f"aks:{CLUSTER}", f"aks:{other}"]
    assert scan.statuses("KC-AUD-001") == [PASS, PASS]
    assert len(azure.asked_for(WORKSPACE + "/tables/AKSAudit")) == 2  # AKSAuditAdmin is the other
    assert b"staging" not in b"".join(
        c.content
        for c in scan.captures(Kind.AKS_CLUSTER)
        if isinstance(c, Raw) and other not in c.origin.resource
    )


def test_clusters_are_found_by_their_tags(azure: AzureOnLoopback) -> None:
    other = _two_clusters(azure)
    target = f"aks:subscription/{SUBSCRIPTION}?tag=env=staging"

    assert [found.name for found in live(target).targets] == [f"aks:{other}"]
    assert live(f"{target}&tag=note=ours").reason("KC-AUD-001").startswith("none of the 2 clusters")


def test_a_resource_group_is_searched(azure: AzureOnLoopback) -> None:
    azure.usual(setting("kube-audit"))
    group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/apps"
    azure.put_list(
        f"{group}/providers/Microsoft.ContainerService/managedClusters", [documents.cluster()]
    )

    scan = live(f"aks:subscription/{SUBSCRIPTION}/resourceGroup/apps")

    assert [target.name for target in scan.targets] == [f"aks:{CLUSTER}"]


def test_an_id_that_no_cluster_can_have_is_not_asked_about(azure: AzureOnLoopback) -> None:
    path = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.ContainerService/managedClusters"
    azure.put_list(path, [documents.cluster(f"{CLUSTER}' | union X //")])

    scan = live(f"aks:subscription/{SUBSCRIPTION}")

    assert scan.reason("KC-AUD-001") == "a cluster without an id in the answer"


def test_a_cluster_that_is_deleted_between_two_calls_is_told(azure: AzureOnLoopback) -> None:
    other = _two_clusters(azure)
    azure.remove(other)

    scan = live(f"aks:subscription/{SUBSCRIPTION}")

    assert scan.statuses("KC-AUD-001") == [PASS, ERROR]
    assert "404 ResourceNotFound" in scan.findings("KC-AUD-001")[1].because


@pytest.mark.parametrize(
    "target",
    [
        "aks:",
        "aks:prod",
        "aks:subscription/not-an-id",
        f"aks:subscription/{SUBSCRIPTION}?tag=env",
        f"aks:subscription/{SUBSCRIPTION}?group=apps",
        f"aks:{CLUSTER}/agentPools/system",
        f"aks:{CLUSTER}?tag=a=b",
        f"aks:{WORKSPACE}",
        "aks:/subscriptions/../x",
    ],
)
def test_what_is_no_aks_target_is_refused_before_anything_is_asked(
    azure: AzureOnLoopback, target: str
) -> None:
    with pytest.raises(UsageError, match=r"no AKS cluster or subscription|no tag to look for"):
        live(target)

    assert azure.asked == []


def test_a_named_target_is_one_cluster(azure: AzureOnLoopback) -> None:
    azure.usual(setting("kube-audit"))
    many = NamedTarget(name="prod", cluster=f"aks:subscription/{SUBSCRIPTION}")

    with pytest.raises(UsageError, match="names several clusters"):
        live("@prod", named=[many])

    one = NamedTarget(name="prod", cluster=f"aks:{CLUSTER}")
    assert live("@prod", named=[one]).statuses("KC-AUD-001") == [PASS]


# --- what goes wrong -----------------------------------------------------------------------------


def _client_expired(azure: AzureOnLoopback) -> None:
    azure.refuse_client()


def _token_expired(azure: AzureOnLoopback) -> None:
    azure.refuse(CLUSTER, 401, "ExpiredAuthenticationToken", "The access token expiry UTC time")


def _wrong_tenant(azure: AzureOnLoopback) -> None:
    azure.refuse(CLUSTER, 401, "InvalidAuthenticationTokenTenant", "The wrong issuer.")


def _no_subscription(azure: AzureOnLoopback) -> None:
    azure.refuse(CLUSTER, 404, "SubscriptionNotFound", "The subscription could not be found.")


def _forbidden(azure: AzureOnLoopback) -> None:
    azure.refuse(CLUSTER, 403, "AuthorizationFailed", "The client does not have authorization.")


def _page_of_a_proxy(azure: AzureOnLoopback) -> None:
    azure.answer(CLUSTER, whole(b"<html>not found</html>", 404))


def _half(azure: AzureOnLoopback) -> None:
    azure.answer(CLUSTER, cut_off(documents.cluster()))


def _not_json(azure: AzureOnLoopback) -> None:
    azure.answer(CLUSTER, whole(b"{'id': 1}"))


def _another_resource(azure: AzureOnLoopback) -> None:
    azure.answer(CLUSTER, whole(documents.cluster(CLUSTER.replace("prod", "other"))))


def _another_type(azure: AzureOnLoopback) -> None:
    azure.answer(CLUSTER, whole(documents.workspace()))


def _without_pools(azure: AzureOnLoopback) -> None:
    azure.answer(CLUSTER, whole({"id": CLUSTER, "name": "prod", "properties": {}}))


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (_client_expired, "no token: "),
        (_token_expired, "the token is not taken: 401 ExpiredAuthenticationToken"),
        (_wrong_tenant, "not visible in this tenant: 401 InvalidAuthenticationTokenTenant"),
        (_no_subscription, "not visible in this tenant: 404 SubscriptionNotFound"),
        (_forbidden, "not allowed: 403 AuthorizationFailed"),
        (_page_of_a_proxy, "no usable answer: 404"),
        (_half, "half an answer"),
        (_not_json, "half an answer, or no JSON"),
        (_another_resource, "it is about /subscriptions/"),
        (_another_type, "is no aks-cluster"),
    ],
)
def test_a_cluster_that_cannot_be_seen_is_an_error_of_every_control(
    azure: AzureOnLoopback,
    tmp_path: Path,
    fault: Callable[[AzureOnLoopback], None],
    says: str,
) -> None:
    azure.usual(setting("group:allLogs", storage=STORAGE))
    fault(azure)

    scan = live_and_from_bundle(tmp_path)

    for control in AKS_CONTROLS:
        statuses = {found.status for found in scan.findings(control)}
        assert ERROR in statuses
    assert says in scan.reason("KC-AUD-001")
    assert "the-client-secret" not in repr(scan.collection)


def test_a_cluster_without_its_node_pools_is_not_taken_for_one_without_entra(
    azure: AzureOnLoopback,
) -> None:
    azure.usual(setting("kube-audit"))
    _without_pools(azure)

    assert live().statuses("KC-AUD-003", "guard") == [ERROR]


@pytest.mark.parametrize(
    ("status", "code", "says"),
    [
        (403, "AuthorizationFailed", "not allowed: 403"),
        (404, "ResourceNotFound", "404 ResourceNotFound"),
        (500, "InternalServerError", "500 InternalServerError"),
        (409, "ReadOnlyDisabledSubscription", "409 ReadOnlyDisabledSubscription"),
    ],
)
def test_settings_that_cannot_be_read_are_an_error(
    azure: AzureOnLoopback, tmp_path: Path, status: int, code: str, says: str
) -> None:
    azure.usual(setting("kube-audit"))
    azure.refuse(SETTINGS, status, code)

    scan = live_and_from_bundle(tmp_path)

    for control in AKS_CONTROLS:
        assert {found.status for found in scan.findings(control)} == {ERROR}
    assert says in scan.reason("KC-AUD-001")
    permission = scan.unreadable(Kind.AZURE_DIAGNOSTIC_SETTINGS).permission
    expected = f"Microsoft.Insights/diagnosticSettings/read on {SETTINGS}"
    assert permission == (expected if status == 403 else None)


def test_a_disabled_subscription_passes_nothing(azure: AzureOnLoopback, tmp_path: Path) -> None:
    azure.usual(setting("group:allLogs", storage=STORAGE))
    azure.put(documents.subscription(state="Disabled"))

    scan = live_and_from_bundle(tmp_path)

    for control in AKS_CONTROLS:
        assert {found.status for found in scan.findings(control)} == {ERROR}


def test_a_workspace_of_a_disabled_subscription_is_no_destination(azure: AzureOnLoopback) -> None:
    azure.usual(setting("kube-audit"))
    azure.put(documents.subscription(LOGS_SUBSCRIPTION, "Disabled"))

    scan = live()

    assert scan.statuses("KC-AUD-001") == [ERROR]
    assert "the subscription is Disabled" in scan.reason("KC-AUD-001")


def test_a_lifecycle_404_of_an_account_that_is_gone_by_now_is_no_for_ever(
    azure: AzureOnLoopback,
) -> None:
    azure.usual(setting("kube-audit", workspace=None, storage=STORAGE))
    azure.refuse(f"{STORAGE}/managementPolicies/default", 404, "ResourceNotFound")

    assert live().statuses("KC-RET-008") == [ERROR]


def test_a_list_that_breaks_off_in_the_middle_is_no_list(azure: AzureOnLoopback) -> None:
    azure.usual()
    many = [setting("kube-audit", name=f"s{n}") for n in range(3)]
    second = f"{azure.url}{SETTINGS}/more?api-version=x"
    azure.answer(SETTINGS, whole({"value": many, "nextLink": second}))
    azure.answer(f"{SETTINGS}/more", whole(error("InternalServerError"), 500))

    scan = live()

    assert (
        "a page of the list: no usable answer: 500"
        in scan.unreadable(Kind.AZURE_DIAGNOSTIC_SETTINGS).reason
    )


@pytest.mark.parametrize(
    ("link", "says"),
    [
        ("https://elsewhere.example/x", "leads to another server"),
        ("{url}" + SETTINGS, "lead back to one another"),
    ],
    ids=["another server", "a ring"],
)
def test_links_of_a_list_are_not_followed_blindly(
    azure: AzureOnLoopback, link: str, says: str
) -> None:
    azure.usual()
    link = f"{link.format(url=azure.url)}?api-version=x"
    azure.answer(SETTINGS, whole({"value": [], "nextLink": link}))

    assert says in live().unreadable(Kind.AZURE_DIAGNOSTIC_SETTINGS).reason


def _throttled(wait: str) -> Callable[..., None]:
    body = error("TooManyRequests", "The request is being throttled.")
    return whole(body, 429, {"Retry-After": wait})


def test_a_page_that_is_throttled_is_asked_again_when_azure_says(azure: AzureOnLoopback) -> None:
    azure.usual()
    rest = whole({"value": [setting("kube-audit", name="late")]})
    azure.answer(f"{SETTINGS}/more", first(2, _throttled("1"), rest))
    link = f"{azure.url}{SETTINGS}/more?api-version=x"
    azure.answer(SETTINGS, whole({"value": [], "nextLink": link}))

    scan = live()

    assert scan.statuses("KC-AUD-001") == [PASS]
    assert len(azure.asked_for("/diagnosticsettings/more")) == 3


def test_who_is_told_to_wait_too_long_gives_up(azure: AzureOnLoopback) -> None:
    azure.usual()
    azure.answer(SETTINGS, _throttled(str(LONGEST_WAIT_SECONDS + 1)))

    scan = live()

    assert "throttled" in scan.unreadable(Kind.AZURE_DIAGNOSTIC_SETTINGS).reason
    assert len(azure.asked_for(SETTINGS)) <= 2


def test_after_two_throttled_questions_azure_is_left_alone(azure: AzureOnLoopback) -> None:
    azure.usual(setting("kube-audit"))
    for path in (SETTINGS, f"{CLUSTER}/providers/Microsoft.Insights/diagnosticSettingsCategories"):
        azure.answer(path, _throttled("99"))

    live()

    assert not azure.asked_for("microsoft.authorization")


def test_an_answer_without_end_is_cut(
    azure: AzureOnLoopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    azure.usual()
    azure.answer(SETTINGS, endless(beginning=b'{"value": ['))

    assert "larger than 64 MiB" in live().unreadable(Kind.AZURE_DIAGNOSTIC_SETTINGS).reason


def test_an_authority_that_does_not_answer_is_asked_once(
    azure: AzureOnLoopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    azure.usual(setting("kube-audit"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")

    scan = live()

    assert scan.statuses("KC-AUD-001") == [ERROR]
    assert azure.asked == []


def test_the_log_store_may_refuse_and_the_rest_is_judged(azure: AzureOnLoopback) -> None:
    azure.usual(setting("group:allLogs", storage=STORAGE))
    customer = documents.workspace()["properties"]["customerId"]
    azure.refuse(f"/v1/workspaces/{customer}/query", 403, "InsufficientAccessError")

    scan = live()

    for control in AKS_CONTROLS:
        assert {found.status for found in scan.findings(control)} == {PASS}
    assert {type(c).__name__ for c in scan.captures(Kind.AZURE_LOG_VERBS)} == {"Unreadable"}


def test_what_azure_says_is_not_there_is_no_gap(azure: AzureOnLoopback) -> None:
    azure.usual(setting("kube-audit", storage=STORAGE))

    scan = live()

    (policy,) = scan.captures(Kind.AZURE_MANAGEMENT_POLICY)
    assert isinstance(policy, Absent)
    assert scan.statuses("KC-RET-008") == [PASS]


# --- files that az or a browser saved ------------------------------------------------------------


@pytest.mark.parametrize("flat", [True, False], ids=["az", "ARM"])
@pytest.mark.parametrize("wrapped", [True, False], ids=["value", "bare"])
def test_saved_answers_give_the_verdicts_of_the_live_scan(
    azure: AzureOnLoopback, tmp_path: Path, flat: bool, wrapped: bool
) -> None:
    own = setting("group:allLogs", "kube-scheduler", storage=STORAGE)
    own["properties"]["logs"] = own["properties"]["logs"][:1]
    azure.usual(own)
    azure.put(documents.lifecycle(800))
    folder = tmp_path / "saved"
    folder.mkdir()

    def save(name: str, *items: Json, single: bool = False) -> None:
        shaped = [documents.as_az(item) if flat else item for item in items]
        value: object = shaped[0] if single else ({"value": shaped} if wrapped else shaped)
        (folder / name).write_text(json.dumps(value, indent=2))

    save("cluster.json", documents.cluster(), single=True)
    save("settings.json", own)
    save("categories.json", *documents.categories())
    save("workspace.json", documents.workspace(), single=True)
    tables = [documents.table(n) for n in ("AKSAudit", "AKSAuditAdmin", "AKSControlPlane")]
    save("tables.json", *tables)
    save("account.json", documents.account(), single=True)
    save("policy.json", documents.lifecycle(800), single=True)

    saved = live(str(folder))

    there = live()
    for control in AKS_CONTROLS:
        told = {(f.aspect, f.resource, f.status, f.because) for f in saved.findings(control)}
        assert told == {
            (f.aspect, f.resource, f.status, f.because) for f in there.findings(control)
        }
        assert {f.status for f in saved.findings(control)} == {PASS}


def test_half_a_saved_answer_is_an_error(tmp_path: Path) -> None:
    text = json.dumps({"value": [setting("kube-audit")]})
    (tmp_path / "settings.json").write_text(text[: len(text) // 2])

    scan = live(str(tmp_path))

    assert ERROR in scan.statuses("KC-AUD-001")
    assert PASS not in scan.statuses("KC-AUD-001")


def test_a_list_of_several_clusters_is_judged_cluster_by_cluster(tmp_path: Path) -> None:
    other = CLUSTER.replace("/prod", "/staging")
    (tmp_path / "clusters.json").write_text(
        json.dumps([documents.as_az(documents.cluster(id_)) for id_ in (CLUSTER, other)])
    )
    (tmp_path / "settings.json").write_text(
        json.dumps([documents.as_az(setting("kube-scheduler"))])
    )

    scan = live(str(tmp_path))

    by_cluster = {found.resource: found.status for found in scan.findings("KC-AUD-001")}
    assert by_cluster == {CLUSTER: FAIL, other: MANUAL}
