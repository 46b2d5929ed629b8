"""`kcompliance archive run`, as its user calls it: options, results, and each way to be refused."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from kcompliance.archive.key_files import KeyKind, new_key, signer, write_key
from kcompliance.archive.opening import open_archive
from kcompliance.archive.trust_files import read_trust
from kcompliance.cli.archive_work import TrustKeeper
from kcompliance.ledger import StreamName
from kcompliance.stores.filesystem import FilesystemStore
from tests.archive.check_archive import check_archive
from tests.archive.files.trail import events
from tests.cli.command import ROOT, Done, kcompliance
from tests.cli.in_process import run
from tests.servers.versitygw import VersityGateway

PASSPHRASE = "several words are best"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A folder with a trail of two files, a key, and an archive that is not there yet."""

    folder: Path

    @property
    def archive(self) -> Path:
        return self.folder / "archive"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def key(self) -> Path:
        return self.folder / "archive.key"

    @property
    def trust(self) -> Path:
        return self.folder / "trust.toml"

    @property
    def lines(self) -> list[bytes]:
        paths = sorted(self.logs.iterdir())
        return [line for path in paths for line in path.read_bytes().splitlines()]

    @property
    def options(self) -> dict[str, object]:
        return {
            "--stream": "prod/audit",
            "--key": self.key,
            "--files": self.logs,
            "--spool": self.folder / "spool",
            "--write-trust": self.trust,
        }

    def run(self, *more: str | Path, archive: str | Path | None = None, **options: Any) -> Done:
        """A run with these options, which replace those of the same name; None leaves one out."""
        chosen = self.options
        for name, value in options.items():
            chosen[f"--{name.rstrip('_').replace('_', '-')}"] = value
        given = [(name, value) for name, value in chosen.items() if value is not None]
        pairs = [str(part) for pair in given for part in pair]
        return run("archive", "run", archive or self.archive, *pairs, *more)

    def new_key(self, name: str, passphrase: bytes | None = None) -> Path:
        write_key(self.folder / name, new_key(KeyKind.ED25519), passphrase)
        return self.folder / name

    def everything(self) -> dict[str, bytes]:
        """All files, with what they hold."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in self.folder.rglob("*")
            if path.is_file()
        }

    def check(self) -> None:
        check_archive(FilesystemStore(self.archive), self.lines, trust=read_trust(self.trust))


@pytest.fixture
def case(tmp_path: Path) -> Case:
    case = Case(folder=tmp_path)
    case.logs.mkdir()
    (tmp_path / "spool").mkdir()
    (case.logs / "audit-1.log").write_bytes(events(0, 9))
    (case.logs / "audit-2.log").write_bytes(events(10, 19))
    case.new_key("archive.key")
    return case


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No kcompliance.yaml is near."""
    folder = tmp_path / "nowhere"
    folder.mkdir()
    monkeypatch.chdir(folder)


# --- what it does -------------------------------------------------------------------------------


def test_a_run_tells_what_it_has_archived(case: Case) -> None:
    first = case.run()
    second = case.run(write_trust=None, trust=case.trust)

    assert (first.code, second.code) == (0, 0)
    assert "2 sealed" in first.out
    assert "events      20" in first.out
    assert f'wrote the trust file "{case.trust}"' in first.err
    assert "events      0" in second.out
    pin = read_trust(case.trust).pin
    assert pin is not None
    assert pin.root.hex() in first.out
    assert list((case.folder / "spool").iterdir()) == []
    case.check()


def test_the_pin_moves_with_every_run(case: Case) -> None:
    case.run()
    before = read_trust(case.trust).pin
    (case.logs / "audit-3.log").write_bytes(events(20, 29))
    done = case.run(format="json")

    after = read_trust(case.trust).pin
    assert before is not None
    assert after is not None
    assert (after.size, after.root.hex()) == (
        done.json["checkpoint"]["size"],
        done.json["checkpoint"]["root"],
    )
    assert before.size < after.size
    case.check()


def test_a_trust_file_is_made_of_one_that_was_only_read(case: Case) -> None:
    case.run()
    case.run(trust=case.trust, write_trust=case.folder / "another.toml")

    another = read_trust(case.folder / "another.toml")
    assert another.origin == read_trust(case.trust).origin
    assert another.pin is not None
    assert another.pin != read_trust(case.trust).pin


