"""Opens an archive for writing: whose it is, whether the key may sign, whether it is sound."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID, uuid4

from kcompliance.archive.log import LogEnd, LogReader
from kcompliance.archive.run_object import MAX_RUN_BYTES, read_intent
from kcompliance.archive.state import ArchiveState, read_state, stops_writing
from kcompliance.errors import ExitCode, KcomplianceError, UsageError
from kcompliance.ledger import (
    Fault,
    FindingCode,
    KeyRing,
    Refused,
    RunName,
    Signer,
    StreamName,
    StreamRecord,
    Trust,
    TrustedKey,
    archive_id_of,
    origin_of,
    parse_canonical,
    parse_name,
)
from kcompliance.stores.interface import NotThere, Store

__all__ = [
    "AnotherSource",
    "ArchiveNotSound",
    "OpenedArchive",
    "SignAs",
    "open_archive",
    "require_signer",
    "require_sound",
]


SignAs = Callable[[str], Signer]
"""The key of who writes, under the name that keys of an archive have: its origin."""


class ArchiveNotSound(KcomplianceError):
    """The archive was tampered with or is damaged: nothing is added before a human has looked."""

    exit_code = ExitCode.FINDINGS

    def __init__(self, message: str, hint: str, *, fault: Fault | None = None) -> None:
        super().__init__(message, hint)
        if fault is not None:
            self.exit_code = fault.code.exit_code

    @property
    def code(self) -> str:
        """A stable name for machines."""
        return "archive-not-sound"


class AnotherSource(UsageError):
    """A stream is bound to another source than the one that it is to be archived from."""

    def __init__(self, bound: StreamRecord, wanted: StreamRecord) -> None:
        super().__init__(
            f'the stream "{bound.stream}" is bound to another source: {_difference(bound, wanted)}',
            "give another --stream, or --rebind if it is the same trail all the same",
        )

    @property
    def code(self) -> str:
        """A stable name for machines."""
        return "another-source"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedArchive:
    """An archive that may be written on; `state.end` is None for one that is not there yet."""

    origin: str
    signer: Signer
    state: ArchiveState
    first_keys: KeyRing | None
    """Those of the trust file, from which reading the log begins; None: those of genesis."""

    @property
    def archive_id(self) -> UUID:
        """The archive's id, which its origin holds."""
        archive_id = archive_id_of(self.origin)
        if archive_id is None:
            raise ValueError(self.origin)
        return archive_id

    @property
    def keys(self) -> KeyRing:
        """All keys that were ever trusted in this archive."""
        if self.state.end is not None:
            return self.state.end.keys
        return KeyRing((TrustedKey(key=self.signer.key),))


def open_archive(
    store: Store, sign_as: SignAs, stream: StreamName, *, trust: Trust | None
) -> OpenedArchive:
    """Read the archive's log and judge whether this key may write on.

    Raises `UsageError` for another archive's trust file or a key that is not this archive's, and
    `ArchiveNotSound`.
    """
    reader = LogReader(
        store,
        origin=trust.origin if trust is not None else None,
        keys=trust.ring if trust is not None else None,
    )
    pin = trust.pin if trust is not None else None
    try:
        state = read_state(reader, stream, pin_size=pin.size if pin is not None else None)
        is_there = True
    except NotThere:
        # A folder that is made with the archive; a bucket has to be there, and a put will say so.
        state, is_there = ArchiveState(stream=stream), False
    if state.end is None:
        return _opened_new(store, sign_as, state, trust, is_there=is_there)
    signer = sign_as(state.end.origin)
    require_sound(store, state)
    require_signer(store, signer, state.end)
    if pin is not None and state.root_at_pin != pin.root:
        behind = state.end.checkpoint.checkpoint.size < pin.size
        code = FindingCode.ROLLBACK_VS_PIN if behind else FindingCode.FORK_VS_PIN
        raise ArchiveNotSound(
            f'"{store.url}" is not the archive that the trust file remembers: {code} '
            f"at size {pin.size}",
            "nothing was written; somebody put an older or another archive there",
        )
    return OpenedArchive(
        origin=state.end.origin,
        signer=signer,
        state=state,
        first_keys=trust.ring if trust else None,
    )


