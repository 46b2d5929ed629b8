"""`kcompliance verify`: options, formats, exit codes, and what people read."""

import io
import json
import os
import re
from collections.abc import Sequence
from contextvars import copy_context
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import jsonschema
import pytest
from rich.console import Console

from kcompliance.cli.progress import _Bar, _bar
from kcompliance.ledger import FindingCode, Period, Require, format_time, format_trust
from kcompliance.report.schemas import json_schema
from kcompliance.report.verify_words import VERDICTS, WORDS
from tests.attacks.victim import Victim
from tests.cli.command import Done
from tests.cli.in_process import run
from tests.servers.s3_server import REGION
from tests.servers.versitygw import VersityGateway


@pytest.fixture
def victim(tmp_path: Path) -> Victim:
    victim = Victim(tmp_path / "archive")
    _write_trust(victim)
    return victim


def _write_trust(victim: Victim) -> None:
    (victim.folder.parent / "trust.toml").write_bytes(format_trust(victim.trust))


def verify(victim: Victim, *arguments: str | Path, trusting: bool = True, **variables: str) -> Done:
    trust: Sequence[str | Path] = ()
    if trusting:
        trust = ("--trust", victim.folder.parent / "trust.toml")
    as_of = ("--as-of", format_time(victim.as_of))
    return run("verify", victim.folder, *trust, *as_of, *arguments, **variables)


def document(done: Done) -> Any:
    """The JSON, which has to be of the published schema."""
    found = done.json
    jsonschema.Draft202012Validator(json_schema("kcompliance/verify/v1")).validate(found)
    assert found["exit_code"] == done.code
    return found


def spoil(victim: Victim) -> Path:
    path = victim.segments[1]
    victim.write(path, path.read_bytes()[:-3] + b"xyz")
    return path


# --- verdicts -----------------------------------------------------------------------------------


def test_a_good_archive(victim: Victim) -> None:
    done = verify(victim)

    assert done.code == 0
    last = done.out.splitlines()[-1]
    assert last.startswith("VERIFIED: all 20 objects with 26 events are as signed")
    assert "the pin (size 16, root " in last
    assert re.search(
        r"^prod/k8s-audit +2026-07-01 00:00:00Z +2026-07-01 04:00:00Z +4 +26 +0",
        done.out,
        re.MULTILINE,
    )
    assert done.err == ""


def test_a_spoiled_archive(victim: Victim) -> None:
    path = spoil(victim)

    done = verify(victim)

    assert done.code == 1
    first, *rest = done.out.splitlines()
    assert first == "SEGMENT_MODIFIED (critical) " + WORDS[FindingCode.SEGMENT_MODIFIED].meaning
    assert victim.key(path) in rest[0]
    assert "2026-07-01T01:00:00Z to 2026-07-01T02:00:00Z" in done.out
    assert WORDS[FindingCode.SEGMENT_MODIFIED].remedy in done.out
    assert rest[-1].startswith("TAMPERED: ")
    assert "1 cause" in rest[-1]


def test_an_archive_that_nobody_vouches_for(victim: Victim) -> None:
    done = verify(victim, trusting=False)

    assert done.code == 3
    assert done.out.startswith("UNTRUSTED_KEY (high)")
    assert done.out.splitlines()[-1].startswith("INCOMPLETE: ")
    assert "nothing remembers it" in done.out


def test_a_demand_that_was_not_checked_is_told(victim: Victim) -> None:
    victim.trust = replace(victim.trust, require=Require(min_retention=Period(years=2)))
    _write_trust(victim)

    assert "not asked for: at least 2y is required" in verify(victim).out
    assert verify(victim, "--live").code == 3


def test_effects_stand_after_their_cause(victim: Victim) -> None:
    key = victim.key(victim.log(2))
    victim.delete(victim.log(2))

    done = verify(victim)

    assert done.code == 1
    lines = done.out.splitlines()
    assert lines[0].startswith("LEAF_MISSING")
    assert f"  UNEXPECTED_OBJECT because of {key}" in lines
    assert lines.index("what follows from this") > 0