def test_a_trust_file_that_another_run_has_made_meanwhile_is_kept_up(case: Case) -> None:
    """Two runs have found the archive new, or the file missing."""
    case.run(write_trust=None)
    with FilesystemStore(case.archive) as store:
        key = partial(signer, str(case.key), ask=bytes)
        opened = open_archive(store, key, StreamName("prod/audit"), trust=None)
    keeper = TrustKeeper(case.trust, None, opened)
    case.run()
    assert opened.state.end is not None

    keeper.committed(opened.state.end)

    pin = read_trust(case.trust).pin
    assert pin is not None
    assert pin.size > opened.state.end.frontier.size
    case.check()


@pytest.mark.parametrize("more", [(), ("--dry-run",)], ids=["run", "dry-run"])
def test_json_is_one_document_of_the_published_schema(case: Case, more: tuple[str, ...]) -> None:
    done = case.run(*more, format="json")

    published = json.loads((ROOT / "reports/schemas/run-v1.schema.json").read_text())
    jsonschema.Draft202012Validator(published).validate(done.json)
    assert done.json["exit_code"] == done.code == 0
    assert done.json["planned"]["windows"] == 2
    assert done.json["docs"] == (0 if more else 20)
    assert (done.json["checkpoint"] is None) == bool(more)


def test_a_dry_run_writes_nothing(case: Case) -> None:
    before = case.everything()

    done = case.run("--dry-run")

    assert done.code == 0
    assert "would archive prod/audit" in done.out
    assert "nothing was written" in done.out
    assert case.everything() == before
    assert not case.archive.exists()
    case.run()
    before = case.everything()
    (case.logs / "audit-3.log").write_bytes(more := events(20, 29))
    assert "windows     1," in case.run("--dry-run").out
    assert case.everything() == {**before, "logs/audit-3.log": more}


def test_options_come_from_the_environment(case: Case) -> None:
    done = run(
        "archive",
        "run",
        KCOMPLIANCE_ARCHIVE=str(case.archive),
        KCOMPLIANCE_STREAM="prod/audit",
        KCOMPLIANCE_KEY=str(case.key),
        KCOMPLIANCE_FILES=str(case.logs),
        KCOMPLIANCE_WRITE_TRUST=str(case.trust),
        KCOMPLIANCE_RETAIN="7y",
        KCOMPLIANCE_FORMAT="json",
    )

    assert (done.code, done.json["docs"]) == (0, 20)
    case.check()


def test_options_come_from_the_configuration(case: Case) -> None:
    section = {
        "archive": str(case.archive),
        "stream": "prod/audit",
        "key": str(case.key),
        "files": [str(case.logs)],
        "write-trust": str(case.trust),
        "connections": 2,
        "format": "json",
    }
    config = case.folder / "audit.yaml"
    config.write_text(yaml.safe_dump({"archive": {"run": section}}))

    # A process of its own: a configured format stays with the process.
    done = kcompliance("archive", "run", "--config", config, "--actor", "me", cwd=case.folder)

    assert (done.code, done.json["docs"]) == (0, 20)
    assert f"using {config}" in done.err
    case.check()


def test_an_unknown_key_of_the_configuration_is_refused(case: Case) -> None:
    config = case.folder / "audit.yaml"
    config.write_text("archive: {run: {strem: prod/audit}}\n")

    done = case.run("--config", config)

    assert done.code == 2
    assert 'nobody knows "strem"' in done.err
    assert not case.archive.exists()


def test_several_files_are_named_one_after_the_other(case: Case) -> None:
    done = case.run(case.logs / "audit-2.log", files=case.logs / "audit-1.log", format="json")

    assert (done.code, done.json["docs"]) == (0, 20)


def test_a_key_with_a_passphrase_is_opened(case: Case) -> None:
    key = case.new_key("secret.key", PASSPHRASE.encode())

    done = run(
        "archive",
        "run",
        case.archive,
        *("--stream", "prod/audit", "--key", key, "--files", case.logs),
        KCOMPLIANCE_KEY_PASSPHRASE=PASSPHRASE,
    )

    assert done.code == 0
    assert PASSPHRASE not in done.out + done.err


