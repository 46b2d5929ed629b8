"""Files as a source: what is archived of them, and that it is archived once."""

import gzip
import os
import shutil
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kcompliance.archive.files import FileChanged, FileDamaged
from kcompliance.archive.interface import (
    NothingToArchive,
    Page,
    PartLost,
    SourceError,
    SourceGone,
    SourceRefused,
    TimeRange,
)
from kcompliance.errors import ExitCode, UsageError
from kcompliance.ledger import encode_record
from kcompliance.model.digest import sha256
from tests.archive.files.trail import ALWAYS, NOW, START, STREAM, Run, event, events, source_of

OTHER = event(500, auditID="of another server")


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def append(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)


# --- what is archived ---------------------------------------------------------------------------


def test_a_folder_is_archived_whole_and_once(tmp_path: Path) -> None:
    write(tmp_path / "audit.log", events(10, 19))
    write(tmp_path / "old" / "audit-2026-06-30.log", events(0, 9))
    run, source = Run(), source_of(tmp_path)

    assert run.once(source) == 2
    assert run.content == events(0, 19)  # the file with the oldest events first
    assert run.faults() == []
    assert run.once(source) == 0
    assert (source.notes, source.troubles) == ((), ())


def test_a_page_tells_the_times_of_its_events(tmp_path: Path) -> None:
    write(tmp_path / "audit.log", event(7) + event(3) + event(5))
    run = Run()
    run.once(source_of(tmp_path))
    (page,) = run.pages
    assert (page.docs, page.first, page.last) == (
        3,
        START + timedelta(seconds=3),
        START + timedelta(seconds=7),
    )


def test_a_growing_file_is_archived_up_to_its_last_whole_line(tmp_path: Path) -> None:
    log = write(tmp_path / "audit.log", events(0, 1) + event(2)[:50])
    run, source = Run(), source_of(log)

    run.once(source)
    assert run.content == events(0, 1)
    assert [note.reason for note in source.notes] == [
        "50 bytes after its last whole line wait for the end of theirs"
    ]
    assert run.once(source) == 0
    append(log, event(2)[50:] + event(3)[:1])
    run.once(source)
    assert run.content == events(0, 2)
    assert run.faults() == []


def test_a_rotated_file_goes_on_under_its_new_name(tmp_path: Path) -> None:
    log = write(tmp_path / "audit.log", events(0, 4))
    run, source = Run(), source_of(tmp_path)
    run.once(source)

    append(log, events(5, 9))
    log.rename(tmp_path / "audit-2026-07-01T00-00-09.000.log")
    write(log, events(10, 12))

    assert run.once(source) == 2
    assert run.content == events(0, 12)
    assert run.faults() == []


def test_a_compressed_file_goes_on_where_it_was_before_compression(tmp_path: Path) -> None:
    log = write(tmp_path / "audit.log", events(0, 4))
    run, source = Run(), source_of(tmp_path)
    run.once(source)

    log.unlink()
    packed = write(tmp_path / "audit-1.log.gz", gzip.compress(events(0, 9)))

    run.once(source)
    assert run.content == events(0, 9)
    assert run.faults() == []
    assert run.once(source) == 0
    packed.write_bytes(gzip.compress(events(0, 4)) + gzip.compress(events(5, 11)) + bytes(512))
    run.once(source)
    assert run.content == events(0, 11)


def test_the_rest_of_a_named_file_is_found_beside_it(tmp_path: Path) -> None:
    log = write(tmp_path / "audit.log", events(0, 4))
    write(tmp_path / "other.log", OTHER)
    run, source = Run(), source_of(log)
    run.once(source)

    append(log, events(5, 9))
    log.rename(tmp_path / "audit.log.1")
    write(log, events(10, 12))

    run.once(source)
    assert run.content == events(0, 12)
    assert source.notes == ()