def test_many_findings_of_one_code_are_told_shortly(victim: Victim) -> None:
    for number in range(30):
        victim.write(victim.path(f"stray-{number:02d}"), b"")

    done = verify(victim)

    assert done.out.count("UNEXPECTED_OBJECT") == 1
    assert "and 20 more" in done.out
    assert len(document(verify(victim, "--format", "json"))["findings"]) == 30


def test_names_from_an_archive_do_not_steer_the_terminal(victim: Victim) -> None:
    victim.write(victim.path("seg/\x1b[2Jinnocent\u202e[bold]"), b"")

    done = verify(victim)

    assert done.code == 1
    assert "\x1b" not in done.out + verify(victim, "--format", "junit").out
    assert "\\x1b[2Jinnocent\\u202e[bold]" in done.out


# --- JSON ---------------------------------------------------------------------------------------


def test_the_document(victim: Victim) -> None:
    path = spoil(victim)

    found = document(verify(victim, "--format", "json", "--level", "4"))

    assert found["schema"] == "kcompliance/verify/v1"
    assert found["archive"] == str(victim.folder)
    assert found["origin"] == victim.builder.origin
    assert (found["level"], found["subset"], found["live"]) == (4, None, False)
    assert found["as_of"] == format_time(victim.as_of)
    pin = victim.builder.pin
    assert found["checkpoint"] == {
        "n": 4,
        "size": pin.size,
        "root": pin.root.hex(),
        "time": "2026-07-01T04:00:00Z",
    }
    assert [(each["kind"], each["result"]) for each in found["outside_memory"]] == [("pin", "fits")]
    (stream,) = found["streams"]
    assert (stream["name"], stream["windows"], stream["gaps"]) == ("prod/k8s-audit", 4, [])
    assert found["checked"]["objects"] == 19
    (finding,) = found["findings"]
    assert finding.pop("detail")
    assert finding == {
        "code": "SEGMENT_MODIFIED",
        "severity": "critical",
        "object": victim.key(path),
        "stream": "prod/k8s-audit",
        "from": "2026-07-01T01:00:00Z",
        "to": "2026-07-01T02:00:00Z",
        "caused_by": None,
    }


def test_the_document_of_a_deleted_archive(victim: Victim) -> None:
    for path in victim.folder.rglob("*"):
        if path.is_file():
            path.unlink()

    found = document(verify(victim, "--format", "json", trusting=False))

    assert found["exit_code"] == 1
    assert (found["origin"], found["checkpoint"], found["streams"]) == (None, None, [])
    assert [each["code"] for each in found["findings"]] == ["NO_CHECKPOINT"]


def test_gaps_are_told_of_their_stream(victim: Victim) -> None:
    victim.builder.archive(9)
    victim.pinned_now()
    _write_trust(victim)

    found = document(verify(victim, "--format", "json"))

    assert found["exit_code"] == 3
    (gap,) = found["streams"][0]["gaps"]
    assert (gap["from"], gap["to"]) == ("2026-07-01T04:00:00Z", "2026-07-01T09:00:00Z")


def test_progress_is_told_as_lines_of_json(victim: Victim) -> None:
    done = verify(victim, "--format", "json", "--progress", "json")

    document(done)
    lines = [json.loads(line) for line in done.err.splitlines()]
    assert {"progress", "objects", "bytes", "total_bytes"} <= lines[0].keys()
    assert lines[-1]["objects"] == lines[-1]["total_objects"] == 10
    assert lines[-1]["bytes"] == lines[-1]["total_bytes"] > 0
    assert {line["progress"] for line in lines} == {"listing", "reading"}


def test_a_bar_shows_how_far_it_is() -> None:
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, width=120, color_system=None)
    with _bar(console) as bar:
        meter = _Bar(bar, "objects")
        meter.tell("reading")
        meter.total(4, 8_000_000)
        meter.advance(objects=1)
        meter.advance(size=3_000_000)
        bar.refresh()

    text = shown.getvalue()
    assert "reading" in text
    assert "3.0/8.0 MB" in text
    assert "1/4 objects" in text


