from datetime import timedelta

import pytest

from kcompliance.model.duration import (
    MONTHS_6,
    MONTHS_6_STRICT,
    MONTHS_9,
    MONTHS_9_STRICT,
    YEARS_2,
    YEARS_2_STRICT,
    parse_elastic_duration,
    parse_go_duration,
    parse_iso8601_duration,
)


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ("0", 0),
        ("+0", 0),
        ("-0", 0),
        ("5s", 5_000_000),
        ("1h30m", 5_400_000_000),
        ("1.5h", 5_400_000_000),
        ("-1.5s", -1_500_000),
        ("+5s", 5_000_000),
        (".5s", 500_000),
        ("5.s", 5_000_000),
        ("300ms", 300_000),
        ("7us", 7),
        ("7µs", 7),
        ("7\u03bcs", 7),
        ("1999ns", 1),
        ("-1999ns", -1),
        ("1h0m0s", 3_600_000_000),
        ("30m1h", 5_400_000_000),
        ("9223372036854775807ns", 9_223_372_036_854_775),
        ("-9223372036854775808ns", -9_223_372_036_854_775),
        ("0.3333333333333333333h", 1_200_000_000),
        ("0.100000000000000000000h", 360_000_000),
        ("0." + "0" * 5000 + "1h", 0),
        ("0" * 5000 + "1s", 1_000_000),
    ],
)
def test_a_go_duration_is_read_as_go_reads_it(text: str, microseconds: int) -> None:
    assert parse_go_duration(text) == timedelta(microseconds=microseconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "-",
        "s",
        ".s",
        "1d",
        "1h-5m",
        "--5s",
        "5 s",
        " 5s",
        "5s\n",
        "٣s",
        "1e3s",
        "9223372036854775808ns",
        "2562048h",
        "1" * 5000 + "s",
        "1" * 100_000,
        "00",
    ],
)
def test_what_go_refuses_is_none(text: str) -> None:
    assert parse_go_duration(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30d", timedelta(days=30)),
        ("12h", timedelta(hours=12)),
        ("5m", timedelta(minutes=5)),
        ("90s", timedelta(seconds=90)),
        ("500ms", timedelta(milliseconds=500)),
        ("7micros", timedelta(microseconds=7)),
        ("7000nanos", timedelta(microseconds=7)),
        ("0s", timedelta()),
        ("", None),
        ("30", None),
        ("-1", None),
        ("1.5d", None),
        ("30D", None),
        ("1w", None),
        ("30d\n", None),
        ("99999999999999d", None),
        ("1" * 100_000 + "d", None),
    ],
)
def test_an_elasticsearch_duration(text: str, expected: timedelta | None) -> None:
    assert parse_elastic_duration(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("P180D", timedelta(days=180)),
        ("PT5M", timedelta(minutes=5)),
        ("P1Y", timedelta(days=365)),
        ("P1Y6M", timedelta(days=365 + 180)),
        ("P2W", timedelta(days=14)),
        ("P1DT12H30M5.5S", timedelta(days=1, hours=12, minutes=30, seconds=5.5)),
        ("PT0.5H", timedelta(minutes=30)),
        ("PT0,5H", timedelta(minutes=30)),
        ("P0D", timedelta()),
        ("P", None),
        ("PT", None),
        ("P1DT", None),
        ("P1.5DT1H", None),
        ("-P1D", None),
        ("P1H", None),
        ("1D", None),
        ("p1d", None),
        ("P1D ", None),
        ("P99999999999Y", None),
        ("P" + "1" * 100_000, None),
    ],
)
def test_an_iso_8601_duration(text: str, expected: timedelta | None) -> None:
    assert parse_iso8601_duration(text) == expected


def test_the_calendar_free_periods() -> None:
    assert [MONTHS_6.days, MONTHS_9.days, YEARS_2.days] == [180, 270, 730]
    assert [MONTHS_6_STRICT.days, MONTHS_9_STRICT.days, YEARS_2_STRICT.days] == [184, 276, 731]