def test_what_could_not_be_archived_is_told(case: Case) -> None:
    (case.logs / "audit-2.log").write_bytes(b"\x1f\x8b" + bytes(100))
    (case.logs / "audit-2.log").rename(case.logs / "audit-2.log.gz")

    done = case.run(format="json")

    assert done.json["docs"] == 10
    assert done.code == done.json["exit_code"]
    assert done.code in {0, 3}


# --- what it refuses ----------------------------------------------------------------------------

REFUSED = {
    "no source": ({"files": None}, (), "nothing says where the events are"),
    "two sources": ({"elasticsearch": "http://127.0.0.1:9"}, (), "a stream has one source"),
    "no index": (
        {"files": None, "elasticsearch": "http://127.0.0.1:9"},
        (),
        "no index is named",
    ),
    "stream": ({"stream": "Prod"}, (), '"Prod" is not the name of a stream'),
    "naive time": ({"from": "2026-07-01T00:00:00"}, (), "has no time zone"),
    "no time": ({"to": "yesterday"}, (), '--to "yesterday" is no moment'),
    "time of files": ({"from": "2026-07-01T00:00:00Z"}, (), "not by time"),
    "last of files": ({"last": "24h"}, (), "--last is for Elasticsearch"),
    "settle": ({"settle": "soon"}, (), '--settle "soon" is not a duration'),
    "window": ({"window": "0s"}, (), "is not a duration"),
    "retain": ({"retain": "forever"}, (), '--retain "forever" is not a period'),
    "lock of a folder": ({"lock": "compliance"}, (), "cannot lock objects"),
    "hold of a folder": ({}, ("--legal-hold",), "cannot lock objects"),
    "spool": ({"spool": "/nowhere/at/all"}, (), "is not a folder"),
    "key": ({"key": "/nowhere/at/all"}, (), "/nowhere/at/all"),
    "trust": ({"trust": "/nowhere/at/all", "write_trust": None}, (), "there is no trust file"),
    "write-trust": ({"write_trust": "/nowhere/at/all"}, (), "cannot be made there"),
    "connections": ({"connections": "0"}, (), "connections"),
    "files": ({"files": "/nowhere/at/all"}, (), "/nowhere/at/all"),
    "argument": ({"files": None}, ("more",), 'unexpected argument "more"'),
}


@pytest.mark.parametrize(("options", "more", "message"), REFUSED.values(), ids=REFUSED)
def test_a_wrong_call_is_one_error_and_writes_nothing(
    case: Case, options: dict[str, Any], more: tuple[str, ...], message: str
) -> None:
    before = case.everything()

    done = case.run(*more, **options)

    assert done.code == 2, done
    assert message in done.err
    assert done.err.startswith("error: ")
    assert done.out == ""
    assert case.everything() == before
    assert not case.archive.exists()


def test_a_failure_is_one_document_too(case: Case) -> None:
    done = case.run(stream="Prod", format="json")

    published = json.loads((ROOT / "reports/schemas/error-v1.schema.json").read_text())
    jsonschema.Draft202012Validator(published).validate(done.json)
    assert done.json["exit_code"] == done.code == 2


@pytest.mark.parametrize("passphrase", [None, "some other words"], ids=["missing", "wrong"])
def test_a_passphrase_that_is_missing_or_wrong_is_told(
    case: Case, monkeypatch: pytest.MonkeyPatch, passphrase: str | None
) -> None:
    key = case.new_key("secret.key", PASSPHRASE.encode())
    if passphrase is not None:
        monkeypatch.setenv("KCOMPLIANCE_KEY_PASSPHRASE", passphrase)

    done = case.run(key=key)

    assert done.code == 2
    assert "passphrase" in done.err
    assert PASSPHRASE not in done.err
    assert not case.archive.exists()


@pytest.fixture
def archived(case: Case) -> Iterator[Case]:
    """A case whose archive is there; nothing of it may change."""
    assert case.run().code == 0
    before = case.everything()
    yield case
    assert case.everything() == before


