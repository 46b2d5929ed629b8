"""Gaps, overlaps, missing streams and silence: 31 to 34."""

import os
from dataclasses import replace
from datetime import timedelta

import pytest

from kcompliance.errors import ExitCode
from kcompliance.ledger import ExpectedStream, FindingCode, Require, StreamName
from tests.archive.building import AUDIT, window_at, window_record
from tests.attacks.victim import HOURS, Victim
from tests.ledger.samples import HOUR, JULY

OTHER = StreamName("prod/other")


def test_31_a_window_is_missing(victim: Victim) -> None:
    victim.builder.archive(HOURS + 1)
    victim.pinned_now()

    fault = victim.must_be("WINDOW_GAP", exit_code=ExitCode.INCOMPLETE)

    assert (fault.stream, fault.start, fault.end) == (
        AUDIT,
        "2026-07-01T04:00:00Z",
        "2026-07-01T05:00:00Z",
    )
    assert [gap.start for gap in victim.verified().streams[0].gaps] == [fault.start]


def test_32_two_windows_overlap(victim: Victim) -> None:
    window = window_at(HOURS - 1, hours=2)
    made = victim.builder.segments(window)
    victim.builder.commit(*made, window_record(window, made))
    victim.pinned_now()

    victim.must_be("WINDOW_OVERLAP", exit_code=ExitCode.INCOMPLETE)


def test_32_a_window_is_archived_twice(victim: Victim) -> None:
    victim.builder.archive(1, docs=6, seed="again")
    victim.pinned_now()

    victim.must_be("WINDOW_OVERLAP", exit_code=ExitCode.INCOMPLETE)


def test_33_a_whole_stream_is_missing(victim: Victim) -> None:
    trust = replace(victim.trust, streams=(ExpectedStream(name=OTHER),))

    fault = victim.must_be("STREAM_MISSING", exit_code=ExitCode.INCOMPLETE, trust=trust)

    assert fault.stream == OTHER


@pytest.mark.parametrize(("hours", "is_stale"), [(1, True), (2, False)])
def test_33_a_stream_does_not_grow(victim: Victim, hours: int, is_stale: bool) -> None:
    expected = ExpectedStream(name=AUDIT, cadence=timedelta(hours=hours))
    trust = replace(victim.trust, streams=(expected,))
    victim.as_of = JULY + (HOURS + 1.5) * HOUR

    if is_stale:
        victim.must_be("STREAM_STALE", exit_code=ExitCode.INCOMPLETE, trust=trust)
    else:
        assert victim.verified(trust=trust).exit_code is ExitCode.GOOD


@pytest.mark.parametrize(("hours", "is_stale"), [(24, True), (26, False)])
def test_34_the_archiver_is_silent(victim: Victim, hours: int, is_stale: bool) -> None:
    trust = replace(victim.trust, require=Require(max_age=timedelta(hours=hours)))
    victim.as_of += timedelta(hours=25)

    if is_stale:
        victim.must_be("STALE", exit_code=ExitCode.INCOMPLETE, trust=trust)
    else:
        assert victim.verified(trust=trust).exit_code is ExitCode.GOOD


def test_a_gap_never_makes_tampering_less(victim: Victim) -> None:
    victim.builder.archive(HOURS + 1)
    victim.pinned_now()
    path = victim.segments[0]
    victim.write(path, b"x")
    os.utime(path, (0, 0))

    found = victim.verified()

    assert found.exit_code is ExitCode.FINDINGS
    codes = {each.code for each in found.findings}
    assert FindingCode.WINDOW_GAP in codes
    assert len(codes) == 2