def test_files_that_are_gone_are_no_problem(tmp_path: Path) -> None:
    first = write(tmp_path / "audit-1.log", events(0, 4))
    write(tmp_path / "audit.log", events(5, 6))
    run, source = Run(), source_of(tmp_path)
    run.once(source)
    first.unlink()
    assert run.once(source) == 0
    assert source.troubles == ()


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("window_bytes", [1, 1000, 4000, 10**6])
def test_windows_are_bounded_and_tile(tmp_path: Path, window_bytes: int, compressed: bool) -> None:
    content = events(0, 49)
    packed = gzip.compress(content) if compressed else content
    write(tmp_path / "audit.log", packed)
    run = Run()

    run.once(source_of(tmp_path, window_bytes=window_bytes, page_bytes=700))

    ranges = [record.partitions[0] for record in run.records]
    longest = max(map(len, content.splitlines(keepends=True)))
    assert run.content == content
    assert run.faults() == []
    assert all(each.end - each.start < window_bytes + longest for each in ranges)  # type: ignore[union-attr]
    assert len(ranges) == {1: 50, 1000: 13, 4000: 4, 10**6: 1}[window_bytes]


def test_new_bytes_are_divided_from_where_the_last_run_ended(tmp_path: Path) -> None:
    log = write(tmp_path / "audit.log", events(0, 4))
    run, source = Run(), source_of(log, window_bytes=1000)
    run.once(source)
    append(log, events(5, 30))
    run.once(source)
    assert run.content == events(0, 30)
    assert run.faults() == []


def test_several_threads_read_at_once(tmp_path: Path) -> None:
    for number in range(5):
        write(tmp_path / f"audit-{number}.log", events(number * 100, number * 100 + 99))
    source = source_of(tmp_path, window_bytes=5000, page_bytes=1000)
    planned = Run().plan(source)

    def read(number: int) -> bytes:
        pages: list[Page] = []
        source.read(planned[number].parts[0], pages.append)
        return b"".join(page.lines for page in pages)

    with ThreadPoolExecutor(8) as pool:
        assert b"".join(pool.map(read, range(len(planned)))) == events(0, 499)


# --- lines that are no events -------------------------------------------------------------------

JUNK = [b"\x00\xff\n", b'{"half": \n', b"[" * 100_000 + b"\n", b'"text"\n', b"12\r\n", b"{}\n"]


def test_every_line_is_archived_whatever_it_is(tmp_path: Path) -> None:
    content = events(0, 1) + b"".join(JUNK) + event(2)
    write(tmp_path / "audit.log", content)
    run = Run()
    run.once(source_of(tmp_path))
    (page,) = run.pages
    assert (page.lines, page.docs) == (content, 3 + len(JUNK))
    assert (page.first, page.last) == (START, START + timedelta(seconds=2))


def test_blank_lines_are_passed_over_and_their_bytes_are_not_lost_from_sight(
    tmp_path: Path,
) -> None:
    log = write(tmp_path / "audit.log", event(0) + b"\n \r\n\n" + event(1) + b"\n\n")
    run, source = Run(), source_of(log)
    run.once(source)
    append(log, b"\n\t\n")
    run.once(source)
    append(log, event(2))
    run.once(source)
    assert run.content == events(0, 2)
    assert [record.docs for record in run.records] == [2, 0, 1]
    assert run.faults() == []


def test_a_carriage_return_is_part_of_its_line(tmp_path: Path) -> None:
    content = events(0, 3).replace(b"\n", b"\r\n")
    write(tmp_path / "audit.log", content)
    run = Run()
    run.once(source_of(tmp_path))
    assert run.content == content
    assert set(run.files) == {sha256(event(0)[:-1] + b"\r")}


def test_a_line_without_an_end_is_an_error_with_its_place(tmp_path: Path) -> None:
    log = write(tmp_path / "audit.log", event(0) + b'{"a":"' + b"x" * 300_000 + b'"}\n' + event(1))
    source = source_of(log, line_bytes=100_000)
    (window,) = Run().plan(source)
    with pytest.raises(FileDamaged, match=rf'"{log}" has a line at byte {len(event(0))} that'):
        source.read(window.parts[0], lambda page: None)


def test_a_last_line_that_does_not_end_is_an_error_too(tmp_path: Path) -> None:
    write(tmp_path / "audit.log", event(0) + b"x" * 300_000)
    source = source_of(tmp_path, line_bytes=100_000)
    assert Run().plan(source) == []
    (trouble,) = source.troubles
    assert isinstance(trouble, FileDamaged)
    assert "has a line at byte" in trouble.message


