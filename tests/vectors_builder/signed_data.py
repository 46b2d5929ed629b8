"""What only the key holder can say of events, and what an honest one may have to say."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

import zstandard

from kcompliance.ledger import (
    FilePartition,
    FindingCode,
    SegmentRecord,
    WindowRecord,
    WindowStatus,
    segment_name,
)
from kcompliance.model.digest import sha256
from tests.vectors_builder.good import FILES, SEARCH, Good, event, file_range, hit, shard, window_at
from tests.vectors_builder.growing import BEGIN, HOUR, Growing
from tests.vectors_builder.signing import Grow, committing, grown, leaves_of
from tests.vectors_builder.vector import Vector

__all__ = ["signed_data"]

_F = FindingCode
_EMPTY = WindowStatus.EMPTY


def signed_data(files: Good, search: Good) -> Iterator[Vector]:
    """Vectors of coverage and of segments."""
    yield from _coverage(files, search)
    yield from _contents(search)


# --- coverage ---------------------------------------------------------------------------------


def _coverage(files: Good, search: Good) -> Iterator[Vector]:
    missing = window_at(3, status=WindowStatus.SOURCE_MISSING)
    half = replace(window_at(1, status=_EMPTY), start=BEGIN + 1.5 * HOUR, end=BEGIN + 2.5 * HOUR)
    windows: dict[str, tuple[str, WindowRecord, FindingCode | None]] = {
        "source-missing": (
            "What should have held an hour's events was gone when it was to be archived.",
            missing,
            _F.WINDOW_GAP,
        ),
        "window-gap": ("No window covers an hour.", window_at(4, status=_EMPTY), _F.WINDOW_GAP),
        "window-overlap": ("Two windows cover the same time.", half, _F.WINDOW_OVERLAP),
        "window-twice": (
            "A window has one revision twice.",
            window_at(1, status=_EMPTY),
            _F.WINDOW_OVERLAP,
        ),
        "window-revision-lost": (
            "A window has revisions 0 and 2.",
            window_at(1, status=_EMPTY, rev=2),
            _F.WINDOW_GAP,
        ),
        "window-next": (
            "Nothing but the next hour, which was empty.",
            window_at(3, status=_EMPTY),
            None,
        ),
    }
    for name, (about, window, code) in windows.items():
        yield grown(name, about, search, committing(window), *([code] if code else []))
    end = max(
        each["partitions"][0]["end"]
        for each in leaves_of(files.archive, "window")
        if each["partitions"]
    )
    line = event(50, BEGIN + HOUR)
    for name, about, start, code in (
        ("file-gap", "Between two ranges of a file lie 7 bytes.", end + 7, _F.WINDOW_GAP),
        ("file-overlap", "Two ranges of a file overlap.", end - 7, _F.WINDOW_OVERLAP),
    ):
        part = file_range(start, start + len(line) + 1, 1)
        yield grown(
            name,
            about,
            files,
            _more_of_the_file(part, line),
            code,
        )


def _more_of_the_file(part: FilePartition, line: bytes) -> Grow:
    def grow(archive: Growing) -> None:
        moment = BEGIN + HOUR
        archive.commit(*archive.file_range(FILES, part, [line], first=moment, last=moment))

    return grow


# --- what segments hold -----------------------------------------------------------------------


def _contents(search: Good) -> Iterator[Vector]:
    hits = [hit(60 + n, BEGIN + 3 * HOUR + timedelta(minutes=n), seq_no=60 + n) for n in range(3)]

    def sealed(change: Callable[[SegmentRecord], SegmentRecord]) -> Callable[[Growing], None]:
        def grow(archive: Growing) -> None:
            segment, window = archive.hour(SEARCH, BEGIN + 3 * HOUR, [(shard(0, 3, 62), hits)])
            archive.commit(change(segment), window)

        return grow

    yield grown(
        "signed-events-root",
        "The record of a segment names another root than its events have.",
        search,
        sealed(lambda record: replace(record, events_root=sha256(b"another"))),
        _F.EVENTS_ROOT,
    )
    yield grown(
        "signed-content-sha256",
        "The record of a segment names the SHA-256 of another content.",
        search,
        sealed(lambda record: replace(record, content_sha256=sha256(b"another"))),
        _F.SEGMENT_MODIFIED,
    )
    yield grown(
        "signed-no-json",
        "A line of a segment of an index is no JSON object.",
        search,
        lambda a: a.commit(*a.hour(SEARCH, BEGIN + 3 * HOUR, [(shard(0, 1, 60), [b"[1,2,3]"])])),
        _F.EVENTS_ROOT,
    )
    contradictions: dict[str, tuple[str, Callable[[WindowRecord], WindowRecord], FindingCode]] = {
        "signed-window-counts-more": (
            "A window has one event more than its segments.",
            lambda w: replace(w, docs=4, partitions=(shard(0, 4, 62),)),
            _F.LEAF_MALFORMED,
        ),
        "signed-window-of-other-segment": (
            "A window names the segment of another hour.",
            lambda w: replace(w, start=BEGIN + 4 * HOUR, end=BEGIN + 5 * HOUR),
            _F.LEAF_MALFORMED,
        ),
        "signed-window-without-record": (
            "A window names a segment that no record brings in.",
            lambda w: replace(w, segments=(*w.segments, sha256(b"none"))),
            _F.SEGMENT_MISSING,
        ),
    }
    for name, (about, change, code) in contradictions.items():

        def grow(archive: Growing, change: Callable[[WindowRecord], WindowRecord] = change) -> None:
            segment, window = archive.hour(SEARCH, BEGIN + 3 * HOUR, [(shard(0, 3, 62), hits)])
            gap = [] if window.start == change(window).start else [window_at(3, status=_EMPTY)]
            archive.commit(segment, *gap, change(window))

        yield grown(name, about, search, grow, code)
    halves = [_frame(hits[0][:50]), _frame(hits[0][50:] + b"\n")]
    yield grown(
        "signed-line-over-frames",
        "A line begins in one frame and ends in the next.",
        search,
        lambda a: _forged(
            a,
            b"".join(halves),
            ((len(halves[0]), 50), (len(halves[1]), len(hits[0]) - 49)),
            content=hits[0] + b"\n",
        ),
        _F.EVENTS_ROOT,
    )
    skipped = _frame(hits[0] + b"\n") + b"\x50\x2a\x4d\x18\4\0\0\0abcd"
    yield grown(
        "signed-skippable-frame",
        "What the record calls one frame has one after it that decompressors skip.",
        search,
        lambda a: _forged(a, skipped, ((len(skipped), len(hits[0]) + 1),), content=hits[0] + b"\n"),
        _F.SEGMENT_MODIFIED,
    )
    bomb = zstandard.ZstdCompressor(level=19, write_checksum=True).compress(bytes(1 << 24))
    yield grown(
        "signed-bomb",
        "A frame of a segment holds 16 MiB where its record says 100 bytes.",
        search,
        lambda a: _forged(a, bomb, ((len(bomb), 100),)),
        _F.BOMB,
    )
    quiet = _without_content_size(bytes(1 << 24))
    yield grown(
        "signed-bomb-without-size",
        "As before, of a frame that does not say how much it holds.",
        search,
        lambda a: _forged(a, quiet, ((len(quiet), 100),)),
        _F.BOMB,
    )
    yield grown(
        "signed-bomb-declared",
        "The record of a small segment says that it holds 60 GB.",
        search,
        lambda a: _forged(a, bomb, ((len(bomb), 60_000_000_000),)),
        _F.BOMB,
    )
    wide = _frame_of_window(27)
    yield grown(
        "signed-wide-window",
        "A frame needs a window of 128 MiB in memory.",
        search,
        lambda a: _forged(a, wide, ((len(wide), 3),)),
        _F.BOMB,
    )


def _without_content_size(content: bytes) -> bytes:
    compressor = zstandard.ZstdCompressor(level=19, write_checksum=True, write_content_size=False)
    return compressor.compress(content)


def _frame_of_window(log: int) -> bytes:
    """A frame by hand (RFC 8878): no content size, this window, one raw block of a line."""
    header = b"\x28\xb5\x2f\xfd" + bytes([0, (log - 10) << 3])
    return header + (3 << 3 | 1).to_bytes(3, "little") + b"{}\n"


def _frame(content: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=3, write_checksum=True).compress(content)


def _forged(
    archive: Growing,
    data: bytes,
    frames: Sequence[tuple[int, int]],
    content: bytes | None = None,
) -> None:
    """Commit a segment of these bytes, of which the record says what it likes."""
    start = BEGIN + 3 * HOUR
    segment, window = archive.copy().hour(
        SEARCH, start, [(shard(0, 1, 60), [hit(60, start, seq_no=60)])]
    )
    digest = sha256(data)
    archive.put(segment_name(SEARCH, start, digest), data)
    archive.commit(
        replace(
            segment,
            key=segment_name(SEARCH, start, digest),
            size=len(data),
            sha256=digest,
            frames=tuple(frames),
            content_size=sum(size for _, size in frames),
            content_sha256=segment.content_sha256 if content is None else sha256(content),
        ),
        replace(window, segments=(digest,)),
    )
