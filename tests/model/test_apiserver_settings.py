"""What 1.33.13 and 1.36.4 make of these flags was tried on their binaries."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from kcompliance.model.apiserver import (
    AuditSettings,
    audit_settings,
    audit_settings_from_flagz,
    parse_argv,
    parse_flagz,
)
from kcompliance.model.kubernetes_version import KubernetesVersion

V1_35 = KubernetesVersion(1, 35)
V1_36 = KubernetesVersion(1, 36)
LIVE = Path(__file__).parents[2].parent / "shared" / "data" / "apiserver-live"


def settings(*argv: str, version: KubernetesVersion | None = V1_36) -> AuditSettings:
    return audit_settings(parse_argv(argv), version)


def test_without_flags_nothing_is_recorded() -> None:
    found = settings()
    assert (found.policy_file, found.log_path, found.webhook_config_file) == (None, None, None)
    assert not found.log_records
    assert not found.webhook_records
    assert found.invalid == ()


def test_an_empty_value_is_off() -> None:
    found = settings("--audit-log-path=/a", "--audit-log-path=", "--audit-policy-file=")
    assert (found.policy_file, found.log_path) == (None, None)


def test_backends_without_a_policy_get_no_events() -> None:
    given = ("--audit-log-path=-", "--audit-webhook-config-file=/w")
    assert not settings(*given).log_records
    assert not settings(*given).webhook_records
    both = settings(*given, "--audit-policy-file=/p")
    assert both.log_records
    assert both.webhook_records
    assert both.log_path == "-"


def test_defaults_that_no_version_changes() -> None:
    found = settings()
    assert (found.log_format, found.log_mode, found.webhook_mode) == ("json", "blocking", "batch")
    assert found.log_compress is False
    assert found.log_batch.buffer_size == 10_000
    assert found.log_batch.max_size == 1
    assert found.log_batch.max_wait == timedelta()
    assert found.log_batch.throttle_enabled is False
    assert found.webhook_batch.buffer_size == 10_000
    assert found.webhook_batch.max_size == 400
    assert found.webhook_batch.max_wait == timedelta(seconds=30)
    assert found.webhook_batch.throttle_enabled is True
    assert (found.webhook_batch.throttle_qps, found.webhook_batch.throttle_burst) == (10, 15)
    assert found.webhook_initial_backoff == timedelta(seconds=10)
    for truncate in (found.log_truncate, found.webhook_truncate):
        assert truncate.enabled is False
        assert (truncate.max_batch_size, truncate.max_event_size) == (10_485_760, 102_400)


@pytest.mark.parametrize(
    ("version", "rotation", "rotates", "at"),
    [
        (KubernetesVersion(1, 29), (0, 0, 0), True, 100),
        (V1_35, (0, 0, 0), True, 100),
        (V1_36, (366, 100, 100), True, 100),
        (KubernetesVersion(1, 37), (366, 100, 100), True, 100),
        (None, (None, None, None), True, 100),
    ],
)
def test_rotation_by_default(
    version: KubernetesVersion | None,
    rotation: tuple[int | None, int | None, int | None],
    rotates: bool,
    at: int,
) -> None:
    found = settings("--audit-log-path=/a", version=version)
    assert (found.log_max_age_days, found.log_max_backups, found.log_max_size_mb) == rotation
    assert (found.log_rotates, found.log_rotates_at_mb) == (rotates, at)


@pytest.mark.parametrize(
    ("version", "rotates", "at"), [(V1_35, True, 100), (V1_36, False, None), (None, None, None)]
)
def test_a_size_of_zero_means_the_opposite_from_1_36_on(
    version: KubernetesVersion | None, rotates: bool | None, at: int | None
) -> None:
    found = settings("--audit-log-path=/a", "--audit-log-maxsize=0", version=version)
    assert found.log_max_size_mb == 0
    assert (found.log_rotates, found.log_rotates_at_mb) == (rotates, at)


def test_a_size_that_was_set_holds_for_every_version() -> None:
    found = settings("--audit-log-path=/a", "--audit-log-maxsize=7", version=None)
    assert (found.log_max_size_mb, found.log_rotates, found.log_rotates_at_mb) == (7, True, 7)


@pytest.mark.parametrize("path", ["", "-"])
def test_without_a_log_file_there_is_no_rotation(path: str) -> None:
    found = settings(f"--audit-log-path={path}")
    assert (found.log_rotates, found.log_rotates_at_mb) == (None, None)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("30", 30),
        ("+5", 5),
        ("0x1e", 30),
        ("010", 8),
        ("0o17", 15),
        ("0b11", 3),
        ("1_000", 1000),
        ("0_7", 7),
        ("00", 0),
        ("0", 0),
        ("9223372036854775807", 2**63 - 1),
    ],
)
def test_numbers_are_those_of_go(text: str, number: int) -> None:
    found = settings("--audit-log-path=/a", f"--audit-log-maxage={text}")
    assert found.log_max_age_days == number
    assert found.invalid == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        '"30"',
        "1.5",
        "1e3",
        "08",
        "1__0",
        "_1",
        " 1",
        "٣",
        "9223372036854775808",
        "9" * 9999,
    ],
)
def test_what_is_no_number_stops_the_server(text: str) -> None:
    found = settings(f"--audit-log-maxage={text}")
    assert found.log_max_age_days is None
    assert found.invalid == (f"--audit-log-maxage={text} is not a whole number",)


def test_a_value_that_is_overruled_still_stops_the_server() -> None:
    found = settings("--audit-log-maxage=x", "--audit-log-maxage=3")
    assert found.log_max_age_days == 3
    assert found.invalid == ("--audit-log-maxage=x is not a whole number",)


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("T", True), ("1", True), ("FALSE", False), ("0", False)]
)
def test_booleans_are_those_of_go(text: str, value: bool) -> None:
    assert settings(f"--audit-log-compress={text}").log_compress is value


@pytest.mark.parametrize("text", ["yes", "on", "", "tRUE"])
def test_what_is_no_boolean_stops_the_server(text: str) -> None:
    assert settings(f"--audit-log-compress={text}").invalid


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--audit-log-mode=foo"], "--audit-log-mode=foo is none of batch"),
        (["--audit-log-format=xml"], "--audit-log-format=xml is none of legacy, json"),
        (["--audit-log-version=audit.k8s.io/v1beta1"], "--audit-log-version="),
        (["--audit-log-maxage=-1"], "--audit-log-maxage=-1 is negative"),
        (["--audit-log-maxbackup=-1"], "--audit-log-maxbackup=-1 is negative"),
        (["--audit-log-maxsize=-1"], "--audit-log-maxsize=-1 is negative"),
        (["--audit-log-truncate-max-event-size=0"], "max-event-size=0 is not positive"),
        (["--audit-log-truncate-max-batch-size=5"], "max-batch-size=5 is less than one event"),
        (["--audit-log-mode=batch", "--audit-log-batch-max-size=0"], "max-size=0 is not positive"),
        (["--audit-log-mode=batch", "--audit-log-batch-buffer-size=-1"], "is not positive"),
        (["--audit-log-mode=batch", "--audit-log-batch-throttle-enable"], "throttle-qps=0"),
        (["--audit-log-batch-max-wait=5"], "--audit-log-batch-max-wait=5 is not a duration"),
        (["--audit-log-batch-throttle-qps=1e39"], "is not a number"),
    ],
)
def test_what_the_server_refuses(argv: list[str], message: str) -> None:
    found = settings("--audit-log-path=/a", *argv)
    assert any(message in each for each in found.invalid), found.invalid


def test_settings_of_a_backend_that_is_off_or_not_in_batch_mode_are_not_checked() -> None:
    assert settings("--audit-log-mode=foo", "--audit-log-maxage=-1").invalid == ()
    assert settings("--audit-log-path=/a", "--audit-log-batch-max-size=0").invalid == ()
    assert settings("--audit-webhook-batch-throttle-qps=0").invalid == ()
    on = settings("--audit-webhook-config-file=/w", "--audit-webhook-batch-throttle-qps=0")
    assert on.invalid == ("--audit-webhook-batch-throttle-qps=0.0 is not positive",)


def test_a_reference_is_neither_off_nor_refused_but_unknown() -> None:
    found = settings("--audit-log-path=$(LOG)", "--audit-log-maxage=$(AGE)", "--audit-log-mode=$M")
    assert found.log_path == "$(LOG)"
    assert found.log_max_age_days is None
    assert found.unknown == ("audit-log-path", "audit-log-mode", "audit-log-maxage")
    assert found.invalid == ()


def test_the_former_name_of_the_backoff_sets_the_same() -> None:
    new, former = "--audit-webhook-initial-backoff=5s", "--audit-webhook-batch-initial-backoff=7s"
    assert settings(new, former).webhook_initial_backoff == timedelta(seconds=7)
    assert settings(former, new).webhook_initial_backoff == timedelta(seconds=5)


def test_flags_as_the_server_itself_tells_them() -> None:
    body = {
        "kind": "Flagz",
        "apiVersion": "config.k8s.io/v1beta1",
        "metadata": {"name": "apiserver"},
        "flags": {
            "audit-log-path": "/a",
            "audit-policy-file": "/p",
            "audit-log-maxage": "30",
            "audit-log-maxsize": "0",
            "audit-log-batch-max-wait": "1h0m0s",
            "audit-webhook-config-file": "",
        },
    }
    flags = parse_flagz(json.dumps(body).encode())
    assert flags is not None
    found = audit_settings_from_flagz(flags, V1_36)
    assert (found.policy_file, found.log_path, found.webhook_config_file) == ("/p", "/a", None)
    assert (found.log_max_age_days, found.log_rotates) == (30, False)
    assert found.log_batch.max_wait == timedelta(hours=1)
    assert audit_settings_from_flagz(flags, None).log_rotates is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        b"audit-log-path: /a",
        b'{"kind":"Status","apiVersion":"v1","flags":{}}',
        b'{"kind":"Flagz","apiVersion":"v1","flags":{}}',
        b'{"kind":"Flagz","apiVersion":"config.k8s.io.example/v1","flags":{}}',
        b'{"kind":"Flagz","apiVersion":"config.k8s.io/v1","flags":{"a":1}}',
        b'{"kind":"Flagz","apiVersion":"config.k8s.io/v1"}',
        b'{"kind":"Flagz","apiVersion":"config.k8s.io/v1","flags":"a"}',
    ],
)
def test_other_answers_are_not_flagz(data: bytes) -> None:
    assert parse_flagz(data) is None


def test_every_version_of_the_flagz_api_is_read() -> None:
    data = b'{"kind":"Flagz","apiVersion":"config.k8s.io/v1alpha9","flags":{"a":"b"}}'
    assert parse_flagz(data) == {"a": "b"}


@pytest.mark.skipif(not LIVE.is_dir(), reason="the recorded answers are not here")
def test_the_recorded_answer_of_a_real_server() -> None:
    flags = parse_flagz((LIVE / "flagz-1.36.json").read_bytes())
    assert flags is not None
    found = audit_settings_from_flagz(flags, V1_36)
    assert found.invalid == ()
    assert found.unknown == ()
    assert found.log_records
    assert (found.log_max_age_days, found.log_max_backups, found.log_max_size_mb) == (30, 10, 100)
    assert parse_flagz((LIVE / "flagz-1.36.txt").read_bytes()) is None
    assert parse_flagz((LIVE / "flagz-1.36.yaml").read_bytes()) is None


@pytest.mark.skipif(not LIVE.is_dir(), reason="the recorded answers are not here")
@pytest.mark.parametrize("minor", [29, 33, 36, 37])
def test_the_defaults_are_those_that_the_help_of_real_servers_names(minor: int) -> None:
    argv = []
    for line in (LIVE / f"help-audit-1.{minor}.txt").read_text().splitlines():
        before, _, default = line.partition("(default ")
        if default and before.strip():
            name = before.split()[0]
            value = default.rstrip(")").strip('"')
            argv.append(f"{name}={value}")
    version = KubernetesVersion(1, minor)
    assert len(argv) > 10
    assert settings(*argv, version=version) == settings(version=version)
