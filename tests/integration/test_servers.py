"""The servers that other tests rely on are what they are taken for."""

import json
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from tests.servers.audit_oracle import AuditOracle, Decision, Loaded, Refused
from tests.servers.fixtures import StartKubeApiServer
from tests.servers.kube_apiserver import KubeApiServer, start_and_expect_refusal
from tests.servers.webhook_receiver import WebhookReceiver

pytestmark = pytest.mark.integration

LONG_RUN_VERSIONS = [pytest.param(each, marks=pytest.mark.long) for each in ("1.29", "1.37")]
ALL_VERSIONS = ["1.33", "1.36", *LONG_RUN_VERSIONS]

SECRETS = "/api/v1/namespaces/default/secrets"
SECRETS_ONLY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  resources:
  - group: ""
    resources: [secrets]
- level: None
"""
NO_RULES = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: []\n"
UNKNOWN_FIELD = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata, verb: get}]\n"
ANY_GROUP = """\
apiVersion: audit.k8s.io/v1
kind: Policy
rules: [{level: Metadata, resources: [{group: "*"}]}, {level: None}]
"""


def create_secret(server: KubeApiServer, name: str) -> int:
    secret = {"metadata": {"name": name}, "stringData": {"password": "hunter2"}}
    return server.request("POST", SECRETS, secret)[0]


def creates(name: str) -> Callable[[dict[str, Any]], bool]:
    def wanted(event: dict[str, Any]) -> bool:
        named: str | None = event.get("objectRef", {}).get("name")
        return event["verb"] == "create" and named == name

    return wanted


@pytest.mark.parametrize("version", ALL_VERSIONS)
def test_a_created_secret_is_in_the_audit_log(
    version: str, kube_apiserver: StartKubeApiServer
) -> None:
    server = kube_apiserver(version=version, audit_policy=SECRETS_ONLY)

    assert json.loads(server.request("GET", "/version")[1])["gitVersion"].startswith(f"v{version}.")
    assert create_secret(server, "one") == HTTPStatus.CREATED
    event = server.wait_for_event(creates("one"))
    assert (event["level"], event["stage"]) == ("Metadata", "ResponseComplete")
    assert event["user"]["username"] == "admin"
    assert {each["objectRef"]["resource"] for each in server.audit_events()} == {"secrets"}


def test_a_policy_is_changed_by_a_restart_only(kube_apiserver: StartKubeApiServer) -> None:
    server = kube_apiserver(audit_policy=NO_RULES.replace("[]", "[{level: None}]"))
    address = server.url
    assert create_secret(server, "before") == HTTPStatus.CREATED
    assert server.audit_events() == []

    server.restart(audit_policy=SECRETS_ONLY)

    assert server.url == address
    assert create_secret(server, "before") == HTTPStatus.CONFLICT  # etcd kept it
    assert create_secret(server, "after") == HTTPStatus.CREATED
    server.wait_for_event(creates("after"))


def test_users_are_who_their_tokens_say(kube_apiserver: StartKubeApiServer) -> None:
    server = kube_apiserver()

    allowed = {
        user: server.request("GET", SECRETS, user=user)[0]
        for user in ("admin", "nobody", "audit-reader", "system:node:node1", None)
    }

    assert allowed == {
        "admin": HTTPStatus.OK,
        "nobody": HTTPStatus.FORBIDDEN,
        "audit-reader": HTTPStatus.FORBIDDEN,
        "system:node:node1": HTTPStatus.FORBIDDEN,
        None: HTTPStatus.FORBIDDEN,  # anonymous
    }


def test_the_webhook_receives_what_it_accepts(
    kube_apiserver: StartKubeApiServer, webhook_receiver: WebhookReceiver
) -> None:
    server = kube_apiserver(
        audit_policy=SECRETS_ONLY,
        audit_log=False,
        audit_webhook=webhook_receiver.kubeconfig(),
        extra_args=["--audit-webhook-mode=blocking", "--audit-webhook-initial-backoff=100ms"],
    )

    assert create_secret(server, "sent") == HTTPStatus.CREATED
    assert webhook_receiver.wait_for_event(creates("sent"))["level"] == "Metadata"
    assert not server.audit_log.exists()

    webhook_receiver.answer = HTTPStatus.INTERNAL_SERVER_ERROR
    assert create_secret(server, "refused") == HTTPStatus.CREATED
    assert not any(map(creates("refused"), webhook_receiver.events))
    assert webhook_receiver.deliveries[-1].answer is HTTPStatus.INTERNAL_SERVER_ERROR


@pytest.mark.parametrize("version", ALL_VERSIONS)
def test_a_policy_without_rules_is_refused_in_the_servers_words(
    version: str, tmp_path: Path
) -> None:
    words = start_and_expect_refusal(tmp_path / "server", version=version, audit_policy=NO_RULES)

    assert words.startswith("loading audit policy file: loaded illegal policy with 0 rules: from")


def test_expecting_a_refusal_fails_for_a_policy_that_is_accepted(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="starts with this"):
        start_and_expect_refusal(tmp_path / "server", audit_policy=SECRETS_ONLY)


def test_the_oracle_judges_requests_as_the_server_does(audit_oracle: AuditOracle) -> None:
    get_secret = {"user": "jane", "verb": "get", "resource": "secrets", "resourceRequest": True}
    get_health = {"user": "jane", "verb": "get", "path": "/healthz", "resourceRequest": False}

    assert audit_oracle.load(SECRETS_ONLY) == Loaded(rules=2)
    assert audit_oracle.evaluate([get_secret, get_health]) == [
        Decision(level="Metadata", omit_stages=("RequestReceived",), omit_managed_fields=False),
        Decision(level="None", omit_stages=("RequestReceived",), omit_managed_fields=False),
    ]


def test_the_oracle_knows_requests_without_a_user(audit_oracle: AuditOracle) -> None:
    rules = "[{level: Request, users: ['']}, {level: Metadata}]"
    audit_oracle.load(NO_RULES.replace("[]", rules))

    levels = [each.level for each in audit_oracle.evaluate([{"user": ""}, {"user": None}, {}])]

    assert levels == ["Request", "Metadata", "Metadata"]


def test_the_oracle_repeats_the_servers_warning_about_unknown_fields(
    audit_oracle: AuditOracle,
) -> None:
    loaded = audit_oracle.load(UNKNOWN_FIELD)

    assert isinstance(loaded, Loaded)
    assert 'unknown field "rules[0].verb"' in loaded.warning


@pytest.mark.parametrize("policy", [b"", b"\xff\xfe\x00", b"kind: [", NO_RULES.encode()])
def test_the_oracle_refuses_what_is_no_policy(policy: bytes, audit_oracle: AuditOracle) -> None:
    assert isinstance(audit_oracle.load(policy), Refused)
    with pytest.raises(LookupError, match="no policy is in force"):
        audit_oracle.evaluate([{"verb": "get"}])


def test_the_oracles_differ_as_their_versions_do(
    audit_oracle: AuditOracle, audit_oracle_133: AuditOracle
) -> None:
    assert audit_oracle.load(ANY_GROUP) == Loaded(rules=2)
    assert isinstance(audit_oracle_133.load(ANY_GROUP), Refused)


def test_the_oracle_answers_a_hundred_thousand_in_order(audit_oracle: AuditOracle) -> None:
    rules = ", ".join(f"{{level: {level}, verbs: ['{level}']}}" for level in ("Request", "None"))
    audit_oracle.load(NO_RULES.replace("[]", f"[{rules}]"))
    expected = ["Request", "None"] * 50_000

    decisions = audit_oracle.evaluate([{"user": "jane", "verb": level} for level in expected])

    assert [each.level for each in decisions] == expected
