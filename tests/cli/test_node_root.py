"""`scan --node-root`: a node's own folders, alone or with the cluster that it is of."""

from pathlib import Path

import pytest

from tests.cli.command import kcompliance
from tests.collect.node_layouts import kubeadm

ASK = ("--control", "KC-PRO-001", "--format", "json")


def test_a_node_alone_is_a_target(tmp_path: Path) -> None:
    kubeadm(tmp_path / "host")

    done = kcompliance("scan", "--node-root", "host", *ASK, cwd=tmp_path)

    assert [target["name"] for target in done.json["targets"]] == ["node:cp-1"]
    assert {finding["status"] for finding in done.json["findings"]} == {"pass"}
    assert done.code == 0


def test_a_mode_too_many_ends_with_1(tmp_path: Path) -> None:
    kubeadm(tmp_path / "host")
    (tmp_path / "host/etc/kubernetes/audit-policy.yaml").chmod(0o644)

    done = kcompliance("scan", *ASK, cwd=tmp_path, env={"KCOMPLIANCE_NODE_ROOT": "host"})

    failed = [f["resource"] for f in done.json["findings"] if f["status"] == "fail"]
    assert failed == ["node:cp-1/etc/kubernetes/audit-policy.yaml"]
    assert done.code == 1


def test_the_name_that_kubernetes_has_wins(tmp_path: Path) -> None:
    kubeadm(tmp_path / "host")

    done = kcompliance(
        "scan", "--node-root", "host", *ASK, cwd=tmp_path, env={"NODE_NAME": "ip-10-0-0-1"}
    )

    assert done.json["targets"][0]["name"] == "node:ip-10-0-0-1"


def test_a_node_belongs_to_the_target_that_is_named_with_it(tmp_path: Path) -> None:
    kubeadm(tmp_path / "host")
    (tmp_path / "kcompliance.yaml").write_text(
        "targets: {prod: {files: [host/etc/kubernetes], node_root: host, node_name: cp-7}}\n"
    )

    named = kcompliance("scan", "@prod", *ASK, cwd=tmp_path)
    folder = kcompliance("scan", "host/etc", "--node-root", "host", *ASK, cwd=tmp_path)

    assert [target["name"] for target in named.json["targets"]] == ["@prod"]
    assert any("node:cp-7/" in finding["resource"] for finding in named.json["findings"])
    assert [target["name"] for target in folder.json["targets"]] == ["host/etc"]


def test_a_bundle_of_a_node_gives_the_same_findings(tmp_path: Path) -> None:
    kubeadm(tmp_path / "host")

    first = kcompliance(
        "scan", "--node-root", "host", "--save-bundle", "b", "--format", "json", cwd=tmp_path
    )
    again = kcompliance("scan", "b", "--format", "json", cwd=tmp_path)

    assert again.json["findings"] == first.json["findings"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--node-root", "missing"), "is no folder"),
        (("--node-root", "kcompliance.txt"), "is no folder"),
        (("--node-root", "nameless"), "does not tell its name"),
        (("--node-root", "host", "--node-name", "a/b"), "is no name of a node"),
        (("--node-root", "host", "host", "nameless"), "one target"),
        ((), "TARGET"),
    ],
    ids=["missing", "file", "no-name", "bad-name", "several", "nothing"],
)
def test_a_wrong_call_ends_with_2(arguments: tuple[str, ...], words: str, tmp_path: Path) -> None:
    kubeadm(tmp_path / "host")
    (tmp_path / "nameless").mkdir()
    (tmp_path / "kcompliance.txt").touch()

    done = kcompliance("scan", *arguments, cwd=tmp_path)

    assert done.code == 2
    assert words in done.err
