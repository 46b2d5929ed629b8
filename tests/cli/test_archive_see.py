"""`kcompliance archive list`, `show`, `cat` and `prove`, as a user meets them."""

import json
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kcompliance.archive.catalogue import read_catalogue
from kcompliance.archive.key_files import write_key
from kcompliance.archive.trust_files import create_trust
from kcompliance.ledger import Coverage, StreamName, checkpoint_name, coverage
from kcompliance.report import json_archive, json_prove
from kcompliance.report.calendar import Cell, calendar_of
from tests.archive.small_archive import SmallArchive, event_line, small_archive
from tests.cli.command import Done, environment
from tests.cli.in_process import run
from tests.ledger.samples import HOUR, JULY, SIGNER, STREAM, ed25519_signer, file_stream, window

FILES = StreamName("prod/files")


@pytest.fixture
def archive(tmp_path: Path) -> SmallArchive:
    return small_archive(tmp_path / "archive")


@pytest.fixture
def trust(tmp_path: Path, archive: SmallArchive) -> Path:
    """Without a pin, so that a test may let the archive grow."""
    path = tmp_path / "trust.toml"
    create_trust(path, archive.trust)
    return path


def as_json(done: Done, type_: type[msgspec.Struct]) -> Any:
    """The document, which has to be of its type and to name the exit code."""
    msgspec.json.decode(done.out, type=type_, strict=True)
    assert done.json["exit_code"] == done.code
    return done.json


# --- list --------------------------------------------------------------------------------------


def test_a_list_tells_what_is_there_and_draws_it(archive: SmallArchive, trust: Path) -> None:
    archive.hour(0, [event_line(0, 8)], rev=1)

    done = run("archive", "list", archive.folder, "--trust", trust)

    assert (done.code, done.err) == (0, "")
    assert f"\n{STREAM}\n" in done.out
    assert "2 sealed of 1 h, 1 of them with late events, 1 empty" in done.out
    assert "  events      11\n" in done.out
    assert "2026-07-01T00:00:00Z to 2026-07-01T03:00:00Z" in done.out
    assert "  2026-07-01  +.#\n" in done.out
    assert "a cell is 1 h:  . looked at, no event  # sealed" in done.out


def test_a_gap_is_told_and_drawn_and_never_good(archive: SmallArchive, trust: Path) -> None:
    archive.hour(5)

    done = run("archive", "list", archive.folder, "--trust", trust)

    assert done.code == 3
    assert "GAP         2026-07-01T03:00:00Z to 2026-07-01T05:00:00Z: no window" in done.out
    assert "  2026-07-01  #.#!!#\n" in done.out


def test_a_list_as_json_has_all_of_it(archive: SmallArchive, trust: Path) -> None:
    archive.hour(5)
    lines = [b'{"auditID":"1"}', b'{"auditID":"2"}']
    archive.commit(replace(file_stream(), stream=FILES))
    archive.range_of_file(0, lines, name=FILES, first=JULY)
    archive.range_of_file(32, lines, name=FILES, first=JULY + HOUR)
    archive.range_of_file(96, lines, name=FILES, first=JULY + 2 * HOUR)

    done = run("archive", "list", archive.folder, "--trust", trust, "--format", "json")

    document = as_json(done, json_archive.ArchiveList)
    assert done.code == 3
    assert (document["schema"], document["trusted"]) == ("kcompliance/list/v1", True)
    assert document["checkpoint"]["size"] == archive.end.frontier.size
    files, audit = document["streams"]
    assert (files["name"], audit["name"]) == (FILES, STREAM)
    assert audit["windows"] == {"sealed": 3, "empty": 1, "source_missing": 0, "late": 0}
    assert (audit["docs"], audit["segments"]) == (15, 3)
    assert audit["bytes"] == sum(
        each.stat().st_size for each in (archive.folder / f"seg/{STREAM}").rglob("*.zst")
    )
    assert [(gap["from"], gap["to"]) for gap in audit["gaps"]] == [
        ("2026-07-01T03:00:00Z", "2026-07-01T05:00:00Z")
    ]
    assert audit["retain_until"] == {
        "earliest": "2028-07-01T00:00:00Z",
        "latest": "2028-07-01T05:00:00Z",
    }
    assert [each["ranges"] for each in files["files"]] == [
        [{"start": 0, "end": 64, "docs": 4}, {"start": 96, "end": 128, "docs": 2}]
    ]
    assert {finding["code"] for finding in document["findings"]} == {"WINDOW_GAP"}
    table = run("archive", "list", archive.folder, "--stream", FILES).out
    assert "3 ranges of files" in table
    assert "/var/log/audit.log: 6 lines, up to byte 128" in table
    assert STREAM not in table


