"""Attacks on segments and on what else lies in an archive: 1 to 6, 15 to 18, 21 to 23, 36, 45."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard

from kcompliance.archive.verify import Request, verify
from kcompliance.archive.verify.contents import check_contents
from kcompliance.archive.verify.interface import Silent
from kcompliance.archive.verify.inventory import Expected, Kind
from kcompliance.errors import ExitCode
from kcompliance.ledger import AbandonedRecord, FindingCode, encode_record
from kcompliance.stores.filesystem import FilesystemStore
from kcompliance.stores.memory import MemoryStore
from tests.archive.building import objects_of, store_of, window_at, window_record
from tests.archive.segments import frame_of, signed_for
from tests.attacks.victim import Victim
from tests.ledger.samples import abandoned

SKIPPABLE = b"\x50\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"extra"


def test_an_archive_that_nobody_attacked_is_good(victim: Victim) -> None:
    found = victim.verified()

    assert found.findings == ()
    assert found.exit_code is ExitCode.GOOD


def test_01_a_flipped_bit(victim: Victim) -> None:
    path = victim.segments[1]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    victim.write(path, bytes(data))

    victim.must_be("SEGMENT_MODIFIED", path)


def test_02_a_truncated_segment(victim: Victim) -> None:
    path = victim.segments[1]
    victim.write(path, path.read_bytes()[:-10])

    victim.must_be("SEGMENT_TRUNCATED", path)
    victim.must_be("SEGMENT_TRUNCATED", path, level=1)


@pytest.mark.parametrize(
    "more",
    [zstandard.compress(b'{"_id":"forged"}\n'), SKIPPABLE, b"\0", b"raw"],
    ids=["frame", "skippable frame", "a zero", "raw bytes"],
)
def test_03_appended_data(victim: Victim, more: bytes) -> None:
    path = victim.segments[1]
    victim.write(path, path.read_bytes() + more)

    victim.must_be("SEGMENT_TRAILING_DATA", path)
    victim.must_be("SEGMENT_MODIFIED", path, level=1)


def test_04_the_same_content_compressed_anew(victim: Victim) -> None:
    path = victim.segments[1]
    content = zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes())
    victim.write(path, zstandard.ZstdCompressor(level=19).compress(content))

    assert "its content is as recorded" in victim.must_be("SEGMENT_MODIFIED", path).detail


@pytest.mark.parametrize("level", [1, 3])
def test_05_a_middle_segment_is_deleted(victim: Victim, level: int) -> None:
    path = victim.segments[1]
    victim.delete(path)

    fault = victim.must_be("SEGMENT_MISSING", path, level=level)
    assert (fault.stream, fault.start) == ("prod/k8s-audit", "2026-07-01T01:00:00Z")


def test_06_the_last_segment_is_deleted(victim: Victim) -> None:
    path = victim.segments[-1]
    victim.delete(path)

    victim.must_be("SEGMENT_MISSING", path)


@pytest.mark.parametrize(
    "name",
    [
        "seg/prod/k8s-audit/2026/07/01/00/" + "0" * 64 + ".ndjson.zst",
        "meta/" + "0" * 64 + ".json.zst",
        "run/0190d2a4-0000-7000-8000-00000000ffff.json",
        "log/000000000002-" + "0" * 64 + ".ndjson",
        "anchor/000000000002.tsr",
        "README",
        "cp/note.txt",
        "seg/prod/k8s-audit/2026/07/01/00/notes.txt",
    ],
)
@pytest.mark.parametrize("level", [1, 3])
def test_15_an_extra_object(victim: Victim, name: str, level: int) -> None:
    path = victim.path(name)
    victim.write(path, b"extra")
    os.utime(path, (0, 0))

    victim.must_be("UNEXPECTED_OBJECT", path, level=level)


def test_16_a_segment_under_another_name_too(victim: Victim) -> None:
    path = victim.segments[1]
    copy = path.parent.parent / "05" / path.name
    victim.write(copy, path.read_bytes())
    os.utime(copy, (0, 0))

    victim.must_be("UNEXPECTED_OBJECT", copy)


def test_17_two_segments_are_swapped(victim: Victim) -> None:
    one, other = victim.segments[1:3]
    first, second = one.read_bytes(), other.read_bytes()
    victim.write(one, second)
    victim.write(other, first)

    found = victim.verified()
    assert found.exit_code is ExitCode.FINDINGS
    assert {(each.code, each.object) for each in found.findings} == {
        (FindingCode.SEGMENT_MODIFIED, victim.key(path)) for path in (one, other)
    }


def test_18_events_in_another_order(victim: Victim) -> None:
    path = victim.segments[1]
    content = zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes())
    lines = content.splitlines(keepends=True)
    victim.write(path, zstandard.compress(b"".join(reversed(lines))))

    victim.must_be("SEGMENT_MODIFIED", path)


def test_18_events_in_another_order_that_the_key_holder_signed(victim: Victim) -> None:
    window = window_at(10)
    (segment,) = victim.builder.segments(window, docs=6)
    wrong = replace(segment, events_root=victim.builder.made[0].events_root)
    victim.builder.commit(wrong, window_record(window, [wrong]))
    victim.pinned_now()

    assert victim.verified().causes[0].code is FindingCode.WINDOW_GAP  # hours 4 to 10
    codes = {each.code for each in victim.verified(level=4).causes}
    assert codes == {FindingCode.EVENTS_ROOT, FindingCode.WINDOW_GAP}


def test_21_a_bomb_that_replaces_a_segment(victim: Victim) -> None:
    path = victim.segments[1]
    victim.write(path, zstandard.compress(b"\0" * (100 << 20)))

    found = victim.verified()
    assert found.exit_code is ExitCode.FINDINGS
    assert [each.code for each in found.causes] == [FindingCode.BOMB]


def test_21_a_bomb_that_the_key_holder_signed(victim: Victim) -> None:
    content = b"{}\n" * (1 << 20)
    record = signed_for([frame_of(content)], [len(content) // 2], content)
    victim.builder.put(record.key, frame_of(content))
    victim.builder.commit(record)
    victim.pinned_now()

    victim.must_be("BOMB", record.key)


@pytest.mark.parametrize(
    "key",
    [
        "../../../etc/shadow",
        "/etc/shadow",
        "C:/windows/system32",
        "seg/prod/../../secret",
        "seg/a\u0000b",
        "con",
        "cp/000000000001.ckpt",
    ],
)
def test_22_a_signed_record_that_leads_elsewhere(victim: Victim, tmp_path: Path, key: str) -> None:
    segment = json.loads(encode_record(victim.builder.made[0]))
    segment["key"] = key
    leaf = json.dumps(segment, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    victim.builder.commit_raw(leaf.encode())
    victim.pinned_now()
    before = sorted(tmp_path.rglob("*"))

    fault = victim.must_be("UNSAFE_PATH", victim.log(5))

    assert "leaf " in fault.detail
    assert sorted(tmp_path.rglob("*")) == before


def test_22_an_abandoned_object_that_leads_elsewhere(victim: Victim) -> None:
    record = json.loads(encode_record(abandoned()))
    record["objects"][0]["key"] = "../secret"
    leaf = json.dumps(record, separators=(",", ":"), sort_keys=True)
    victim.builder.commit_raw(leaf.encode())
    victim.pinned_now()

    victim.must_be("UNSAFE_PATH", victim.log(5))


@pytest.mark.parametrize("which", ["segment", "checkpoint", "records", "intent", "settings"])
@pytest.mark.parametrize("level", [1, 3])
def test_23_a_symbolic_link_in_an_objects_place(
    victim: Victim, tmp_path: Path, which: str, level: int
) -> None:
    path = {
        "segment": victim.segments[1],
        "checkpoint": victim.cp(2),
        "records": victim.log(2),
        "intent": next((victim.folder / "run").iterdir()),
        "settings": next((victim.folder / "meta").iterdir()),
    }[which]
    outside = tmp_path / "outside"
    path.rename(outside)
    path.symlink_to(outside)

    victim.must_be("SYMLINK", path, level=level)
    if which in {"segment", "intent", "settings"}:
        assert len(victim.verified(level=level).findings) == 1


@pytest.mark.parametrize("folder", ["seg", "seg/prod", "log", "cp", "run"])
def test_23_a_symbolic_link_in_a_folders_place(victim: Victim, tmp_path: Path, folder: str) -> None:
    path = victim.folder / folder
    path.rename(tmp_path / "outside")
    path.symlink_to(tmp_path / "outside")

    found = victim.verified()

    assert found.exit_code is ExitCode.FINDINGS
    causes = {(each.code.value, each.object) for each in found.causes}
    assert ("SYMLINK", folder) in causes
    assert {code for code, _ in causes} <= {"SYMLINK", "NO_CHECKPOINT"}


def test_23_a_pipe_in_an_objects_place(victim: Victim) -> None:
    path = victim.segments[1]
    path.unlink()
    os.mkfifo(path)

    victim.must_be("NOT_REGULAR", path)


def test_23_a_link_that_nobody_asked_for(victim: Victim) -> None:
    path = victim.path("seg/link")
    path.symlink_to("/etc/passwd")

    victim.must_be("SYMLINK", path)


def test_36_a_deletion_that_no_record_tells_of(victim: Victim) -> None:
    shutil.rmtree(victim.segments[0].parent)

    victim.must_be("SEGMENT_MISSING", _first_segment(victim))


def _first_segment(victim: Victim) -> str:
    return victim.builder.made[0].key


def test_36_no_abandoned_record_takes_a_segment_away(victim: Victim) -> None:
    segment = victim.builder.made[0]
    objects = abandoned().objects[:1]
    takes = replace(objects[0], key=segment.key, size=segment.size, sha256=segment.sha256)
    victim.builder.commit(
        AbandonedRecord(stream=segment.stream, run=abandoned().run, objects=(takes,))
    )
    victim.pinned_now()
    assert victim.verified().exit_code is ExitCode.GOOD

    victim.delete(victim.path(segment.key))

    victim.must_be("SEGMENT_MISSING", segment.key)


@pytest.mark.parametrize("level", [1, 3])
def test_45_a_name_that_another_system_takes_for_an_objects(victim: Victim, level: int) -> None:
    path = victim.segments[1]
    twin = path.with_name(path.name.upper())
    victim.write(twin, b"other bytes")

    fault = victim.must_be("NAME_COLLISION", twin, level=level)
    assert victim.key(path) in fault.detail


@pytest.mark.parametrize(
    ("one", "other"),
    [("seg/Caf\u00e9", "seg/Cafe\u0301"), ("seg/stra\u00dfe", "seg/STRASSE"), ("Run", "RUN")],
    ids=["composed", "sharp s", "case"],
)
def test_45_two_strange_names_that_are_one_elsewhere(victim: Victim, one: str, other: str) -> None:
    for name in (one, other):
        victim.write(victim.path(name), b"")

    codes = {each.code.value for each in victim.verified().causes}
    assert "NAME_COLLISION" in codes


class Changing(MemoryStore):
    """A store whose objects are others the second time that they are read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    def read(self, key: str, *, version: str | None = None):  # type: ignore[no-untyped-def]
        self.reads += 1
        yield self.get(key, version=version) if self.reads == 1 else b"other"


def test_45_what_is_hashed_is_what_is_read(victim: Victim) -> None:
    record = victim.builder.made[0]
    store = Changing()
    store_of({record.key: victim.path(record.key).read_bytes()}, store)
    expected = Expected(kind=Kind.SEGMENT, key=record.key, record=record)

    good = check_contents(store, expected, version=None, lines=True, meter=Silent())
    bad = check_contents(store, expected, version=None, lines=True, meter=Silent())

    assert store.reads == 2
    assert getattr(good, "docs", None) == record.docs
    assert getattr(bad, "code", None) is FindingCode.SEGMENT_MODIFIED


def test_45_an_object_that_changes_between_listing_and_reading(victim: Victim) -> None:
    objects = objects_of(FilesystemStore(victim.folder))
    target = victim.builder.made[1].key

    class Late(MemoryStore):
        def read(self, key: str, *, version: str | None = None):  # type: ignore[no-untyped-def]
            yield b"changed" if key == target else self.get(key, version=version)

    request = Request(trust=victim.trust, as_of=victim.as_of)
    found = verify(store_of(objects, Late()), request)

    assert [(each.code.value, each.object) for each in found.findings] == [
        ("SEGMENT_MODIFIED", target)
    ]
