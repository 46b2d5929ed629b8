"""Reads what a user names as a store of events: `elasticsearch+https://HOST[:PORT]/PATTERN`."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from kcompliance.errors import UsageError
from kcompliance.model.search.questions import Store

if TYPE_CHECKING:
    from kcompliance.search.options import ConnectionOptions

__all__ = ["DeclaredStore", "connection_options", "search_target"]

_FORM: Final = "write elasticsearch+https://HOST[:PORT][/PATH]/INDEX_PATTERN"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredStore:
    """A store, and how to reach it beyond what its URL says."""

    store: Store
    ca_cert: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    insecure: bool = False
    environment: Mapping[str, str] | None = field(default=None, repr=False)
    """Where credentials are; None: the process's own environment."""


def search_target(
    text: str,
    *,
    filters: Mapping[str, str] | None = None,
    time_field: str | None = None,
    ca_cert: Path | None = None,
    client_cert: Path | None = None,
    client_key: Path | None = None,
    insecure: bool = False,
) -> DeclaredStore:
    """The store that a URL names. Raises UsageError; nothing of a credential is in it."""
    if "@" in text.partition("://")[2].partition("/")[0]:
        raise UsageError(
            "the URL of a store holds credentials, which a URL never should",
            "set KCOMPLIANCE_ELASTICSEARCH_API_KEY or the like instead",
        )
    try:
        parts = urlsplit(re.sub(r"\Aelasticsearch\+", "", text))
        port = parts.port
    except ValueError as error:
        raise UsageError(f'no store: "{text}"', _FORM) from error
    base, _, last = parts.path.rstrip("/").rpartition("/")
    patterns = tuple(unquote(each) for each in last.split(",") if each)
    wrong = parts.query or parts.fragment or not parts.hostname or port == 0
    if parts.scheme not in {"http", "https"} or wrong or not patterns:
        raise UsageError(f'no store: "{text}"', _FORM)
    _refuse_odd(patterns)
    return DeclaredStore(
        store=Store(
            url=f"{parts.scheme}://{parts.netloc}{base}",
            patterns=patterns,
            filters=tuple(sorted((filters or {}).items())),
            time_field=time_field,
        ),
        ca_cert=ca_cert,
        client_cert=client_cert,
        client_key=client_key,
        insecure=insecure,
    )


def _refuse_odd(patterns: tuple[str, ...]) -> None:
    for pattern in patterns:
        if ":" in pattern:
            raise UsageError(
                f'"{pattern}" is on a remote cluster, whose settings are not told from here',
                "give the URL of that cluster",
            )
        if pattern.startswith(("_", "-")) or re.search(r"[\s\"\\<>|?#/{}]", pattern):
            raise UsageError(f'"{pattern}" is not the name of an index', "say * for all")


def connection_options(declared: DeclaredStore) -> "ConnectionOptions":
    """With the credentials of the environment, under the names that `archive run` knows."""
    from kcompliance.search.options import ConnectionOptions

    found = os.environ if declared.environment is None else declared.environment

    def said(name: str) -> str | None:
        return found.get(f"KCOMPLIANCE_{name}") or None

    def path(name: str, declared_one: Path | None) -> Path | None:
        text = said(name)
        return declared_one or (Path(text) if text else None)

    return ConnectionOptions(
        urls=(declared.store.url,),
        api_key=said("ELASTICSEARCH_API_KEY"),
        username=said("ELASTICSEARCH_USERNAME"),
        password=said("ELASTICSEARCH_PASSWORD"),
        bearer=said("ELASTICSEARCH_BEARER_TOKEN"),
        ca_cert=path("CA_CERT", declared.ca_cert),
        client_cert=path("CLIENT_CERT", declared.client_cert),
        client_key=path("CLIENT_KEY", declared.client_key),
        insecure=declared.insecure or (said("INSECURE") or "").lower() in {"1", "true", "yes"},
        connections=2,
    )
