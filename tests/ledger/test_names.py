"""Names of objects: one way to write, the same way back, and nothing unsafe (attack 22)."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcompliance.ledger import (
    AnchorName,
    CheckpointName,
    LogName,
    MetadataName,
    Name,
    RunName,
    SegmentName,
    anchor_name,
    checkpoint_name,
    log_name,
    metadata_name,
    parse_name,
    parse_stream_name,
    run_name,
    segment_name,
    unsafe_because,
)
from kcompliance.ledger.names import MAX_NUMBER
from kcompliance.model.digest import sha256
from tests.ledger.samples import JULY, RUN, STREAM

DIGEST = sha256(b"")
ROOT = bytes.fromhex(DIGEST)
NAMES: dict[str, Name] = {
    f"run/{RUN}.json": RunName(RUN),
    f"seg/prod/k8s-audit/2026/07/01/00/{DIGEST}.ndjson.zst": SegmentName(STREAM, JULY, DIGEST),
    f"seg/prod/k8s-audit/0000/00/00/00/{DIGEST}.ndjson.zst": SegmentName(STREAM, None, DIGEST),
    f"meta/{DIGEST}.json.zst": MetadataName(DIGEST),
    f"log/000000000007-{DIGEST}.ndjson": LogName(7, ROOT),
    "cp/999999999999.ckpt": CheckpointName(MAX_NUMBER),
    "anchor/000000000000.tsr": AnchorName(0, "tsr"),
}


def written(name: Name) -> str:
    match name:
        case RunName(run):
            return run_name(run)
        case SegmentName(stream, hour, digest):
            return segment_name(stream, hour, digest)
        case MetadataName(digest):
            return metadata_name(digest)
        case LogName(number, root):
            return log_name(number, root)
        case CheckpointName(number):
            return checkpoint_name(number)
        case AnchorName(number, kind):
            return anchor_name(number, kind)


@pytest.mark.parametrize("key", NAMES)
def test_names_are_written_and_read(key: str) -> None:
    assert parse_name(key) == NAMES[key]
    assert written(NAMES[key]) == key
    assert unsafe_because(key) is None


def test_a_segment_lies_in_the_utc_hour_of_its_window() -> None:
    somewhere = datetime(2026, 7, 1, 1, 30, tzinfo=timezone(timedelta(hours=3)))
    assert "/2026/06/30/22/" in segment_name(STREAM, somewhere, DIGEST)
    assert "/0001/01/01/00/" in segment_name(STREAM, datetime(1, 1, 1, tzinfo=UTC), DIGEST)


NO_NAMES = [
    "",
    "cp/7.ckpt",
    "cp/0000000000007.ckpt",
    "cp/000000000007.ckpt\n",
    "cp/00000000000\u0667.ckpt",
    "cp/000000000007.CKPT",
    "CP/000000000007.ckpt",
    "/cp/000000000007.ckpt",
    "./cp/000000000007.ckpt",
    "cp//000000000007.ckpt",
    "cp/x/../000000000007.ckpt",
    "cp\\000000000007.ckpt",
    "cp/000000000007.ckpt/",
    "archive/cp/000000000007.ckpt",
    f"log/000000000007-{DIGEST.upper()}.ndjson",
    f"log/000000000007-{DIGEST[1:]}.ndjson",
    f"log/000000000007{DIGEST}.ndjson",
    f"meta/{DIGEST}.json",
    f"meta/{DIGEST}.json.zst.tmp",
    f"run/{str(RUN).upper()}.json",
    f"run/{str(RUN).replace('-', '')}.json",
    f"run/{{{RUN}}}.json",
    f"run/urn:uuid:{RUN}.json",
    "run/../run.json",
    "anchor/000000000007.",
    "anchor/000000000007.TSR",
    "anchor/000000000007.tsr.",
    "anchor/000000000007.a/b",
    f"seg/prod/2026/07/01/00/{DIGEST}.ndjson.zst",
    f"seg/prod/k8s/audit/2026/07/01/00/{DIGEST}.ndjson.zst",
    f"seg/prod/k8s-audit/2026/13/01/00/{DIGEST}.ndjson.zst",
    f"seg/prod/k8s-audit/2026/02/29/00/{DIGEST}.ndjson.zst",
    f"seg/prod/k8s-audit/2026/07/01/24/{DIGEST}.ndjson.zst",
    f"seg/prod/k8s-audit/0000/00/00/01/{DIGEST}.ndjson.zst",
    f"seg/prod/k8s-audit/2026/7/1/0/{DIGEST}.ndjson.zst",
    f"seg/prod/../2026/07/01/00/{DIGEST}.ndjson.zst",
    f"seg/prod/con/2026/07/01/00/{DIGEST}.ndjson.zst",
    f"seg/Prod/k8s-audit/2026/07/01/00/{DIGEST}.ndjson.zst",
]


@pytest.mark.parametrize("key", NO_NAMES)
def test_other_names_are_none(key: str) -> None:
    assert parse_name(key) is None


UNSAFE = {
    "the folder above": "../x",
    "far above": "seg/../../../etc/passwd",
    "above at the end": "seg/..",
    "here": "./seg/x",
    "absolute": "/etc/passwd",
    "two slashes": "//server/share",
    "an empty part": "seg//x",
    "a slash at the end": "seg/",
    "nothing": "",
    "a drive": "C:/x",
    "a drive, relative": "C:x",
    "a stream of Windows": "seg/x:hidden",
    "a backslash": "seg\\x",
    "a share": "\\\\server\\share",
    "a device path": "\\\\?\\C:\\x",
    "NUL": "seg/x\0.zst",
    "a line feed": "seg/x\n",
    "a carriage return": "seg/x\r",
    "delete": "seg/x\x7f",
    "a control character of C1": "seg/x\x85",
    "right to left": "seg/\u202ezst.x",
    "zero width": "seg/\u200bx",
    "half a character": "seg/\ud800",
    "con": "con",
    "NUL the device": "seg/nul",
    "a device with an extension": "seg/Aux.ndjson.zst",
    "a device with two": "lpt1.tar.gz/x",
    "a device with a space": "seg/con .txt",
    "a device with a superscript": "seg/com¹",
    "the console": "seg/CONIN$",
    "a dot at the end": "seg/x.",
    "a space at the end": "seg/x ",
    "a space at the start": "seg/ x",
    "very long": "x" * 2000,
}


@pytest.mark.parametrize("case", UNSAFE)
def test_attack_22_unsafe_paths(case: str) -> None:
    assert unsafe_because(UNSAFE[case])
    assert parse_name(UNSAFE[case]) is None


@pytest.mark.parametrize("key", ["x", "a/b", "console/x", "com/10", "a..b", ".hidden", "seg/ü"])
def test_safe_paths(key: str) -> None:
    assert unsafe_because(key) is None


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("prod/k8s-audit", True),
        ("0/0", True),
        ("a.b_c-d/" + "x" * 63, True),
        ("a/" + "x" * 64, False),
        ("prod", False),
        ("prod/", False),
        ("/prod", False),
        ("a/b/c", False),
        ("A/b", False),
        ("-a/b", False),
        (".a/b", False),
        ("a/..", False),
        ("é/b", False),
        ("a/b\n", False),
        ("a b/c", False),
        ("con/b", False),
        ("a/nul.txt", False),
        ("a./b", False),
        ("", False),
    ],
)
def test_names_of_streams(text: str, *, fits: bool) -> None:
    assert (parse_stream_name(text) is not None) is fits


def test_commit_numbers_have_twelve_digits() -> None:
    for number in (-1, MAX_NUMBER + 1):
        with pytest.raises(ValueError, match="commit number"):
            checkpoint_name(number)


@given(st.text(max_size=120) | st.from_regex(r"(seg|log|cp|run|meta|anchor)/.*"))
def test_whatever_is_a_name_is_safe_and_written_the_same(key: str) -> None:
    name = parse_name(key)
    assert name is None or (written(name) == key and unsafe_because(key) is None)
