"""Programs for Java are put together from what their lock pins, and from nothing else."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.servers.java_program import JavaProgram, read_lock
from tests.servers.parts import ELASTICSEARCH, JAVA, MAVEN
from tests.servers.toolchain import CACHE_VARIABLE, BuildFailed, Unavailable, cache_folder

pytestmark = pytest.mark.integration

LOCK = read_lock(ELASTICSEARCH.module / "jars.lock")
(COMPILER,) = (jar for jar in LOCK if jar.place == "tools")
HELLO = 'class Hello { public static void main(String[] a) { System.out.println("hello"); } }'


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> JavaProgram:
    """A program whose only jar, the compiler, is in a repository on this machine."""
    (jar,) = (ELASTICSEARCH.find() / COMPILER.place).iterdir()
    group, artifact, version, *_ = COMPILER.coordinates.split(":")
    repository = tmp_path / "repository"
    place = repository / group.replace(".", "/") / artifact / version
    place.mkdir(parents=True)
    shutil.copy(jar, place)
    monkeypatch.setenv("M2_REPO", str(repository))

    cache = tmp_path / "cache"
    cache.mkdir()
    for folder in (JAVA.key(), MAVEN.key()):
        if not os.access(folder, os.X_OK):
            (cache / folder).symlink_to(cache_folder() / folder)
    monkeypatch.setenv(CACHE_VARIABLE, str(cache))

    module = tmp_path / "module"
    (module / "lib" / "src").mkdir(parents=True)
    (module / "lib" / "src" / "Hello.java").write_text(HELLO)
    pin(module, COMPILER.sha256)
    return JavaProgram(name="hello", module=module, java=JAVA, maven=MAVEN)


def pin(module: Path, sha256: str) -> None:
    (module / "jars.lock").write_text(f"{COMPILER.place} {COMPILER.coordinates} {sha256}\n")


def test_jars_and_sources_make_a_program(program: JavaProgram) -> None:
    (program.module / "lib" / "settings").write_text("on")
    with pytest.raises(Unavailable, match="not built"):
        program.find()

    folder = program.build()

    assert program.find() == folder
    run = [str(JAVA.find()), "-cp", f"{folder}/lib/*", "Hello"]
    assert subprocess.run(run, check=True, capture_output=True, text=True).stdout == "hello\n"
    assert (folder / "lib" / "settings").read_text() == "on"


def test_a_changed_source_makes_another_program(program: JavaProgram) -> None:
    folder = program.build()
    (program.module / "lib" / "src" / "Hello.java").write_text(HELLO.replace("hello", "bye"))

    assert program.build() != folder


def test_a_jar_that_is_not_the_pinned_one_is_refused(program: JavaProgram) -> None:
    pin(program.module, "0" * 64)

    with pytest.raises(Unavailable, match="is not the file that"):
        program.build()
    with pytest.raises(Unavailable, match="not built"):
        program.find()


def test_sources_that_do_not_compile_are_a_failure(program: JavaProgram) -> None:
    (program.module / "lib" / "src" / "Hello.java").write_text("class Hello { nonsense }")

    with pytest.raises(BuildFailed, match="nonsense"):
        program.build()