def test_the_result_goes_into_a_file(victim: Victim, tmp_path: Path) -> None:
    done = verify(victim, "--format", "json", "--output", tmp_path / "found.json")

    assert (done.code, done.out) == (0, "")
    assert json.loads((tmp_path / "found.json").read_text())["exit_code"] == 0


# --- JUnit --------------------------------------------------------------------------------------


def junit(done: Done) -> tuple[Xml.Element, dict[str, Xml.Element]]:
    """The suite and its cases, held against what schemas of JUnit demand."""
    root = Xml.fromstring(done.out)
    (suite,) = root
    assert (root.tag, suite.tag) == ("testsuites", "testsuite")
    tags = [child.tag for child in suite]
    cases = [child for child in suite if child.tag == "testcase"]
    assert tags == ["properties", *["testcase"] * len(cases), "system-out", "system-err"]
    needed = {
        "id",
        "name",
        "package",
        "hostname",
        "timestamp",
        "time",
        "tests",
        "failures",
        "errors",
    }
    assert suite.attrib.keys() >= needed
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.attrib["timestamp"])
    for case in cases:
        assert case.attrib.keys() >= {"classname", "name", "time"}
        assert len(case) <= 1
        assert all(child.tag in {"failure", "error", "skipped"} for child in case)
    for tag, name in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        assert int(suite.attrib[name]) == len(suite.findall(f"testcase/{tag}"))
    assert int(suite.attrib["tests"]) == len(cases)
    return suite, {case.attrib["name"]: case for case in cases}


def test_junit_of_a_good_archive(victim: Victim) -> None:
    done = verify(victim, "--format", "junit")

    suite, cases = junit(done)
    assert done.code == 0
    assert suite.attrib["failures"] == suite.attrib["errors"] == "0"
    assert [name for name, case in cases.items() if len(case)] == ["locks keep every object"]
    assert "prod/k8s-audit" in cases
    assert (suite.findtext("system-out") or "").startswith("VERIFIED: ")


def test_junit_of_a_spoiled_archive(victim: Victim) -> None:
    path = spoil(victim)
    victim.builder.archive(9)
    victim.pinned_now()
    _write_trust(victim)

    suite, cases = junit(verify(victim, "--format", "junit"))

    assert suite.attrib["failures"] == "2"
    failure = cases["every object holds what was signed"].find("failure")
    assert failure is not None
    assert failure.attrib["type"] == "SEGMENT_MODIFIED"
    assert victim.key(path) in (failure.text or "")
    gap = cases["prod/k8s-audit"].find("failure")
    assert gap is not None
    assert gap.attrib["type"] == "WINDOW_GAP"


@pytest.mark.parametrize(("level", "skipped"), [("0", 3), ("1", 2), ("3", 1)])
def test_junit_skips_what_was_not_asked(victim: Victim, level: str, skipped: int) -> None:
    suite, _ = junit(verify(victim, "--format", "junit", "--level", level))

    assert suite.attrib["skipped"] == str(skipped)


def test_junit_holds_any_name(victim: Victim) -> None:
    victim.write(victim.path("a\x01\ufffe<&\"'b"), b"")

    suite, _ = junit(verify(victim, "--format", "junit"))

    assert suite.attrib["failures"] == "1"


# --- options ------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", ["1/4", "4/4"])
def test_a_subset(victim: Victim, number: str) -> None:
    found = document(verify(victim, "--format", "json", "--subset", number))

    assert (found["level"], found["subset"]) == (2, number)
    assert document(verify(victim, "--format", "json", "--subset", number, "--level", "2")) == found