def test_a_list_without_a_trust_file_says_whose_word_it_is(archive: SmallArchive) -> None:
    done = run("archive", "list", archive.folder)

    assert done.code == 0
    assert "only what the archive says of itself" in done.err


def test_a_log_that_was_tampered_with_is_listed_and_told(
    archive: SmallArchive, trust: Path
) -> None:
    (archive.folder / checkpoint_name(9)).write_bytes(b"mine now")

    done = run("archive", "list", archive.folder, "--trust", trust, "--format", "json")

    document = as_json(done, json_archive.ArchiveList)
    assert done.code == 1
    assert "CHECKPOINT_MALFORMED: cp/000000000009.ckpt" in done.err
    assert [each["code"] for each in document["findings"]] == ["CHECKPOINT_MALFORMED"]
    assert len(document["streams"]) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "kind", "said"),
    [
        (("list", "gopher://x/y"), 2, "usage", "no kind of store"),
        (("list", "missing"), 2, "no-archive", "no archive at"),
        (("list", "ARCHIVE", "--stream", "prod/k8s-audi"), 2, "usage", f"did you mean {STREAM}?"),
        (("list", "ARCHIVE", "--trust", "missing.toml"), 2, "trust-file", "there is no trust"),
        (("show", "ARCHIVE", "00000000"), 2, "usage", 'no segment "00000000"'),
        (("prove", "ARCHIVE", "--event", "nobody", "--out", "p"), 2, "usage", 'no event "nobody"'),
        (("prove", "ARCHIVE", "--out", "p"), 2, "usage", "either --segment or --event"),
        (("prove", "ARCHIVE", "--event", "a0-1"), 2, "usage", "--out is missing"),
        (("prove", "--check", "p"), 2, "usage", "with a trust file"),
        (("prove", "--event", "x", "--out", "p"), 2, "usage", "no archive is named"),
        (("prove", "--check", "p", "--event", "x"), 2, "usage", "--check goes with"),
        (
            ("prove", "ARCHIVE", "--segment", "0" * 64, "--from", "2026-07-01T00:00:00Z"),
            2,
            "usage",
            "go with --event",
        ),
    ],
    ids=lambda value: " ".join(value)[:50] if isinstance(value, tuple) else None,
)
def test_a_wrong_call_is_one_error_document(
    archive: SmallArchive,
    tmp_path: Path,
    arguments: tuple[str, ...],
    code: int,
    kind: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    named = [str(archive.folder) if each == "ARCHIVE" else each for each in arguments]

    done = run("archive", *named, "--format", "json")

    error = done.json["error"]
    assert (done.code, done.json["exit_code"], error["code"]) == (code, code, kind)
    assert said in f"{error['message']} {error['hint']}"


# --- calendar ----------------------------------------------------------------------------------


def _covered(*hours: tuple[float, float], docs: int = 5) -> Coverage:
    records = [
        replace(
            window(0, docs=docs),
            start=JULY + timedelta(hours=start),
            end=JULY + timedelta(hours=end),
        )
        for start, end in hours
    ]
    return coverage(STREAM, records)


def _drawn(covered: Coverage, seconds: int, width: int) -> dict[str, str]:
    calendar = calendar_of(covered, seconds, width)
    assert calendar is not None
    assert all(len(cells) <= max(width - 12, 31) for _, cells in calendar.rows)
    return {label: "".join(cells).rstrip() for label, cells in calendar.rows}


def test_a_day_has_a_cell_for_each_window_if_there_is_room() -> None:
    quarters = [(n / 4, (n + 1) / 4) for n in range(4 * 30) if n != 50]

    wide = _drawn(_covered(*quarters), 900, 120)
    narrow = _drawn(_covered(*quarters), 900, 80)

    assert wide == {"2026-07-01": "#" * 50 + "!" + "#" * 45, "2026-07-02": "#" * 24}
    assert narrow == {"2026-07-01": "#" * 25 + "!" + "#" * 22, "2026-07-02": "#" * 12}


def test_a_long_time_is_drawn_by_months() -> None:
    days = [(24 * n, 24 * (n + 1)) for n in range(100) if n != 31]

    drawn = _drawn(_covered(*days), 3600, 80)

    assert drawn["2026-07"] == "#" * 31
    assert drawn["2026-08"] == "!" + "#" * 30
    assert list(drawn) == ["2026-07", "2026-08", "2026-09", "2026-10"]
    assert drawn["2026-10"] == "#" * 8


def test_the_worst_of_a_cell_counts_and_nothing_is_outside() -> None:
    records = [window(0), window(1, docs=0), replace(window(2), rev=0), replace(window(2), rev=1)]
    of_hours = _drawn(coverage(STREAM, records), 3600, 40)
    of_halves = _drawn(coverage(STREAM, records), 3600, 24)

    assert of_hours == {"2026-07-01": "#.+"}
    assert of_halves == {"2026-07-01": "#+"}


def test_windows_at_the_ends_of_the_calendar_are_drawn_in_bounded_time() -> None:
    first = replace(window(0), start=datetime(1, 1, 1, tzinfo=JULY.tzinfo))
    last = replace(window(0), end=datetime(9999, 12, 31, tzinfo=JULY.tzinfo))

    for record in (first, replace(first, end=last.end), replace(last, start=JULY)):
        calendar = calendar_of(coverage(STREAM, [record]), 3600, 80)
        assert calendar is not None
        assert len(calendar.rows) <= 120
        assert any(Cell.SEALED in cells for _, cells in calendar.rows)
    both = calendar_of(coverage(STREAM, [first, replace(last, start=JULY)]), 1, 80)
    assert both is not None
    assert both.left_out > 90_000


def test_each_state_has_a_character_of_its_own() -> None:
    assert len({cell.value for cell in Cell}) == len(Cell)
    assert all(cell.value.isascii() and cell.meaning for cell in Cell)


# --- show --------------------------------------------------------------------------------------


def test_a_segment_is_shown_with_its_place_in_everything(
    archive: SmallArchive, trust: Path
) -> None:
    digest = archive.hour(3)

    table = run("archive", "show", archive.folder, digest[:8], "--trust", trust)
    done = run("archive", "show", archive.folder, digest, "--trust", trust, "--format", "json")

    document = as_json(done, json_archive.SegmentShow)
    assert (table.code, done.code, table.err, done.err) == (0, 0, "", "")
    size = archive.end.frontier.size
    assert (document["record"]["sha256"], document["leaf"]) == (digest, size - 2)
    assert document["commit"]["n"] == archive.end.number
    assert document["commit"]["checkpoint"] == checkpoint_name(archive.end.number)
    assert [each["status"] for each in document["windows"]] == ["sealed"]
    assert document["object"]["size"] == archive.path_of(digest).stat().st_size
    assert document["object"]["lock"] is None
    for said in (
        f"  sha256      {digest}\n",
        "  window      2026-07-01T03:00:00Z to 2026-07-01T04:00:00Z\n",
        f"  leaf        {size - 2} of {size}\n",
        f"  commit      {archive.end.number} of ",
        f"  run         {document['commit']['run']}\n",
        "  object      there, ",
        "  lock        this store has none\n",
    ):
        assert said in table.out


def test_a_segment_that_is_gone_or_cut_is_shown_so(archive: SmallArchive, trust: Path) -> None:
    gone, cut = archive.hour(3), archive.hour(4)
    archive.path_of(gone).unlink()
    path = archive.path_of(cut)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1])

    missing = run("archive", "show", archive.folder, gone, "--trust", trust)
    shorter = run("archive", "show", archive.folder, cut, "--format", "json")

    assert (missing.code, shorter.code) == (1, 1)
    assert "NOT THERE" in missing.out
    assert "SEGMENT_MISSING" in missing.out
    findings = as_json(shorter, json_archive.SegmentShow)["findings"]
    assert [each["code"] for each in findings] == ["SEGMENT_TRUNCATED"]


