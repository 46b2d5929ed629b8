"""Archives read and checked by code that knows nothing of kcompliance, only of its format."""

import ast
import shutil
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kcompliance.archive.catalogue import read_catalogue
from kcompliance.archive.proof_files import read_proofs, write_proofs
from kcompliance.archive.prove import check_proof as our_check_proof
from kcompliance.archive.prove import prove_events, prove_segment
from kcompliance.archive.verify import Request
from kcompliance.archive.verify import verify as our_verify
from kcompliance.ledger import Fault
from kcompliance.stores.filesystem import FilesystemStore
from tests import independent
from tests.archive.test_vectors import CASES, Case, trust_of
from tests.cli.command import kcompliance
from tests.independent.archive import events, verify
from tests.independent.proofs import check_proof
from tests.independent.trust import Trust, read_trust
from tests.independent.words import Bad
from tests.vectors_builder.good import FILE_LINES, FILES, OTHER, SEARCH, event
from tests.vectors_builder.growing import fixed_uuid

FOLDER = Path(independent.__file__).parent
MAY_BE_USED = {*sys.stdlib_module_names, "zstandard", "cryptography"}
ITS_OWN = "tests.independent"


def known_of(case: Case) -> Trust | None:
    return read_trust(case.trust) if case.trust is not None else None


# --- it shares nothing with the product ---------------------------------------------------------


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            yield node.module or ""


def test_it_uses_nothing_but_two_libraries() -> None:
    paths = sorted(FOLDER.rglob("*.py"))
    assert len(paths) > 5
    for path in paths:
        for name in imports_of(path):
            own = name == ITS_OWN or name.startswith(f"{ITS_OWN}.")
            assert own or name.partition(".")[0] in MAY_BE_USED, (path, name)


# --- it says the same -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_it_judges_the_vectors_as_expected(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    verdict = verify(case.made_in(tmp_path), known_of(case), case.as_of)
    assert verdict.exit_code == case.row["expect"]["exit"], verdict


def both(folder: Path, case: Case) -> set[int]:
    """The exit codes of the two verifiers."""
    request = Request(trust=trust_of(case), as_of=case.as_of, level=4)
    ours = our_verify(FilesystemStore(folder), request)
    theirs = verify(folder, known_of(case), case.as_of)
    return {int(ours.exit_code), theirs.exit_code}


def _removed(data: bytes) -> bytes | None:
    return None


def _without_end(data: bytes) -> bytes:
    return data[:-1]


def _with_more(data: bytes) -> bytes:
    return data + b"\n"


def _flipped(place: Callable[[int], int]) -> Callable[[bytes], bytes]:
    def flip(data: bytes) -> bytes:
        at = place(len(data))
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]

    return flip


