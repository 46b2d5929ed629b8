"""Verifies whole archives: each module finds one kind of fault, `verifier` puts them in order.

The way of a verification: `listing` knows what lies there, the log's reader what was committed,
`inventory` what that names; `objects` compares the names and `contents` the bytes; `windows`,
`freshness`, `outside` and `locks` judge the whole. Nothing here writes.
"""

from kcompliance.archive.verify.interface import (
    Checked,
    Gap,
    Meter,
    OutsideMemory,
    OutsideResult,
    Request,
    Silent,
    Subset,
    Verification,
    VerifiedCheckpoint,
    VerifiedStream,
)
from kcompliance.archive.verify.verifier import verify

__all__ = [
    "Checked",
    "Gap",
    "Meter",
    "OutsideMemory",
    "OutsideResult",
    "Request",
    "Silent",
    "Subset",
    "Verification",
    "VerifiedCheckpoint",
    "VerifiedStream",
    "verify",
]