# --- cat ---------------------------------------------------------------------------------------


def cat(archive: SmallArchive, *more: str | Path) -> Done:
    return run("archive", "cat", archive.folder, "--stream", STREAM, *more)


def test_the_events_are_the_lines_and_nothing_else(archive: SmallArchive, trust: Path) -> None:
    done = cat(archive, "--trust", trust)
    alone = cat(archive, "--trust", trust, "--source-only")

    lines = [event_line(hour, n).decode() for hour in (0, 2) for n in range(5)]
    assert (done.code, done.err, alone.code) == (0, "", 0)
    assert done.out == "".join(f"{line}\n" for line in lines)
    assert alone.out.splitlines() == [line.partition('"_source":')[2][:-1] for line in lines]
    assert '"big":12345678901234567890' in alone.out
    assert cat(archive, "--trust", trust, "--raw").out == done.out


def test_a_time_picks_windows(archive: SmallArchive, trust: Path) -> None:
    zone = ("--from", "2026-07-01T04:30:00+02:00", "--to", "2026-07-01T03:00:00Z")

    done = cat(archive, "--trust", trust, *zone)

    assert done.code == 0
    assert [json.loads(line)["_id"][:2] for line in done.out.splitlines()] == ["e2"] * 5


@pytest.mark.parametrize(
    ("times", "said"),
    [
        (("--from", "2026-07-01T00:00:00"), "has no time zone"),
        (("--from", "July"), "is no moment"),
        (("--to", "0001-01-01T00:00:00+14:00"), "is no moment"),
        (("--from", "2026-07-02T00:00:00Z", "--to", "2026-07-01T00:00:00Z"), "is not before --to"),
        (("--from", "2026-07-01T00:00:00Z", "--to", "2026-07-01T00:00:00Z"), "is not before --to"),
    ],
    ids=["naive", "word", "before time", "reversed", "empty"],
)
def test_a_time_is_a_moment_and_goes_forward(
    archive: SmallArchive, times: tuple[str, ...], said: str
) -> None:
    done = cat(archive, *times)

    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_a_gap_is_incomplete_unless_it_is_allowed(archive: SmallArchive, trust: Path) -> None:
    archive.hour(5)

    done = cat(archive, "--trust", trust)
    allowed = cat(archive, "--trust", trust, "--allow-gaps")
    around = cat(archive, "--trust", trust, "--to", "2026-07-01T03:00:00Z")
    beyond = cat(
        archive, "--trust", trust, "--from", "2026-07-01T05:00:00Z", "--to", "2026-07-02T00:00:00Z"
    )

    assert [each.code for each in (done, allowed, around, beyond)] == [3, 0, 0, 3]
    assert done.out == allowed.out
    assert len(done.out.splitlines()) == 15
    assert f"WINDOW_GAP: {STREAM} from 2026-07-01T03:00:00Z to 2026-07-01T05:00" in done.err
    assert "WINDOW_GAP" in allowed.err
    assert around.err == ""