DAMAGES: dict[str, Callable[[bytes], bytes | None]] = {
    "removed": _removed,
    "without its last byte": _without_end,
    "with one more byte": _with_more,
    "first byte": _flipped(lambda size: 0),
    "middle byte": _flipped(lambda size: size // 2),
    "last byte": _flipped(lambda size: size - 1),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_both_find_whatever_is_done_to_any_object(damage: str, tmp_path: Path) -> None:
    case = CASES["files"]
    folder = case.made_in(tmp_path)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        data, modified = path.read_bytes(), path.stat().st_mtime
        path.chmod(0o644)
        damaged = DAMAGES[damage](data)
        path.unlink()
        if damaged is not None:
            path.write_bytes(damaged)
        assert both(folder, case) == {1}, path
        path.write_bytes(data)
        assert modified
    assert both(folder, case) <= {0, 3}


# --- it gives the events back -----------------------------------------------------------------


def test_it_reads_the_lines_of_files_as_they_were(tmp_path: Path) -> None:
    case = CASES["files"]
    assert tuple(events(case.made_in(tmp_path), known_of(case), FILES)) == FILE_LINES


def test_it_reads_late_events_and_those_without_a_time(tmp_path: Path) -> None:
    case = CASES["search"]
    folder = case.made_in(tmp_path)
    lines = list(events(folder, known_of(case), SEARCH))
    assert [line.count(b"came a day later") for line in lines] == [*[0] * 7, 1, *[0] * 3]
    assert b'"n":12345678901234567890,"n":1.0' in lines[-1]
    assert len(list(events(folder, known_of(case), OTHER))) == 1


# --- whole archives made by the command -----------------------------------------------------------


def audit_file(folder: Path, *, after: bytes = b"", events_in: range) -> tuple[Path, list[bytes]]:
    """A log with all that a log may hold, and its lines that are not blank."""
    path = folder / "audit.log"
    moment = datetime.now(UTC) - timedelta(days=2)
    lines = [event(n, moment + timedelta(seconds=n), note="x" * n) for n in events_in]
    lines[3] += b"\r"
    lines[5] = lines[5][: len(lines[5]) // 2]
    lines[7] = "Zoë — 日本 \N{LINE SEPARATOR}".encode() + b"\xff"
    path.write_bytes(
        after + b"\n \t\r\n".join(lines) + b"\n" if after else b"\n".join(lines) + b"\n"
    )
    return path, lines


def test_it_gives_back_what_the_command_archived(tmp_path: Path) -> None:
    """An archive of two runs and an idle one."""
    assert kcompliance("keys", "new", "--out", "k.pem", "--no-passphrase", cwd=tmp_path).code == 0
    path, lines = audit_file(tmp_path, events_in=range(60))
    run = ["archive", "run", "archive", "--stream", "prod/audit", "--key", "k.pem"]
    run += ["--files", str(path), "--write-trust", "trust.toml"]
    assert kcompliance(*run, cwd=tmp_path).code == 0
    _, more = audit_file(tmp_path, after=path.read_bytes(), events_in=range(60, 90))
    for _ in range(2):
        done = kcompliance(*run, cwd=tmp_path)
        assert done.code == 0, done.err
    archive, known = tmp_path / "archive", read_trust((tmp_path / "trust.toml").read_bytes())
    assert list(events(archive, known, "prod/audit")) == lines + more
    verdict = verify(archive, known, datetime.now(UTC))
    assert (verdict.grave, verdict.open) == ([], [])
    assert verify(archive, None, datetime.now(UTC)).exit_code == 3


# --- proofs -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def proofs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Of every segment in one archive, and of some events; the last is one text."""
    folder = tmp_path_factory.mktemp("proofs")
    case = CASES["trust-ranges"]
    store = FilesystemStore(case.made_in(folder))
    catalogue = read_catalogue(store, trust_of(case), leaf_hashes=True)
    segments = sorted(catalogue.segments, key=lambda each: each.leaf)
    of_segments = [prove_segment(catalogue, each) for each in segments]
    of_events = list(prove_events(catalogue, store, segments, AUDIT_ID, most=9))
    assert (len(of_segments), len(of_events)) == (5, 1)
    alone = write_proofs(folder / "one.tlog-proof", of_segments[:1])
    together = write_proofs(folder / "proofs", [*of_segments, *(proof for _, proof in of_events)])
    return [*together, *alone]


AUDIT_ID = str(fixed_uuid("event 3"))


def test_it_checks_proofs(proofs: list[Path]) -> None:
    trust = known_of(CASES["trust-ranges"])
    assert trust is not None
    proven = [check_proof(each, trust) for each in proofs]
    assert len({each.segment["key"] for each in proven}) == 5
    told = [each.event for each in proven if each.event is not None]
    assert len(told) == 1
    assert AUDIT_ID.encode() in told[0]


def test_proofs_are_refused_where_only_the_older_key_is_known(proofs: list[Path]) -> None:
    trust = known_of(CASES["search"])
    assert trust is not None
    for each in proofs:
        with pytest.raises(Bad):
            check_proof(each, trust)


def _line_changed(number: int, line: bytes | None) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        lines = data.split(b"\n")
        return b"\n".join(
            [*lines[:number], *([] if line is None else [line]), *lines[number + 1 :]]
        )

    return change


FORGED: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "another index": ("segment.tlog-proof", _line_changed(1, b"index 7")),
    "a hash less": ("segment.tlog-proof", _line_changed(2, None)),
    "a hash more": ("segment.tlog-proof", _line_changed(1, b"index 6\n" + b"A" * 43 + b"=")),
    "another size": ("segment.tlog-proof", lambda data: data.replace(b"\n24\n", b"\n25\n")),
    "another record": ("segment.leaf", lambda data: data.replace(b'"docs":7', b'"docs":6')),
    "another event": ("event.json", lambda data: data.replace(b"jane", b"joan")),
    "another place": ("event.proof", lambda data: data.replace(b'"index": 3', b'"index": 2')),
    "another count": ("event.proof", lambda data: data.replace(b'"size": 7', b'"size": 8')),
}


@pytest.mark.parametrize("forgery", FORGED)
def test_both_refuse_a_forged_proof(forgery: str, proofs: list[Path], tmp_path: Path) -> None:
    case = CASES["trust-ranges"]
    (of_event,) = (each for each in proofs if (each / "event.json").exists())
    folder = tmp_path / "proof"
    shutil.copytree(of_event, folder)
    name, forge = FORGED[forgery]
    forged = forge((folder / name).read_bytes())
    assert forged != (of_event / name).read_bytes()
    (folder / name).write_bytes(forged)
    ours, theirs = trust_of(case), known_of(case)
    assert ours is not None
    assert theirs is not None
    with pytest.raises(Bad):
        check_proof(folder, theirs)
    ((_, read),) = read_proofs(folder)
    assert isinstance(read if isinstance(read, Fault) else our_check_proof(read, ours), Fault)