# --- copies -------------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_of_copies_the_longest_is_archived(tmp_path: Path, packed: bool) -> None:
    write(tmp_path / "audit.log", events(0, 4))
    longer = gzip.compress(events(0, 9)) if packed else events(0, 9)
    write(tmp_path / "audit.log.1", longer)
    write(tmp_path / "z" / "audit.log", events(0, 9))
    run, source = Run(), source_of(tmp_path)
    assert run.once(source) == 1
    assert run.content == events(0, 9)
    assert len(source.notes) == 2
    assert source.troubles == ()


def test_copies_that_differ_are_not_archived(tmp_path: Path) -> None:
    write(tmp_path / "a.log", events(0, 4))
    write(tmp_path / "b.log", events(0, 3) + event(4).replace(b"admin", b"nobod") + event(5))
    write(tmp_path / "c.log", OTHER)
    run, source = Run(), source_of(tmp_path)
    assert run.once(source) == 1
    assert run.content == OTHER
    (trouble,) = source.troubles
    assert isinstance(trouble, FileChanged)
    assert "differ before byte" in trouble.message


def test_a_file_that_several_locations_hold_is_archived_once(tmp_path: Path) -> None:
    log = write(tmp_path / "audit.log", events(0, 4))
    run, source = Run(), source_of(tmp_path, log, f"file://{log}")
    assert run.once(source) == 1
    assert source.notes == ()


# --- files that were changed --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (events(0, 4), "was cut"),
        (events(0, 8) + event(9, verb="list"), "no line ends there now"),
    ],
    ids=["shorter", "other"],
)
def test_a_file_that_does_not_continue_is_left_out_and_told(
    tmp_path: Path, now: bytes, said: str
) -> None:
    log = write(tmp_path / "audit.log", events(0, 8) + event(9, verb="w"))
    run, source = Run(), source_of(tmp_path)
    run.once(source)
    log.write_bytes(now)
    write(tmp_path / "other.log", OTHER)
    run.once(source)
    assert run.pages[-1].lines == OTHER
    (trouble,) = source.troubles
    assert isinstance(trouble, FileChanged)
    assert str(log) in trouble.message
    assert said in trouble.message
    assert trouble.exit_code == ExitCode.INCOMPLETE


def test_a_file_that_was_copied_and_truncated_is_a_new_one(tmp_path: Path) -> None:
    log = write(tmp_path / "audit.log", events(0, 9))
    run, source = Run(), source_of(tmp_path)
    run.once(source)
    append(log, event(10))
    shutil.copy(log, tmp_path / "audit.log.1")
    os.truncate(log, 0)
    append(log, event(11))
    run.once(source)
    assert run.content == events(0, 11)
    assert source.troubles == ()


def renamed(log: Path) -> None:
    log.rename(log.with_name("audit-1.log"))
    write(log, OTHER)


def packed_away(log: Path) -> None:
    write(log.with_name("audit-1.log.gz"), gzip.compress(log.read_bytes()))
    log.unlink()


@pytest.mark.parametrize("rotate", [renamed, packed_away])
@pytest.mark.parametrize("named", [False, True], ids=["folder", "file"])
def test_a_file_that_is_rotated_after_the_plan_is_read_all_the_same(
    tmp_path: Path, rotate: Callable[[Path], None], named: bool
) -> None:
    log = write(tmp_path / "audit.log", events(0, 9))
    run, source = Run(), source_of(log if named else tmp_path)
    (window,) = run.plan(source)
    rotate(log)
    run.window(source, window)
    assert run.content == events(0, 9)


def test_a_copy_that_is_still_compressed_is_not_taken_for_the_whole(tmp_path: Path) -> None:
    log = write(tmp_path / "audit.log", events(0, 999))
    run, source = Run(), source_of(tmp_path)
    (window,) = run.plan(source)
    write(tmp_path / "audit-1.log.gz", gzip.compress(log.read_bytes())[:9000])
    log.rename(tmp_path / "audit-2.log")
    run.window(source, window)
    assert run.content == events(0, 999)


