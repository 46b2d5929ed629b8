"""A run's own folder: private, gone at the end, and swept away when nobody is left to do that."""

import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from kcompliance.archive.spool import Spool, SpoolError, SpoolFull, spool_faults
from kcompliance.errors import ExitCode, UsageError
from tests.archive.segments import index_partition, page, small_writer

RUN = """
import sys
from pathlib import Path
from kcompliance.archive.spool import Spool
from tests.archive.segments import page, small_writer

with Spool(Path(sys.argv[1])) as spool, small_writer(spool.path) as writer:
    writer.write(page(range(300)), 300)
    print(spool.path, flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_run(folder: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process that has files in its spool, until its input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", RUN, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as process:
        assert process.stdout is not None
        try:
            yield process, Path(process.stdout.readline().strip())
        finally:
            process.kill()


def test_a_folder_of_its_own(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        assert spool.path.parent == tmp_path
        assert stat.S_IMODE(spool.path.stat().st_mode) == 0o700
        with small_writer(spool.path) as writer:
            writer.write(page(range(300)), 300)
            writer.credit(index_partition())
            for segment in writer.finish():
                assert stat.S_IMODE(segment.path.stat().st_mode) == 0o600
    assert not list(tmp_path.iterdir())


def test_it_is_gone_after_an_error_too(tmp_path: Path) -> None:
    spool = Spool(tmp_path)

    def fail() -> None:
        with spool:
            (spool.path / ".kcompliance-1.partial").write_text("x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="not entered"):
        _ = spool.path


def test_the_temporary_folder_unless_told_otherwise() -> None:
    with Spool() as spool:
        assert spool.path.parent == Path(tempfile.gettempdir())


def test_two_runs_at_once(tmp_path: Path) -> None:
    with another_run(tmp_path) as (process, other):
        with Spool(tmp_path) as spool:
            assert spool.path != other
        assert len(list(other.iterdir())) > 3
        process.communicate("")
    assert not list(tmp_path.iterdir())


def test_what_a_killed_run_left_is_swept_away(tmp_path: Path) -> None:
    with another_run(tmp_path) as (process, other):
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert len(list(other.iterdir())) > 3

    with Spool(tmp_path) as spool:
        assert list(tmp_path.iterdir()) == [spool.path]


def test_nothing_else_is_swept_away(tmp_path: Path) -> None:
    base, elsewhere = tmp_path / "base", tmp_path / "elsewhere"
    ours = ".kcompliance-x.partial"
    kept = [
        base / "other" / ours,
        base / ".kcompliance-x" / ours,
        base / ours,
        base / ".kcompliance-spool-file",
        base / ".kcompliance-spool-theirs" / "letter.txt",
        base / ".kcompliance-spool-theirs" / ".kcompliance-letter",
        base / ".kcompliance-spool-open" / ours,
        elsewhere / ours,
    ]
    for path in kept:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    (base / ".kcompliance-spool-open").chmod(0o777)
    (base / ".kcompliance-spool-link").symlink_to(elsewhere)
    gone = base / ".kcompliance-spool-theirs" / ours
    gone.write_text("x")

    with Spool(base):
        pass

    assert all(path.exists() for path in kept)
    assert not gone.exists()


def test_links_in_a_dead_folder_are_not_followed(tmp_path: Path) -> None:
    base, letter = tmp_path / "base", tmp_path / "letter"
    dead = base / ".kcompliance-spool-dead"
    dead.mkdir(parents=True)
    letter.write_text("x")
    (dead / ".kcompliance-lock").symlink_to(letter)
    with Spool(base):
        pass
    assert dead.exists()
    (dead / ".kcompliance-lock").unlink()
    (dead / ".kcompliance-1.partial").symlink_to(letter)
    with Spool(base):
        pass
    assert not dead.exists()
    assert letter.read_text() == "x"


def test_runs_that_sweep_do_not_take_each_others_folders(tmp_path: Path) -> None:
    def run(number: int) -> bool:
        with Spool(tmp_path) as spool:
            file = spool.path / ".kcompliance-1.partial"
            file.write_text(str(number))
            with Spool(tmp_path):
                return file.read_text() == str(number)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(run, range(200)))
    assert not list(tmp_path.iterdir())


def test_too_little_space_is_told_before(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.require(1)
    with pytest.raises(SpoolFull, match=r"free, and about 1048576\.0 GiB are needed") as full:
        spool.require(1 << 50)
    assert str(tmp_path) in full.value.message
    assert "--spool" in str(full.value.hint)
    assert full.value.code == "spool-full"


@pytest.mark.parametrize("kind", ["nothing", "a file"])
def test_what_is_no_folder(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "place"
    if kind == "a file":
        path.write_text("x")
    with pytest.raises(UsageError, match="place") as refused, Spool(path):
        pass
    assert refused.value.exit_code is ExitCode.USAGE
    assert "--spool" in str(refused.value.hint)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(SpoolError, match="Permission denied"), Spool(tmp_path):
        pass


@pytest.mark.parametrize(
    ("number", "kind", "code"),
    [(28, SpoolFull, "spool-full"), (122, SpoolFull, "spool-full"), (5, SpoolError, "spool")],
    ids=["full", "quota", "input/output"],
)
def test_what_the_system_says(
    tmp_path: Path, number: int, kind: type[SpoolError], code: str
) -> None:
    with pytest.raises(kind) as error, spool_faults(tmp_path):
        raise OSError(number, os.strerror(number))
    assert error.value.code == code
    assert os.strerror(number) in error.value.message
    assert "--spool" in str(error.value.hint)
