"""What is asked of a search server, under which name its answer is kept, and who may ask.

The collector asks by this table and the checks find the answers by it: a capture's resource is
`Store.asked(question)`. Paths are those of the published REST references of Elasticsearch 7.17 to 9
and OpenSearch 2 and 3.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

from kcompliance.model.reading import Kind

__all__ = ["BY_KIND", "QUESTIONS", "Product", "Question", "Store", "snapshots_of"]


class Product(StrEnum):
    """The two families of search servers."""

    ELASTICSEARCH = "elasticsearch"
    OPENSEARCH = "opensearch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One request; `{patterns}` in its path stands for those of the store."""

    kind: Kind
    path: str
    permission: str | None
    """The least privilege of Elasticsearch that is enough; None: everybody may ask."""
    query: str = ""
    of: Product | None = None
    """Only this one is asked."""
    everywhere: bool = False
    """Every server can answer, so that 400, 404 and 405 are no sign of an older one."""
    word: str = ""
    """Tells searches apart, which all have one path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Where events are kept: `patterns` of indices, and which of their events are the cluster's."""

    url: str
    """Without a slash at its end."""
    patterns: tuple[str, ...]
    filters: tuple[tuple[str, str], ...] = ()
    time_field: str | None = None
    """Where the user names it."""

    def __str__(self) -> str:
        chosen = "".join(f" {field}={value}" for field, value in self.filters)
        return f"{self.url}/{','.join(self.patterns)}{chosen}"

    def asked(self, question: Question) -> str:
        """The resource of a question's capture."""
        path = self.path(question)
        if not question.word:
            return self.url + path
        chosen = "".join(f" {field}={value}" for field, value in self.filters)
        return f"{self.url}{path} ({question.word}{chosen})"

    def path(self, question: Question) -> str:
        """Where a question is asked; `{failures}` stands for what the patterns put aside."""
        return question.path.format(
            patterns=",".join(self.patterns),
            failures=",".join(f"{each}::failures" for each in self.patterns),
        )

    def dump(self) -> bytes:
        """As a capture holds it."""
        return json.dumps(
            {
                "url": self.url,
                "patterns": list(self.patterns),
                "filter": [list(each) for each in self.filters],
                "time_field": self.time_field,
            },
            ensure_ascii=False,
        ).encode()

    @classmethod
    def load(cls, data: bytes) -> "Store | None":
        """The store of a capture; None for anything else."""
        try:
            found = msgspec.json.decode(data, type=_Stored)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        return cls(
            url=found.url,
            patterns=tuple(found.patterns),
            filters=tuple(found.filter),
            time_field=found.time_field,
        )


class _Stored(msgspec.Struct, forbid_unknown_fields=True):
    url: str
    patterns: list[str]
    filter: list[tuple[str, str]]
    time_field: str | None


