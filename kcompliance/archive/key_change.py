"""Changes of an archive's keys: a rotation or a revocation, as a commit of its own.

Each try has an intent and so a run of its own. A try that loses its commit to another writer
leaves the intent of a run that never committed, and that is what the next run of a stream
explains.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import uuid4

from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_random_exponential

from kcompliance.archive.catalogue import Catalogue, read_catalogue
from kcompliance.archive.commit import CommitError, Lost, Writer
from kcompliance.archive.log import LogEnd
from kcompliance.archive.run_object import Intent, reference_to, write_intent
from kcompliance.errors import UsageError
from kcompliance.ledger import (
    KeyRevocationRecord,
    KeyRotationRecord,
    KeySigner,
    LockMode,
    Period,
    Signer,
    Trust,
    VerifierKey,
    run_name,
    verifier_key,
)
from kcompliance.ledger.note import PrivateKey, PublicKey
from kcompliance.model.digest import sha256
from kcompliance.stores.interface import LockMode as StoreLockMode
from kcompliance.stores.interface import Store

__all__ = ["MAX_REASON", "KeyChange", "revoke_key", "rotate_key"]

MAX_REASON: Final = 1000
"""Characters."""

_TRIES: Final = 8
_LOG_IS_KEPT_LONGER: Final = Period(years=1)

OpenStore = Callable[[StoreLockMode], Store]
"""Opens the archive's store such that what is locked is locked in this mode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyChange:
    """Who changes the keys of which archive, and what they know of it."""

    open_store: OpenStore
    trust: Trust | None
    """None: the archive is only asked whether it agrees with itself."""
    actor: str
    tool: str
    clock: Callable[[], datetime]
    """Aware; fractions of seconds are dropped."""


def rotate_key(change: KeyChange, old: PrivateKey, new: PrivateKey, *, keep_old: bool) -> LogEnd:
    """Let a new key sign from now on, in the place of the old one or beside it.

    The commit is signed by both. Raises `UsageError` where the old key may not sign or the new
    one was one of the archive's keys before, `NotAsSigned` where the log is not sound,
    `CommitError` and `StoreError`.
    """

    def record(catalogue: Catalogue, now: datetime) -> KeyRotationRecord:
        old_key = _may_sign(catalogue, old.public_key())
        new_key = verifier_key(catalogue.origin, new.public_key())
        if any(each.key == new_key for each in catalogue.end.keys.keys):
            raise UsageError(
                f"the new key {new_key.id.hex()} is, or was, one of this archive's keys",
                "a key that was replaced or revoked never comes back: "
                "kcompliance keys new --out KEY",
            )
        return KeyRotationRecord(vkey=new_key, replaces=None if keep_old else old_key, time=now)

    return _committed(change, record, [old, new])


def revoke_key(
    change: KeyChange,
    key: PrivateKey,
    revoked: PublicKey | VerifierKey,
    *,
    compromised: datetime | None,
    reason: str,
) -> LogEnd:
    """Take a key's right to sign from now on; another of the archive's keys signs for that.

    Raises `UsageError` where the revoked key is the one that signs, is none of this archive or
    was revoked before, and what `rotate_key` raises.
    """
    if not reason.strip() or len(reason) > MAX_REASON:
        raise UsageError(f"a reason has 1 to {MAX_REASON} characters", "say it in a sentence")

    def record(catalogue: Catalogue, now: datetime) -> KeyRevocationRecord:
        own = _may_sign(catalogue, key.public_key())
        lost = revoked
        if not isinstance(lost, VerifierKey):
            lost = verifier_key(catalogue.origin, lost)
        if lost == own:
            raise UsageError(
                f"the key {lost.id.hex()} cannot revoke itself",
                "sign with a remaining key; "
                "if it is the only one, put another in its place: kcompliance keys rotate",
            )
        if all(each.key != lost for each in catalogue.end.keys.keys):
            raise UsageError(
                f"the key {lost.id.hex()} is none of this archive's keys",
                f'see: kcompliance keys show "{catalogue.url}"',
            )
        if any(each.vkey == lost for each in catalogue.revocations):
            raise UsageError(f"the key {lost.id.hex()} is revoked already")
        if compromised is not None and compromised > now:
            raise UsageError(f"--compromised {compromised:%Y-%m-%dT%H:%M:%SZ} is in the future")
        return KeyRevocationRecord(
            vkey=lost, compromised=compromised, reason=reason.strip(), time=now
        )

    return _committed(change, record, [key])


