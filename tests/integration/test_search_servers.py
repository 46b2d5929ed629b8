"""The search servers that other tests rely on are what they are taken for."""

import pytest

from tests.servers.search_server import SearchServer

pytestmark = pytest.mark.integration


@pytest.fixture(params=["elasticsearch", "opensearch"])
def server(request: pytest.FixtureRequest) -> SearchServer:
    found: SearchServer = request.getfixturevalue(request.param)
    return found


def test_what_is_indexed_is_found(server: SearchServer) -> None:
    server.must("PUT", "/found/_doc/1?refresh=true", {"a": "b"})

    hits = server.must("POST", "/found/_search", {"query": {"match": {"a": "b"}}})["hits"]

    assert [hit["_source"] for hit in hits["hits"]] == [{"a": "b"}]
