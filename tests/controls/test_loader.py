"""The loader of the shipped data is strict, and the data holds together."""

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from kcompliance.checks import ALL
from kcompliance.controls import (
    cases_of,
    load_controls,
    load_frameworks,
    published_policies,
    shipped,
)
from kcompliance.model.audit_policy import Loaded, load_policy
from kcompliance.model.control import Control, Platform
from kcompliance.model.finding import Confidence
from kcompliance.model.strict_yaml import load_strict_yaml

FOLDER = Path(str(shipped("controls")))
CONTROLS = pytest.mark.parametrize("control", load_controls().values(), ids=lambda c: c.id)


def _files(pattern: str) -> list[Path]:
    return sorted(FOLDER.glob(pattern))


def test_every_yaml_file_of_a_family_is_a_control_or_its_cases() -> None:
    names = {
        f"{c.family}/{c.id}-{c.slug}{ending}"
        for c in load_controls().values()
        for ending in (".yaml", ".cases.yaml")
    }
    there = {f"{file.parent.name}/{file.name}" for file in _files("*/KC-*.yaml")}

    assert there == names


def test_ids_are_in_order_and_of_the_form_that_never_changes() -> None:
    ids = list(load_controls())

    assert ids == sorted(ids)
    assert all(re.fullmatch(r"KC-[A-Z]{3}-\d{3}", id_) for id_ in ids)


@CONTROLS
def test_a_control_tells_why_and_what_to_do(control: Control) -> None:
    assert control.asks.endswith("?")
    assert control.why.strip()
    assert control.remediation.strip()
    assert control.edge_cases
    assert control.sources


@CONTROLS
def test_every_source_was_read_on_a_day_that_is_past(control: Control) -> None:
    for source in control.sources:
        assert date.fromisoformat(source.read) <= date(2026, 11, 22)
        assert source.url.startswith("https://")


@CONTROLS
def test_every_framework_item_that_a_control_names_exists_in_those_versions(
    control: Control,
) -> None:
    for aspect in control.aspects:
        for mapping in aspect.satisfies:
            framework = load_frameworks()[mapping.framework]
            versions = [set(i.versions) for i in framework.items if i.id == mapping.id]
            assert versions
            assert set(mapping.versions) <= set.union(*versions)


@CONTROLS
def test_only_frameworks_that_exist_ask_for_an_aspect_alone(control: Control) -> None:
    for aspect in control.aspects:
        assert set(aspect.only_for) <= set(load_frameworks())
        if aspect.only_for:
            assert {mapping.framework for mapping in aspect.satisfies} == set(aspect.only_for)


@CONTROLS
def test_the_severity_of_a_control_is_the_highest_of_its_aspects(control: Control) -> None:
    assert control.severity == max(aspect.severity for aspect in control.aspects)


@CONTROLS
def test_an_aspect_that_does_not_exist_is_a_key_error(control: Control) -> None:
    with pytest.raises(KeyError, match=control.id):
        control.aspect("no-such-aspect")


def test_every_cis_kubernetes_item_has_a_version_and_no_version_two_of_one_id() -> None:
    framework = load_frameworks()["cis-kubernetes"]
    pairs = [(item.id, version) for item in framework.items for version in item.versions]

    assert len(pairs) == len(set(pairs))
    assert {version for _, version in pairs} <= set(framework.versions)


def test_the_published_policies_load_on_any_server() -> None:
    assert set(published_policies()) == {Platform.AKS, Platform.EKS}
    for published in published_policies().values():
        loaded = load_policy(published.policy.text)
        assert isinstance(loaded, Loaded)
        assert not loaded.warnings
        assert not loaded.needs_group_wildcard


def test_what_is_only_assumed_is_called_so() -> None:
    published = published_policies()

    assert published[Platform.AKS].confidence is Confidence.PUBLISHED_POLICY
    assert published[Platform.EKS].confidence is Confidence.ASSUMED_POLICY


def test_a_control_without_cases_has_none() -> None:
    control = load_controls()[ALL[0].control]
    renamed = Control(**{**_as_dict(control), "slug": "no-such-slug"})

    assert cases_of(renamed) == ()
    assert cases_of(control)


def _as_dict(control: Control) -> dict[str, Any]:
    return {name: getattr(control, name) for name in Control.__slots__}


@pytest.mark.parametrize("file", _files("**/*.yaml"), ids=lambda file: file.name)
def test_the_shipped_yaml_can_be_taken_in_one_way_only(file: Path) -> None:
    if file.parent.name == "published" and file.name != "index.yaml":
        pytest.skip("a policy as its provider wrote it")

    assert isinstance(load_strict_yaml(file.read_bytes()), dict)
