"""Looks at an Elasticsearch or OpenSearch that holds a cluster's audit trail.

Needs the privileges of deploy/elasticsearch/role.json; only reads.
"""

from kcompliance.collect.search.target import DeclaredStore, search_target

__all__ = ["DeclaredStore", "search_target"]
