"""What a folder promises beyond other stores: nothing half-written, and no link is followed."""

import errno
import hashlib
import os
import random
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kcompliance.errors import UsageError
from kcompliance.model.digest import sha256
from kcompliance.stores.filesystem import FilesystemStore
from kcompliance.stores.interface import (
    AlreadyThere,
    Damaged,
    NotThere,
    Refused,
    Store,
    Unsupported,
)

KEY = "seg/prod/one"
KILLS = 12


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "archive"


@pytest.fixture
def store(folder: Path) -> Store:
    return FilesystemStore(folder)


def put(store: Store, key: str, content: bytes) -> None:
    store.put_if_absent(key, content, sha256(content))


def run(program: str, *arguments: str) -> str:
    """What a Python program of its own prints; it has to end well."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def everything_in(folder: Path) -> list[str]:
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file())


# --- whole or not at all -------------------------------------------------------------------------

ENDLESS_WRITER = """
    import hashlib, io, os, sys, time
    from pathlib import Path
    from kcompliance.stores.filesystem import FilesystemStore

    store = FilesystemStore(Path(sys.argv[1]))
    print("ready", flush=True)
    while True:
        content = os.urandom(16) * 200_000
        digest = hashlib.sha256(content).hexdigest()
        store.put_if_absent(f"seg/{digest[:2]}/{digest}", content, digest)
"""


def test_a_writer_that_is_killed_leaves_only_whole_objects(store: Store, folder: Path) -> None:
    moments = random.Random(2026)
    for _ in range(KILLS):
        writer = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(ENDLESS_WRITER), str(folder)],
            stdout=subprocess.PIPE,
        )
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(moments.uniform(0, 0.15))
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        writer.stdout.close()

    listed = list(store.list())
    assert listed
    for entry in listed:
        content = store.get(entry.key)
        assert entry.key.endswith(hashlib.sha256(content).hexdigest())
        assert len(content) == entry.size == 3_200_000


KILLED_WHILE_WRITING = """
    import io, os, signal, sys
    from pathlib import Path
    from kcompliance.stores.filesystem import FilesystemStore

    class Deadly(io.BytesIO):
        def read(self, size=-1):
            if self.tell():
                os.kill(os.getpid(), signal.SIGKILL)
            return super().read(size)

    FilesystemStore(Path(sys.argv[1])).put_if_absent(sys.argv[2], Deadly(bytes(3 << 20)), "0" * 64)
