"""No secret of a forwarder's configuration is kept, in whatever form it is written."""

from typing import Any

import pytest

from kcompliance.collect.config_secrets import (
    redact_arguments,
    redact_config_maps,
    without_secrets,
)

SECRET = "hunter2-s3cr3t"
TEXTS = {
    "fluentd": f'<match **>\n  @type elasticsearch\n  password "{SECRET}"\n</match>\n',
    "fluentd in ruby": f"  password \"#{{'{SECRET}'}}\"\n",
    "fluent-bit": f"[OUTPUT]\n    Name es\n    HTTP_Passwd   {SECRET}\n",
    "fluent-bit in capitals": f"    HTTP_PASSWD {SECRET}\n    Shared_Key {SECRET}\n",
    "fluent-bit header": f"    Header Authorization Bearer {SECRET}\n",
    "fluent-bit cloud": f"    Cloud_Auth elastic:{SECRET}\n",
    "fluent-bit yaml": f"outputs:\n  - name: es\n    http_passwd: {SECRET}\n    host: a\n",
    "filebeat": f"output.elasticsearch:\n  password: '{SECRET}'\n  api_key: \"id:{SECRET}\"\n",
    "filebeat cloud": f"cloud.auth: elastic:{SECRET}\n",
    "filebeat kafka": f"output.kafka:\n  sasl.password: {SECRET}\n",
    "vector toml": f'[sinks.es]\nauth = {{ strategy = "basic", password = "{SECRET}" }}\n',
    "vector dotted": f'auth.password = "{SECRET}"\ndefault_token = "{SECRET}"\n',
    "promtail": f"clients:\n  - url: https://u:{SECRET}@loki.example/push\n",
    "promtail block": f"basic_auth:\n  username: u\n  password: {SECRET}\n",
    "alloy": f'loki.write "a" {{\n  endpoint {{\n    bearer_token = "{SECRET}"\n  }}\n}}\n',
    "alloy block": f'  authorization {{\n    credentials = "{SECRET}"\n  }}\n',
    "otel headers": f'headers: {{"X-Api-Key": "{SECRET}", "a": "b"}}\n',
    "otel authorization": f"headers:\n  Authorization: Basic {SECRET}\n",
    "json": f'{{"password":"{SECRET}","hosts":["a"],"token":"{SECRET}"}}',
    "a block of yaml": f"private_key: |\n  a\n  {SECRET}\n  b\nnext: 1\n",
    "a list of yaml": f"api_keys:\n  - {SECRET}\n  - b\nnext: 1\n",
    "a list in brackets": f'api_keys: [\n  "a",\n  "{SECRET}"\n]\n',
    "a text of toml": f'secret = """\na\n{SECRET}\n"""\nnext = 1\n',
    "a comment": f"# password: {SECRET}\n",
    "a value with commas": f"password: a,{SECRET}\n",
    "a value with spaces": f"  password one two {SECRET}\n",
    "a value behind a quote": f'password: "a" {SECRET}\n',
    "a query": f"url: https://logs.example/in?x=1&token={SECRET}&y=2\n",
    "a connection string": f"connection_string: Endpoint=sb://a;SharedAccessKey={SECRET}\n",
    "a private key": f"x: |\n  -----BEGIN RSA PRIVATE KEY-----\n  {SECRET}\n  -----END RSA\n",
    "carriage returns": f"password: {SECRET}\r\nhost: a\r\n",
    "tabs": f"\tpassword\t{SECRET}\n",
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_secret_is_overwritten(name: str) -> None:
    shown = without_secrets(TEXTS[name])

    assert SECRET not in shown
    assert "REDACTED" in shown


@pytest.mark.parametrize("name", TEXTS)
def test_what_was_overwritten_stays_as_it_is(name: str) -> None:
    once = without_secrets(TEXTS[name])

    assert without_secrets(once) == once


HARMLESS = """\
<source>
  @type tail
  path /var/log/kubernetes/audit/audit.log
  tag audit.*
</source>
<match kube.**.secret.**>
  @type elasticsearch
  host logs.example.com
</match>
hosts: ["https://logs.example.com:9200"]
rules: [{resources: ["secrets", "configmaps"]}]
"""


def test_what_is_asked_about_is_left_as_it_is() -> None:
    assert without_secrets(HARMLESS) == HARMLESS


def test_beside_a_secret_all_else_is_left() -> None:
    shown = without_secrets('{hosts: ["https://u:p@a.example:9200"], password: x, index: "b"}')

    assert shown == '{hosts: ["https://REDACTED@a.example:9200"], password: REDACTED, index: "b"}'


@pytest.mark.parametrize(
    "text",
    [
        "a." * 200_000,
        "token" * 100_000,
        "{" + "token: a, " * 40_000,
        "?token" * 100_000,
        "://" * 200_000,
        "password:\n" * 100_000,
        "-----BEGIN PRIVATE KEY-----\n" * 20_000,
        'token: "' * 50_000,
        "token: [\n" * 50_000,
    ],
    ids=lambda text: text[:10],
)
@pytest.mark.timeout(30)
def test_a_hostile_text_takes_no_time_to_speak_of(text: str) -> None:
    without_secrets(text)


def test_the_texts_of_config_maps_are_pointed_at() -> None:
    maps: dict[str, Any] = {
        "kind": "List",
        "items": [
            {"kind": "ConfigMap", "data": {"a/b": f"password: {SECRET}", "c": "path: /x"}},
            {"kind": "ConfigMap", "binaryData": {"k": "aHVudGVyMg=="}},
            {"kind": "ConfigMap", "data": {"ES_PASSWORD": SECRET, "ES_HOST": "a"}},
        ],
    }

    found = redact_config_maps(maps, "")

    assert found == ["/items/0/data/a~1b", "/items/1/binaryData/k", "/items/2/data/ES_PASSWORD"]
    assert SECRET not in str(maps)
    assert maps["items"][0]["data"]["c"] == "path: /x"
    assert maps["items"][2]["data"]["ES_HOST"] == "a"


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ([f"--password={SECRET}"], ["--password=REDACTED"]),
        (["--api-key", SECRET, "-v"], ["--api-key", "REDACTED", "-v"]),
        ([f"--url=https://u:{SECRET}@a"], ["--url=https://REDACTED@a"]),
        (["sh", "-c", f"curl -H 'Authorization: Bearer {SECRET}' a"], None),
        (["-c", "/etc/fluent.conf"], ["-c", "/etc/fluent.conf"]),
    ],
)
def test_secrets_in_arguments_are_overwritten(words: list[str], kept: list[str] | None) -> None:
    pod = {"containers": [{"args": words}]}

    found = redact_arguments(pod, "")

    shown: Any = pod["containers"][0]["args"]
    assert SECRET not in str(shown)
    assert kept is None or shown == kept
    assert bool(found) == ("REDACTED" in str(shown))
    assert all(pointer.startswith("/containers/0/args/") for pointer in found)
