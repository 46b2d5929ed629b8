"""The audit counters in an answer of `/metrics`."""

import pytest

from kcompliance.model.metrics import read_audit_metrics

ANSWER = b"""\
# HELP apiserver_audit_event_total [ALPHA] Counter of audit events generated.
# TYPE apiserver_audit_event_total counter
apiserver_audit_event_total 48211
# TYPE apiserver_audit_level_total counter
apiserver_audit_level_total{level="Metadata"} 31877
apiserver_audit_level_total{level="None"} 90412
# TYPE apiserver_audit_error_total counter
apiserver_audit_error_total{plugin="webhook"} 3
apiserver_audit_requests_rejected_total 0
apiserver_request_total{verb="GET"} 1e+06
"""


def test_all_counters_are_read() -> None:
    metrics = read_audit_metrics(ANSWER)

    assert metrics.events == 48211
    assert metrics.levels == {"Metadata": 31877, "None": 90412}
    assert metrics.errors == {"webhook": 3}
    assert metrics.rejected == 0
    assert metrics.recording


@pytest.mark.parametrize("data", [b"", b"apiserver_request_total 5\n", b"\xff\x00", b"<html>"])
def test_a_counter_that_is_not_there_is_none_and_not_zero(data: bytes) -> None:
    metrics = read_audit_metrics(data)

    assert metrics.events is None
    assert not metrics.recording
    assert metrics.rejected is None
    assert not metrics.levels


def test_a_counter_of_zero_is_a_server_that_wrote_nothing() -> None:
    metrics = read_audit_metrics(b"apiserver_audit_event_total 0\n")

    assert metrics.events == 0
    assert not metrics.recording


@pytest.mark.parametrize(
    ("written", "value"), [("1e+06", 1e6), ("1.5", 1.5), ("12 1700000000000", 12), ("+3", 3)]
)
def test_numbers_are_read_as_prometheus_writes_them(written: str, value: float) -> None:
    data = f"apiserver_audit_event_total {written}\n".encode()

    assert read_audit_metrics(data).events == value


def test_a_comment_or_a_longer_name_is_no_sample() -> None:
    data = b"# apiserver_audit_event_total 7\napiserver_audit_event_total_created 1.7e9\n"

    assert read_audit_metrics(data).events is None


def test_a_policy_that_asked_for_nothing_so_far_is_quiet_and_not_off() -> None:
    quiet = read_audit_metrics(
        b'apiserver_audit_event_total 0\napiserver_audit_level_total{level="None"} 7\n'
    )
    off = read_audit_metrics(b"apiserver_audit_event_total 0\n")

    assert (quiet.quiet, quiet.recording) == (True, False)
    assert (off.quiet, off.recording) == (False, False)
