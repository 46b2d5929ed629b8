"""The webhook's kubeconfig as client-go reads it, and whose it is."""

import json
from typing import Any

import pytest

from kcompliance.model.assemble import assemble
from kcompliance.model.documents import Malformed
from kcompliance.model.in_force import replicas
from kcompliance.model.reading import Kind, Raw
from kcompliance.model.webhook_config import WebhookConfig, read_webhook_config
from kcompliance.model.webhook_in_force import (
    AmbiguousWebhook,
    FoundWebhook,
    NoWebhookText,
    webhook_of,
)
from tests.captures import POLICY_FLAG, pod, raw

FLAG = "--audit-webhook-config-file=/etc/kubernetes/w.yaml"


def _config(user: Any = None, **cluster: Any) -> bytes:
    document = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "a", "user": "u"}}],
        "clusters": [{"name": "a", "cluster": {"server": "https://h", **cluster}}],
        "users": [{"name": "u", "user": user or {}}],
    }
    return json.dumps(document).encode()


def _read(user: Any = None, **cluster: Any) -> WebhookConfig:
    found = read_webhook_config(_config(user, **cluster))
    assert isinstance(found, WebhookConfig)
    return found


@pytest.mark.parametrize(
    ("cluster", "user", "scheme"),
    [
        ({"server": "https://h"}, {}, "https"),
        ({"server": "HTTPS://h"}, {}, "https"),
        ({"server": "http://h"}, {}, "http"),
        ({"server": "http://h", "certificate-authority": "ca"}, {}, "http"),
        ({"server": "h:443"}, {"token": "t"}, "http"),
        ({"server": "h:443", "certificate-authority-data": "ca"}, {}, "https"),
        ({"server": "h:443", "insecure-skip-tls-verify": True}, {}, "https"),
        ({"server": "h:443"}, {"client-certificate": "c", "client-key": "k"}, "https"),
    ],
)
def test_the_scheme_is_the_one_that_client_go_takes(
    cluster: dict[str, Any], user: dict[str, str], scheme: str
) -> None:
    assert _read(user, **cluster).scheme == scheme


@pytest.mark.parametrize(
    ("server", "there"),
    [
        ("http://127.0.0.1:80", True),
        ("http://127.9.9.9", True),
        ("http://[::1]:80/x", True),
        ("http://localhost", True),
        ("localhost:80", True),
        ("http://localhost.example", False),
        ("http://127.0.0.1.example", False),
        ("http://10.0.0.1", False),
        ("http://0.0.0.0", False),
        ("http://user@h#@127.0.0.1", False),
        ("http://[::1", False),
    ],
)
def test_only_the_node_itself_is_on_loopback(server: str, there: bool) -> None:
    assert _read(server=server).on_loopback is there


@pytest.mark.parametrize(
    ("user", "credential"),
    [
        ({}, None),
        ({"token": ""}, None),
        ({"token": "t"}, "token"),
        ({"tokenFile": "/t"}, "token"),
        ({"username": "u", "password": "p"}, "user name and password"),
        ({"client-certificate": "c", "client-key-data": "k"}, "client certificate"),
        ({"exec": {"command": "x"}}, "credential of an exec plugin"),
        ({"auth-provider": {"name": "x"}}, "credential of an auth provider"),
    ],
)
def test_the_kind_of_credential_is_told(user: dict[str, Any], credential: str | None) -> None:
    assert _read(user).credential == credential


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"clusters: []\n", "no current-context"),
        (b"current-context: c\n", 'no context "c"'),
        (_config(server=""), 'no cluster "a" with a server'),
        (_config(**{"insecure-skip-tls-verify": "yes"}), "neither true nor false"),
        (_config({"client-certificate": "c"}), "has no key"),
        (_config({"token": "t", "username": "u"}), "more than one way"),
    ],
)
def test_what_the_server_does_not_start_with_is_a_sentence(data: bytes, words: str) -> None:
    assert words in str(read_webhook_config(data))


@pytest.mark.parametrize("data", [b"", b"[]", b"a: [", b"5"])
def test_what_cannot_be_read_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        read_webhook_config(data)


# --- whose it is -----------------------------------------------------------------------------


def _file(name: str, host: str = "h") -> Raw:
    text = _config(server=f"https://{host}").decode()
    return raw(Kind.WEBHOOK_CONFIG, name, text)


def _of(manifest: str, *files: Raw) -> FoundWebhook | AmbiguousWebhook | NoWebhookText:
    server = raw(Kind.OBJECTS, "nodes/cp-1/etc/kubernetes/manifests/k.yaml", manifest)
    cluster = assemble("c", [server, *files])
    (replica,) = replicas(cluster)
    return webhook_of(cluster, replica)


MOUNTED = pod(POLICY_FLAG, FLAG).replace("audit-policy.yaml", "w.yaml")


def test_the_whole_path_on_the_node_tells() -> None:
    found = _of(MOUNTED, _file("nodes/cp-1/etc/kubernetes/w.yaml"), _file("other/w.yaml", "x"))

    assert isinstance(found, FoundWebhook)
    assert (found.file.name, found.note) == ("nodes/cp-1/etc/kubernetes/w.yaml", None)


def test_of_several_nodes_the_one_beside_the_manifest_counts() -> None:
    files = (_file(f"nodes/cp-{n}/etc/kubernetes/w.yaml", f"h{n}") for n in (1, 2))

    found = _of(MOUNTED, *files)

    assert isinstance(found, FoundWebhook)
    assert found.file.name.startswith("nodes/cp-1/")


def test_a_mere_name_is_enough_and_is_told() -> None:
    found = _of(MOUNTED, _file("w.yaml"))

    assert isinstance(found, FoundWebhook)
    assert "by its file name" in str(found.note)


def test_two_that_differ_are_ambiguous_and_two_that_do_not_are_one() -> None:
    assert isinstance(_of(MOUNTED, _file("a/w.yaml"), _file("b/w.yaml", "x")), AmbiguousWebhook)
    assert isinstance(_of(MOUNTED, _file("a/w.yaml"), _file("b/w.yaml")), FoundWebhook)


def test_a_path_that_no_volume_covers_is_no_file_of_the_node() -> None:
    unmounted = MOUNTED.replace("mountPath: /etc/kubernetes/w.yaml", "mountPath: /elsewhere")

    assert isinstance(_of(unmounted, _file("nodes/cp-1/etc/kubernetes/w.yaml")), NoWebhookText)


def test_another_name_is_not_it() -> None:
    assert isinstance(_of(MOUNTED, _file("x.yaml")), NoWebhookText)
