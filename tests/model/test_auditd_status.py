"""What `auditctl -s` prints, in its two forms, and what it does not."""

import pytest

from kcompliance.model.auditd.status import AuditdStatus, looks_like_status, read_status

NEW = """\
enabled 2
failure 1
pid 645
rate_limit 0
backlog_limit 8192
lost 12
backlog 3
backlog_wait_time 60000
backlog_wait_time_actual 0
loginuid_immutable 0 unlocked
"""
OLD = "AUDIT_STATUS: enabled=2 flag=1 pid=645 rate_limit=0 backlog_limit=8192 lost=12 backlog=3\n"


@pytest.mark.parametrize("text", [NEW, OLD, NEW.replace("\n", "\r\n")], ids=["new", "old", "crlf"])
def test_both_forms_say_the_same(text: str) -> None:
    assert looks_like_status(text)
    assert read_status(text) == AuditdStatus(
        enabled=2,
        pid=645,
        failure=1,
        rate_limit=0,
        backlog_limit=8192,
        lost=12,
        backlog=3,
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "You must be root to run this program.",
        "enabled 1\nfailure 1\n",
        "enabled 1\nenabled 0\npid 5\n",
        "enabled 3\npid 5\n",
        "enabled yes\npid 5\n",
        "x" * 100_000,
    ],
    ids=range(7),
)
def test_anything_else_is_no_status(text: str) -> None:
    assert read_status(text) is None
    assert not looks_like_status(text)


def test_prose_around_it_is_not_taken_for_it() -> None:
    assert not looks_like_status("It said enabled 1 and pid 5.\n")
    assert not looks_like_status(NEW + "and that was all\n")