def require_sound(store: Store, state: ArchiveState) -> None:
    """Raise `ArchiveNotSound` where a human has to look first."""
    fault = stops_writing(state)
    if fault is not None:
        place = f"{fault.object}: " if fault.object else ""
        raise ArchiveNotSound(
            f'"{store.url}" is not sound: {fault.code}: {place}{fault.detail}',
            "nothing was committed; see: kcompliance verify",
            fault=fault,
        )


def require_signer(store: Store, signer: Signer, end: LogEnd) -> None:
    """Raise `UsageError` unless this key may sign the next checkpoint."""
    size = end.checkpoint.checkpoint.size + 1
    able = [each.key for each in end.keys.keys if each.may_sign(size)]
    if signer.key not in able:
        raise UsageError(
            f'the key {signer.key.id.hex()} may not sign for "{store.url}"',
            f"give the archive's own key with --key: {', '.join(key.id.hex() for key in able)}",
        )


def _opened_new(
    store: Store, sign_as: SignAs, state: ArchiveState, trust: Trust | None, *, is_there: bool
) -> OpenedArchive:
    """An archive without a commit; one whose first run died keeps the id that this one chose."""
    seen = [fault for fault in state.faults if fault.code is not FindingCode.NO_CHECKPOINT]
    if trust is not None or seen:
        detail = f": {seen[0].code}: {seen[0].detail}" if seen else ""
        of_whom = f" of {trust.origin}" if trust is not None else ""
        raise ArchiveNotSound(
            f'"{store.url}" holds no checkpoint{of_whom} that a trusted key signed{detail}',
            "it is another archive, or it was deleted; for a new archive give an empty place "
            "and a trust file that does not exist yet",
        )
    # In this order: a run that begins at the same time puts its intent before anything else.
    entry = next(iter(store.list()), None) if is_there else None
    origin = _unborn_origin(store, sign_as) if entry is not None else None
    if entry is not None and origin is None:
        raise UsageError(
            f'"{store.url}" holds something else, such as "{entry.key}"',
            "a new archive begins in an empty place",
        )
    origin = origin or origin_of(uuid4())
    return OpenedArchive(origin=origin, signer=sign_as(origin), state=state, first_keys=None)


def _unborn_origin(store: Store, sign_as: SignAs) -> str | None:
    """The origin that a run with this key chose before it died without a commit."""
    for entry in store.list("run/"):
        if not isinstance(parse_name(entry.key), RunName) or entry.size > MAX_RUN_BYTES:
            continue
        data = store.get(entry.key)
        document = parse_canonical(data, limit=MAX_RUN_BYTES)
        run = None if isinstance(document, Refused) else document.get("run")
        origin = run.get("origin") if isinstance(run, dict) else None
        if not isinstance(origin, str) or archive_id_of(origin) is None:
            continue
        ring = KeyRing((TrustedKey(key=sign_as(origin).key),))
        if not isinstance(read_intent(data, origin=origin, keys=ring), Refused):
            return origin
    return None


def _difference(bound: StreamRecord, wanted: StreamRecord) -> str:
    """The first field that is not the same, in words."""
    for name, before, after in (
        ("kind", bound.source.kind, wanted.source.kind),
        ("cluster", bound.source.cluster_uuid, wanted.source.cluster_uuid),
        ("patterns", ", ".join(bound.source.patterns), ", ".join(wanted.source.patterns)),
        ("time field", bound.time_field, wanted.time_field),
        ("filter", bound.filter, wanted.filter),
        ("window in seconds", bound.window_seconds, wanted.window_seconds),
    ):
        if before != after:
            return f"its {name} is {before}, not {after}"
    return "not the same"
