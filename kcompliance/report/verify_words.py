"""What each finding of `verify` means, and what to do about it, in a sentence each."""

from collections.abc import Mapping
from dataclasses import dataclass

from kcompliance.errors import ExitCode
from kcompliance.ledger import FindingCode

__all__ = ["VERDICTS", "WORDS", "Words"]


@dataclass(frozen=True, slots=True)
class Words:
    """For people who meet a code for the first time."""

    meaning: str
    remedy: str


VERDICTS: Mapping[ExitCode, str] = {
    ExitCode.GOOD: "VERIFIED",
    ExitCode.FINDINGS: "TAMPERED",
    ExitCode.INCOMPLETE: "INCOMPLETE",
    ExitCode.COULD_NOT_RUN: "UNREADABLE",
}

_RESTORE = "keep it as evidence, find out who wrote there, and restore it from a copy"
_LOG_CHANGED = "keep the archive as it is, find out who wrote there, and compare it with a copy"
_NOT_OURS = "find out who put it there; remove it only once that is known"
_SOURCE = "if the source still holds the events: kcompliance archive run for that time"

WORDS: Mapping[FindingCode, Words] = {
    FindingCode.SEGMENT_MODIFIED: Words(
        "a segment holds other bytes than were signed for it", _RESTORE
    ),
    FindingCode.SEGMENT_TRUNCATED: Words("a segment ends too early", _RESTORE),
    FindingCode.SEGMENT_TRAILING_DATA: Words("something was appended to a segment", _RESTORE),
    FindingCode.SEGMENT_MISSING: Words(
        "a segment is gone, and no record says that it may be",
        "restore it from a copy or from an older version; find out who deleted it",
    ),
    FindingCode.EVENTS_ROOT: Words(
        "the events of a segment are not those that its record names, or in another order",
        "whoever holds the key wrote this record: have it explained",
    ),
    FindingCode.BOMB: Words(
        "an object claims or makes far more data than it can hold; it was not read further",
        "do not decompress it; " + _RESTORE,
    ),
    FindingCode.METADATA_MODIFIED: Words(
        "saved index settings hold other bytes than were signed for them", _RESTORE
    ),
    FindingCode.METADATA_MISSING: Words("saved index settings are gone", _RESTORE),
    FindingCode.RUN_MODIFIED: Words(
        "the signed intent of a run is not the one that its commit names", _RESTORE
    ),
    FindingCode.RUN_MISSING: Words("the signed intent of a committed run is gone", _RESTORE),
    FindingCode.UNEXPECTED_OBJECT: Words("an object that no record explains", _NOT_OURS),
    FindingCode.UNCOMMITTED: Words(
        "an object that no commit names yet: a run is at work, or it died",
        "verify again when no run is at work; the next run explains what a dead one left",
    ),
    FindingCode.UNSAFE_PATH: Words(
        "a signed record names an object by a path that leads elsewhere; nothing was read there",
        "whoever holds the key wrote this record: treat the key as stolen",
    ),
    FindingCode.SYMLINK: Words("an object was replaced by a link; it was not followed", _RESTORE),
    FindingCode.NOT_REGULAR: Words(
        "an object was replaced by a pipe, a device or a socket; it was not opened", _RESTORE
    ),
    FindingCode.NAME_COLLISION: Words(
        "two names that other file systems take for one: a copy would lose or mix them", _NOT_OURS
    ),
    FindingCode.SHADOW_VERSION: Words(
        "a newer version hides what was archived",
        "the archived version is still there: delete the newer one by its version id",
    ),
    FindingCode.DELETE_MARKER: Words(
        "a delete marker hides what was archived",
        "the archived version is still there: delete the marker by its version id",
    ),
    FindingCode.WORM_WEAK: Words(
        "an object can be deleted earlier, or more easily, than was promised",
        "extend its lock; look at the bucket's or container's lock settings",
    ),
    FindingCode.NO_CHECKPOINT: Words(
        "there is not one checkpoint: everything was deleted, or this is no archive",
        "is this the right place? Then restore it from a copy",
    ),
    FindingCode.CHECKPOINT_MALFORMED: Words(
        "at a checkpoint's name lies something that is none", _NOT_OURS
    ),
    FindingCode.SIG_INVALID: Words(
        "no key that you trust signed this checkpoint",
        "is this the trust file of this archive? Then the checkpoint is forged: " + _LOG_CHANGED,
    ),
    FindingCode.UNTRUSTED_KEY: Words(
        "the archive agrees with itself, but nobody you trust vouches for its key",
        "give the archive's trust file with --trust",
    ),
    FindingCode.KEY_OUT_OF_RANGE: Words(
        "a key signed after it was revoked or replaced, or outside of its range",
        "whoever has the old key wrote this: " + _LOG_CHANGED,
    ),
    FindingCode.WRONG_ORIGIN: Words(
        "a checkpoint of another archive",
        "is this the trust file of this archive? If so, somebody put another archive here",
    ),
    FindingCode.LEAF_MISSING: Words("committed records are gone", _LOG_CHANGED),
    FindingCode.LEAF_MALFORMED: Words(
        "a record is not what any kcompliance writes, or contradicts others", _LOG_CHANGED
    ),
    FindingCode.UNSUPPORTED_RECORD: Words(
        "a later kcompliance wrote this, and this one does not understand it",
        "verify with a newer kcompliance",
    ),
    FindingCode.ROOT_MISMATCH: Words("the records are not those that were signed", _LOG_CHANGED),
    FindingCode.CHAIN_BROKEN: Words(
        "a commit does not follow the one before it: one was removed, or written anew",
        _LOG_CHANGED,
    ),
    FindingCode.PROOF_INVALID: Words("a proof does not lead to its root", "ask for another proof"),
    FindingCode.SIZE_REGRESSION: Words(
        "an old checkpoint was put in a newer one's place", _LOG_CHANGED
    ),
    FindingCode.ROLLBACK_VS_PIN: Words(
        "the archive was longer when you pinned it: its end was cut off",
        "restore what is missing from a copy or from older versions",
    ),
    FindingCode.FORK_VS_PIN: Words(
        "the archive was another one when you pinned it: who holds the key rewrote it",
        "treat the key as stolen and this archive as forged; look for an older copy",
    ),
    FindingCode.UNANCHORED: Words(
        "nothing outside the archive confirms it: who holds the key could have rewritten it",
        "keep a pin in the trust file, or lock the archive and verify with --live",
    ),
    FindingCode.STALE: Words(
        "nothing was committed for longer than the trust file allows",
        "look at the archiver; a cut-off end looks the same, unless a pin remembers it",
    ),
    FindingCode.CLOCK_ROLLBACK: Words(
        "a commit is dated before the one that it follows",
        "look at the archiver's clock; dates in between prove nothing",
    ),
    FindingCode.TIME_FUTURE: Words(
        "a commit is dated in the future",
        "look at the clocks of the archiver and of this machine",
    ),
    FindingCode.WINDOW_GAP: Words("no window covers this part of a stream", _SOURCE),
    FindingCode.WINDOW_OVERLAP: Words(
        "two windows cover this part of a stream: events may be there twice",
        "count events by their _id there; find out why it was archived twice",
    ),
    FindingCode.STREAM_MISSING: Words(
        "a stream that the trust file expects is not in the archive",
        "archive it, or correct its name in the trust file",
    ),
    FindingCode.STREAM_STALE: Words(
        "a stream has not grown as often as the trust file expects",
        "look at the archiver of this stream",
    ),
    FindingCode.COPY_MISMATCH: Words(
        "the copies of a shard held different numbers of events", "archive with --copy primary"
    ),
    FindingCode.SOURCE_MISMATCH: Words(
        "the source holds other events of this time than were archived",
        "archive what came late; if the archive holds more, the source lost or changed events",
    ),
    FindingCode.READ_FAILED: Words(
        "this could not be read, so nothing is said of it",
        "look at the permissions and the network, and verify again",
    ),
}
