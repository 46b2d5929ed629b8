"""Opens an archive for commands that only look at it, and tells what is wrong with its log."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from kcompliance.cli.store_options import open_archive_store, store_options, trust_of
from kcompliance.cli.terminal import note
from kcompliance.errors import UsageError

if TYPE_CHECKING:
    from kcompliance.archive.catalogue import Catalogue
    from kcompliance.ledger import Fault
    from kcompliance.stores import Store

__all__ = ["moment", "note_untrusted", "opened_catalogue", "tell_faults"]

_SHOWN_FAULTS = 10


@contextmanager
def opened_catalogue(
    archive: str,
    trust: Path | None,
    endpoint: str | None,
    region: str | None,
    *,
    leaf_hashes: bool = False,
) -> "Iterator[tuple[Store, Catalogue]]":
    """The archive's store and what its log says; faults of the log are for the caller to judge."""
    from kcompliance.archive.catalogue import read_catalogue

    known = trust_of(trust)
    with open_archive_store(archive, store_options(endpoint, region)) as store:
        yield store, read_catalogue(store, known, leaf_hashes=leaf_hashes)


def tell_faults(faults: "Iterable[Fault]") -> None:
    """What is wrong with the log, or missing, on standard error."""
    from kcompliance.report.printable import printable

    told = list(faults)
    for fault in told[:_SHOWN_FAULTS]:
        place = f" {fault.object}:" if fault.object else ""
        if fault.stream is not None and fault.start is not None:
            place = f" {fault.stream} from {fault.start} to {fault.end}:"
        note(printable(f"{fault.code}:{place} {fault.detail}"))
    if len(told) > _SHOWN_FAULTS:
        note(f"and {len(told) - _SHOWN_FAULTS} more; see: kcompliance verify")


def note_untrusted(catalogue: "Catalogue") -> None:
    """Say where nothing but the archive itself vouches for what is shown."""
    if not catalogue.trusted:
        note("without --trust this is only what the archive says of itself")


def moment(option: str, text: str | None) -> datetime | None:
    """A moment as the user wrote it, in UTC; `UsageError` for one without a zone."""
    if text is None:
        return None
    example = "RFC 3339 with a zone, for example 2026-07-01T00:00:00Z"
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f'{option} "{text}" is no moment', example) from None
    if parsed.tzinfo is None:
        raise UsageError(f'{option} "{text}" has no time zone', example)
    try:
        return parsed.astimezone(UTC)
    except OverflowError:
        raise UsageError(f'{option} "{text}" is no moment', example) from None