_ES, _OS = Product.ELASTICSEARCH, Product.OPENSEARCH
QUESTIONS: Final = (
    Question(kind=Kind.ELASTICSEARCH_SERVER, path="/", permission="monitor", everywhere=True),
    Question(
        kind=Kind.ELASTICSEARCH_HEALTH,
        path="/_cluster/health/{patterns}",
        permission="monitor",
        everywhere=True,
    ),
    Question(
        kind=Kind.ELASTICSEARCH_INDICES,
        path="/_resolve/index/{patterns}",
        query="expand_wildcards=all",
        permission="view_index_metadata",
        everywhere=True,
    ),
    Question(
        kind=Kind.ELASTICSEARCH_SETTINGS,
        path="/{patterns}/_settings",
        query="expand_wildcards=all&flat_settings=true",
        permission="view_index_metadata",
        everywhere=True,
    ),
    Question(
        kind=Kind.ELASTICSEARCH_FIELDS,
        path="/{patterns}/_field_caps",
        permission="view_index_metadata",
        everywhere=True,
    ),
    Question(
        kind=Kind.ELASTICSEARCH_DATA_STREAMS,
        path="/_data_stream/{patterns}",
        permission="view_index_metadata",
    ),
    Question(
        kind=Kind.ELASTICSEARCH_DATA_STREAM_LIFECYCLE,
        path="/_data_stream/{patterns}/_lifecycle",
        permission="view_index_metadata",
        of=_ES,
    ),
    Question(
        kind=Kind.ELASTICSEARCH_ILM_POLICIES, path="/_ilm/policy", permission="read_ilm", of=_ES
    ),
    Question(
        kind=Kind.ELASTICSEARCH_ILM_STATUS, path="/_ilm/status", permission="read_ilm", of=_ES
    ),
    Question(
        kind=Kind.ELASTICSEARCH_ILM_EXPLAIN,
        path="/{patterns}/_ilm/explain",
        permission="view_index_metadata",
        of=_ES,
    ),
    Question(
        kind=Kind.ELASTICSEARCH_SLM_POLICIES, path="/_slm/policy", permission="read_slm", of=_ES
    ),
    Question(
        kind=Kind.ELASTICSEARCH_SLM_STATUS, path="/_slm/status", permission="read_slm", of=_ES
    ),
    Question(
        kind=Kind.ELASTICSEARCH_ISM_POLICIES,
        path="/_plugins/_ism/policies",
        query="size=1000",
        permission="cluster:admin/opendistro/ism/policy/search",
        of=_OS,
    ),
    Question(
        kind=Kind.ELASTICSEARCH_ISM_EXPLAIN,
        path="/_plugins/_ism/explain/{patterns}",
        query="size=5000",
        permission="cluster:admin/opendistro/ism/managedindex/explain",
        of=_OS,
    ),
    Question(
        kind=Kind.ELASTICSEARCH_SM_POLICIES,
        path="/_plugins/_sm/policies",
        query="size=1000",
        permission="cluster:admin/opensearch/snapshot_management/policy/search",
        of=_OS,
    ),
    Question(
        kind=Kind.ELASTICSEARCH_REPOSITORIES,
        path="/_snapshot",
        permission="monitor_snapshot",
        everywhere=True,
    ),
    Question(
        kind=Kind.ELASTICSEARCH_PIPELINES, path="/_ingest/pipeline", permission="read_pipeline"
    ),
    Question(
        kind=Kind.ELASTICSEARCH_INGEST_STATS,
        path="/_nodes/stats/ingest",
        permission="monitor",
        query="filter_path=nodes.*.ingest.pipelines",
    ),
    Question(
        kind=Kind.ELASTICSEARCH_NODE_SETTINGS,
        path="/_nodes/settings",
        query="flat_settings=true",
        permission="monitor",
    ),
    Question(
        kind=Kind.ELASTICSEARCH_CLUSTER_SETTINGS,
        path="/_cluster/settings",
        query="include_defaults=true&flat_settings=true",
        permission="monitor",
    ),
    Question(kind=Kind.ELASTICSEARCH_USAGE, path="/_xpack/usage", permission="monitor", of=_ES),
    Question(kind=Kind.ELASTICSEARCH_LICENSE, path="/_license", permission="monitor", of=_ES),
    Question(
        kind=Kind.ELASTICSEARCH_ROLES, path="/_security/role", permission="read_security", of=_ES
    ),
    Question(
        kind=Kind.ELASTICSEARCH_USERS, path="/_security/user", permission="read_security", of=_ES
    ),
    Question(
        kind=Kind.ELASTICSEARCH_ROLE_MAPPINGS,
        path="/_security/role_mapping",
        permission="read_security",
        of=_ES,
    ),
    Question(
        kind=Kind.ELASTICSEARCH_API_KEYS,
        path="/_security/api_key",
        permission="read_security",
        of=_ES,
    ),
    Question(
        kind=Kind.ELASTICSEARCH_CALLER, path="/_security/_authenticate", permission=None, of=_ES
    ),
    Question(
        kind=Kind.ELASTICSEARCH_ROLES,
        path="/_plugins/_security/api/roles",
        permission="restapi:admin/roles",
        of=_OS,
    ),
    Question(
        kind=Kind.ELASTICSEARCH_USERS,
        path="/_plugins/_security/api/internalusers",
        permission="restapi:admin/internalusers",
        of=_OS,
    ),
    Question(
        kind=Kind.ELASTICSEARCH_ROLE_MAPPINGS,
        path="/_plugins/_security/api/rolesmapping",
        permission="restapi:admin/rolesmapping",
        of=_OS,
    ),
    Question(
        kind=Kind.ELASTICSEARCH_CALLER, path="/_plugins/_security/authinfo", permission=None, of=_OS
    ),
    *(
        Question(
            kind=kind, path="/{patterns}/_search", permission="read", everywhere=True, word=word
        )
        for kind, word in (
            (Kind.ELASTICSEARCH_TIMES, "times"),
            (Kind.ELASTICSEARCH_HISTOGRAM, "histogram"),
            (Kind.ELASTICSEARCH_SOURCES, "sources"),
            (Kind.ELASTICSEARCH_TERMS, "terms"),
            (Kind.ELASTICSEARCH_SAMPLE, "sample"),
            (Kind.ELASTICSEARCH_RANDOM_SAMPLE, "random sample"),
        )
    ),
    Question(
        kind=Kind.ELASTICSEARCH_FAILURE_STORE,
        path="/{failures}/_count",
        query="ignore_unavailable=true",
        permission="read_failure_store",
        of=_ES,
    ),
    Question(
        kind=Kind.ELASTICSEARCH_UNROUTED,
        path="/logs-aws_logs.generic-*/_count",
        query="q=message:*audit.k8s.io*&ignore_unavailable=true",
        permission="read",
        everywhere=True,
    ),
    Question(
        kind=Kind.ELASTICSEARCH_WATCHES,
        path="/_watcher/_query/watches",
        permission="monitor_watcher",
        of=_ES,
    ),
    Question(
        kind=Kind.ELASTICSEARCH_MONITORS,
        path="/_plugins/_alerting/monitors/_search",
        permission="cluster:admin/opendistro/alerting/monitor/search",
        of=_OS,
    ),
    Question(
        kind=Kind.ELASTICSEARCH_AUDIT_CONFIG,
        path="/_plugins/_security/api/audit",
        permission="plugins.security.restapi.roles_enabled",
        of=_OS,
    ),
    Question(
        kind=Kind.ELASTICSEARCH_ANONYMOUS, path="/", permission=None, word="without credentials"
    ),
)
"""In the order in which they are asked. What one repository holds is asked besides."""

_SNAPSHOTS: Final = "/_snapshot/"


def snapshots_of(repository: str) -> Question:
    """The newest snapshots of one repository."""
    return Question(
        kind=Kind.ELASTICSEARCH_SNAPSHOTS,
        path=_SNAPSHOTS + repository.replace("{", "{{").replace("}", "}}"),
        permission="monitor_snapshot",
        everywhere=True,
    )


def _by_kind() -> Mapping[Kind, tuple[Question, ...]]:
    found: dict[Kind, tuple[Question, ...]] = {}
    for question in QUESTIONS:
        found[question.kind] = (*found.get(question.kind, ()), question)
    return found


BY_KIND: Final = _by_kind()
"""By kind: one question, or one of each product."""
