"""A target's archive as a scan sees it: it is no collector, so the command line ties it in."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from kcompliance.errors import KcomplianceError
from kcompliance.model.reading import Absent, Capture, Kind, Origin, Raw, Unreadable

__all__ = ["DeclaredArchive"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredArchive:
    """What `archive:` of a target says; `streams` empty: all that the archive has."""

    url: str
    trust: Path | None = None
    streams: tuple[str, ...] = ()
    endpoint: str | None = None
    region: str | None = None

    def __call__(self, now: datetime) -> Capture:
        """Look at it. Whatever is wrong with it is in what comes back."""
        from kcompliance.archive.catalogue import NoArchive
        from kcompliance.archive.evidence import archive_evidence
        from kcompliance.cli.store_options import open_archive_store, store_options, trust_of
        from kcompliance.stores.interface import Refused

        origin = Origin(kind=Kind.ARCHIVE, resource=self.url, collector="archive", collected_at=now)
        try:
            known = trust_of(self.trust)
            with open_archive_store(self.url, store_options(self.endpoint, self.region)) as store:
                content = archive_evidence(store, known, self.streams, now=now)
        except NoArchive as error:
            return Absent(origin=origin, reason=error.message)
        except KcomplianceError as error:
            permission = error.permission if isinstance(error, Refused) else None
            return Unreadable(origin=origin, reason=error.message, permission=permission)
        return Raw(origin=origin, content=content)