_MakeRecord = Callable[[Catalogue, datetime], KeyRotationRecord | KeyRevocationRecord]


def _committed(change: KeyChange, record: _MakeRecord, keys: Sequence[PrivateKey]) -> LogEnd:
    """The log's end with the record; tried again where another writer was first."""
    tries = Retrying(
        retry=retry_if_result(lambda end: end is None),
        stop=stop_after_attempt(_TRIES),
        wait=wait_random_exponential(multiplier=0.1, max=5),
        retry_error_callback=lambda _: None,
    )
    end: LogEnd | None = tries(_try_once, change, record, keys)
    if end is None:
        raise CommitError(
            f"other writers were first {_TRIES} times", "try again when fewer are writing"
        )
    return end


def _try_once(change: KeyChange, record: _MakeRecord, keys: Sequence[PrivateKey]) -> LogEnd | None:
    with change.open_store(StoreLockMode.COMPLIANCE) as store:
        catalogue = read_catalogue(store, change.trust)
    catalogue.require_writable()
    now = change.clock().replace(microsecond=0)
    made = record(catalogue, now)
    signers = tuple(KeySigner(catalogue.origin, key) for key in keys)
    with change.open_store(_store_mode(catalogue.lock_mode)) as store:
        writer = Writer(
            store=store,
            origin=catalogue.origin,
            signers=signers,
            actor=change.actor,
            locked_until=_kept_until(catalogue),
        )
        # By the key that is trusted already: nobody knows the new one yet.
        intent, data = _intent(change, catalogue, signers[:1], now)
        store.put_if_absent(
            run_name(intent.id), data, sha256(data), retain_until=_kept_until(catalogue)
        )
        end = writer.next(catalogue.end, [made], reference_to(intent, data), now=now)
    return None if isinstance(end, Lost) else end


def _may_sign(catalogue: Catalogue, public: PublicKey) -> VerifierKey:
    key = verifier_key(catalogue.origin, public)
    size = catalogue.end.frontier.size + 1
    keys = catalogue.end.keys.keys
    if not any(each.key == key and each.may_sign(size) for each in keys):
        able = [each.key.id.hex() for each in keys if each.may_sign(size)]
        raise UsageError(
            f'the key {key.id.hex()} may not sign for "{catalogue.url}"',
            f"the keys that may: {', '.join(able) or 'none'}",
        )
    return key


def _intent(
    change: KeyChange, catalogue: Catalogue, signers: Sequence[Signer], now: datetime
) -> tuple[Intent, bytes]:
    intent = Intent(
        id=uuid4(),
        origin=catalogue.origin,
        stream=None,
        windows=(),
        time=now,
        actor=change.actor,
        tool=change.tool,
    )
    return intent, write_intent(intent, signers)


def _store_mode(mode: LockMode) -> StoreLockMode:
    return StoreLockMode.GOVERNANCE if mode is LockMode.GOVERNANCE else StoreLockMode.COMPLIANCE


def _kept_until(catalogue: Catalogue) -> datetime | None:
    """The log is locked a year longer than anything that it speaks of, if anything is locked."""
    if catalogue.lock_mode is LockMode.NONE or catalogue.latest_retention is None:
        return None
    return _LOG_IS_KEPT_LONGER.after(catalogue.latest_retention)