"""


def test_half_an_object_is_not_listed_and_its_key_is_free(store: Store, folder: Path) -> None:
    program = textwrap.dedent(KILLED_WHILE_WRITING)
    killed = subprocess.run([sys.executable, "-c", program, str(folder), KEY], check=False)

    assert killed.returncode == -signal.SIGKILL
    (half,) = everything_in(folder)
    assert half.startswith("seg/prod/.partial-")
    assert (folder / half).stat().st_size > 0
    assert list(store.list()) == []
    put(store, KEY, b"whole")
    assert [each.key for each in store.list()] == [KEY]


def test_what_was_left_behind_long_ago_is_swept_away(store: Store, folder: Path) -> None:
    old, new = folder / "seg/prod/.partial-old", folder / "seg/prod/.partial-new"
    old.parent.mkdir(parents=True)
    for each in (old, new):
        each.write_bytes(b"half")
    two_days_ago = time.time() - 2 * 24 * 60 * 60
    os.utime(old, (two_days_ago, two_days_ago))

    put(store, KEY, b"1")

    assert everything_in(folder) == ["seg/prod/.partial-new", KEY]


FULL = """
    import resource, sys
    from pathlib import Path
    from kcompliance.model.digest import sha256
    from kcompliance.stores.filesystem import FilesystemStore
    from kcompliance.stores.interface import NoSpace

    store = FilesystemStore(Path(sys.argv[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, 3 << 20))
    for content in (bytes((3 << 20) + 1), bytes(9 << 20)):
        try:
            store.put_if_absent(sys.argv[2], content, sha256(content))
        except NoSpace as error:
            print(error.hint is not None)
    store.put_if_absent("small", b"1", sha256(b"1"))
"""


def test_a_full_disk_leaves_nothing(folder: Path) -> None:
    """A file that may not grow fails in the middle of writing, as on a disk that is full."""
    assert run(FULL, str(folder), KEY) == "True\nTrue"

    assert everything_in(folder) == ["small"]


def test_a_source_that_fails_leaves_nothing(store: Store, folder: Path) -> None:
    with pytest.raises(Damaged):
        store.put_if_absent(KEY, b"1", sha256(b"2"))
    with pytest.raises(UsageError):
        store.put_if_absent(KEY, folder / "no such file", sha256(b"2"))

    assert everything_in(folder) == []


def test_content_is_on_the_disk_before_its_name_and_the_name_before_the_return(
    store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, link = os.fsync, os.link

    def name_of(descriptor: int) -> str:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        return "content" if path.name.startswith(".partial-") else f"{path.relative_to(folder)}/"

    def recorded_fsync(descriptor: int) -> None:
        fsync(descriptor)
        steps.append(name_of(descriptor))

    def recorded_link(*arguments: object, **options: object) -> None:
        link(*arguments, **options)  # type: ignore[arg-type]
        steps.append("link")

    folder.mkdir()
    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(os, "link", recorded_link)

    put(store, KEY, b"1")

    assert steps == ["./", "seg/", "content", "link", "seg/prod/"]


def test_a_file_system_without_hard_links_is_refused(
    store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)

    with pytest.raises(Unsupported, match="hard links"):
        put(store, KEY, b"1")

    assert everything_in(folder) == []


def test_a_link_whose_first_answer_was_lost_is_ours(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As NFS does it: the name was created, the client asks again and is told that it exists."""
    link = os.link

    def link_twice(*arguments: object, **options: object) -> None:
        link(*arguments, **options)  # type: ignore[arg-type]
        link(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "link", link_twice)

    put(store, KEY, b"1")

    assert store.get(KEY) == b"1"


def test_objects_are_read_only(store: Store, folder: Path) -> None:
    put(store, KEY, b"1")

    assert stat.S_IMODE((folder / KEY).stat().st_mode) & 0o222 == 0
    assert (folder / KEY).stat().st_nlink == 1


# --- permissions ---------------------------------------------------------------------------------


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that other users can reach, unlike those that pytest makes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        path.chmod(0o755)
        yield path
        path.chmod(0o755)


UNPRIVILEGED = """
    import os, sys
    from pathlib import Path
    from kcompliance.model.digest import sha256
    from kcompliance.stores.filesystem import FilesystemStore
    from kcompliance.stores.interface import Refused

    store = FilesystemStore(Path(sys.argv[1]))
    if os.geteuid() == 0:
        os.setgroups([])
        os.setuid(65534)
    for use in (
        lambda: store.put_if_absent("seg/new", b"1", sha256(b"1")),
        lambda: store.put_if_absent("new", b"1", sha256(b"1")),
        lambda: store.delete("seg/one", None),
        lambda: store.get("seg/one"),
        lambda: list(store.list()),
    ):
        try:
            use()
        except Refused as error:
            print(error.permission, error.hint is not None)
"""


def test_a_folder_that_may_not_be_written_is_refused(public_folder: Path) -> None:
    put(FilesystemStore(public_folder), "seg/one", b"1")
    (public_folder / "seg/one").chmod(0)
    (public_folder / "seg").chmod(0o555)
    public_folder.chmod(0o555)

    said = run(UNPRIVILEGED, str(public_folder))

    assert said.splitlines() == ["write True", "write True", "write True", "read True"]
    assert everything_in(public_folder) == ["seg/one"]


def test_a_folder_that_may_not_be_listed_is_refused_and_not_empty(public_folder: Path) -> None:
    put(FilesystemStore(public_folder), "seg/one", b"1")
    (public_folder / "seg").chmod(0)

    said = run(UNPRIVILEGED, str(public_folder))

    assert said.splitlines()[-1] == "read True"
    (public_folder / "seg").chmod(0o755)


# --- links and other things ----------------------------------------------------------------------


def test_the_archive_itself_may_be_named_through_a_link(folder: Path, tmp_path: Path) -> None:
    folder.mkdir()
    (tmp_path / "link").symlink_to(folder)

    put(FilesystemStore(tmp_path / "link"), KEY, b"1")

    assert FilesystemStore(folder).get(KEY) == b"1"


def test_a_link_in_the_place_of_an_object_is_damage(
    store: Store, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").write_bytes(b"the same content")
    put(store, "seg/prod/two", b"2")
    (folder / KEY).symlink_to(tmp_path / "elsewhere")

    for read in (store.get, store.head, lambda key: list(store.read(key))):
        with pytest.raises(Damaged):
            read(KEY)
    with pytest.raises(AlreadyThere) as taken:
        put(store, KEY, b"the same content")
    assert (taken.value.size, taken.value.sha256) == (None, None)
    assert KEY in [each.key for each in store.list()]


def test_a_link_to_nowhere_takes_its_key(store: Store, folder: Path, tmp_path: Path) -> None:
    (folder / "seg/prod").mkdir(parents=True)
    (folder / KEY).symlink_to(tmp_path / "nowhere")

    with pytest.raises(AlreadyThere):
        put(store, KEY, b"1")

    assert not (tmp_path / "nowhere").exists()


def test_a_link_in_the_place_of_a_folder_leads_nowhere(
    store: Store, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/one").write_bytes(b"1")
    (folder / "seg").mkdir(parents=True)
    (folder / "seg/prod").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(NotThere):
        store.get(KEY)
    with pytest.raises(Refused):
        put(store, "seg/prod/two", b"2")
    with pytest.raises(Refused):
        store.delete(KEY, None)
    assert [each.key for each in store.list()] == ["seg/prod"]
    assert list(store.list("seg/prod/")) == []
    assert everything_in(tmp_path / "elsewhere") == ["one"]


def test_a_link_is_deleted_and_not_what_it_leads_to(
    store: Store, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").write_bytes(b"1")
    (folder / "seg/prod").mkdir(parents=True)
    (folder / KEY).symlink_to(tmp_path / "elsewhere")

    store.delete(KEY, None)

    assert (tmp_path / "elsewhere").exists()
    assert list(store.list()) == []


def test_a_pipe_in_the_place_of_an_object_is_damage_at_once(store: Store, folder: Path) -> None:
    (folder / "seg/prod").mkdir(parents=True)
    os.mkfifo(folder / KEY)

    with pytest.raises(Damaged):
        store.get(KEY)
    with pytest.raises(AlreadyThere):
        put(store, KEY, b"1")


def test_what_others_put_there_is_listed_whatever_its_name(store: Store, folder: Path) -> None:
    put(store, KEY, b"1")
    for name in ("Seg", "seg/prod/ONE", "seg/prod/.hidden", "seg/prod/new\nline", "seg/prod/é"):
        (folder / name).write_bytes(b"1")
    Path(os.fsdecode(os.fsencode(folder) + b"/seg/\xff\xfe")).write_bytes(b"1")

    assert [each.key for each in store.list()] == [
        "Seg",
        "seg/prod/.hidden",
        "seg/prod/ONE",
        "seg/prod/new\nline",
        KEY,
        "seg/prod/é",
        "seg/\\xff\\xfe",
    ]


def test_folders_deeper_than_any_key_are_listed_and_not_entered(store: Store, folder: Path) -> None:
    deep = "/".join(["d"] * 16)
    (folder / deep).mkdir(parents=True)
    (folder / deep / "file").write_bytes(b"1")

    assert [each.key for each in store.list()] == [f"{deep}/"]


def test_an_object_is_nobodys_folder(store: Store) -> None:
    put(store, "seg/prod", b"1")

    with pytest.raises(Refused, match="not a folder"):
        put(store, KEY, b"1")
    with pytest.raises(AlreadyThere):
        put(store, "seg", b"1")
