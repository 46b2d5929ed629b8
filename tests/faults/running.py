"""Real runs of the command line in processes of their own, and what they archive."""

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kcompliance.archive.key_files import KeyKind, new_key, write_key
from kcompliance.archive.trust_files import read_trust
from kcompliance.ledger import Trust
from tests.archive.check_archive import CheckedArchive, check_archive
from tests.archive.files.trail import events
from tests.cli.command import environment
from tests.faults.places import RunPlace

__all__ = ["STREAM", "Ended", "Trail", "write_files"]

STREAM = "prod/audit"
_LINES_A_FILE = 3


def write_files(folder: Path, first: int, last: int) -> bytes:
    """Audit log files of a few lines each; what is in them."""
    folder.mkdir(exist_ok=True)
    written = b""
    for number in range(first, last):
        lines = events(number * _LINES_A_FILE, (number + 1) * _LINES_A_FILE - 1)
        (folder / f"audit-{number:05}.log").write_bytes(lines)
        written += lines
    return written


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A run that has ended; a negative code is the signal that has killed it."""

    code: int
    out: str
    err: str

    @property
    def killed(self) -> bool:
        return self.code == -signal.SIGKILL

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(kw_only=True)
class Trail:
    """Audit log files, the place of their archive, a key and a trust file."""

    folder: Path
    place: RunPlace
    files: int
    lines: list[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.lines = write_files(self.source, 0, self.files).splitlines()
        self.new_key(self.key.name)

    @property
    def source(self) -> Path:
        return self.folder / "logs"

    @property
    def key(self) -> Path:
        return self.folder / "archive.key"

    @property
    def trust_file(self) -> Path:
        return self.folder / "trust.toml"

    @property
    def spool(self) -> Path:
        folder = self.folder / "spool"
        folder.mkdir(exist_ok=True)
        return folder

    @property
    def trust(self) -> Trust:
        return read_trust(self.trust_file)

    def new_key(self, name: str) -> Path:
        """A key without a passphrase."""
        write_key(self.folder / name, new_key(KeyKind.ED25519), None)
        return self.folder / name

    def grow(self, files: int) -> None:
        """More files in the source."""
        self.lines += write_files(self.source, self.files, self.files + files).splitlines()
        self.files += files

    def command(
        self, *more: str | Path, stream: str = STREAM, write_trust: bool = True
    ) -> list[str]:
        """The arguments of a run."""
        options = {"--stream": stream, "--key": self.key, "--spool": self.spool}
        if write_trust:
            options["--write-trust"] = self.trust_file
        pairs = [str(part) for pair in options.items() for part in pair]
        files = [] if "--files" in more else ["--files", str(self.source)]
        return ["archive", "run", *self.place.arguments, *pairs, *files, *map(str, more)]

    def start(
        self, arguments: Sequence[str], *, through: Sequence[str] = ("kcompliance",)
    ) -> "subprocess.Popen[bytes]":
        """A run in a process of its own; `through` another module that runs it."""
        return subprocess.Popen(
            [sys.executable, "-B", "-m", *through, *arguments],
            cwd=self.folder,
            env=environment(**self.place.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *more: str | Path) -> Ended:
        """A run to its end."""
        return ended(self.start(self.command(*more)))

    def limited(self, limit: str) -> Ended:
        """A run that may do less: see `limited.py`."""
        return ended(self.start(self.command(), through=["tests.faults.limited", limit]))

    def dying(self, step: str) -> Ended:
        """A run that is killed at a step: see `dying.py`, and `KillingProxy` for servers."""
        proxy = self.place.proxy
        if proxy is None:
            return ended(self.start(self.command(), through=["tests.faults.dying", step]))
        when, _, name = step.rpartition(":")
        after = when == "after"
        if name.isdecimal():
            proxy.kill_at(int(name), after=after)
        else:
            proxy.kill_at_put(name, after=after)
        process = self.start(self.command())
        proxy.watch(process)
        try:
            return ended(process)
        finally:
            proxy.watch(None)

    def check(self, **options: Any) -> CheckedArchive:
        """Everything is archived once, and everything that lies there is explained."""
        with self.place.open() as store:
            trust = self.trust if self.trust_file.exists() else None
            checked = check_archive(store, self.lines, trust=trust, **options)
        assert list(self.spool.iterdir()) == []
        return checked


def ended(process: "subprocess.Popen[bytes]") -> Ended:
    """Wait for a run; fails where it shows a traceback."""
    try:
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
        process.wait()
    told = Ended(code=process.returncode, out=out.decode(), err=err.decode())
    assert "Traceback" not in told.out + told.err, told.err
    assert "kcompliance stopped" not in told.out + told.err, told.err
    return told
