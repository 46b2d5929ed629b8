"""docs/archive-format.md: its examples are real, and its commands print what it says."""

import json
import re
import shutil

import pytest

from kcompliance.ledger import Fault, Trust, UnsupportedRecord, decode_record, parse_trust
from kcompliance.ledger.findings import FindingCode, exit_code_of
from kcompliance.ledger.record_codecs import _CODECS
from tests.archive.test_vectors import CASES, VECTORS
from tests.archive.worked_example import DOCUMENT, TOOLS, with_outputs
from tests.independent.records import read_record
from tests.independent.trust import read_trust

TEXT = DOCUMENT.read_text(encoding="utf-8")
EXAMPLES = [
    line
    for block in re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
    for line in block.splitlines()
]
LEAVES = {
    line
    for path in (VECTORS / "good").rglob("*.ndjson")
    for line in path.read_text(encoding="utf-8").splitlines()
}
MADE_UP = {"abandoned", "revoke"}
"""The one is long and was cut, and no good archive has the other."""


@pytest.mark.skipif(any(shutil.which(tool) is None for tool in TOOLS), reason="not all tools")
def test_the_worked_example_prints_what_it_shows() -> None:
    assert with_outputs(TEXT) == TEXT, "python -m tests.archive.worked_example"


def test_every_type_has_an_example() -> None:
    assert {json.loads(line)["type"] for line in EXAMPLES} == set(_CODECS)


@pytest.mark.parametrize("line", EXAMPLES, ids=range(len(EXAMPLES)))
def test_examples_are_records_of_the_vectors(line: str) -> None:
    record = json.loads(line)
    assert not isinstance(decode_record(line.encode()), Fault | UnsupportedRecord)
    assert read_record(line.encode()) == record
    if not MADE_UP & {record["type"], record.get("action")}:
        assert line in LEAVES


def test_the_sample_of_a_checkpoint_is_one() -> None:
    (sample,) = (
        each for each in re.findall(r"```text\n(.*?)```", TEXT, re.DOTALL) if "w3CH" in each
    )
    kept = VECTORS / "good/files/cp/000000000002.ckpt"
    assert sample.encode() == kept.read_bytes()
    assert f"These {len(sample.encode())} bytes" in TEXT


@pytest.mark.parametrize("name", ["archive-format.md", "security-model.md"])
def test_the_samples_of_trust_files_can_be_read(name: str) -> None:
    text = (DOCUMENT.parent / name).read_text(encoding="utf-8")
    (sample,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    ours, theirs = parse_trust(sample.encode()), read_trust(sample.encode())
    assert isinstance(ours, Trust)
    assert theirs.pin == (ours.pin and (ours.pin.size, ours.pin.root))
    assert theirs.max_age == ours.require.max_age
    assert [*theirs.streams] == [each.name for each in ours.streams]


def test_the_table_of_verdicts_has_every_code() -> None:
    rows = re.findall(r"^\| ([0-4]) [^|]*\| (.*) \|$", TEXT, re.MULTILINE)
    told = {
        code: int(exit_) for exit_, codes in rows for code in re.findall("[A-Z]{2}[A-Z_]+", codes)
    }
    codes = {code.value: int(exit_code_of([Fault(code=code, detail="")])) for code in FindingCode}
    assert told == codes


def test_every_code_that_a_folder_can_have_has_a_vector() -> None:
    found = {code for case in CASES.values() for code in case.row["expect"]["codes"]}
    elsewhere = {
        "READ_FAILED",  # no archive, but its store
        "SHADOW_VERSION",
        "DELETE_MARKER",
        "WORM_WEAK",
        "COPY_MISMATCH",  # no archive, but its source
        "SOURCE_MISMATCH",
        "NOT_REGULAR",  # a pipe is nothing that a repository can hold
        "PROOF_INVALID",  # a proof is no archive
    }
    assert found | elsewhere == {code.value for code in FindingCode}
