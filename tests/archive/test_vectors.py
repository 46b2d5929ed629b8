"""The archives in `tests/vectors`: what every verifier has to say of them, and ours says."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import zstandard

from kcompliance.archive.verify import Request, verify
from kcompliance.ledger import Trust, parse_trust
from kcompliance.stores.filesystem import FilesystemStore
from tests.cli.in_process import run
from tests.vectors_builder.changes import applied
from tests.vectors_builder.files import vector_files

VECTORS = Path(__file__).parent.parent / "vectors"
LISTED: dict[str, Any] = json.loads((VECTORS / "vectors.json").read_bytes())
MOST_BYTES = 200 * 1024


@dataclass(frozen=True, slots=True)
class Case:
    """A vector as its files describe it."""

    row: dict[str, Any]

    @property
    def as_of(self) -> datetime:
        return datetime.fromisoformat(self.row.get("as_of", LISTED["as_of"]))

    @property
    def trust(self) -> bytes | None:
        return (VECTORS / self.row["trust"]).read_bytes() if self.row["trust"] else None

    def made_in(self, folder: Path) -> Path:
        """The archive with all that was done to it."""
        target = folder / "archive"
        modified = datetime.fromisoformat(self.row.get("modified", LISTED["modified"]))
        applied(VECTORS, self.row, target, modified=modified.timestamp())
        return target


CASES = {row["name"]: Case(row) for row in LISTED["vectors"]}


def trust_of(case: Case) -> Trust | None:
    trust = parse_trust(case.trust) if case.trust is not None else None
    assert trust is None or isinstance(trust, Trust)
    return trust


@pytest.mark.parametrize("name", CASES)
def test_verify_says_what_is_expected(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    request = Request(trust=trust_of(case), as_of=case.as_of, level=4)
    found = verify(FilesystemStore(case.made_in(tmp_path)), request)
    causes = sorted({fault.code.value for fault in found.findings if fault.caused_by is None})
    assert {"exit": int(found.exit_code), "codes": causes} == case.row["expect"]


COMMAND = ["files", "trust-none", "segment-bit-flip", "window-gap", "signed-bomb", "fork"]
"""One of each kind: the command only hands on what the library says."""


@pytest.mark.parametrize("name", COMMAND)
def test_the_command_says_the_same(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    archive, trust = case.made_in(tmp_path), case.row["trust"]
    known = ["--trust", VECTORS / trust] if trust else []
    as_of = case.row.get("as_of", LISTED["as_of"])
    options = ["--level", "4", "--as-of", as_of, "--format", "json", "--progress", "none"]
    done = run("verify", archive, *known, *options)
    told = {each["code"] for each in done.json["findings"] if each["caused_by"] is None}
    assert {"exit": done.code, "codes": sorted(told)} == case.row["expect"]


def test_the_vectors_are_those_that_the_builder_makes() -> None:
    if ".".join(map(str, zstandard.ZSTD_VERSION)) != LISTED["zstd"]:
        pytest.skip("another version of zstd may compress to other bytes")
    made = vector_files()
    kept = {"README.md", ".gitattributes"}
    there = {
        path.relative_to(VECTORS).as_posix(): path.read_bytes()
        for path in VECTORS.rglob("*")
        if path.is_file() and path.name not in kept
    }
    assert sorted(there) == sorted(made), "python -m tests.vectors_builder"
    assert [name for name in made if made[name] != there[name]] == []


def test_the_vectors_are_small() -> None:
    sizes = [path.stat().st_size for path in VECTORS.rglob("*") if path.is_file()]
    assert sum(sizes) <= MOST_BYTES


def test_every_changes_file_is_of_a_vector() -> None:
    named = {row["changes"] for row in LISTED["vectors"]} - {None}
    assert named == {f"changed/{path.name}" for path in (VECTORS / "changed").iterdir()}
    for row in LISTED["vectors"]:
        if row["changes"]:
            document = json.loads((VECTORS / row["changes"]).read_bytes())
            assert document["base"] == row["archive"]
