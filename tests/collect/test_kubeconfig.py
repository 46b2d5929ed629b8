"""Kubeconfigs of audit webhooks: which are kept, and that no credential of theirs is."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from kcompliance.collect.files import collect_files
from kcompliance.collect.kubeconfig import without_credentials
from kcompliance.model.reading import REDACTED, Kind, Raw, Unreadable
from tests.captures import POLICY_FLAG, pod

NOW = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)
SECRET = "hunter2"
WEBHOOK_FLAG = "--audit-webhook-config-file=/etc/kubernetes/events.yaml"


def _config(user: Any, server: str = "https://audit.example") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "a", "user": "u"}}],
        "clusters": [{"name": "a", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": user}],
    }


def _kept(document: Any) -> tuple[str, tuple[str, ...]]:
    found = without_credentials(json.dumps(document).encode())
    assert found is not None
    return found[0].decode(), found[1]


@pytest.mark.parametrize(
    "user",
    [
        {"token": SECRET},
        {"username": "u", "password": SECRET},
        {"client-certificate-data": "eA==", "client-key-data": SECRET},
        {"exec": {"command": "get", "args": [SECRET], "env": [{"name": "A", "value": SECRET}]}},
        {"auth-provider": {"name": "x", "config": {"access-token": SECRET}}},
        {"something-new": SECRET},
        {"something-new": [SECRET]},
        SECRET,
        [SECRET],
    ],
    ids=str,
)
def test_no_credential_is_kept_and_its_place_is_told(user: Any) -> None:
    text, redactions = _kept(_config(user))

    assert SECRET not in text
    assert REDACTED in text
    assert redactions


@pytest.mark.parametrize("user", [{}, {"token": ""}, {"exec": {}}, {"password": None}], ids=str)
def test_what_is_empty_stays_so_and_looks_like_no_credential(user: Any) -> None:
    text, redactions = _kept(_config(user))

    assert (yaml.safe_load(text)["users"][0]["user"], redactions) == (user, ())


def test_a_password_in_an_address_is_taken_out() -> None:
    text, redactions = _kept(_config({}, server=f"https://me:{SECRET}@audit.example"))

    assert SECRET not in text
    assert yaml.safe_load(text)["clusters"][0]["cluster"]["server"].endswith("@audit.example")
    assert redactions == ("/clusters/0/cluster/server",)


def test_comments_and_keys_that_nobody_asks_about_are_left_out() -> None:
    text = f"# {SECRET}\n" + yaml.safe_dump({**_config({}), "extensions": [SECRET]})

    found = without_credentials(text.encode())

    assert found is not None
    assert SECRET.encode() not in found[0]
    assert found[1] == ("/extensions",)


@pytest.mark.parametrize(
    "data", [b"", b"a: [", b"clusters: 5\n", b"kind: Pod\nclusters: []\n", b"[]", b"\xff\x00"]
)
def test_what_is_no_kubeconfig_is_none(data: bytes) -> None:
    assert without_credentials(data) is None


# --- among other files -----------------------------------------------------------------------


def _collected(*paths: Path) -> dict[Kind, list[str]]:
    found: dict[Kind, list[str]] = {}
    for capture in collect_files(map(str, paths), NOW, lambda _: None):
        assert isinstance(capture, Raw), capture
        assert SECRET.encode() not in capture.content
        found.setdefault(capture.origin.kind, []).append(Path(capture.origin.resource).name)
    return found


def _node(folder: Path, **files: str) -> Path:
    etc = folder / "etc/kubernetes"
    (etc / "manifests").mkdir(parents=True)
    (etc / "manifests/kube-apiserver.yaml").write_text(
        pod(POLICY_FLAG, WEBHOOK_FLAG).replace("audit-policy.yaml", "")
    )
    for name, text in files.items():
        (etc / name).with_suffix(".yaml").write_text(text)
    return folder


def test_a_folder_gives_the_kubeconfig_that_the_server_names_and_no_other(tmp_path: Path) -> None:
    config = json.dumps(_config({"token": SECRET}))
    node = _node(tmp_path, events=config, admin=config, audit_hook=config)

    assert _collected(node)[Kind.WEBHOOK_CONFIG] == ["audit_hook.yaml", "events.yaml"]


def test_a_file_that_is_named_is_one_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "x").write_text(json.dumps(_config({"token": SECRET})))

    assert _collected(tmp_path / "x") == {Kind.WEBHOOK_CONFIG: ["x"]}


@pytest.mark.parametrize("text", ["", "a: [", "kind: Pod\n"])
def test_a_kubeconfig_that_the_server_names_and_that_is_none_is_a_gap(
    text: str, tmp_path: Path
) -> None:
    node = _node(tmp_path, events=text)

    (gap,) = [
        capture
        for capture in collect_files([str(node)], NOW, lambda _: None)
        if isinstance(capture, Unreadable)
    ]

    assert gap.origin.kind is Kind.WEBHOOK_CONFIG
    assert "no kubeconfig" in gap.reason
