"""Lines and their times, however a file is cut into pieces."""

import json
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcompliance.archive.files.lines import LineCount, chunks, without_blanks
from kcompliance.archive.files.times import span_of
from tests.archive.files.trail import NOW, START, event

PIECES = st.lists(st.text("a \r\n\t", min_size=1, max_size=8).map(str.encode), max_size=12)


@given(PIECES)
def test_lines_are_counted_alike_by_both_counts(pieces: list[bytes]) -> None:
    counted = LineCount()
    for piece in pieces:
        counted.add(piece)
    whole = b"".join(pieces)
    whole = whole[: whole.rfind(b"\n") + 1]
    wanted = [line + b"\n" for line in whole.split(b"\n") if line.strip()]
    assert counted.lines == len(wanted)
    if whole:
        assert without_blanks(whole) == (b"".join(wanted), len(wanted))


@given(PIECES, st.integers(1, 20))
def test_chunks_are_whole_lines_and_nothing_is_lost(pieces: list[bytes], size: int) -> None:
    given_back = list(chunks(iter(pieces), "x", 0, size, 1000))
    whole = b"".join(pieces)
    assert b"".join(given_back) == whole[: whole.rfind(b"\n") + 1]
    assert all(each.endswith(b"\n") for each in given_back)


FIELD = "requestReceivedTimestamp"
T1, T2 = "2026-07-01T00:00:01Z", "2026-07-01T00:00:02.5Z"


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


TIMES: dict[str, tuple[list[object], tuple[datetime, datetime] | None]] = {
    "own": ([{FIELD: T2}, {FIELD: T1}], (at(1), at(2.5))),
    "own-before-others": ([{FIELD: T1, "time": T2, "stageTimestamp": T2}], (at(1), at(1))),
    "azure": ([{"time": "2026-07-01T00:00:02.5000000Z", "category": "kube-audit"}], (at(2.5),) * 2),
    "stage": ([{"stageTimestamp": T1}], (at(1), at(1))),
    "zone": ([{FIELD: "2026-07-01T02:00:01+02:00"}], (at(1), at(1))),
    "none": ([{}, {FIELD: None}], None),
    "no-zone": ([{FIELD: "2026-07-01T00:00:01"}], None),
    "junk-is-passed-over": ([{FIELD: 5}, {FIELD: "x"}, {FIELD: T1}, 7, []], (at(1), at(1))),
    "before-kubernetes": ([{FIELD: "1970-01-01T00:00:00Z"}, {FIELD: T1}], (at(1), at(1))),
    "year-one": ([{FIELD: "0001-01-01T00:00:00+23:00"}], None),
    "after-tomorrow": ([{FIELD: "9999-12-31T23:59:59Z"}, {FIELD: T1}], (at(1), at(1))),
    "in-an-object": ([{FIELD: T1, "requestObject": {FIELD: T2}}], (at(1), at(1))),
    "in-an-object-alone": ([{"requestObject": {FIELD: T2}}], None),
    "wrapped": ([{"log": event(4).decode()}, {"_source": json.loads(event(5))}], (at(4), at(5))),
}


@pytest.mark.parametrize("case", TIMES)
def test_times_are_those_of_the_events(case: str) -> None:
    documents, wanted = TIMES[case]
    lines = b"".join(json.dumps(each).encode() + b"\n" for each in documents)
    assert span_of(lines, len(documents), NOW) == (wanted or (None, None))


def test_a_line_that_is_cut_takes_no_time_from_the_next() -> None:
    lines = b'{"a":\n' + event(3) + b"}\n" + event(4)
    assert span_of(lines, 4, NOW) == (at(3), at(4))
    halves = b'{"time":"2026-07-01T00:00:01Z","a":\n{}}\n'
    assert span_of(halves, 2, NOW) == (None, None)
