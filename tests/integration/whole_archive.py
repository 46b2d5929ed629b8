"""Whole runs of the real command line from a search server into an archive, and what came of it.

What the archive ought to hold is read from the server without anything of kcompliance: each
document as the line that it has to be.
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import urllib3
from elasticsearch import Elasticsearch, JsonSerializer

from kcompliance.archive.key_files import KeyKind, new_key, write_key
from kcompliance.archive.trust_files import read_trust
from kcompliance.ledger import Trust
from tests.archive.check_archive import CheckedArchive, check_archive
from tests.cli.command import environment
from tests.faults.places import RunPlace
from tests.faults.running import Ended, ended
from tests.servers.search_server import JSON_LINES, SearchServer

__all__ = [
    "BEGIN",
    "END",
    "HOUR",
    "SearchTrail",
    "Stored",
    "as_stored",
    "at_hour",
    "content_of",
    "documents_of",
    "event",
    "folder_place",
    "index_documents",
    "lines_of",
    "make_index",
]

HOUR = timedelta(hours=1)
BEGIN = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - 12 * HOUR
"""Of what these tests archive: lately, as late events are not looked for without end."""
END = BEGIN + 6 * HOUR
_STREAM = "prod/audit"
_PAGE = 1000


def at_hour(hours: float) -> str:
    """So many hours after the beginning, as the command line takes it."""
    return (BEGIN + hours * HOUR).isoformat(timespec="microseconds").replace("+00:00", "Z")


# --- the source ---------------------------------------------------------------------------------


def event(number: int, hours: float | None, **more: object) -> dict[str, object]:
    """An event so many hours after the beginning; None: without a time."""
    known: dict[str, object] = {"kind": "Event", "auditID": f"{number:08}", **more}
    return known if hours is None else {**known, "requestReceivedTimestamp": at_hour(hours)}


def make_index(
    server: SearchServer,
    name: str,
    *,
    shards: int = 1,
    replicas: int = 0,
    mapping: Mapping[str, object] | None = None,
    **settings: object,
) -> None:
    """An index whose time field is mapped."""
    counts = {"number_of_shards": shards, "number_of_replicas": replicas}
    properties = {"requestReceivedTimestamp": {"type": "date"}, **(mapping or {})}
    body = {"settings": {**counts, **settings}, "mappings": {"properties": properties}}
    server.must("PUT", f"/{name}", body)


def index_documents(
    server: SearchServer,
    index: str,
    documents: Mapping[str, Mapping[str, object]],
    *,
    routing: str | None = None,
    action: str = "index",
    refresh: bool = True,
) -> None:
    """Index documents by id, all with this routing."""
    more = {} if routing is None else {"routing": routing}
    lines: list[object] = []
    for name, document in documents.items():
        lines += [{action: {"_id": name, **more}}, document]
    body = b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines)
    path = f"/{index}/_bulk?refresh={str(refresh).lower()}"
    status, answer = server.request("POST", path, body, content_type=JSON_LINES)
    assert (status, answer["errors"]) == (200, False), answer


# --- the source, read without kcompliance -------------------------------------------------------


class Stored(msgspec.Struct, rename="_{}".format, omit_defaults=True, kw_only=True):
    """A document as a search gives it, in the order in which the archive names its parts."""

    index: str
    id: str
    routing: str = ""
    seq_no: int
    primary_term: int
    version: int
    source: msgspec.Raw
    sort: list[int] = msgspec.field(name="sort", default_factory=list)

    @property
    def line(self) -> bytes:
        """What the archive has to hold of it, without the line feed."""
        return msgspec.json.encode(msgspec.structs.replace(self, sort=[]))

    @property
    def content(self) -> tuple[str, str, bytes]:
        """Id, routing and source: what has to be the same wherever it is brought back."""
        return self.id, self.routing, bytes(self.source)


def _read_line(line: bytes) -> Stored:
    return msgspec.json.decode(line, type=Stored)


class _Total(msgspec.Struct):
    value: int
    relation: str


class _Hits(msgspec.Struct):
    hits: list[Stored]
    total: _Total | None = None


class _Answer(msgspec.Struct):
    id: str | None = None
    pit_id: str | None = None
    hits: _Hits | None = None


_ANSWER = msgspec.json.Decoder(_Answer)


class _RawSources(JsonSerializer):
    """Lets the official client hand out the bytes of each `_source`."""

    mimetype = "application/vnd.elasticsearch+json"

    def loads(self, data: bytes) -> Any:
        return _ANSWER.decode(data)


def documents_of(
    server: SearchServer, *indices: str, query: Mapping[str, object] | None = None
) -> list[Stored]:
    """All documents of these indices, aliases and data streams as they are now."""
    named = ",".join(indices)
    wanted = dict(query or {"match_all": {}})
    hits = _by_client if server.product == "elasticsearch" else _at_once
    with _wide_open(server, named):
        found = [*hits(server, named, wanted)]
    counted = server.must("POST", f"/{named}/_count", {"query": wanted})
    assert len(found) == counted["count"]
    return found


@contextmanager
def _wide_open(server: SearchServer, named: str) -> Iterator[None]:
    """Lift the limits to what one search may return."""
    path = f"/{named}/_settings/index.max_result_window?flat_settings=true"
    limits = server.must("GET", path)
    for index in limits:
        server.must("PUT", f"/{index}/_settings", {"index.max_result_window": None})
    yield
    for index, held in limits.items():
        server.must("PUT", f"/{index}/_settings", held["settings"])


def _by_client(server: SearchServer, named: str, query: dict[str, object]) -> Iterator[Stored]:
    """By Elasticsearch's own client, page by page."""
    admin = server.admin
    secured: dict[str, Any] = {}
    if admin is not None:
        secured = {"basic_auth": (admin.user, admin.password), "ca_certs": str(server.ca_cert)}
    serializers = {_RawSources.mimetype: _RawSources()}
    with Elasticsearch(server.url, serializers=serializers, **secured) as client:
        pit = client.open_point_in_time(index=named, keep_alive="1m").body.id
        after = None
        while True:
            answer = client.search(
                pit={"id": pit, "keep_alive": "1m"},
                size=_PAGE,
                query=query,
                sort=[{"_shard_doc": "asc"}],
                search_after=after,
                seq_no_primary_term=True,
                version=True,
            ).body
            if not answer.hits.hits:
                break
            yield from answer.hits.hits
            pit, after = answer.pit_id, answer.hits.hits[-1].sort
        client.close_point_in_time(id=pit)


