"""An archive in a folder that tests attack, and what its verifier says of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from pathlib import Path

from kcompliance.archive.verify import Request, Verification, verify
from kcompliance.errors import ExitCode
from kcompliance.ledger import Fault, Trust, checkpoint_name
from kcompliance.stores.filesystem import FilesystemStore
from kcompliance.stores.interface import Store
from kcompliance.stores.memory import MemoryStore
from tests.archive.building import Builder, objects_of, stream_record

__all__ = ["Victim", "builder_of", "objects"]

HOURS = 4


def builder_of(store: Store, *, hours: int = HOURS, seed: str = "") -> Builder:
    """The stream, and a window in each commit; always the same bytes."""
    builder = Builder(store=store)
    builder.commit(stream_record(), builder.metadata())
    for hour in range(hours):
        builder.archive(hour, docs=5 + hour, seed=seed)
    return builder


@cache
def _built() -> tuple[Builder, Mapping[str, bytes]]:
    builder = builder_of(MemoryStore())
    return builder, objects_of(builder.store)


def objects() -> dict[str, bytes]:
    """What a victim holds before it is attacked."""
    return dict(_built()[1])


@dataclass(slots=True)
class Victim:
    """An archive in a folder. Its verifier knows the key and has pinned the last checkpoint."""

    folder: Path
    builder: Builder = field(init=False)
    trust: Trust = field(init=False)
    as_of: datetime = field(init=False)

    def __post_init__(self) -> None:
        builder, there = _built()
        for key, data in there.items():
            self.write(self.folder / key, data)
        self.builder = replace(builder, store=FilesystemStore(self.folder))
        self.pinned_now()

    def pinned_now(self) -> None:
        """Let the verifier have seen the archive as it is now."""
        self.trust, self.as_of = self.builder.trust(), self.builder.as_of

    @property
    def unpinned(self) -> Trust:
        return replace(self.trust, pin=None)

    # --- names ----------------------------------------------------------------------------------

    def path(self, key: str) -> Path:
        return self.folder / key

    def key(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()

    @property
    def segments(self) -> list[Path]:
        return sorted((self.folder / "seg").rglob("*.zst"))

    def log(self, number: int) -> Path:
        (path,) = (self.folder / "log").glob(f"{number:012d}-*")
        return path

    def cp(self, number: int) -> Path:
        return self.folder / checkpoint_name(number)

    # --- what is done to it ---------------------------------------------------------------------

    def write(self, path: Path, data: bytes) -> None:
        """Put other bytes there."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(data)

    def delete(self, *paths: Path) -> None:
        for path in paths:
            path.unlink()

    # --- what is said of it ---------------------------------------------------------------------

    def verified(
        self, *, trust: Trust | None = None, trusting: bool = True, level: int = 3
    ) -> Verification:
        known = (trust or self.trust) if trusting else None
        request = Request(trust=known, as_of=self.as_of, level=level)
        return verify(FilesystemStore(self.folder), request)

    def must_be(
        self,
        code: str,
        path: Path | str | None = None,
        *,
        exit_code: ExitCode = ExitCode.FINDINGS,
        trust: Trust | None = None,
        trusting: bool = True,
        level: int = 3,
    ) -> Fault:
        """The one cause that is found, which has to be this one."""
        found = self.verified(trust=trust, trusting=trusting, level=level)
        key = self.key(path) if isinstance(path, Path) else path
        assert [each.code.value for each in found.causes] == [code], found.findings
        assert found.exit_code is exit_code
        (fault,) = found.causes
        assert fault.object == key
        return fault
