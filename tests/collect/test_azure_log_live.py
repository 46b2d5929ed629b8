"""What workspaces of Log Analytics answer about audit records, over the unpatched SDKs."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kcompliance.collect.azure import collect_aks, parse_aks
from kcompliance.collect.azure.log_queries import Tables, log_queries
from kcompliance.model.azure.log_events import EVENT_FIELDS
from kcompliance.model.finding import Status
from kcompliance.model.reading import Kind, Raw
from tests.azure_rm import documents, log_documents
from tests.azure_rm.documents import CLUSTER, HUB, SUBSCRIPTION, WORKSPACE, error, setting
from tests.azure_rm.log_documents import event, sample, sound
from tests.azure_rm.scanning import AKS_CONTROLS, Scan, live, live_and_from_bundle
from tests.azure_rm.server import AzureOnLoopback
from tests.captures import NOW
from tests.servers.canned_api import Answer, cut_off, first, whole

pytestmark = pytest.mark.integration

PASS, FAIL, MANUAL, ERROR = Status.PASS, Status.FAIL, Status.MANUAL, Status.ERROR
ASPECTS = {
    "KC-CMP-008": ("questions", "timestamps"),
    "KC-CMP-011": ("fresh", "lag"),
    "KC-CMP-012": ("gaps", "volume"),
    "KC-RET-002": ("main",),
}
QUERIED = (
    Kind.AZURE_LOG_NEWEST,
    Kind.AZURE_LOG_RECORDS,
    Kind.AZURE_LOG_SAMPLE,
    Kind.AZURE_LOG_TIMELINE,
)


@pytest.fixture
def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AzureOnLoopback]:
    with AzureOnLoopback(tmp_path) as server:
        server.environment(monkeypatch)
        server.usual(setting("group:allLogs"))
        for kind, document in sound(NOW).items():
            server.answer_log(kind, whole(document))
        yield server


def statuses(scan: Scan) -> dict[str, set[Status]]:
    return {
        control: {status for aspect in aspects for status in scan.statuses(control, aspect)}
        for control, aspects in ASPECTS.items()
    }


def all_are(status: Status) -> dict[str, set[Status]]:
    return {control: {status} for control in ASPECTS}


def all_with(answer: Answer, azure: AzureOnLoopback) -> None:
    for kind in QUERIED:
        azure.answer_log(kind, answer)


# --- verdicts ------------------------------------------------------------------------------------


def test_a_sound_trail_passes_live_and_from_its_bundle(
    azure: AzureOnLoopback, tmp_path: Path
) -> None:
    scan = live_and_from_bundle(tmp_path)

    assert statuses(scan) == all_are(PASS)
    assert scan.statuses("KC-CMP-012", "api-servers") == [Status.NOT_APPLICABLE]


def test_rows_of_former_settings_count_for_the_past_only(azure: AzureOnLoopback) -> None:
    older = "AzureDiagnostics/kube-audit"
    azure.usual(setting("kube-audit", dedicated=False))
    azure.answer_log(Kind.AZURE_LOG_RECORDS, whole(log_documents.days(NOW, 200, older)))

    assert statuses(live()) == all_are(PASS)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(whole(error("InsufficientAccessError"), 403), "not allowed", id="403"),
        pytest.param(whole(error("BadArgumentError", "Failed to resolve"), 400), "400", id="400"),
        pytest.param(
            whole(error("GatewayTimeout"), 504), "the query took longer than", id="too long"
        ),
        pytest.param(
            whole({**log_documents.answer(("Source",), []), "error": {"code": "PartialError"}}),
            "a part of the query only",
            id="partial",
        ),
        pytest.param(cut_off(b'{"tables": []}'), "half an answer", id="half"),
        pytest.param(whole({"tables": "none"}), "half an answer, or no JSON", id="no tables"),
        pytest.param(whole({"tables": [{}]}), "without columns and rows", id="no rows"),
        pytest.param(
            whole(log_documents.answer(("Source", "Records"), [["AKSAudit", -1]])),
            "a row",
            id="another query's",
        ),
        pytest.param(
            whole(error("TooManyRequests"), 429, {"Retry-After": "99"}), "throttle", id="429"
        ),
    ],
)
def test_what_was_not_answered_is_an_error_of_these_controls_only(
    azure: AzureOnLoopback, tmp_path: Path, answer: Answer, reason: str
) -> None:
    all_with(answer, azure)

    scan = live_and_from_bundle(tmp_path)

    assert statuses(scan) == all_are(ERROR)
    assert reason in scan.reason("KC-RET-002")
    for control in AKS_CONTROLS[:-1]:
        assert {found.status for found in scan.findings(control)} == {PASS}, control


def test_who_may_not_query_is_told_which_action_it_takes(azure: AzureOnLoopback) -> None:
    all_with(whole(error("InsufficientAccessError"), 403), azure)

    permissions = {found.permission for found in live().findings("KC-CMP-008")}

    assert permissions == {f"Microsoft.OperationalInsights/workspaces/query/read on {WORKSPACE}"}


def test_a_throttled_query_is_asked_again_when_azure_says(azure: AzureOnLoopback) -> None:
    refusal = whole(error("TooManyRequests"), 429, {"Retry-After": "1"})
    answer = whole(sound(NOW)[Kind.AZURE_LOG_NEWEST])
    azure.answer_log(Kind.AZURE_LOG_NEWEST, first(2, refusal, answer))

    assert live().statuses("KC-CMP-011", "fresh") == [PASS]


def test_a_workspace_that_takes_too_long_is_left_alone_and_azure_is_not(
    azure: AzureOnLoopback,
) -> None:
    all_with(whole(error("GatewayTimeout"), 504), azure)

    scan = live()

    assert len(azure.asked_for("/query")) == 3  # the first one was quick
    assert scan.statuses("KC-AUD-001") == [PASS]


def _no_setting(azure: AzureOnLoopback) -> None:
    azure.usual()


def _only_event_hub(azure: AzureOnLoopback) -> None:
    azure.usual(setting("kube-audit", workspace=None, hub=HUB))


def _workspace_gone(azure: AzureOnLoopback) -> None:
    azure.remove(WORKSPACE)


def _settings_refused(azure: AzureOnLoopback) -> None:
    azure.refuse(
        f"{CLUSTER}/providers/Microsoft.Insights/diagnosticSettings", 403, "AuthorizationFailed"
    )


def _cluster_refused(azure: AzureOnLoopback) -> None:
    azure.refuse(CLUSTER, 403, "AuthorizationFailed")


def _another_tenant(azure: AzureOnLoopback) -> None:
    azure.refuse(WORKSPACE, 401, "InvalidAuthenticationTokenTenant")


def _groups_unknown(azure: AzureOnLoopback) -> None:
    azure.usual(setting("group:audit"))
    azure.refuse(
        f"{CLUSTER}/providers/Microsoft.Insights/diagnosticSettingsCategories",
        403,
        "AuthorizationFailed",
    )


@pytest.mark.parametrize(
    ("situation", "status"),
    [
        pytest.param(_no_setting, MANUAL, id="no setting"),
        pytest.param(_only_event_hub, MANUAL, id="only event hub"),
        pytest.param(_workspace_gone, ERROR, id="workspace gone"),
        pytest.param(_settings_refused, ERROR, id="settings refused"),
        pytest.param(_cluster_refused, ERROR, id="cluster refused"),
        pytest.param(_another_tenant, MANUAL, id="another tenant"),
        pytest.param(_groups_unknown, ERROR, id="groups unknown"),
    ],
)
def test_a_cluster_without_a_workspace_to_ask_is_never_left_out(
    azure: AzureOnLoopback,
    tmp_path: Path,
    situation: Callable[[AzureOnLoopback], None],
    status: Status,
) -> None:
    situation(azure)

    assert statuses(live_and_from_bundle(tmp_path)) == all_are(status)


def test_of_several_clusters_none_speaks_for_another(tmp_path: Path) -> None:
    other = CLUSTER.replace("/prod", "/staging")
    clusters = [documents.as_az(documents.cluster(id_)) for id_ in (CLUSTER, other)]
    settings = [
        documents.as_az(setting("kube-audit")),
        documents.as_az(setting("kube-scheduler", of=other)),
    ]
    (tmp_path / "clusters.json").write_text(json.dumps(clusters))
    (tmp_path / "settings.json").write_text(json.dumps(settings))

    found = live(str(tmp_path)).findings("KC-RET-002")

    assert {each.resource: each.status for each in found} == {
        f"{WORKSPACE}/query of {CLUSTER}": MANUAL,
        other: MANUAL,
    }


# --- what is asked, and what is kept -------------------------------------------------------------


def test_every_query_tells_who_asks_it_and_asks_for_no_body() -> None:
    for kind, kql in log_queries(CLUSTER, Tables()):
        assert kql.startswith(f"// kcompliance {kind.value}\n")
        assert f"'{CLUSTER.lower()}'" in kql
        assert "RequestObject" not in kql
        assert "ResponseObject" not in kql
        assert kql.count("(") == kql.count(")")


def test_a_table_that_has_to_be_there_may_not_be_passed_over(azure: AzureOnLoopback) -> None:
    live()

    asked = json.loads(azure.asked_for("/query")[-1].body)["query"]
    optional, _, needed = asked.partition("),\n  (AKSAudit |")
    assert "isfuzzy=true" in optional
    assert "(AKSAuditAdmin |" in optional
    assert "isfuzzy" not in needed
    assert "AKSAuditAdmin" not in needed


def test_tables_of_another_plan_are_not_queried(azure: AzureOnLoopback) -> None:
    azure.put(documents.table("AKSAuditAdmin", plan="Basic", days=30))

    scan = live()

    assert all("AKSAuditAdmin |" not in each.body for each in azure.asked_for("/query"))
    assert statuses(scan) == all_are(PASS)


def test_what_nobody_asked_for_is_not_kept(azure: AzureOnLoopback) -> None:
    answer = sample(event(NOW, requestURI="/api/v1/secrets?fieldSelector=a-secret"))
    (table,) = answer["tables"]
    table["columns"].append({"name": "RequestObject", "type": "dynamic"})
    table["rows"][0].append('{"data": {"password": "a-secret"}}')
    azure.answer_log(Kind.AZURE_LOG_SAMPLE, whole(answer))

    (capture,) = live().captures(Kind.AZURE_LOG_SAMPLE)

    assert isinstance(capture, Raw)
    assert b"a-secret" not in capture.content
    at = ["Source", *EVENT_FIELDS].index("requestURI")
    last = len(EVENT_FIELDS) + 1
    assert capture.redactions == (f"/tables/0/rows/0/{last}", f"/tables/0/rows/0/{at}")


# --- many clusters -------------------------------------------------------------------------------


def test_a_cluster_is_asked_about_when_its_turn_comes(azure: AzureOnLoopback) -> None:
    ids = [CLUSTER, CLUSTER.replace("/prod", "/staging")]
    azure.usual(setting("kube-audit", of=ids[1]), cluster=ids[1])
    place = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.ContainerService/managedClusters"
    azure.put_list(place, [documents.cluster(id_) for id_ in ids])
    target = f"aks:subscription/{SUBSCRIPTION}"

    found = collect_aks(parse_aks(target), target, NOW, lambda _: None)

    assert azure.asked == []
    assert next(found).name == f"aks:{ids[0]}"
    assert not azure.asked_for("/staging")
    tables = len(azure.asked_for(f"{WORKSPACE}/tables"))
    assert next(found).name == f"aks:{ids[1]}"
    assert len(azure.asked_for(f"{WORKSPACE}/tables")) == tables  # what both share is asked once
    assert next(found, None) is None
