"""Attestations and waivers as a user writes them: what they change, and what is told of them."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.captures import SOUND_POLICY
from tests.cli.command import HOLED_POLICY, ROOT, Done, cluster
from tests.cli.in_process import run

AS_OF = "2026-06-15T12:00:00Z"
HOLED = "holed/etc/kubernetes/audit-policy.yaml"
PERIOD = {"date": "2026-06-01", "expires": "2026-06-30"}
WAIVER = {
    "control": "KC-AUD-008",
    "resource": HOLED,
    "reason": "the new policy comes in July",
    "owner": "Jane Doe",
    "approver": "John Roe",
    **PERIOD,
}
ATTESTATION = {
    "control": "KC-AUD-005",
    "resource": "*",
    "statement": "the servers of this cluster start with that file",
    "by": "Jane Doe",
    **PERIOD,
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("KCOMPLIANCE_")]:
        monkeypatch.delenv(name)
    return tmp_path


def declare(path: str = "kcompliance.yaml", **sections: Any) -> None:
    """JSON is YAML too; the first entry of each list begins on the line of its bracket."""
    Path(path).write_text(json.dumps(sections, indent=1))


def holed(*arguments: str, control: str = "KC-AUD-008") -> Done:
    """A scan of a cluster that fails KC-AUD-008 and nothing else."""
    if not Path("holed").exists():
        cluster(Path("holed"), policy=HOLED_POLICY)
    return run("scan", "holed", "--control", control, "--as-of", AS_OF, *arguments)


def policy_alone(*arguments: str) -> Done:
    """A scan of a policy of which nothing tells whether a server loads it: a question."""
    Path("policy.yaml").write_text(SOUND_POLICY)
    arguments = ("--control", "KC-AUD-005", "--as-of", AS_OF, *arguments)
    return run("scan", "policy.yaml", *arguments)


# --- waivers -------------------------------------------------------------------------------------


def test_a_waived_fail_is_shown_as_one_and_ends_with_0() -> None:
    declare(waivers=[WAIVER])

    done = holed()

    assert done.code == 0
    assert "fail[KC-AUD-008]" in done.out
    assert "[waived until 2026-06-30]" in done.out
    assert "until 2026-06-30 by Jane Doe, approved by John Roe: the new policy comes" in done.out
    assert "WAIVED: the only fail, until 2026-06-30 by Jane Doe" in done.out
    assert "1 fail (1 waived)" in done.out


def test_what_could_not_be_read_is_not_waived_with_it() -> None:
    declare(waivers=[WAIVER | {"resource": "*"}])
    cluster(Path("holed"), policy=HOLED_POLICY)
    Path("holed/broken.yaml").write_text("kube-apiserver: [\n")

    assert holed().code == 3


def test_an_expired_waiver_counts_no_more_and_is_told() -> None:
    declare(waivers=[WAIVER])

    last = holed("--as-of", "2026-06-30T23:59:59Z")
    done = holed("--as-of", "2026-07-01T00:00:00Z", "--fail-on", "high")

    assert (last.code, done.code) == (0, 1)
    assert "it expired on 2026-06-30: 1 fail counts again" in done.out
    assert "fail[KC-CFG-001]" in done.out
    assert "waived" not in done.out


def test_an_unused_waiver_is_a_finding() -> None:
    declare(waivers=[WAIVER, WAIVER | {"resource": "gone"}])

    low = holed("--format", "json")
    high = holed("--fail-on", "medium")

    assert (low.code, high.code) == (1, 0)
    (finding,) = [f for f in low.json["findings"] if f["control"] == "KC-CFG-001"]
    assert (finding["aspect"], finding["severity"], finding["status"]) == ("used", "low", "fail")
    assert finding["resource"] == "waiver of KC-AUD-008/main: gone"
    assert finding["evidence"][0]["location"] == "line 12"
    assert low.json["controls"][-1]["id"] == "KC-CFG-001"


def test_a_waiver_of_what_is_not_scanned_is_left_in_peace() -> None:
    declare(waivers=[WAIVER | {"control": "KC-CMP-001"}, WAIVER | {"target": "else*"}, WAIVER])

    done = holed("--format", "json")

    assert done.code == 0
    assert [w["state"] for w in done.json["waivers"]] == ["not-judged", "not-judged", "used"]


def test_the_document_tells_all_of_a_waiver_and_keeps_the_fail() -> None:
    declare(waivers=[WAIVER])

    document = holed("--format", "json", "--framework", "cis-kubernetes:1.12").json

    (finding,) = document["findings"]
    assert finding["status"] == "fail"
    about = WAIVER | {"aspect": "main", "target": None, "source": "kcompliance.yaml", "line": 3}
    (reading,) = [r for r in document["targets"][0]["readings"] if r["kind"] == "declarations"]
    told = about | {"sha256": reading["sha256"]}
    assert finding["waiver"] == told
    came_to = {"state": "used", "because": "1 fail until 2026-06-30", "findings": 1}
    assert document["waivers"] == [told | came_to]
    assert document["summary"]["findings"]["fail"] == document["summary"]["waived"] == 1
    (control,) = document["controls"]
    assert (control["status"], control["waived"]) == ("fail", True)
    assert [(i["status"], i["waived"]) for i in document["frameworks"][0]["items"]] == [
        ("fail", True)
    ]


def test_a_folder_that_is_scanned_cannot_waive_its_own_fails() -> None:
    cluster(Path("holed"), policy=HOLED_POLICY)
    declare("holed/kcompliance.yaml", waivers=[WAIVER])

    assert holed().code == 1


# --- attestations --------------------------------------------------------------------------------


def test_an_attested_question_is_a_pass_and_ends_with_0() -> None:
    asked = policy_alone()
    declare(attestations=[ATTESTATION])

    answered = policy_alone("--format", "json")

    assert (asked.code, answered.code) == (3, 0)
    (finding,) = answered.json["findings"]
    assert (finding["status"], finding["confidence"]) == ("pass", "attested")
    assert "attested by Jane Doe on 2026-06-01, until 2026-06-30: the servers" in finding["because"]
    assert finding["evidence"][0]["quote"] == ATTESTATION["statement"]
    assert finding["attestation"]["by"] == "Jane Doe"
    assert answered.json["summary"]["complete"] is True
    assert answered.json["summary"]["attested"] == 1
    assert "1 pass (1 attested)" in policy_alone().out


def test_an_expired_attestation_answers_nothing_and_is_told() -> None:
    declare(attestations=[ATTESTATION])

    done = policy_alone("--as-of", "2026-07-01T00:00:00Z", "--fail-on", "high")

    assert done.code == 3
    assert "it expired on 2026-06-30: 1 question is open again" in done.out


def test_an_attestation_of_a_fail_changes_nothing_and_is_told() -> None:
    declare(attestations=[ATTESTATION | {"control": "KC-AUD-008"}])

    done = holed("--fail-on", "critical")

    assert "1 manual" not in done.out
    assert "it answers no question: kcompliance itself finds fail" in done.out
    assert holed("--fail-on", "high").code == 1


def test_an_attestation_of_what_could_not_be_read_changes_nothing() -> None:
    declare(attestations=[ATTESTATION | {"control": "KC-AUD-008"}])
    cluster(Path("sound"))
    Path("sound/broken.yaml").write_text("kube-apiserver: [\n")

    arguments = ("--control", "KC-AUD-008", "--as-of", AS_OF, "--format", "json")
    done = run("scan", "sound", *arguments)

    assert done.code == 3
    assert {f["status"] for f in done.json["findings"]} == {"error", "pass"}
    assert done.json["summary"]["attested"] == 0
    assert [a["state"] for a in done.json["attestations"]] == ["open"]


# --- bundles -------------------------------------------------------------------------------------


@pytest.fixture
def saved() -> Done:
    """A scan with a waiver, saved as `bundle`, and without its configuration from then on."""
    declare(waivers=[WAIVER])
    done = holed("--format", "json", "--save-bundle", "bundle")
    Path("kcompliance.yaml").rename("former.yaml")
    return done


def again(*arguments: str) -> Done:
    return run("scan", "bundle", "--control", "KC-AUD-008", *arguments)


def test_a_bundle_scanned_again_gives_the_same_bytes(saved: Done) -> None:
    assert (saved.code, again("--format", "json").out) == (0, saved.out)


def test_a_bundle_scanned_again_with_the_same_file_gives_the_same_bytes(saved: Done) -> None:
    Path("former.yaml").rename("kcompliance.yaml")

    assert again("--format", "json").out == saved.out


def test_the_moment_decides_and_not_the_clock(saved: Done) -> None:
    assert again("--as-of", "2026-07-01T00:00:00Z").code == 1


def test_an_own_configuration_takes_the_place_of_what_a_bundle_keeps(saved: Done) -> None:
    declare(waivers=[])

    done = again("--format", "json")

    assert done.code == 1
    assert done.json["waivers"] == []
    assert "declarations" not in done.out


def test_what_somebody_wrote_into_a_bundle_is_read_as_strictly(saved: Done) -> None:
    index = json.loads(Path("bundle/bundle.json").read_text())
    (reading,) = [r for r in index["targets"][0]["readings"] if r["kind"] == "declarations"]
    raw = Path("bundle/raw", reading["sha256"]).read_text().replace("John Roe", "jane doe")
    reading["sha256"] = hashlib.sha256(raw.encode()).hexdigest()
    Path("bundle/raw", reading["sha256"]).write_text(raw)
    Path("bundle/bundle.json").write_text(json.dumps(index))

    done = again()

    assert (done.code, done.out) == (4, "")
    assert "owner and approver of a waiver are one person" in done.err


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sections", "problem", "hint"),
    [
        ({"waivers": [WAIVER | {"control": "KC-X"}]}, 'line 3: no control "KC-X"', "controls list"),
        ({"waivers": [WAIVER | {"aspect": "x"}]}, 'line 3: KC-AUD-008 has no aspect "x"', "main"),
        ({"waivers": [WAIVER | {"approver": "jane doe"}]}, "line 3: owner and", "four eyes"),
        ({"waivers": [WAIVER | {"expires": None}]}, 'line 3: a waiver without "expires"', "keys"),
        ({"waivers": [WAIVER | {"expires": "2028-01-01"}]}, "line 3: it expires", "2027-06-02"),
        ({"waivers": [WAIVER | {"target": "@prod"}]}, 'line 3: no target "@prod"', "none"),
        ({"attestations": [ATTESTATION | {"by": ""}]}, 'line 3: "by" is empty', "keys"),
        ({"waivers": ["KC-AUD-008"]}, "line 3: this waiver is no mapping", "keys"),
        ({"waivers": "KC-AUD-008"}, "Expected `array", "long options"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_wrong_entry_ends_with_2_and_a_hint(
    sections: dict[str, Any], problem: str, hint: str
) -> None:
    declare(**sections)

    done = holed()

    assert (done.code, done.out) == (2, "")
    assert f'error: "kcompliance.yaml" is wrong: {problem}' in done.err
    assert hint in done.err.partition("hint:")[2]


def test_a_waiver_without_a_date_may_not_outlast_the_longest_from_the_moment() -> None:
    endless = {key: value for key, value in WAIVER.items() if key != "date"}
    declare(waivers=[endless | {"expires": "2027-06-17"}])
    refused = holed()
    declare(waivers=[endless | {"expires": "2027-06-16"}])

    assert (refused.code, holed().code) == (2, 0)
    assert "line 3: it expires on 2027-06-17, more than 366 days after 2026-06-15" in refused.err


def test_entries_are_named_by_their_own_lines() -> None:
    first, second = (json.dumps(WAIVER | change) for change in ({}, {"owner": "John Roe"}))
    Path("kcompliance.yaml").write_text(f"# ours\nwaivers:\n  - {first}\n\n  - {second}\n")

    assert "line 5: owner and approver" in holed().err


# --- the documentation ---------------------------------------------------------------------------


def test_the_example_of_the_documentation_comes_out_as_it_says() -> None:
    text = (ROOT / "docs/waivers.md").read_text()
    entries = text.partition("```yaml\n")[2].partition("```")[0]
    example = text.partition("## An example")[2].partition("## ")[0]
    manifest = cluster(Path("prod")) / "etc/kubernetes/manifests/kube-apiserver.yaml"
    manifest.write_text(manifest.read_text().replace("maxage=30", "maxage=10"))
    Path("kcompliance.yaml").write_text(f"targets: {{prod: {{files: [prod]}}}}\n{entries}")

    june, august = example.split("\n\n$ ")
    for told, moment, code in ((june, "2026-06-15", 0), (august, "2026-08-01", 1)):
        done = run("scan", "@prod", "--control", "KC-RET-011", "--as-of", moment)
        lines = [line for line in told.splitlines() if line[:1] in ("f", " ", "W", "1", "2")]
        shown = [line.removesuffix(" …") for line in lines if line not in ("0", "1")]
        assert [line for line in shown if line not in done.out] == []
        assert (done.code, f"\n{code}" in told) == (code, True)
        assert len(shown) >= 4
