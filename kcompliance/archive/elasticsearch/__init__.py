"""Elasticsearch and OpenSearch as a source of events, read shard by shard from points in time.

Needs an API key or user with `monitor` on the cluster, and `read` and `view_index_metadata` on the
indices. Nothing is written.
"""

from kcompliance.archive.elasticsearch.options import ElasticsearchOptions
from kcompliance.archive.elasticsearch.source import ElasticsearchSource, open_elasticsearch

__all__ = ["ElasticsearchOptions", "ElasticsearchSource", "open_elasticsearch"]