def _at_once(server: SearchServer, named: str, query: dict[str, object]) -> Iterator[Stored]:
    """In one page: other sorts lose documents between pages of OpenSearch."""
    body = {"size": 10_000, "query": query, "seq_no_primary_term": True, "version": True}
    answer = urllib3.request("POST", f"{server.url}/{named}/_search", json=body, timeout=60)
    assert answer.status == 200, answer.data
    hits = _ANSWER.decode(answer.data).hits
    assert hits is not None
    yield from hits.hits


def lines_of(server: SearchServer, *indices: str) -> set[bytes]:
    """The lines of all documents as they are now; no two of them are ever the same."""
    found = documents_of(server, *indices)
    lines = {each.line for each in found}
    assert len(lines) == len(found)
    return lines


def as_stored(line: bytes) -> bytes:
    """A server writes some characters of an id so in one answer and escaped in the next."""
    return _read_line(line).line


def content_of(lines: Iterable[bytes]) -> Iterator[tuple[str, str, bytes]]:
    """Id, routing and source of archived lines."""
    for line in lines:
        yield _read_line(line).content


# --- runs -----------------------------------------------------------------------------------------


def folder_place(folder: Path) -> RunPlace:
    """A folder that is not there yet."""
    return RunPlace(kind="folder", url=str(folder / "archive"))


@dataclass(kw_only=True)
class SearchTrail:
    """A source, the place of its archive, a key and a trust file."""

    folder: Path
    place: RunPlace
    url: str
    patterns: Sequence[str]
    options: Sequence[str | Path] = ()
    environment: dict[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.spool.mkdir(exist_ok=True)
        if not self.key.exists():
            write_key(self.key, new_key(KeyKind.ED25519), None)

    @property
    def key(self) -> Path:
        return self.folder / "archive.key"

    @property
    def trust_file(self) -> Path:
        return self.folder / "trust.toml"

    @property
    def spool(self) -> Path:
        return self.folder / "spool"

    @property
    def trust(self) -> Trust:
        return read_trust(self.trust_file)

    def command(
        self, *more: str | Path, hours: tuple[float, float] | None = (0, 6), stream: str = _STREAM
    ) -> list[str]:
        """The arguments of a run; `hours` after the beginning are archived, None: as it chooses."""
        options = {
            "--stream": stream,
            "--key": self.key,
            "--spool": self.spool,
            "--write-trust": self.trust_file,
            "--elasticsearch": self.url,
        }
        if hours is not None:
            options |= {"--from": at_hour(hours[0]), "--to": at_hour(hours[1])}
        pairs = [str(part) for pair in options.items() for part in pair]
        indices = ["--index", *self.patterns]
        return ["archive", "run", *self.place.arguments, *indices, *pairs, *self._more(more)]

    def start(
        self, arguments: Sequence[str], *, through: Sequence[str] = ("kcompliance",)
    ) -> "subprocess.Popen[bytes]":
        """A process of its own; `through` another module that runs it."""
        return subprocess.Popen(
            [sys.executable, "-B", "-m", *through, *arguments],
            cwd=self.folder,
            env=environment(**self.place.environment, **self.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(
        self,
        *more: str | Path,
        hours: tuple[float, float] | None = (0, 6),
        stream: str = _STREAM,
        through: Sequence[str] = ("kcompliance",),
    ) -> Ended:
        """A run to its end."""
        arguments = self.command("--format", "json", *more, hours=hours, stream=stream)
        return ended(self.start(arguments, through=through))

    def verify(self, *more: str) -> Ended:
        """`kcompliance verify` at its deepest level."""
        options = ["--trust", str(self.trust_file), "--level", "4", "--format", "json"]
        return ended(self.start(["verify", *self.place.arguments, *options, *more]))

    def cat(self, stream: str = _STREAM, *, form: str = "--raw") -> list[bytes]:
        """The lines that `archive cat` gives back."""
        options = ["--trust", str(self.trust_file), "--stream", stream, form]
        done = ended(self.start(["archive", "cat", *self.place.arguments, *options]))
        assert done.code == 0, done.err
        return done.out.encode().split(b"\n")[:-1]

    def check(self, lines: Iterable[bytes], *, gaps: int = 0) -> CheckedArchive:
        """The archive holds exactly these lines, and explains everything that lies there."""
        with self.place.open() as store:
            checked = check_archive(store, lines, trust=self.trust, gaps=gaps, seen=as_stored)
        assert list(self.spool.iterdir()) == []
        return checked

    def is_untouched(self) -> bool:
        """Whether nothing was made or left by a run; for a place that is a folder."""
        left = {path.name for path in self.folder.iterdir()} - {
            self.key.name,
            f"{self.key.name}.pub",
        }
        return left == {self.spool.name} and list(self.spool.iterdir()) == []

    def _more(self, more: Iterable[str | Path]) -> list[str]:
        return [*map(str, self.options), *map(str, more)]
