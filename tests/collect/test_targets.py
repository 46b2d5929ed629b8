"""What a user names as TARGET, and which of it belongs to one cluster."""

from pathlib import Path
from typing import Any

import pytest

from kcompliance.collect.bundle import write_bundle
from kcompliance.collect.interface import Collection
from kcompliance.collect.targets import NamedTarget, collect
from kcompliance.errors import UsageError
from kcompliance.model.control import Platform
from kcompliance.model.reading import Raw, Unreadable
from tests.captures import LOG_FLAG, NOW, POLICY_FLAG, SOUND_POLICY, pod, whole


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("policy.yaml").write_text(SOUND_POLICY)
    Path("server.yaml").write_text(pod(POLICY_FLAG, LOG_FLAG))
    for node in ("a", "b"):
        Path(node).mkdir()
        Path(node, "policy.yaml").write_text(SOUND_POLICY)


def _collect(*targets: str, platform: Platform | None = None, **named: Any) -> Collection:
    entries = {name: NamedTarget(name=name, **given) for name, given in named.items()}
    return whole(collect(targets, entries, platform, NOW, lambda what: None))[0]


def _saved(name: str, *targets: str, **parameters: Any) -> str:
    collection = _collect(*targets)
    given = {"KC-AUD-008": parameters} if parameters else {}
    write_bundle(
        Collection(as_of=collection.as_of, targets=collection.targets, parameters=given), Path(name)
    )
    return name


def test_files_of_one_call_belong_to_one_cluster() -> None:
    targets = tuple(_collect("policy.yaml", "server.yaml").targets)

    assert [target.name for target in targets] == ["policy.yaml, server.yaml"]
    assert len(targets[0].captures) == 2


def test_each_folder_is_a_cluster_of_its_own() -> None:
    assert [target.name for target in _collect("a", "b").targets] == ["a", "b"]


def test_a_target_named_twice_is_read_once() -> None:
    assert [target.name for target in _collect("a", "a").targets] == ["a"]


def test_the_platform_that_the_user_names_holds_for_every_target() -> None:
    collection = _collect("a", "policy.yaml", platform=Platform.EKS)

    assert {target.platform for target in collection.targets} == {Platform.EKS}


def test_a_store_that_does_not_answer_is_a_gap() -> None:
    (collected,) = _collect("elasticsearch+http://127.0.0.1:9/logs-*").targets

    gaps = [capture for capture in collected.captures if isinstance(capture, Unreadable)]
    assert gaps
    assert all("nothing answers" in gap.reason for gap in gaps)
    assert collected.platform is None


@pytest.mark.parametrize("target", ["missing.yaml", "gke:prod", "a" * 5000, "", "policy.yaml/x"])
def test_what_is_no_target_is_refused_before_anything_is_read(target: str) -> None:
    read: list[str] = []

    with pytest.raises(UsageError, match="no such file or folder"):
        collect(["policy.yaml", target], {}, None, NOW, read.append)

    assert read == []


AKS = (
    "aks:/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/apps"
    "/providers/Microsoft.ContainerService/managedClusters/prod"
)


@pytest.fixture
def no_azure_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    """The only credentials that may be looked for are not there, so nothing is sent."""
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")


@pytest.mark.usefixtures("no_azure_identity")
def test_a_cloud_without_credentials_is_a_gap() -> None:
    (target,) = _collect(AKS).targets

    (gap,) = target.captures
    assert isinstance(gap, Unreadable)
    assert gap.reason.startswith("no token: ")
    assert target.platform is Platform.AKS


@pytest.mark.usefixtures("no_azure_identity")
def test_a_named_target_joins_its_parts_into_one_cluster() -> None:
    collection = _collect("@prod", prod={"cluster": AKS, "files": ("a", "server.yaml")})

    (target,) = collection.targets
    assert target.name == "@prod"
    assert target.platform is Platform.AKS
    assert [type(capture) for capture in target.captures] == [Unreadable, Raw, Raw]


@pytest.mark.usefixtures("no_azure_identity")
def test_the_platform_of_a_named_target_wins_over_the_kind_of_its_cluster() -> None:
    entry = {"cluster": AKS, "platform": Platform.SELF_MANAGED}

    (target,) = _collect("@prod", prod=entry).targets
    assert target.platform is Platform.SELF_MANAGED


def test_a_name_that_is_not_configured_is_refused() -> None:
    with pytest.raises(UsageError, match="@prod"):
        _collect("@prod")


# --- bundles -----------------------------------------------------------------------------------


def test_a_bundle_is_judged_as_of_its_own_moment() -> None:
    bundle = _saved("saved", "a")

    again = collect([bundle], {}, None, NOW.replace(year=2030), lambda what: None)

    assert again.as_of == NOW


def test_a_bundle_beside_other_targets_is_judged_as_of_now() -> None:
    bundle = _saved("saved", "a")
    later = NOW.replace(year=2030)

    assert collect([bundle, "b"], {}, None, later, lambda what: None).as_of == later


def test_a_bundle_brings_its_targets_and_parameters() -> None:
    collection = _collect(_saved("saved", "a", "b", min_level="Request"))

    assert [target.name for target in collection.targets] == ["a", "b"]
    assert collection.parameters == {"KC-AUD-008": {"min_level": "Request"}}


def test_the_platform_that_the_user_names_wins_over_the_bundles() -> None:
    (target,) = _collect(_saved("saved", "a"), platform=Platform.AKS).targets

    assert target.platform is Platform.AKS


def test_bundles_of_different_parameters_are_not_mixed() -> None:
    one = _saved("one", "a", min_level="Request")
    two = _saved("two", "b", min_level="Metadata")

    with pytest.raises(UsageError, match="min_level"):
        _collect(one, two)
