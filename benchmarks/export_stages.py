"""The stages that an export is measured against, each a program of its own.

python -m benchmarks.export_stages drain URL INDEX FROM TO       read everything, keep nothing
python -m benchmarks.export_stages pipeline FILE COUNT           hash, compress, write; no server
python -m benchmarks.export_stages scan URL INDEX OUT            helpers.scan, json and gzip
"""

import gzip
import json
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kcompliance.archive.elasticsearch import ElasticsearchOptions, open_elasticsearch
from kcompliance.archive.interface import ArchivedStream, Page, TimeRange
from kcompliance.archive.segment_writer import SegmentWriter
from kcompliance.ledger import IndexPartition, StreamName

THREADS = 4
"""As many as `archive run --connections` has where nobody says otherwise."""

_PAGE = 6 * 1024 * 1024


def drain(url: str, index: str, start: str, end: str) -> None:
    """Read all events with the paging of the product, and throw them away."""
    options = ElasticsearchOptions(urls=(url,), patterns=(index,), window=timedelta(days=1))
    wanted = TimeRange(start=datetime.fromisoformat(start), end=datetime.fromisoformat(end))
    archived = ArchivedStream(stream=StreamName("bench/audit"))
    with open_elasticsearch(options) as source, ThreadPoolExecutor(THREADS) as pool:
        planned = source.plan(wanted, archived, now=datetime.now(UTC))
        parts = [part for window in planned for part in window.parts]
        read = pool.map(lambda part: source.read(part, _forget), parts)
        print(sum(part.written for part in read))


def _forget(page: Page) -> None:
    """Nothing is kept of a page."""


def pipeline(file: str, count: str) -> None:
    """What is done with the events after they were read: as many as `count`, from memory."""
    pages = _pages(Path(file))
    docs_of_all = sum(docs for _, docs in pages)
    rounds = int(count) // docs_of_all // THREADS
    with tempfile.TemporaryDirectory() as spool, ThreadPoolExecutor(THREADS) as pool:

        def work(number: int) -> int:
            return _write(Path(spool), pages, rounds)

        print(sum(pool.map(work, range(THREADS))))


def _pages(file: Path) -> list[tuple[bytes, int]]:
    pages, lines, size = [], [], 0
    for line in file.read_bytes().splitlines(keepends=True):
        lines.append(line)
        size += len(line)
        if size >= _PAGE:
            pages.append((b"".join(lines), len(lines)))
            lines, size = [], 0
    return pages


def _write(spool: Path, pages: list[tuple[bytes, int]], rounds: int) -> int:
    written = 0
    with SegmentWriter(spool) as writer:
        for _ in range(rounds):
            for lines, docs in pages:
                writer.write(lines, docs)
                written += docs
        partition = IndexPartition(
            index="i", index_uuid="u", shard=0, expected=written, written=written, max_seq_no=0
        )
        writer.credit(partition)
        for segment in writer.finish():
            segment.path.unlink()
    return written


def scan(url: str, index: str, out: str) -> None:
    """What a script of a few lines does."""
    from elasticsearch import Elasticsearch, helpers

    with Elasticsearch(url) as client, gzip.open(out, "wt", compresslevel=6) as file:
        for hit in helpers.scan(client, index=index, size=2000):
            file.write(json.dumps(hit) + "\n")


STAGES: dict[str, Callable[..., None]] = {"drain": drain, "pipeline": pipeline, "scan": scan}

if __name__ == "__main__":
    STAGES[sys.argv[1]](*sys.argv[2:])
