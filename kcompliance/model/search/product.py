"""Which search server it is."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kcompliance.model.apiserver.plain_data import at, text
from kcompliance.model.search.questions import Product

__all__ = ["SearchServer", "read_server"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchServer:
    """A cluster of search nodes, as it introduces itself."""

    product: Product
    version: tuple[int, int]
    serverless: bool


def read_server(answer: Mapping[str, Any]) -> SearchServer | None:
    """The answer of `/`; None where that is none of a search server."""
    number = text(at(answer, "version", "number")) or ""
    found = re.match(r"([0-9]{1,4})\.([0-9]{1,4})\.", number)
    if found is None or not isinstance(answer.get("tagline"), str):
        return None
    opensearch = at(answer, "version", "distribution") == "opensearch"
    return SearchServer(
        product=Product.OPENSEARCH if opensearch else Product.ELASTICSEARCH,
        version=(int(found[1]), int(found[2])),
        serverless=at(answer, "version", "build_flavor") == "serverless",
    )
