"""What kinds of outputs there are, and in which of their settings the address stands."""

import re
from collections.abc import Mapping

from kcompliance.model.apiserver.plain_data import mapping, sequence, text
from kcompliance.model.forwarder_config.interface import Output, Reach

__all__ = ["output_of"]

_NOWHERE = frozenset(
    [
        "null",
        "stdout",
        "file",
        "secondary_file",
        "counter",
        "flowcounter",
        "exit",
        "plot",
        "lib",
        "console",
        "blackhole",
        "debug",
        "logging",
        "nop",
        "prometheus_exporter",
        "prometheus",
        "exec",
        "exec_filter",
        "vivo_exporter",
    ]
)
_CLOUD = re.compile(
    r"^(aws|gcp|azure|google|amazon)|^(s3|cloudwatch|cloudwatch_logs|kinesis.*|firehose|stackdriver"
    r"|bigquery|gcs|googlecloud|datadog(_logs)?|nrlogs|newrelic|new_relic|logdna|oracle_log_analytics"
    r"|oci_logging|slack|td|coralogix|honeycomb|logzio.*|sumologic|chronicle)$"
)
_ADDRESS = re.compile(
    r"^(hosts?|endpoints?|endpoint_url|(logs?|hec|s3|otlp)_endpoint|url|uri|urls|brokers"
    r"|bootstrap_servers|hec_host|address|servers?|remote_servers|domain)$"
)
_BY_DEFAULT_ON_ITSELF = frozenset(
    [
        "elasticsearch",
        "es",
        "opensearch",
        "http",
        "forward",
        "logstash",
        "loki",
        "splunk",
        "kafka",
        "redis",
        "opentelemetry",
        "gelf",
        "tcp",
    ]
)
_CLOUD_ID = ("cloud_id", "cloud.id")


def output_of(kind: str, settings: Mapping[str, object]) -> Output:
    """The output of this kind with these settings, whose names are compared in lower case."""
    name = kind.lower().removeprefix("out_")
    given = {key.lower(): value for key, value in settings.items()}
    if name in _NOWHERE:
        return Output(kind=kind, reach=Reach.NOWHERE)
    if any(given.get(key) for key in _CLOUD_ID):
        return Output(kind=kind, reach=Reach.CLOUD)
    addresses = tuple(
        address
        for key, value in given.items()
        if _ADDRESS.match(key)
        for address in _addresses(value)
    )
    if addresses:
        return Output(kind=kind, reach=Reach.NETWORK, addresses=addresses)
    if _CLOUD.match(name):
        return Output(kind=kind, reach=Reach.CLOUD)
    if name in _BY_DEFAULT_ON_ITSELF:
        return Output(kind=kind, reach=Reach.NETWORK, addresses=("127.0.0.1",))
    return Output(kind=kind, reach=Reach.UNKNOWN)


def _addresses(value: object) -> list[str]:
    """Of a text, of texts with commas between them, of a list, or of a mapping with addresses."""
    if isinstance(value, list):
        return [address for item in sequence(value) for address in _addresses(item)]
    if isinstance(value, Mapping):
        inner = mapping(value)
        return [
            address
            for key, item in inner.items()
            if _ADDRESS.match(key.lower())
            for address in _addresses(item)
        ]
    written = text(value) or ""
    pieces = written.strip().strip("[]").split(",")
    return [word for piece in pieces if (word := piece.strip().strip("\"'"))]
