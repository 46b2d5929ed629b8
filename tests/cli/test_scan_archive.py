"""A cluster's archive, declared in kcompliance.yaml, is a part of its scan."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.archive.files.trail import events
from tests.cli.in_process import run
from tests.servers.versitygw import VersityGateway

CONTROLS = ["--control", "KC-RET-005", "--control", "KC-PRO-009"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a manifest, a log and a key."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "audit.log").write_bytes(events(0, 9))
    (tmp_path / "ps.txt").write_text("kube-apiserver --audit-log-path=/var/log/audit.log")
    assert run("keys", "new", "--out", "archive.key", "--no-passphrase").code == 0
    return tmp_path


def archived(*more: str, archive: str = "archive") -> None:
    options = ["--stream", "prod/audit", "--key", "archive.key", "--files", "logs"]
    done = run("archive", "run", archive, *options, "--write-trust", "trust.toml", *more)
    assert done.code == 0, done


def configured(**archive: object) -> None:
    target = {"files": ["ps.txt"], "archive": {"url": "archive", "trust": "trust.toml", **archive}}
    Path("kcompliance.yaml").write_text(json.dumps({"targets": {"prod": target}}))


def scanned(*more: str, target: str = "@prod") -> dict[str, Any]:
    """The findings, by aspect: status and why."""
    done = run("scan", target, *CONTROLS, "--format", "json", *more)
    assert done.code in (1, 3), done
    found: dict[str, Any] = {}
    for finding in json.loads(done.out)["findings"]:
        found[finding["aspect"]] = (finding["status"], finding["because"])
    return found


def test_an_archive_of_the_cluster_is_judged_and_saved(folder: Path) -> None:
    archived()
    configured()

    live = scanned("--save-bundle", "bundle")
    shutil.rmtree("archive")
    again = scanned(target="bundle")

    assert live == again
    assert {aspect: status for aspect, (status, _) in live.items()} == {
        "kept": "pass",
        "complete": "pass",
        "current": "fail",
        "reaches-back": "manual",
        "locked": "fail",
        "compliance": "not_applicable",
    }
    assert "730" in live["reaches-back"][1]


def test_an_archive_that_was_tampered_with_is_a_fail(folder: Path) -> None:
    archived()
    configured()
    segment = next(Path("archive/seg").rglob("*.zst"))
    segment.chmod(0o600)
    segment.write_bytes(segment.read_bytes()[:-1])

    status, because = scanned()["complete"]

    assert status == "fail"
    assert "tampered with or is corrupt" in because


def test_a_log_that_no_trusted_key_signed_earns_no_pass(folder: Path) -> None:
    archived()
    configured()
    assert run("keys", "new", "--out", "other.key", "--no-passphrase").code == 0
    shutil.rmtree("archive")
    Path("trust.toml").rename("trust-of-another.toml")
    archived()
    configured(trust="trust-of-another.toml")

    assert "pass" not in {status for status, _ in scanned().values()}


def test_a_declared_archive_that_is_not_there_is_a_fail(folder: Path) -> None:
    archived()
    configured(url="nowhere")

    found = scanned()

    assert {status for status, _ in found.values()} == {"fail"}
    assert "no archive at" in found["kept"][1]


def test_a_store_that_does_not_answer_is_an_error(folder: Path) -> None:
    archived()
    configured(url="s3://bucket/archive", endpoint="http://127.0.0.1:9", region="us-east-1")

    assert {status for status, _ in scanned().values()} == {"error"}


def test_without_an_archive_the_question_is_asked(folder: Path) -> None:
    Path("kcompliance.yaml").write_text(json.dumps({"targets": {"prod": {"files": ["ps.txt"]}}}))

    assert {status for status, _ in scanned().values()} == {"manual"}


def test_a_stream_that_the_archive_does_not_have_is_a_fail(folder: Path) -> None:
    archived()
    configured(streams=["prod/nodes"])

    found = scanned()

    assert {status for status, _ in found.values()} == {"fail"}
    assert "no stream prod/nodes" in found["kept"][1]


@pytest.mark.integration
def test_locks_of_a_bucket_are_read_back(
    folder: Path, s3_server: VersityGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    url = f"s3://{s3_server.new_bucket(object_lock=True)}/archive"
    archived("--lock", "compliance", "--store-endpoint", s3_server.url, archive=url)
    configured(url=url, endpoint=s3_server.url)

    found = scanned()

    assert (found["locked"][0], found["compliance"][0]) == ("pass", "pass")
