"""The codes: stable names, an exit class for each, and the order in which they count."""

import pytest

from kcompliance.errors import ExitCode
from kcompliance.ledger import Fault, FindingCode, exit_code_of

# What the attack table asks of each code. A code never changes its class without this noticing.
TAMPERING = (
    "SEGMENT_MODIFIED",
    "SEGMENT_TRUNCATED",
    "SEGMENT_TRAILING_DATA",
    "SEGMENT_MISSING",
    "EVENTS_ROOT",
    "BOMB",
    "METADATA_MODIFIED",
    "METADATA_MISSING",
    "RUN_MODIFIED",
    "RUN_MISSING",
    "UNEXPECTED_OBJECT",
    "UNSAFE_PATH",
    "SYMLINK",
    "NOT_REGULAR",
    "NAME_COLLISION",
    "SHADOW_VERSION",
    "DELETE_MARKER",
    "NO_CHECKPOINT",
    "CHECKPOINT_MALFORMED",
    "SIG_INVALID",
    "KEY_OUT_OF_RANGE",
    "WRONG_ORIGIN",
    "LEAF_MISSING",
    "LEAF_MALFORMED",
    "ROOT_MISMATCH",
    "CHAIN_BROKEN",
    "PROOF_INVALID",
    "SIZE_REGRESSION",
    "ROLLBACK_VS_PIN",
    "FORK_VS_PIN",
    "CLOCK_ROLLBACK",
    "TIME_FUTURE",
)
INCOMPLETE = (
    "UNCOMMITTED",
    "WORM_WEAK",
    "UNTRUSTED_KEY",
    "UNSUPPORTED_RECORD",
    "UNANCHORED",
    "STALE",
    "WINDOW_GAP",
    "WINDOW_OVERLAP",
    "STREAM_MISSING",
    "STREAM_STALE",
    "COPY_MISMATCH",
    "SOURCE_MISMATCH",
)
READ_FAILED = ["READ_FAILED"]


def test_every_code_has_its_class() -> None:
    classes = {
        **dict.fromkeys(TAMPERING, 1),
        **dict.fromkeys(INCOMPLETE, 3),
        **dict.fromkeys(READ_FAILED, 4),
    }
    assert {code.value: int(code.exit_code) for code in FindingCode} == classes


def test_a_code_is_called_what_it_says() -> None:
    assert all(code.name == code.value == str(code) for code in FindingCode)
    assert FindingCode["BOMB"] is FindingCode.BOMB


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ([], ExitCode.GOOD),
        (["STALE"], ExitCode.INCOMPLETE),
        (["STALE", "READ_FAILED"], ExitCode.COULD_NOT_RUN),
        (["STALE", "READ_FAILED", "BOMB"], ExitCode.FINDINGS),
        (["READ_FAILED", "BOMB"], ExitCode.FINDINGS),
    ],
)
def test_a_fault_that_was_found_stands(codes: list[str], expected: ExitCode) -> None:
    faults = [Fault(code=FindingCode[code], detail="") for code in codes]
    assert exit_code_of(faults) is expected
    assert exit_code_of(reversed(faults)) is expected
