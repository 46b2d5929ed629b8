"""Programs for Java, put together from jars of Maven Central and sources of this checkout.

The Java runtime comes in a wheel, what fetches the jars in another, and the compiler is one of
the jars. `jars.lock` has a line for each file: the folder it is put into, its Maven coordinates
and its SHA-256. It is written by `pin_jars`.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.servers.toolchain import (
    TRIES_TO_DOWNLOAD,
    BuildFailed,
    Unavailable,
    WheelProgram,
    cache_folder,
    digest_of,
    found,
    last_line,
    maven_repository,
    placed,
)

__all__ = ["LOCK", "Jar", "JavaProgram", "read_lock", "run_maven"]

LOCK: Final = "jars.lock"
_CLIENT: Final = Path(__file__).with_name("maven_client.py")
_COMPILER: Final = "tools/ecj-*.jar"
_COMPILED: Final = "own.jar"
_JAVA_VERSION: Final = "21"


@dataclass(frozen=True, slots=True, kw_only=True)
class Jar:
    """A file that the lock pins: `place` is the folder, `sha256` 64 hexadecimal digits."""

    place: str
    coordinates: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JavaProgram:
    """A folder with all that a Java program needs but the Java runtime, laid out as `module` is.

    To the files of `module` come the jars of its lock. A folder of it named `src` is compiled
    into one more jar beside it.
    """

    name: str
    module: Path
    java: WheelProgram
    maven: WheelProgram

    def find(self) -> Path:
        """The folder made of exactly these jars and sources."""
        self.java.find()
        return found(self.name, self._folder(), self.java.own_means)

    def build(self) -> Path:
        """The folder, filled first if these inputs have not been put together yet."""
        self.java.build()
        return placed(self._folder(), self._assemble)

    def _files(self) -> list[Path]:
        return sorted(path for path in self.module.rglob("*") if path.is_file())

    def _folder(self) -> Path:
        contents = {str(path.relative_to(self.module)): path.read_bytes() for path in self._files()}
        recipe = f"{self.java.key()} {_JAVA_VERSION}".encode()
        digest = digest_of({"recipe": recipe, **contents})
        return cache_folder() / f"{self.name.replace(' ', '-')}-{digest}"

    def _assemble(self, folder: Path) -> None:
        self._place_jars(folder)
        for path in self._files():
            if path.suffix != ".java":
                target = folder / path.relative_to(self.module)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, target)
        for sources in sorted(self.module.rglob("src")):
            self._compile(sources, folder, folder / sources.parent.relative_to(self.module))

    def _place_jars(self, folder: Path) -> None:
        jars = read_lock(self.module / LOCK)
        for jar, path in zip(jars, self._fetch(jars), strict=True):
            if hashlib.sha256(path.read_bytes()).hexdigest() != jar.sha256:
                raise Unavailable(
                    self.name,
                    f"{jar.coordinates} is not the file that {LOCK} pins",
                    f"delete {path} and run make servers again",
                )
            (folder / jar.place).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, folder / jar.place / path.name)

    def _fetch(self, jars: list[Jar]) -> list[Path]:
        for _ in range(TRIES_TO_DOWNLOAD):
            done = run_maven(self.maven, "fetch", (jar.coordinates for jar in jars))
            if done.returncode == 0:
                return [Path(line) for line in done.stdout.splitlines()]
        raise Unavailable(
            self.name,
            f"its jars cannot be fetched: {last_line(done.stderr)}",
            "give this machine a way to Maven Central, or a repository that has them (M2_REPO)",
        )

    def _compile(self, sources: Path, folder: Path, place: Path) -> None:
        with tempfile.TemporaryDirectory(prefix="java-", dir=cache_folder()) as classes:
            self._run_compiler(folder, sorted(sources.rglob("*.java")), Path(classes))
            place.mkdir(parents=True, exist_ok=True)
            with zipfile.ZipFile(place / _COMPILED, "w") as jar:
                for path in sorted(Path(classes).rglob("*.class")):
                    jar.write(path, path.relative_to(classes))

    def _run_compiler(self, folder: Path, sources: list[Path], classes: Path) -> None:
        (compiler,) = folder.glob(_COMPILER)
        jars = [str(path) for path in _jars_to_compile_against(folder)]
        levels = ["-source", _JAVA_VERSION, "-target", _JAVA_VERSION]
        done = subprocess.run(
            [
                *[str(self.java.build()), "-jar", str(compiler), "-nowarn", "-proc:none", *levels],
                *["-cp", os.pathsep.join(jars), "-d", str(classes), *map(str, sources)],
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise BuildFailed(f"{self.name} does not compile\n{done.stderr}")


def run_maven(
    maven: WheelProgram, command: str, lines: Iterable[str]
) -> subprocess.CompletedProcess[str]:
    """The outcome of a command of `maven_client` that reads these lines."""
    wheels = maven.build().parents[1]
    return subprocess.run(
        [sys.executable, "-P", str(_CLIENT), command, str(maven_repository())],
        input="\n".join(lines),
        env={**os.environ, "PYTHONPATH": str(wheels)},
        capture_output=True,
        text=True,
        check=False,
    )


def read_lock(lock: Path) -> list[Jar]:
    """What a jars.lock pins, in its order."""
    lines = [line.split() for line in lock.read_text().splitlines() if not line.startswith("#")]
    return [
        Jar(place=place, coordinates=coordinates, sha256=sha256)
        for place, coordinates, sha256 in lines
    ]


def _jars_to_compile_against(folder: Path) -> Iterator[Path]:
    yield from sorted((folder / "lib").glob("*.jar"))
    yield from sorted((folder / "modules").glob("*/*.jar"))