def test_a_window_that_begins_within_a_line_is_not_read(tmp_path: Path) -> None:
    log = write(tmp_path / "audit.log", events(0, 9))
    source = source_of(tmp_path, window_bytes=1000)
    second = Run().plan(source)[1]
    log.write_bytes(event(0) + event(1, verb="w") + events(2, 9))
    with pytest.raises(FileChanged, match="no line ends at byte"):
        source.read(second.parts[0], lambda page: None)


@pytest.mark.parametrize(
    ("now", "error"),
    [(None, SourceGone), (OTHER * 20, SourceGone), (events(0, 3), FileChanged)],
    ids=["deleted", "written-anew", "cut"],
)
def test_what_is_gone_after_the_plan_is_told(
    tmp_path: Path, now: bytes | None, error: type[Exception]
) -> None:
    log = write(tmp_path / "audit.log", events(0, 9))
    source = source_of(tmp_path)
    (window,) = Run().plan(source)
    if now is None:
        log.unlink()
    else:
        log.write_bytes(now)
    with pytest.raises(error, match=str(log)):
        source.read(window.parts[0], lambda page: None)


@pytest.mark.parametrize(
    ("left", "error"),
    [(events(0, 0), FileChanged), (b"", PartLost), (OTHER * 20_000, PartLost)],
    ids=["cut", "truncated", "written-anew"],
)
def test_a_file_that_is_cut_while_it_is_read_is_not_told_as_whole(
    tmp_path: Path, left: bytes, error: type[Exception]
) -> None:
    log = write(tmp_path / "audit.log", events(0, 9_999))
    source = source_of(tmp_path, page_bytes=1)
    (window,) = Run().plan(source)
    pages = 0

    def write_page(page: Page) -> None:
        nonlocal pages
        pages += 1
        if pages == 1:
            log.write_bytes(left)

    with pytest.raises(error):
        source.read(window.parts[0], write_page)


# --- compressed files ---------------------------------------------------------------------------


