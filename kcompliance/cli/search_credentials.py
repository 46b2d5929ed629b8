"""Credentials for Elasticsearch and OpenSearch: from the environment, never from arguments."""

import os
from typing import TypedDict

__all__ = ["SearchCredentials", "search_credentials"]


class SearchCredentials(TypedDict):
    """As `ElasticsearchOptions` takes them."""

    api_key: str | None
    username: str | None
    password: str | None
    bearer: str | None


def search_credentials() -> SearchCredentials:
    """What the environment holds."""
    return SearchCredentials(
        api_key=os.environ.get("KCOMPLIANCE_ELASTICSEARCH_API_KEY"),
        username=os.environ.get("KCOMPLIANCE_ELASTICSEARCH_USERNAME"),
        password=os.environ.get("KCOMPLIANCE_ELASTICSEARCH_PASSWORD"),
        bearer=os.environ.get("KCOMPLIANCE_ELASTICSEARCH_BEARER_TOKEN"),
    )
