"""Memory outside the archive: what confirms that nobody, the key holder included, rewrote it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from kcompliance.archive.log import Commit, LogReader
from kcompliance.archive.verify.interface import OutsideMemory, OutsideResult
from kcompliance.ledger import Fault, FindingCode, Pin, Trust, checkpoint_name, leaf_hash

__all__ = ["PinWatch", "not_checked", "unanchored"]


@dataclass(slots=True)
class PinWatch:
    """Sees commit after commit, and keeps the root at the size that the pin remembers.

    That size need not be one that was ever signed: the tree is hashed up to there.
    """

    pin: Pin | None
    _root: bytes | None = field(default=None, init=False)

    def see(self, commit: Commit) -> None:
        """Take the leaves of one more commit into account."""
        pin, batch = self.pin, commit.batch
        if pin is None or not batch.start < pin.size <= commit.after.size:
            return
        if pin.size == commit.after.size:
            self._root = commit.after.root
        else:
            first = map(leaf_hash, batch.leaves[: pin.size - batch.start])
            self._root = batch.before.extended(first).root

    def memory(self, reader: LogReader) -> tuple[OutsideMemory | None, Fault | None]:
        """What the pin says, once the log was read to its end."""
        pin = self.pin
        if pin is None:
            return None, None
        shown = f"size {pin.size}, root {pin.root.hex()}"
        root = self._root
        for signed in reader.alone.values():
            if signed.checkpoint.size == pin.size:
                root = signed.checkpoint.root
        if root == pin.root:
            return _memory(OutsideResult.FITS, shown), None
        if root is not None:
            detail = f"at size {pin.size} the root is {root.hex()}, not {pin.root.hex()}"
            fault = Fault(code=FindingCode.FORK_VS_PIN, detail=detail)
        elif reader.unread or reader.end is None or pin.size <= reader.signed_size:
            detail = f"{shown}: the records up to there could not be read"
            return _memory(OutsideResult.NOT_COMPARED, detail), None
        else:
            detail = f"{reader.signed_size} records, where the pin remembers {pin.size}"
            fault = Fault(
                code=FindingCode.ROLLBACK_VS_PIN,
                detail=detail,
                object=checkpoint_name(reader.end.number + 1),
                caused_by=reader.lost[-1] if reader.lost else None,
            )
        return _memory(OutsideResult.CONTRADICTS, fault.detail), fault


def not_checked(trust: Trust) -> list[OutsideMemory]:
    """The memories of a trust file that this kcompliance cannot check."""
    detail = "this kcompliance does not check it"
    kinds = ["tsa"] * len(trust.tsas) + ["witness"] * len(trust.witnesses)
    return [
        OutsideMemory(kind=kind, result=OutsideResult.NOT_CHECKED, detail=detail) for kind in kinds
    ]


def unanchored(trust: Trust, memories: Sequence[OutsideMemory]) -> Fault | None:
    """UNANCHORED, where fewer memories fit than have to.

    Not where one contradicts the archive: that is told already.
    """
    fitting = [each.kind for each in memories if each.result is OutsideResult.FITS]
    wanted = trust.require.outside
    if len(fitting) >= wanted:
        return None
    if any(each.result is OutsideResult.CONTRADICTS for each in memories):
        return None
    shown = ", ".join(fitting) or "none"
    detail = f"memories outside the archive that confirm it: {shown}; {wanted} required"
    return Fault(code=FindingCode.UNANCHORED, detail=detail)


def _memory(result: OutsideResult, detail: str) -> OutsideMemory:
    return OutsideMemory(kind="pin", result=result, detail=detail)
