"""kcompliance.lock: what it holds, and what is refused as one."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcompliance.model.apiserver import audit_settings, parse_argv
from kcompliance.model.approval.approved import (
    MAX_LOCK_BYTES,
    WrongLock,
    approved_webhook,
    changed_webhook,
    read_lock,
    write_lock,
)
from kcompliance.model.approval.difference import compare_approvals
from kcompliance.model.approval.settings import AUDIT_FLAGS, audit_flags, changed_flags
from kcompliance.model.assemble import assemble
from kcompliance.model.kubernetes_version import KubernetesVersion
from kcompliance.model.reading import Kind, Seen, Unreadable
from kcompliance.model.webhook_config import WebhookConfig, read_webhook_config
from tests.approvals import approved, lock_of
from tests.captures import LOG_FLAG, POLICY_FLAG, ROTATION_FLAGS, SOUND_POLICY, pod, raw

SERVER = raw(Kind.OBJECTS, "server.yaml", pod(POLICY_FLAG, LOG_FLAG, *ROTATION_FLAGS))
POLICY = raw(Kind.AUDIT_POLICY, "node/etc/kubernetes/audit-policy.yaml", SOUND_POLICY)
LOCK = lock_of(SERVER, POLICY)


def bent(*path: str | int, value: Any) -> bytes:
    document = json.loads(LOCK)
    at = document
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return json.dumps(document).encode()


# --- reading and writing ---------------------------------------------------------------------


def test_what_is_written_is_read_and_written_alike() -> None:
    read = read_lock(LOCK.encode())

    assert read.targets == {"c": approved(SERVER, POLICY)}
    assert write_lock(read.targets) == LOCK


def test_one_value_stands_on_a_line_and_targets_are_in_order() -> None:
    target = approved(SERVER, POLICY)
    text = write_lock({"b": target, "a": target})

    assert text.index('"a": {') < text.index('"b": {')
    assert max(line.count(": ") for line in text.splitlines()) == 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not JSON"),
        (b"\xff", "not UTF-8 at byte 0"),
        (b"<<<<<<< HEAD\n" + LOCK.encode(), "not JSON"),
        (b"[]", "its schema is missing"),
        (b'"kcompliance/lock/v1"', "its schema is missing"),
        (bent("schema", value="kcompliance/lock/v2"), 'its schema is "kcompliance/lock/v2"'),
        (b"[" * 100_000, "nested too deeply"),
        (b" " * (MAX_LOCK_BYTES + 1), "larger than 16 MiB"),
        (b'{"schema": 1' + b"0" * 5000 + b"}", "the number 1000"),
        (b'{"schema": NaN}', "the number NaN"),
        (LOCK.replace('"reason"', '"commit"').encode(), '"commit" stands there twice'),
        (bent("signed", value="no"), "unknown field `signed`"),
        (bent("targets", "c", "colour", value="red"), "unknown field `colour`"),
        (bent("targets", "c", "approved_at", value="2026-01-15T09:00:00"), "timezone"),
        (bent("targets", "c", "approved_at", value="0001-01-01T00:00:00+14:00"), "the year 1"),
        (bent("targets", "c", "policies", value=[]), "it has no policy"),
        (bent("targets", "c", "policies", 0, "sha256", value="../.."), "is none"),
        (bent("targets", "c", "policies", 0, "canonical_sha256", value="0" * 64), "canonical_sha"),
        (bent("targets", "c", "policies", 0, "canonical", "rules", value=[]), "canonical form"),
        (
            bent("targets", "c", "policies", 0, "canonical", "rules", 2, "level", value="All"),
            "Invalid enum value 'All'",
        ),
        (
            bent("targets", "c", "policies", 0, "canonical", "rules", 2, "verbs", value=["b", "a"]),
            "canonical form",
        ),
        (
            bent("targets", "c", "servers", 0, "policy", value="0" * 64),
            "a policy that is not there",
        ),
        (bent("targets", "c", "servers", 0, "names", value=["a", "a"]), "stands there twice"),
        (bent("targets", "c", "servers", 0, "names", value=[]), "has no name"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_lock_is_refused_in_one_sentence(data: bytes, words: str) -> None:
    with pytest.raises(WrongLock) as refused:
        read_lock(data)

    assert words in str(refused.value)
    assert len(str(refused.value)) < 300


@given(
    cut=st.integers(0, len(LOCK)), put=st.sampled_from(["", "{", '"', "null", "\ud83d\ude00", "x"])
)
def test_a_lock_that_was_damaged_anywhere_is_read_or_refused(cut: int, put: str) -> None:
    for text in (LOCK[:cut] + put, LOCK[:cut] + put + LOCK[cut + 1 :]):
        with suppress(WrongLock):
            read_lock(text.encode("utf-8", "surrogatepass"))


def test_a_second_lock_that_says_something_else_is_a_gap() -> None:
    one, other = (
        raw(Kind.APPROVED, "a.lock", LOCK),
        raw(Kind.APPROVED, "b.lock", LOCK.replace("jo@", "al@")),
    )

    cluster = assemble("c", [one, other])

    assert isinstance(cluster.approved, Seen)
    assert [gap.origin.resource for gap in cluster.gaps] == ["b.lock"]


def test_a_lock_that_cannot_be_understood_is_a_gap() -> None:
    cluster = assemble("c", [raw(Kind.APPROVED, "a.lock", "{}")])

    assert isinstance(cluster.approved, Unreadable)
    assert cluster.gaps == (cluster.approved,)


# --- flags and webhook -------------------------------------------------------------------------


def flags(*argv: str, minor: int = 35) -> dict[str, str | None]:
    return audit_flags(audit_settings(parse_argv(argv), KubernetesVersion(1, minor)))


def test_only_flags_of_the_server_are_named() -> None:
    everything = flags(
        "--audit-log-path=/l", "--audit-log-mode=batch", "--audit-log-batch-throttle-enable",
        "--audit-log-truncate-enabled", "--audit-webhook-config-file=/w",
        "--audit-webhook-truncate-enabled",
    )  # fmt: skip

    assert set(everything) <= set(AUDIT_FLAGS)
    former = {"audit-webhook-batch-initial-backoff", "audit-dynamic-configuration"}
    assert set(AUDIT_FLAGS) - set(everything) == former


@pytest.mark.parametrize(
    "more",
    [
        ("--audit-log-mode=blocking",),
        ("--audit-log-batch-max-size=7",),
        ("--audit-log-truncate-max-event-size=7",),
        ("--audit-webhook-mode=blocking",),
        ("--audit_log_maxage=0",),
        ("--audit-log-maxsize=100",),
        ("--audit-log-maxage=9", "--audit-log-maxage=0"),
    ],
    ids=" ".join,
)
def test_a_flag_without_effect_is_no_change(more: tuple[str, ...]) -> None:
    assert flags("--audit-log-path=/l", *more) == flags("--audit-log-path=/l")


def test_a_version_with_other_defaults_is_a_change() -> None:
    before, now = (flags("--audit-log-path=/l", minor=minor) for minor in (35, 36))

    assert list(changed_flags(before, now)) == [
        "--audit-log-maxage: 0 → 366",
        "--audit-log-maxbackup: 0 → 100",
    ]


def test_a_backend_that_is_gone_takes_its_flags_with_it() -> None:
    changes = list(changed_flags(flags("--audit-log-path=/l"), flags()))

    assert "--audit-log-path: /l → not set" in changes
    assert "--audit-log-mode: blocking → without effect" in changes


def webhook(server: str, **user: str) -> WebhookConfig:
    document = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "a", "user": "u"}}],
        "clusters": [{"name": "a", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": user}],
    }
    found = read_webhook_config(json.dumps(document).encode())
    assert isinstance(found, WebhookConfig)
    return found


def test_a_credential_is_approved_by_its_kind_only() -> None:
    known = approved_webhook(webhook("https://a", token="s3cret"))

    assert "s3cret" not in repr(known)
    assert known == approved_webhook(webhook("https://a", token="another"))
    assert list(changed_webhook(known, approved_webhook(webhook("https://b")))) == [
        "server: https://a → https://b",
        "credential: token → none",
    ]


# --- one approval after another ------------------------------------------------------------------


def test_servers_that_run_alike_are_one_entry() -> None:
    second = raw(Kind.OBJECTS, "two.yaml", pod(POLICY_FLAG, LOG_FLAG, *ROTATION_FLAGS, name="two"))

    (server,) = approved(SERVER, second, POLICY).servers

    assert len(server.names) == 2


def test_the_same_again_changes_nothing() -> None:
    changes = compare_approvals(approved(SERVER, POLICY), approved(SERVER, POLICY))

    assert (changes.policies, changes.servers) == ((), ())


def test_what_became_of_policy_and_servers_is_told() -> None:
    other = raw(Kind.OBJECTS, "server.yaml", pod(POLICY_FLAG, LOG_FLAG))
    policy = raw(Kind.AUDIT_POLICY, POLICY.origin.resource, SOUND_POLICY.replace("Response", ""))
    new = raw(Kind.OBJECTS, "two.yaml", pod(POLICY_FLAG, LOG_FLAG, name="two"))

    changes = compare_approvals(approved(SERVER, POLICY), approved(other, new, policy))

    assert any("less is recorded: everybody: change RBAC" in line for line in changes.policies)
    assert any("--audit-log-maxage: 30 → 0" in line for line in changes.servers)
    assert any(line.endswith("two: approved for the first time") for line in changes.servers)


def test_other_bytes_of_the_same_policy_are_told() -> None:
    commented = raw(Kind.AUDIT_POLICY, POLICY.origin.resource, f"# CHG-1\n{SOUND_POLICY}")

    changes = compare_approvals(approved(SERVER, POLICY), approved(SERVER, commented))

    assert changes.policies == (
        f"{POLICY.origin.resource}: other bytes, of which a server makes the same",
    )