def test_level_2_reads_another_part_each_day(victim: Victim) -> None:
    def part(day: int) -> str:
        as_of = f"2026-07-{day:02d}T12:00:00Z"
        done = verify(victim, "--format", "json", "--level", "2", "--as-of", as_of)
        subset: str = document(done)["subset"]
        return subset

    assert {part(day) for day in range(1, 31)} == {f"{number}/30" for number in range(1, 31)}


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("--subset", "0/4"), "--subset"),
        (("--subset", "5/4"), "--subset"),
        (("--subset", "4"), "--subset"),
        (("--subset", "-1/4"), "--subset"),
        (("--subset", "1/4", "--level", "3"), "--subset"),
        (("--level", "5"), "--level"),
        (("--grace", "soon"), "--grace"),
        (("--grace", "-1h"), "--grace"),
        (("--as-of", "yesterday"), "--as-of"),
        (("--as-of", "2026-07-01"), "--as-of"),
        (("--format", "xml"), "--format"),
        (("--trust", "missing.toml"), "trust"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_cannot_be_asked(victim: Victim, arguments: tuple[str, ...], part: str) -> None:
    done = verify(victim, *arguments)

    assert done.code == 2
    assert done.out == ""
    assert part in done.err


def test_a_place_that_is_none(tmp_path: Path) -> None:
    done = run("verify", tmp_path / "missing", "--format", "json")

    assert done.code == 4
    assert done.json["error"]["code"] == "store-not-there"


def test_a_grace_makes_a_stray_object_early_or_strange(victim: Victim) -> None:
    path = victim.path("meta/" + "0" * 64 + ".json.zst")
    victim.write(path, b"on its way")
    moment = victim.as_of.timestamp() - 120
    os.utime(path, (moment, moment))

    assert verify(victim).code == 3
    assert verify(victim, "--grace", "1m").code == 1


def test_the_environment_chooses(victim: Victim) -> None:
    done = run(
        "verify",
        KCOMPLIANCE_ARCHIVE=str(victim.folder),
        KCOMPLIANCE_TRUST=str(victim.folder.parent / "trust.toml"),
        KCOMPLIANCE_AS_OF=format_time(victim.as_of),
        KCOMPLIANCE_FORMAT="json",
        KCOMPLIANCE_SUBSET="2/5",
        KCOMPLIANCE_LIVE="1",
        KCOMPLIANCE_GRACE="2h",
    )

    found = document(done)
    assert (found["exit_code"], found["level"], found["subset"]) == (0, 2, "2/5")
    assert found["live"] is True


def test_the_configuration_chooses(
    victim: Victim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kcompliance.yaml").write_text(
        "verify:\n"
        f"  archive: {victim.folder}\n"
        "  trust: trust.toml\n"
        f"  as-of: {format_time(victim.as_of)!r}\n"
        "  format: json\n"
        "  level: 4\n"
        "  live: true\n"
    )

    # What a file says of the format stays in force for failures of the same process.
    found = document(copy_context().run(run, "verify"))
    other = copy_context().run(run, "verify", "--level", "0")

    assert (found["exit_code"], found["level"], found["live"]) == (0, 4, True)
    assert other.json["level"] == 0


def test_an_archive_in_a_bucket(victim: Victim, s3_server: VersityGateway, tmp_path: Path) -> None:
    bucket = s3_server.new_bucket()
    client = s3_server.client()
    for path in victim.folder.rglob("*"):
        if path.is_file():
            key = f"audit/{victim.key(path)}"
            client.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())
    client.close()
    asked = ("--trust", tmp_path / "trust.toml", "--as-of", format_time(victim.as_of))
    place = ("--store-endpoint", s3_server.url, "--store-region", REGION)

    done = run(
        "verify", f"s3://{bucket}/audit", *asked, *place, "--live", **s3_server.environment()
    )

    assert (done.code, done.err) == (0, "")
    assert s3_server.secret_key not in done.out


# --- words --------------------------------------------------------------------------------------


def test_every_code_and_every_verdict_is_explained() -> None:
    assert WORDS.keys() == set(FindingCode)
    assert set(VERDICTS.values()) == {"VERIFIED", "TAMPERED", "INCOMPLETE", "UNREADABLE"}
    for words in WORDS.values():
        assert words.meaning[0].islower()
        assert not words.meaning.endswith(".")
        assert words.remedy