def test_another_key_is_told(archived: Case, tmp_path: Path) -> None:
    other = tmp_path.parent / f"{tmp_path.name}.key"
    write_key(other, new_key(KeyKind.ED25519), None)

    done = archived.run(key=other)

    assert done.code == 2
    assert "may not sign for" in done.err


def test_another_source_is_told(archived: Case) -> None:
    done = archived.run(files=archived.logs / "audit-1.log")

    assert done.code == 2
    assert "is bound to another source: its patterns is" in done.err
    assert "--rebind" in done.err


def test_an_archive_of_somebody_else_is_told(archived: Case, tmp_path: Path) -> None:
    other = tmp_path.parent / f"{tmp_path.name}-other"
    archived.run(archive=other, write_trust=None)

    done = archived.run(archive=other)

    assert done.code == 1
    assert "WRONG_ORIGIN" in done.err


def test_a_folder_that_is_full_of_other_things_is_told(case: Case) -> None:
    case.archive.mkdir()
    (case.archive / "holiday.jpg").write_bytes(b"sunny")

    done = case.run()

    assert done.code == 2
    assert 'holds something else, such as "holiday.jpg"' in done.err
    assert [each.name for each in case.archive.iterdir()] == ["holiday.jpg"]


def test_rebind_lets_a_stream_go_on_with_another_source(case: Case) -> None:
    case.run()
    moved = case.folder / "moved"
    case.logs.rename(moved)
    (moved / "audit-3.log").write_bytes(events(20, 29))

    done = case.run("--rebind", files=moved, format="json")

    assert (done.code, done.json["docs"]) == (0, 10)


@pytest.fixture
def s3(s3_server: VersityGateway, monkeypatch: pytest.MonkeyPatch) -> VersityGateway:
    """With the credentials of its owner in the environment."""
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    return s3_server


@pytest.mark.integration
def test_a_bucket_without_locks_is_refused(case: Case, s3: VersityGateway) -> None:
    bucket = s3.new_bucket()

    done = case.run(archive=f"s3://{bucket}/archive", store_endpoint=s3.url, lock="compliance")

    assert done.code == 2
    assert "cannot lock objects" in done.err
    assert "Object Lock" in done.err
    client = s3.client()
    assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    client.close()


@pytest.mark.integration
@pytest.mark.parametrize("mode", ["governance", "compliance"])
def test_every_object_of_a_locked_archive_is_locked(
    case: Case, s3: VersityGateway, mode: str
) -> None:
    bucket = s3.new_bucket(object_lock=True)
    url = f"s3://{bucket}/archive"

    done = case.run(archive=url, store_endpoint=s3.url, lock=mode, retain="3y")

    assert done.code == 0, done
    client, now = s3.client(), datetime.now(UTC)
    for each in client.list_objects_v2(Bucket=bucket)["Contents"]:
        lock = client.get_object_retention(Bucket=bucket, Key=each["Key"])["Retention"]
        years = 3 if "/seg/" in each["Key"] else 4
        assert lock["Mode"] == mode.upper()
        least = timedelta(days=365 * years)
        assert least < lock["RetainUntilDate"] - now < least + timedelta(days=4)
    client.close()
    checked = run("verify", url, "--trust", case.trust, "--store-endpoint", s3.url, "--live")
    assert checked.code == 0, checked


@pytest.mark.integration
def test_a_legal_hold_lies_over_every_object(case: Case, s3: VersityGateway) -> None:
    bucket = s3.new_bucket(object_lock=True)
    url = f"s3://{bucket}/archive"

    done = case.run("--legal-hold", archive=url, store_endpoint=s3.url)

    assert done.code == 0, done
    client = s3.client()
    objects = client.list_objects_v2(Bucket=bucket)["Contents"]
    holds = [client.get_object_legal_hold(Bucket=bucket, Key=each["Key"]) for each in objects]
    client.close()
    assert len(holds) >= 4
    assert {hold["LegalHold"]["Status"] for hold in holds} == {"ON"}
    checked = run("verify", url, "--trust", case.trust, "--store-endpoint", s3.url, "--live")
    assert checked.code == 0, checked
