"""Runs in this process, by a clock and a key of the test's own."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kcompliance.archive.export import Meter
from kcompliance.archive.export_pool import ThreadPool
from kcompliance.archive.interface import Source, TimeRange
from kcompliance.archive.log import LogEnd
from kcompliance.archive.opening import open_archive
from kcompliance.archive.run import ArchiveRun, RunOptions, RunResult, Watcher
from kcompliance.archive.spool import Spool
from kcompliance.ledger import (
    KeySigner,
    LockMode,
    Period,
    Pin,
    StreamName,
    Trust,
    TrustedKey,
    WindowRecord,
)
from kcompliance.stores.interface import Store
from tests.archive.check_archive import CheckedArchive, check_archive
from tests.ledger.samples import STREAM, ed25519_signer

__all__ = ["NOW", "Archiver", "now"]

NOW = datetime.now(UTC).replace(microsecond=0)
"""Of most runs: verify takes nothing from the future, and stores date what they are given."""


def now() -> datetime:
    """The clock of most runs."""
    return NOW


class Silent(Watcher):
    """Is told nothing that matters."""

    def sealed(self, windows: Sequence[WindowRecord]) -> None:
        """See `Watcher`."""

    def committed(self, end: LogEnd) -> None:
        """See `Watcher`."""


@dataclass(kw_only=True)
class Archiver:
    """Who archives into one store, run after run; `trust` grows with the archive."""

    store: Store
    stream: StreamName = STREAM
    seed: int = 1
    retain: Period = field(default_factory=lambda: Period(years=2))
    lock: LockMode = LockMode.NONE
    threads: int = 2
    trust: Trust | None = None
    clock: Callable[[], datetime] = now
    watcher: Watcher = field(default_factory=Silent)

    def prepare(self, source: Source, folder: Path, *, rebind: bool = False) -> ArchiveRun:
        """A run that has opened the archive and done nothing yet."""
        return ArchiveRun(
            store=self.store,
            source=source,
            pool=ThreadPool(
                self.threads,
                source=source,
                store=self.store,
                stream=self.stream,
                spool=folder,
                meter=Meter(),
            ),
            opened=open_archive(self.store, self.sign_as, self.stream, trust=self.trust),
            options=RunOptions(
                stream=self.stream,
                retain=self.retain,
                lock=self.lock,
                rebind=rebind,
                actor="somebody",
                tool="kcompliance/0.1.0",
            ),
            clock=self.clock,
            watcher=self.watcher,
        )

    def run(
        self, source: Source, wanted: TimeRange | None = None, *, rebind: bool = False
    ) -> RunResult:
        """Archive what is wanted and new."""
        wanted = wanted or TimeRange(start=None, end=None)
        with tempfile.TemporaryDirectory() as folder, Spool(Path(folder)) as spool:
            run = self.prepare(source, spool.path, rebind=rebind)
            with run.pool:
                run.binding()
                planned = source.plan(wanted, run.opened.state.archived, now=self.clock())
                result = run.execute(planned)
            assert list(spool.path.glob("*.partial")) == []
        self._remember(run.opened.origin, result)
        return result

    def sign_as(self, name: str) -> KeySigner:
        return ed25519_signer(name, self.seed)

    def check(
        self, lines: Sequence[bytes], *, foreign: Sequence[str] = (), gaps: int = 0
    ) -> CheckedArchive:
        """See `check_archive`."""
        return check_archive(self.store, lines, trust=self.trust, foreign=foreign, gaps=gaps)

    def at(self, moment: datetime | timedelta) -> "Archiver":
        """Let the clock say this; or so much after `NOW`."""
        said = NOW + moment if isinstance(moment, timedelta) else moment
        self.clock = lambda: said
        return self

    def _remember(self, origin: str, result: RunResult) -> None:
        assert result.end is not None
        keys = (TrustedKey(key=self.sign_as(origin).key),)
        pin = Pin(size=result.end.frontier.size, root=result.end.frontier.root)
        self.trust = Trust(origin=origin, keys=keys, pin=pin)
