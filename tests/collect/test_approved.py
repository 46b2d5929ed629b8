"""kcompliance.lock as a reading beside what was collected."""

import os
from pathlib import Path

import pytest

from kcompliance.collect.approved import approved_beside, collect_approved, with_approved
from kcompliance.collect.files import collect_files
from kcompliance.collect.interface import Collected
from kcompliance.model.approval.approved import MAX_LOCK_BYTES
from kcompliance.model.reading import Capture, Kind, Raw, Unreadable
from tests.captures import NOW, SOUND_POLICY, raw

POLICY = raw(Kind.AUDIT_POLICY, "p.yaml", SOUND_POLICY)
OLD, NEW = raw(Kind.APPROVED, "old.lock", "{}"), raw(Kind.APPROVED, "new.lock", "[]")


def collected(*, saved: bool, captures: tuple[Capture, ...]) -> Collected:
    return Collected(name="c", captures=captures, saved=saved)


@pytest.mark.parametrize(
    ("saved", "also_saved", "kept"),
    [(False, False, NEW), (False, True, NEW), (True, False, OLD), (True, True, NEW)],
)
def test_a_bundle_keeps_its_lock_unless_another_is_chosen(
    *, saved: bool, also_saved: bool, kept: Raw
) -> None:
    before = collected(saved=saved, captures=(POLICY, OLD))

    assert with_approved(before, NEW, also_saved=also_saved).captures == (POLICY, kept)


def test_a_bundle_without_a_lock_stays_without_one() -> None:
    before = collected(saved=True, captures=(POLICY,))

    assert with_approved(before, NEW, also_saved=False) == before


def test_the_lock_beside_the_configuration_comes_before_that_in_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "etc").mkdir()
    config = Path("etc/kcompliance.yaml")

    assert approved_beside(config) is None
    Path("kcompliance.lock").touch()
    assert approved_beside(config) == approved_beside(None) == Path("kcompliance.lock")
    Path("etc/kcompliance.lock").touch()
    assert approved_beside(config) == Path("etc/kcompliance.lock")


def test_the_bytes_are_kept_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "kcompliance.lock"
    path.write_bytes(b"\xff not even text")

    capture = collect_approved(path, NOW)

    assert isinstance(capture, Raw)
    assert capture.content == b"\xff not even text"


def test_what_is_no_file_to_read_is_unreadable_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "large").write_bytes(b" " * (MAX_LOCK_BYTES + 1))

    for name in ("pipe", "loop", "large", "missing", "."):
        assert isinstance(collect_approved(tmp_path / name, NOW), Unreadable), name


@pytest.mark.parametrize("text", ["{}", SOUND_POLICY, "<<<<<<< HEAD\n" + SOUND_POLICY])
def test_a_lock_in_a_scanned_folder_is_no_part_of_what_runs(tmp_path: Path, text: str) -> None:
    (tmp_path / "kcompliance.lock").write_text(text)

    assert collect_files([str(tmp_path)], NOW, lambda what: None) == ()
