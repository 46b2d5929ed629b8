"""Secrets in command lines and in the settings of k3s are taken out, and little else."""

import pytest

from kcompliance.collect.recognise import recognise
from kcompliance.collect.secret_settings import redact_settings, without_secrets


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("--token=abc", "--token=REDACTED"),
        ("--agent-token=12345", "--agent-token=REDACTED"),
        ("--datastore-endpoint=postgres://u:p@h/d", "--datastore-endpoint=REDACTED"),
        ("--etcd-servers=https://u:p@h:1", "--etcd-servers=https://REDACTED@h:1"),
        ("--kube-apiserver-arg=audit-log-path=/x", "--kube-apiserver-arg=audit-log-path=/x"),
        ("--kube-apiserver-arg=x-token=abc", "--kube-apiserver-arg=x-token=REDACTED"),
        ("password=abc", "password=REDACTED"),
        ("--token-auth-file=/etc/tokens.csv", "--token-auth-file=/etc/tokens.csv"),
        ("--enable-bootstrap-token-auth=true", "--enable-bootstrap-token-auth=true"),
        ("--service-account-key-file=/k", "--service-account-key-file=/k"),
        ("--authorization-mode=Node,RBAC", "--authorization-mode=Node,RBAC"),
        ("--token-file=/t", "--token-file=/t"),
    ],
)
def test_a_word(word: str, shown: str) -> None:
    assert without_secrets([word]) == (shown,)


def test_a_value_in_the_next_word() -> None:
    given = ["k3s", "server", "--token", "abc", "--debug", "--secret", "--x", "plain"]

    assert without_secrets(given) == (
        "k3s",
        "server",
        "--token",
        "REDACTED",
        "--debug",
        "--secret",
        "--x",
        "plain",
    )


def test_the_settings_of_k3s() -> None:
    settings = {
        "kube-apiserver-arg": ["audit-log-path=/x"],
        "token": "abc",
        "agent-token": 123,
        "kube-apiserver-extra-env": ["A=b"],
        "write-kubeconfig-mode": "0644",
        "secrets-encryption": True,
    }

    assert redact_settings(settings, "/0") == [
        "/0/agent-token",
        "/0/kube-apiserver-extra-env/0",
        "/0/token",
    ]
    assert settings["kube-apiserver-arg"] == ["audit-log-path=/x"]
    assert (settings["write-kubeconfig-mode"], settings["secrets-encryption"]) == ("0644", True)


@pytest.mark.parametrize(
    "text",
    [
        "kube-apiserver-arg: [audit-log-path=/x]\ntoken: hunter2\n",
        '{"kube-apiserver-arg": ["audit-log-path=/x"], "token": "hunter2"}',
    ],
    ids=["yaml", "json"],
)
def test_a_configuration_of_k3s_in_a_folder_of_files_too(text: str) -> None:
    found = recognise(text.encode())

    assert found is not None
    assert b"hunter2" not in found.content
    assert any(pointer.endswith("/token") for pointer in found.redactions)