def test_without_a_trust_file_it_is_not_known_whose_events_these_are(
    archive: SmallArchive,
) -> None:
    done = cat(archive)

    assert done.code == 3
    assert len(done.out.splitlines()) == 10
    assert "what the archive says of itself" in done.err


def test_another_archives_trust_file_lets_nothing_through(
    archive: SmallArchive, tmp_path: Path
) -> None:
    other = tmp_path / "other.toml"
    known = replace(archive.trust.keys[0], key=replace(SIGNER.key, public=b"\7" * 32))
    create_trust(other, replace(archive.trust, keys=(known,)))

    done = cat(archive, "--trust", other)

    assert (done.code, done.out) == (1, "")
    assert "SIG_INVALID" in done.err


def test_a_damaged_segment_ends_it_with_its_name(archive: SmallArchive, trust: Path) -> None:
    digest = archive.hour(3)
    path = archive.path_of(digest)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"\0")

    done = cat(archive, "--trust", trust)

    assert done.code == 1
    assert digest in done.err
    assert len(done.out.splitlines()) == 10
    path.unlink()
    missing = cat(archive, "--trust", trust)
    assert (missing.code, "SEGMENT_MISSING" in missing.err) == (1, True)


def test_an_altered_log_lets_nothing_through(archive: SmallArchive, trust: Path) -> None:
    (batch,) = (archive.folder / "log").glob("000000000001-*")
    batch.chmod(0o644)
    batch.write_bytes(batch.read_bytes().replace(b'"somebody"', b'"somebodi"'))

    done = cat(archive, "--trust", trust)

    assert (done.code, done.out) == (1, "")
    assert "is not sound" in done.err


def test_a_foreign_checkpoint_does_not_keep_the_events_back(
    archive: SmallArchive, trust: Path
) -> None:
    (archive.folder / checkpoint_name(9)).write_bytes(b"mine now")

    done = cat(archive, "--trust", trust)

    assert done.code == 1
    assert len(done.out.splitlines()) == 10
    assert "CHECKPOINT_MALFORMED" in done.err


