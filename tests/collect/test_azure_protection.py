"""KC-PRO-008, 009, 011 and 013 over the unpatched SDKs: people, locks, alerts, WORM, encryption."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kcompliance.model.finding import Confidence, Status
from kcompliance.model.reading import Kind, Raw
from tests.azure_rm import documents
from tests.azure_rm import protection_documents as made
from tests.azure_rm.documents import (
    CLUSTER,
    LOGS_SUBSCRIPTION,
    STORAGE,
    SUBSCRIPTION,
    WORKSPACE,
    setting,
)
from tests.azure_rm.scanning import Scan, live, live_and_from_bundle
from tests.azure_rm.server import AzureOnLoopback
from tests.servers.canned_api import cut_off, whole

pytestmark = pytest.mark.integration

PASS, FAIL, ERROR = Status.PASS, Status.FAIL, Status.ERROR
AUTHORIZATION = "providers/Microsoft.Authorization"
LOGS_GROUP = f"/subscriptions/{LOGS_SUBSCRIPTION}/resourceGroups/logs"
ALERTS = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Insights"
SOUND = {
    ("KC-PRO-008", "principals"): {PASS},
    ("KC-PRO-008", "locks"): {PASS},
    ("KC-PRO-009", "locked"): {PASS},
    ("KC-PRO-009", "compliance"): {PASS},
    ("KC-PRO-011", "encrypted"): {PASS},
    ("KC-PRO-011", "not-public"): {PASS},
    ("KC-PRO-013", "required"): {PASS},
    ("KC-PRO-013", "recommended"): {PASS},
}
WHO = [f"{number:08d}-aaaa-4aaa-8aaa-aaaaaaaaaaaa" for number in range(8)]


@pytest.fixture
def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AzureOnLoopback]:
    with AzureOnLoopback(tmp_path) as server:
        server.environment(monkeypatch)
        _make_sound(server)
        yield server


def _make_sound(azure: AzureOnLoopback) -> None:
    azure.usual(setting("kube-audit", storage=STORAGE))
    azure.put(made.immutable())
    _assign(azure, CLUSTER, "Owner", 2)
    azure.put(made.definition("Owner", "*"))
    for store in (WORKSPACE, STORAGE):
        azure.put_list(f"{store}/{AUTHORIZATION}/locks", [made.lock(store)])
    _alert(azure, made.activity_alert(*made.OPERATIONS))
    azure.put_list(f"{ALERTS}/actionGroups", [made.action_group()])


def _assign(azure: AzureOnLoopback, scope: str, role: str, count: int) -> None:
    given = made.assigned(role, *WHO[:count], scope=scope)
    azure.put_list(f"{scope}/{AUTHORIZATION}/roleAssignments", given, page=3)


def _alert(azure: AzureOnLoopback, *alerts: documents.Json) -> None:
    azure.put_list(f"{ALERTS}/activityLogAlerts", alerts)


def _verdicts(scan: Scan) -> dict[tuple[str, str], set[Status]]:
    return {place: set(scan.statuses(*place)) for place in SOUND}


def test_a_sound_estate_is_sound_live_and_from_its_bundle(
    azure: AzureOnLoopback, tmp_path: Path
) -> None:
    scan = live_and_from_bundle(tmp_path)

    assert _verdicts(scan) == SOUND
    passed = [f for control, _ in SOUND for f in scan.findings(control) if f.status is PASS]
    assert {found.confidence for found in passed} == {Confidence.LIVE}
    assert b"oncall@example.org" not in scan.content()
    assert {each.method for each in azure.asked_for("/subscriptions/")} == {"GET"}


# --- each verdict can be lost --------------------------------------------------------------------


def _eight_may_purge(azure: AzureOnLoopback) -> None:
    _assign(azure, WORKSPACE, "Log Analytics Contributor", 8)
    azure.put(
        made.definition("Log Analytics Contributor", "*/read", "Microsoft.OperationalInsights/*")
    )


def _no_lock(azure: AzureOnLoopback) -> None:
    azure.put_list(f"{STORAGE}/{AUTHORIZATION}/locks", [])


def _lock_of_a_neighbour(azure: AzureOnLoopback) -> None:
    _no_lock(azure)
    neighbour = made.lock(f"{STORAGE}2")
    azure.put_list(f"{LOGS_GROUP}/{AUTHORIZATION}/locks", [neighbour])


def _no_appends(azure: AzureOnLoopback) -> None:
    azure.put(made.immutable(appends=False))


def _unlocked(azure: AzureOnLoopback) -> None:
    azure.put(made.immutable(state="Unlocked"))


def _public_blobs(azure: AzureOnLoopback) -> None:
    account = documents.account()
    account["properties"]["allowBlobPublicAccess"] = True
    azure.put(account)


def _firewall_without_azure(azure: AzureOnLoopback) -> None:
    account = documents.account()
    account["properties"]["networkAcls"] = {"bypass": "None", "defaultAction": "Deny"}
    azure.put(account)


def _alert_on_delete_only(azure: AzureOnLoopback) -> None:
    _alert(azure, made.activity_alert(made.OPERATIONS[0], *made.OPERATIONS[2:]))


def _nobody_listens(azure: AzureOnLoopback) -> None:
    azure.put_list(f"{ALERTS}/actionGroups", [made.action_group(mails=["Disabled"])])


def _group_deleted(azure: AzureOnLoopback) -> None:
    azure.put_list(f"{ALERTS}/actionGroups", [])


REQUIRED, RECOMMENDED = ("KC-PRO-013", "required"), ("KC-PRO-013", "recommended")


@pytest.mark.parametrize(
    ("situation", "lost", "because"),
    [
        pytest.param(_eight_may_purge, {("KC-PRO-008", "principals")}, "8 identities", id="purge"),
        pytest.param(_no_lock, {("KC-PRO-008", "locks")}, "no lock keeps", id="no lock"),
        pytest.param(
            _lock_of_a_neighbour, {("KC-PRO-008", "locks")}, "no lock keeps", id="another's lock"
        ),
        pytest.param(_no_appends, {("KC-PRO-009", "locked")}, "log is lost", id="no appends"),
        pytest.param(
            _unlocked,
            {("KC-PRO-009", "locked"), ("KC-PRO-009", "compliance")},
            "Unlocked",
            id="unlocked",
        ),
        pytest.param(_public_blobs, {("KC-PRO-011", "not-public")}, "anybody", id="public blobs"),
        pytest.param(
            _firewall_without_azure, {("KC-PRO-011", "not-public")}, "cannot deliver", id="firewall"
        ),
        pytest.param(_alert_on_delete_only, {REQUIRED}, "diagnosticSettings/write", id="write"),
        pytest.param(_nobody_listens, {REQUIRED, RECOMMENDED}, "no receiver", id="unsubscribed"),
        pytest.param(_group_deleted, {REQUIRED, RECOMMENDED}, "no longer exists", id="no group"),
    ],
)
def test_each_fault_is_told(
    azure: AzureOnLoopback,
    tmp_path: Path,
    situation: Callable[[AzureOnLoopback], None],
    lost: set[tuple[str, str]],
    because: str,
) -> None:
    situation(azure)

    scan = live_and_from_bundle(tmp_path)

    for place, good in SOUND.items():
        found = set(scan.statuses(*place))
        assert (FAIL in found) if place in lost else (found == good), place
    assert all(because in scan.reason(*place) for place in lost)


def test_a_declared_workspace_alone_has_no_container_to_lock(
    azure: AzureOnLoopback, tmp_path: Path
) -> None:
    insights = f"{CLUSTER}/providers/Microsoft.Insights"
    azure.put_list(f"{insights}/diagnosticSettings", [setting("kube-audit")])

    scan = live_and_from_bundle(tmp_path)

    assert scan.statuses("KC-PRO-009", "locked") == [Status.MANUAL]
    assert "no archive is declared" in scan.reason("KC-PRO-009", "locked")


# --- refusals ------------------------------------------------------------------------------------

CONTAINER = f"{STORAGE}/blobServices/default/containers/insights-logs-kube-audit"


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        pytest.param(
            f"{WORKSPACE}/{AUTHORIZATION}/roleAssignments", ("KC-PRO-008", "principals"), id="roles"
        ),
        pytest.param(CONTAINER, ("KC-PRO-009", "locked"), id="container"),
        pytest.param(STORAGE, ("KC-PRO-011", "encrypted"), id="account"),
        pytest.param(f"{ALERTS}/activityLogAlerts", ("KC-PRO-013", "required"), id="alerts"),
        pytest.param(f"{ALERTS}/actionGroups", ("KC-PRO-013", "required"), id="action groups"),
    ],
)
def test_what_may_not_be_read_is_an_error(
    azure: AzureOnLoopback, tmp_path: Path, path: str, wrong: tuple[str, str]
) -> None:
    azure.refuse(path, 403, "AuthorizationFailed")

    scan = live_and_from_bundle(tmp_path)

    assert ERROR in scan.statuses(*wrong)
    assert any(found.permission for found in scan.findings(wrong[0]))


def test_a_lock_that_was_seen_stands_although_others_may_not_be_read(
    azure: AzureOnLoopback, tmp_path: Path
) -> None:
    azure.refuse(f"{LOGS_GROUP}/{AUTHORIZATION}/locks", 403, "AuthorizationFailed")

    assert set(live_and_from_bundle(tmp_path).statuses("KC-PRO-008", "locks")) == {PASS}


def test_locks_that_may_not_be_read_are_no_lack_of_them(
    azure: AzureOnLoopback, tmp_path: Path
) -> None:
    _no_lock(azure)
    azure.refuse(f"{LOGS_GROUP}/{AUTHORIZATION}/locks", 403, "AuthorizationFailed")

    assert set(live_and_from_bundle(tmp_path).statuses("KC-PRO-008", "locks")) == {PASS, ERROR}


def test_a_role_that_may_not_be_read_counts_where_it_decides(
    azure: AzureOnLoopback, tmp_path: Path
) -> None:
    _assign(azure, WORKSPACE, "Ours", 6)
    azure.refuse(made.role_id("Ours"), 403, "AuthorizationFailed")

    scan = live_and_from_bundle(tmp_path)

    assert scan.statuses("KC-PRO-008", "principals") == [ERROR]
    assert "more may do is not known" in scan.reason("KC-PRO-008", "principals")


def test_half_an_answer_about_a_container_is_an_error(
    azure: AzureOnLoopback, tmp_path: Path
) -> None:
    azure.answer(CONTAINER, cut_off(made.immutable()))

    assert live_and_from_bundle(tmp_path).statuses("KC-PRO-009", "locked") == [ERROR]


def test_another_resource_than_was_asked_for_is_an_error(
    azure: AzureOnLoopback, tmp_path: Path
) -> None:
    azure.answer(CONTAINER, whole(made.immutable("insights-logs-guard")))

    assert live_and_from_bundle(tmp_path).statuses("KC-PRO-009", "locked") == [ERROR]


# --- the key of a workspace ----------------------------------------------------------------------

DEDICATED = f"{LOGS_GROUP}/providers/Microsoft.OperationalInsights/clusters/keys"


def test_the_cluster_that_holds_a_workspace_is_asked_for_its_key(
    azure: AzureOnLoopback, tmp_path: Path
) -> None:
    azure.usual(setting("kube-audit"))
    azure.put(made.workspace_in(DEDICATED))
    azure.put(made.dedicated_cluster(DEDICATED))

    (found,) = live_and_from_bundle(tmp_path).captures(Kind.AZURE_DEDICATED_CLUSTER)

    assert isinstance(found, Raw)
    kept = json.loads(found.content)["properties"]["keyVaultProperties"]
    assert (kept["keyVaultUri"], kept["keyName"]) == ("https://audit-keys.vault.azure.net/", "logs")


def test_a_cluster_that_may_not_be_read_is_told_with_the_action(
    azure: AzureOnLoopback, tmp_path: Path
) -> None:
    azure.usual(setting("kube-audit"))
    azure.put(made.workspace_in(DEDICATED))
    azure.refuse(DEDICATED, 403, "AuthorizationFailed")

    gap = live_and_from_bundle(tmp_path).unreadable(Kind.AZURE_DEDICATED_CLUSTER)

    assert gap.permission == f"Microsoft.OperationalInsights/clusters/read on {DEDICATED}"


@pytest.mark.parametrize("id_", ["", "/subscriptions/x/c", f"{STORAGE}/../clusters/x"])
def test_what_is_no_dedicated_cluster_is_not_asked_for(
    azure: AzureOnLoopback, tmp_path: Path, id_: str
) -> None:
    azure.usual(setting("kube-audit"))
    azure.put(made.workspace_in(id_))

    assert not live_and_from_bundle(tmp_path).captures(Kind.AZURE_DEDICATED_CLUSTER)


# --- what az printed -----------------------------------------------------------------------------


def test_what_az_printed_shows_locks_and_alarms_and_never_all_assignments(tmp_path: Path) -> None:
    saved: dict[str, object] = {
        "cluster": documents.as_az(documents.cluster()),
        "settings": [documents.as_az(setting("kube-audit", storage=STORAGE))],
        "workspace": documents.as_az(documents.workspace()),
        "account": documents.as_az(documents.account()),
        "container": documents.as_az(made.immutable()),
        "locks": [documents.as_az(made.lock(LOGS_GROUP))],
        "roles": [documents.as_az(made.definition("Owner", "*"))],
        "assignments": [documents.as_az(each) for each in made.assigned("Owner", *WHO[:2])],
        "alerts": [documents.as_az(made.activity_alert(*made.OPERATIONS))],
        "groups": [documents.as_az(made.action_group())],
    }
    folder = tmp_path / "saved"
    folder.mkdir()
    for name, document in saved.items():
        (folder / f"{name}.json").write_text(json.dumps(document))

    told = _verdicts(live(str(folder)))

    assert told == {**SOUND, ("KC-PRO-008", "principals"): {Status.MANUAL}}