PACKED = gzip.compress(events(0, 99))
DAMAGED = {
    "checksum": PACKED[:-8] + bytes(8),
    "middle": PACKED[:600] + bytes(9) + PACKED[609:],
    "rubbish-after": PACKED + b"rubbish",
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_gzip_file_is_left_out_and_told(tmp_path: Path, kind: str) -> None:
    damaged = write(tmp_path / "audit-1.log.gz", DAMAGED[kind])
    write(tmp_path / "audit.log", OTHER)
    run, source = Run(), source_of(tmp_path)
    run.once(source)
    assert run.content == OTHER
    (trouble,) = source.troubles
    assert isinstance(trouble, FileDamaged)
    assert str(damaged) in trouble.message


@pytest.mark.parametrize(
    ("filling", "said"),
    [(b"\n", "decompresses to over 1000 times its size"), (b" ", "has a line at byte")],
    ids=["lines", "one-line"],
)
def test_a_bomb_is_left_out_and_told(tmp_path: Path, filling: bytes, said: str) -> None:
    packed = gzip.compress(event(0) + filling * 32 * 1024 * 1024, 9)
    write(tmp_path / "audit-1.log.gz", packed)
    write(tmp_path / "audit.log", OTHER)
    run, source = Run(), source_of(tmp_path)
    run.once(source)
    assert run.content == OTHER
    assert [said in trouble.message for trouble in source.troubles] == [True]


@pytest.mark.parametrize("lines", [4400, 8800, 9000])
def test_what_compresses_well_is_decompressed_whole(tmp_path: Path, lines: int) -> None:
    content = event(0) * lines
    write(tmp_path / "audit-1.log.gz", gzip.compress(content, 9))
    run = Run()
    run.once(source_of(tmp_path))
    assert run.content == content


def test_a_gzip_file_of_very_many_members_takes_no_longer_than_its_size(tmp_path: Path) -> None:
    content = gzip.compress(events(0, 3)) + gzip.compress(b"") * 50_000 + gzip.compress(event(4))
    write(tmp_path / "audit-1.log.gz", content)
    run = Run()
    run.once(source_of(tmp_path))
    assert run.content == events(0, 4)


def test_a_damaged_copy_spoils_no_whole_one(tmp_path: Path) -> None:
    write(tmp_path / "audit-1.log.gz", DAMAGED["checksum"])
    write(tmp_path / "audit-1.log", events(0, 99))
    run, source = Run(), source_of(tmp_path)
    run.once(source)
    assert run.content == events(0, 99)
    assert len(source.troubles) == 1


def test_a_gzip_file_that_is_still_written_is_archived_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = gzip.compress(events(0, 999))
    packed = write(tmp_path / "audit-1.log.gz", whole[: len(whole) // 2])
    run, source = Run(), source_of(tmp_path)
    run.once(source)
    assert events(0, 99) in run.content
    assert any("breaks off" in note.reason for note in source.notes)
    packed.write_bytes(whole)
    run.once(source)
    assert run.content == events(0, 999)
    assert run.faults() == []


# --- what is no audit log -----------------------------------------------------------------------

NO_LOGS = {
    "text": b"kube-apiserver started\n",
    "json": b'{"kind": "Pod", "apiVersion": "v1"}\n',
    "list": b"[1]\n",
    "binary": bytes(range(256)) * 500,
    "deep": b'{"a":' * 100_000 + b"\n",
    "pretty": b'{\n "kind": "Event"\n}\n',
}


@pytest.mark.parametrize("kind", NO_LOGS)
def test_what_is_no_audit_log_is_passed_over_in_a_folder_and_refused_by_name(
    tmp_path: Path, kind: str
) -> None:
    other = write(tmp_path / "other", NO_LOGS[kind])
    write(tmp_path / "audit.log", event(0))
    run, source = Run(), source_of(tmp_path)
    assert run.once(source) == 1
    assert [note.name for note in source.notes] == [str(other)]
    assert source.passed_over == 1
    with pytest.raises(UsageError, match=f'not an audit log: "{other}"'):
        Run().plan(source_of(other))


def test_a_large_file_is_not_searched_for_a_line_if_it_begins_like_none(tmp_path: Path) -> None:
    write(tmp_path / "core", b"x" * 2_000_000)
    write(tmp_path / "audit.log", event(0))
    run, source = Run(), source_of(tmp_path, line_bytes=100_000)
    run.once(source)
    assert source.troubles == ()


def test_a_record_of_aks_is_known_by_its_category(tmp_path: Path) -> None:
    record = b'{"category": "kube-audit", "properties": {"log": "cut", "pod": "x"}}\n'
    write(tmp_path / "PT1H.json", record)
    run = Run()
    run.once(source_of(tmp_path))
    assert run.content == record


@pytest.mark.parametrize("content", [b"", event(0)[:-1]], ids=["empty", "no-whole-line"])
def test_a_file_without_a_line_waits(tmp_path: Path, content: bytes) -> None:
    log = write(tmp_path / "audit.log", content)
    run, source = Run(), source_of(log)
    assert run.once(source) == 0
    append(log, event(0) if not content else b"\n")
    assert run.once(source) == 1


@pytest.mark.parametrize("content", [None, b"", b"text\n"], ids=["nothing", "empty", "other"])
def test_a_folder_without_audit_logs_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        write(tmp_path / "other.log", content)
    with pytest.raises(NothingToArchive, match=f'no audit log in "{tmp_path}"'):
        Run().plan(source_of(tmp_path))


@pytest.mark.parametrize("location", ["nowhere", "nowhere/audit.log"])
def test_a_path_that_is_not_there_is_an_error(tmp_path: Path, location: str) -> None:
    with pytest.raises(NothingToArchive, match="there is no") as raised:
        Run().plan(source_of(tmp_path / location))
    assert raised.value.exit_code == ExitCode.USAGE


@pytest.mark.parametrize(
    "location",
    ["", "ftp://host/x", "https://account.example/c?sig=secret", "file://host/x", "a\0b"],
)
def test_a_location_that_is_none_is_refused(location: str) -> None:
    with pytest.raises(UsageError) as raised:
        Run().plan(source_of(location))
    assert "secret" not in f"{raised.value.message} {raised.value.hint}"


def test_no_location_is_refused() -> None:
    with pytest.raises(UsageError):
        source_of()


@pytest.mark.parametrize(
    "wanted",
    [TimeRange(start=NOW, end=None), TimeRange(start=None, end=NOW)],
    ids=["from", "to"],
)
def test_files_have_no_bounds_in_time(tmp_path: Path, wanted: TimeRange) -> None:
    write(tmp_path / "audit.log", event(0))
    with pytest.raises(UsageError, match="not by time"):
        source_of(tmp_path).plan(wanted, Run().archived, now=NOW)


# --- hostile folders ----------------------------------------------------------------------------


def test_no_link_in_a_folder_is_followed(tmp_path: Path) -> None:
    folder, outside = tmp_path / "logs", tmp_path / "outside"
    write(outside / "secret.log", OTHER)
    write(folder / "audit.log", event(0))
    (folder / "link.log").symlink_to(outside / "secret.log")
    (folder / "folder").symlink_to(outside)
    (folder / "loop").symlink_to(folder)
    run, source = Run(), source_of(folder)
    run.once(source)
    assert run.content == event(0)
    assert [note.name for note in source.notes] == [str(folder / "link.log")]


def test_a_link_that_the_user_names_is_followed(tmp_path: Path) -> None:
    write(tmp_path / "logs" / "audit.log", event(0))
    link = tmp_path / "link"
    link.symlink_to("logs")
    run = Run()
    run.once(source_of(link))
    assert run.content == event(0)


@pytest.mark.parametrize("link", ["inner", "inner/audit.log"])
def test_what_becomes_a_link_after_the_plan_is_not_followed(tmp_path: Path, link: str) -> None:
    folder, outside = tmp_path / "logs", tmp_path / "outside"
    write(outside / "inner" / "audit.log", events(0, 3))
    write(folder / "inner" / "audit.log", events(0, 3))
    source = source_of(folder)
    (window,) = Run().plan(source)
    shutil.rmtree(folder)
    (folder / link).parent.mkdir(parents=True)
    (folder / link).symlink_to(outside / link)
    with pytest.raises(SourceError):
        source.read(window.parts[0], lambda page: None)


def test_what_is_no_regular_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.log")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "socket.log"))
    write(tmp_path / "audit.log", event(0))
    run = Run()
    run.once(source_of(tmp_path))
    assert run.content == event(0)
    with pytest.raises(UsageError, match="neither a file nor a folder"):
        Run().plan(source_of(tmp_path / "pipe.log"))


@pytest.mark.parametrize("name", [b"a\nb\x1b[31m.log", b"\xff.log", "ä\u202e.log".encode()])
def test_a_name_can_be_shown_and_recorded_whatever_it_is(tmp_path: Path, name: bytes) -> None:
    write(tmp_path / os.fsdecode(name), event(0))
    run = Run()
    run.once(source_of(tmp_path))
    (file,) = run.files.values()
    assert file.name.isprintable()
    assert encode_record(run.records[0])
    assert encode_record(source_of(tmp_path / os.fsdecode(name)).binding(STREAM))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    write(tmp_path / "audit.log", event(0))
    write(tmp_path / "secret.log", OTHER).chmod(0)
    run, source = Run(), source_of(tmp_path)
    run.once(source)
    assert run.content == event(0)
    (trouble,) = source.troubles
    assert isinstance(trouble, SourceRefused)
    assert trouble.permission == "read"


def test_where_all_is_trouble_the_trouble_is_the_error(tmp_path: Path) -> None:
    write(tmp_path / "audit.log.gz", b"\x1f\x8brubbish" * 100)
    with pytest.raises(FileDamaged):
        Run().plan(source_of(tmp_path))


# --- what a stream is bound to ------------------------------------------------------------------


def test_a_stream_is_bound_to_absolute_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    relative, absolute = source_of("b", "a/"), source_of(tmp_path / "a", tmp_path / "b")
    assert relative.binding(STREAM) == absolute.binding(STREAM)
    record = relative.binding(STREAM)
    assert record.source.patterns == (f"{tmp_path}/a", f"{tmp_path}/b")
    assert (record.time_field, record.filter, record.window_seconds) == (None, None, None)
    assert encode_record(record)
    assert relative.url == f"{tmp_path}/a, {tmp_path}/b"


def test_files_have_no_query_and_no_metadata(tmp_path: Path) -> None:
    write(tmp_path / "audit.log", event(0))
    with source_of(tmp_path) as source:
        planned = source.plan(ALWAYS, Run().archived, now=datetime.now(UTC))
        assert source.query_sha256(planned[0].window) is None
        assert source.metadata(planned) is None
