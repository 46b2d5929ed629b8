"""Azure's answers as plain values: ids, both shapes, what a setting ships, what a rule deletes."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcompliance.collect.azure import without_secrets
from kcompliance.collect.azure.cloud import cloud_of
from kcompliance.errors import UsageError
from kcompliance.model.azure.answer import WrongAnswer, kind_of_id, resources_in
from kcompliance.model.azure.blob_storage import blobs_of, kept_by, rules_of
from kcompliance.model.azure.diagnostics import Category, setting_of, shipped
from kcompliance.model.azure.log_records import verbs_of
from kcompliance.model.azure.resource_id import ResourceId, same
from kcompliance.model.reading import Kind, Origin, Raw
from kcompliance.model.retention import FOREVER
from tests.azure_rm import documents
from tests.azure_rm.documents import CLUSTER, STORAGE, WORKSPACE, Json

SAMPLES = Path(__file__).parents[3] / "shared/data/azure-arm/rest-api-specs"


def only(document: object) -> object:
    (resource,), _ = resources_in(json.dumps(document).encode())
    return resource


# --- ids -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("id_", "type_", "parent"),
    [
        (CLUSTER, "microsoft.containerservice/managedclusters", "/subscriptions/"),
        (
            f"{CLUSTER}/providers/microsoft.insights/diagnosticSettings/s",
            "microsoft.insights/diagnosticsettings",
            CLUSTER,
        ),
        (f"{WORKSPACE}/tables/T", "microsoft.operationalinsights/workspaces/tables", WORKSPACE),
        (
            f"{STORAGE}/blobServices/default/containers/c",
            "microsoft.storage/storageaccounts/blobservices/containers",
            f"{STORAGE}/blobServices/default",
        ),
    ],
)
def test_an_id_tells_its_type_and_its_parent(id_: str, type_: str, parent: str) -> None:
    assert ResourceId(id_).type == type_
    assert ResourceId(id_).parent.startswith(parent)


def test_ids_compare_without_case_and_slashes() -> None:
    assert same(CLUSTER, CLUSTER.upper() + "/")
    assert not same(CLUSTER, CLUSTER + "2")


@pytest.mark.parametrize(
    ("id_", "kind"),
    [
        (CLUSTER, Kind.AKS_CLUSTER),
        (f"{CLUSTER}/agentPools/a", None),
        (f"{CLUSTER}/providers/Microsoft.Insights/x/diagnosticSettings", None),
        (
            "/subscriptions/x/providers/Microsoft.Insights/diagnosticSettings/a",
            Kind.AZURE_SUBSCRIPTION_SETTINGS,
        ),
        (None, None),
        ("", None),
    ],
)
def test_an_id_tells_what_is_captured(id_: object, kind: Kind | None) -> None:
    assert kind_of_id(id_) is kind


@given(st.text())
def test_any_text_may_be_asked_for_its_type(text: str) -> None:
    assert isinstance(ResourceId(text).type, str)
    assert isinstance(ResourceId(text).parent, str)


# --- answers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["value", "bare", "single"])
@pytest.mark.parametrize("flat", [True, False])
def test_both_tools_and_all_wraps_say_the_same(shape: str, flat: bool) -> None:
    written = documents.setting("kube-audit")
    item = documents.as_az(written) if flat else written
    whole: object = {"value": {"value": [item]}, "bare": [item], "single": item}[shape]

    (resource,), listed = resources_in(json.dumps(whole).encode())

    assert listed == (shape != "single")
    assert setting_of(resource).logs == setting_of(only(written)).logs  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[",
        b'{"value": [1]}',
        b'{"value": [{}]}',
        b'{"error": {"code": "x"}}',
        b"null",
        b"a: [",
        b"\xff\xfe{}",
        b"[" * 100_000,
    ],
)
def test_what_is_no_answer_is_refused(content: bytes) -> None:
    with pytest.raises(WrongAnswer):
        resources_in(content)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=8), below),
    max_leaves=8,
)


@given(st.sampled_from(sorted(documents.setting()["properties"])), _VALUES)
def test_a_field_of_another_type_is_told_and_breaks_nothing(name: str, value: object) -> None:
    document = documents.setting("kube-audit")
    document["properties"][name] = value
    try:
        setting = setting_of(only(document))  # type: ignore[arg-type]
    except WrongAnswer:
        return
    assert setting.name == "audit"


# --- what is shipped -----------------------------------------------------------------------------

_CATEGORIES = tuple(
    Category(name, frozenset(group.lower() for group in groups))
    for name, groups in documents.ALL_CATEGORIES.items()
)


@given(st.lists(st.sampled_from(sorted(documents.ALL_CATEGORIES)), unique=True), st.data())
def test_settings_count_together_however_they_are_split(
    names: list[str], data: st.DataObject
) -> None:
    first = data.draw(st.sets(st.sampled_from(names))) if names else set()
    parts = [first, set(names) - first]
    settings = [
        setting_of(only(documents.setting(*sorted(part), name=f"s{n}")))  # type: ignore[arg-type]
        for n, part in enumerate(parts)
    ]

    assert set(shipped(settings, _CATEGORIES).by_category) == set(names)


def test_a_group_means_what_the_cluster_says() -> None:
    setting = setting_of(only(documents.setting("group:audit")))  # type: ignore[arg-type]

    assert shipped([setting], _CATEGORIES).named == ("guard", "kube-audit", "kube-audit-admin")
    assert set(shipped([setting], None).undecided) == {"audit"}
    old = tuple(Category(category.name, frozenset()) for category in _CATEGORIES)
    assert set(shipped([setting], old).undecided) == {"audit"}


# --- lifecycle rules -----------------------------------------------------------------------------


def kept(document: Json, category: str = "kube-audit") -> timedelta:
    rules = rules_of(only(document))  # type: ignore[arg-type]
    return kept_by(rules, blobs_of(category, CLUSTER))[0]


def test_of_several_ages_the_first_deletes() -> None:
    document = documents.lifecycle(400)
    rule = document["properties"]["policy"]["rules"][0]
    rule["definition"]["actions"]["baseBlob"]["delete"]["daysAfterCreationGreaterThan"] = 30.0

    assert kept(document) == timedelta(days=30)


def test_a_rule_that_only_moves_or_asks_for_tags_deletes_nothing() -> None:
    moves = documents.lifecycle(1)
    base = moves["properties"]["policy"]["rules"][0]["definition"]["actions"]["baseBlob"]
    base["tierToArchive"] = base.pop("delete")
    tags = [{"name": "old", "op": "==", "value": "yes"}]

    assert kept(moves) == FOREVER
    assert kept(documents.lifecycle(1, filters={"blobIndexMatch": tags})) == FOREVER


_BLOB = blobs_of("kube-audit", CLUSTER)


@given(st.integers(min_value=1, max_value=len(_BLOB)), st.text(max_size=12))
def test_a_beginning_and_an_extension_of_the_names_touch_them(cut: int, more: str) -> None:
    assert kept(documents.lifecycle(5, prefixes=[_BLOB[:cut]])) == timedelta(days=5)
    assert kept(documents.lifecycle(5, prefixes=[_BLOB + more])) == timedelta(days=5)


@given(st.text(min_size=1, max_size=40))
def test_a_rule_that_is_not_known_to_touch_them_begins_otherwise(prefix: str) -> None:
    if kept(documents.lifecycle(5, prefixes=[prefix])) == FOREVER:
        assert not _BLOB.lower().startswith(prefix.lower())


# --- records -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"{}",
        b"[]",
        b"{",
        b'{"tables": [{}]}',
        b'{"tables": [{"columns": [], "rows": [[1]]}]}',
        b'{"tables": [{"columns": [], "rows": []}], "error": {"code": "PartialError"}}',
        b'{"tables": [{"columns": [{"name": "Verb"}], "rows": [["get"]]}]}',
    ],
)
def test_what_is_no_answer_of_a_query_is_refused(content: bytes) -> None:
    origin = Origin(
        kind=Kind.AZURE_LOG_VERBS,
        resource="x",
        collector="azure",
        collected_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    with pytest.raises(WrongAnswer):
        verbs_of(Raw(origin=origin, content=content))


# --- secrets -------------------------------------------------------------------------------------


def test_what_may_be_secret_goes_and_what_is_asked_about_stays() -> None:
    document = {
        "tags": {"owner": "somebody", "cost": "12"},
        "properties": {
            "servicePrincipalProfile": {"clientId": "c", "secret": "s3cret"},
            "httpProxyConfig": {"httpsProxy": "http://me:pw@proxy:1/x?sig=1"},
            "encryption": {"keySource": "Microsoft.Storage"},
            "connectionString": "Endpoint=sb://x/;SharedAccessKey=abc=",
            "note": "AccountKey=abc==;Endpoint=x",
            "addonProfiles": {"omsagent": {"enabled": True, "config": {"ws": WORKSPACE, "a": "b"}}},
        },
    }

    redacted = without_secrets(document)

    properties = document["properties"]
    assert document["tags"] == {"owner": "REDACTED", "cost": "12"}
    assert properties == {
        "servicePrincipalProfile": {"clientId": "c", "secret": "REDACTED"},
        "httpProxyConfig": {"httpsProxy": "http://REDACTED@proxy:1/x?REDACTED"},
        "encryption": {"keySource": "Microsoft.Storage"},
        "connectionString": "REDACTED",
        "note": "AccountKey=REDACTED;Endpoint=x",
        "addonProfiles": {
            "omsagent": {"enabled": True, "config": {"ws": WORKSPACE, "a": "REDACTED"}}
        },
    }
    assert "/properties/servicePrincipalProfile/secret" in redacted
    assert without_secrets(document) == []


# --- clouds --------------------------------------------------------------------------------------


def test_each_cloud_has_its_own_doors() -> None:
    assert cloud_of({}).resource_manager == "https://management.azure.com"
    government = cloud_of({"AZURE_CLOUD": "azureusgovernment"})
    assert government.audience == "https://management.core.usgovcloudapi.net"
    assert government.authority == "https://login.microsoftonline.us"
    china = cloud_of({"AZURE_AUTHORITY_HOST": "login.chinacloudapi.cn"})
    assert china.log_analytics == "https://api.loganalytics.azure.cn"
    assert china.well_known


def test_an_authority_of_ones_own_is_not_asked_for_at_microsoft() -> None:
    cloud = cloud_of({"AZURE_AUTHORITY_HOST": "https://adfs.example/adfs"})

    assert not cloud.well_known
    assert cloud.resource_manager == "https://management.azure.com"


@pytest.mark.parametrize(
    "environment",
    [
        {"AZURE_CLOUD": "AzureMars"},
        {"KCOMPLIANCE_AZURE_RESOURCE_MANAGER": "http://management.example"},
        {"KCOMPLIANCE_AZURE_RESOURCE_MANAGER": "https://user:pw@management.example"},
        {"KCOMPLIANCE_AZURE_LOG_ANALYTICS": "https://x.example/?a=b"},
        {"AZURE_AUTHORITY_HOST": "http://login.example"},
    ],
)
def test_an_address_that_a_token_may_not_go_to_is_refused(environment: dict[str, str]) -> None:
    with pytest.raises(UsageError) as refused:
        cloud_of(environment)

    assert "pw" not in str(refused.value)


# --- published samples ---------------------------------------------------------------------------


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="left out: no samples of Azure's REST API")
@pytest.mark.parametrize(
    "sample",
    sorted(set(SAMPLES.glob("*.json")) - set(SAMPLES.glob("resourceGraph*"))),
    ids=lambda path: path.name.split(".")[0],
)
def test_published_samples_are_read(sample: Path) -> None:
    body = json.loads(sample.read_bytes())["responses"]["200"]["body"]
    resources, _ = resources_in(json.dumps(body).encode())

    assert resources
    if sample.name.startswith("diagnosticSettings_"):
        setting = setting_of(resources[0])
        assert [d.kind.value for d in setting.destinations] == ["storage account", "event hub"]
        assert setting.destinations[1].id.endswith("/namespaces/andy1101")
    if sample.name.startswith("managementPolicies"):
        assert rules_of(resources[0]) == ()