def test_whoever_reads_may_stop(archive: SmallArchive) -> None:
    archive.hour(3, [event_line(3, number) for number in range(40_000)])
    with subprocess.Popen(
        [sys.executable, "-m", "kcompliance", "archive", "cat", archive.folder, "--stream", STREAM],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == event_line(0, 0) + b"\n"
        process.stdout.close()
        told = process.stderr.read()

    assert b"Traceback" not in told
    assert b"Broken" not in told


# --- prove -------------------------------------------------------------------------------------


def test_an_event_is_proven_and_the_proof_is_checked_with_the_trust_file_alone(
    archive: SmallArchive, trust: Path, tmp_path: Path
) -> None:
    out = tmp_path / "proof"

    made = run(
        "archive", "prove", archive.folder, "--event", "a2-3", "--out", out, "--trust", trust
    )
    archive.folder.rename(tmp_path / "gone")
    checked = run("archive", "prove", "--check", out, "--trust", trust)

    assert (made.code, checked.code, made.err, checked.err) == (0, 0, "", "")
    assert (out / "event.json").read_bytes() == event_line(2, 3)
    assert "event 3 of 5 in seg/" in checked.out
    (out / "event.json").write_bytes(event_line(2, 4))
    forged = run("archive", "prove", "--check", out, "--trust", trust, "--format", "json")
    document = as_json(forged, json_prove.ProofCheck)
    assert forged.code == 1
    assert [each["result"] for each in document["proofs"]] == ["PROOF_INVALID"]


def test_stages_are_proven_each_and_one_bad_proof_is_enough(
    archive: SmallArchive, trust: Path, tmp_path: Path
) -> None:
    stages = [event_line(3, 1, stage=stage) for stage in ("RequestReceived", "Panic")]
    archive.hour(3, stages)
    out = tmp_path / "proof"
    bounds = ("--stream", STREAM, "--from", "2026-07-01T03:00:00Z", "--to", "2026-07-01T04:00:00Z")

    arguments = ("--event", "a3-1", "--out", out, "--trust", trust, "--format", "json")
    made = run("archive", "prove", archive.folder, *bounds, *arguments)
    good = run("archive", "prove", "--check", out, "--trust", trust, "--format", "json")

    document = as_json(made, json_prove.ProveReport)
    assert [each["event"]["index"] for each in document["proofs"]] == [0, 1]
    assert [each["place"] for each in document["proofs"]] == [str(out / "1"), str(out / "2")]
    tried = as_json(good, json_prove.ProofCheck)["proofs"]
    assert [each["result"] for each in tried] == ["good", "good"]
    (out / "2/segment.leaf").unlink()
    bad = run("archive", "prove", "--check", out, "--trust", trust)
    assert bad.code == 1
    assert "good" in bad.out
    assert "PROOF_INVALID" in bad.out


def test_a_segment_is_proven_in_a_folder_or_in_one_text(
    archive: SmallArchive, trust: Path, tmp_path: Path
) -> None:
    digest = archive.hour(3)
    for out in (tmp_path / "proof", tmp_path / "a.tlog-proof"):
        arguments = ("--segment", digest[:10], "--out", out, "--trust", trust)
        made = run("archive", "prove", archive.folder, *arguments)
        checked = run("archive", "prove", "--check", out, "--trust", trust)
        assert (made.code, checked.code) == (0, 0), made.err
        assert digest in checked.out
        again = run("archive", "prove", archive.folder, *arguments)
        assert (again.code, "is there already" in again.err) == (2, True)


def test_a_proof_outside_the_bounds_is_not_made(
    archive: SmallArchive, trust: Path, tmp_path: Path
) -> None:
    arguments = ("--event", "a2-3", "--out", tmp_path / "proof", "--trust", trust)

    done = run("archive", "prove", archive.folder, *arguments, "--to", "2026-07-01T02:00:00Z")

    assert done.code == 2
    assert "1 segments that were looked through" in done.err
    assert not (tmp_path / "proof").exists()


def test_a_proof_of_a_rotated_archive_needs_the_new_key(
    archive: SmallArchive, trust: Path, tmp_path: Path
) -> None:
    old_trust = tmp_path / "old.toml"
    old_trust.write_bytes(trust.read_bytes())
    for seed in (1, 2):
        write_key(tmp_path / f"{seed}.key", ed25519_signer(seed=seed)._private, None)
    keys = ("--key", tmp_path / "1.key", "--new-key", tmp_path / "2.key")
    assert run("keys", "rotate", archive.folder, *keys, "--write-trust", trust).code == 0
    archive.end = read_catalogue(archive.store, archive.trust).end
    archive.signer = ed25519_signer(seed=2)
    archive.hour(3)
    out = tmp_path / "proof"
    arguments = ("--event", "a3-1", "--out", out, "--trust", old_trust)
    made = run("archive", "prove", archive.folder, *arguments)

    new = run("archive", "prove", "--check", out, "--trust", trust)
    old = run("archive", "prove", "--check", out, "--trust", old_trust)

    assert (made.code, new.code, old.code) == (0, 0, 1), made.err
    assert "SIG_INVALID" in old.out
