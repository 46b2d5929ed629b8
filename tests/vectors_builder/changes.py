"""What is done to an archive, in words that any language can follow: tests/vectors/README.md."""

import base64
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

__all__ = ["Change", "applied", "difference"]

Change = Mapping[str, str | int]


def difference(
    before: Mapping[str, bytes], after: Mapping[str, bytes], shared: Mapping[bytes, str]
) -> list[Change]:
    """The changes that make the one archive out of the other, in as few bytes as possible.

    `shared` names the files that many archives have.
    """
    return [
        *({"op": "remove", "path": path} for path in before if path not in after),
        *(
            change
            for path, data in after.items()
            for change in _changes(before, path, data, shared)
        ),
    ]


def _changes(
    before: Mapping[str, bytes], path: str, data: bytes, shared: Mapping[bytes, str]
) -> Iterator[Change]:
    old = before.get(path)
    if old == data:
        return
    twin = next((name for name, other in before.items() if other == data and data), None)
    if twin is not None:
        yield {"op": "copy", "path": path, "from": twin}
    elif data in shared:
        yield {"op": "take", "path": path, "from": shared[data]}
    elif old is None:
        yield {"op": "write", "path": path, **_written(data)}
    elif data.startswith(old):
        yield {"op": "append", "path": path, **_written(data[len(old) :])}
    elif old.startswith(data):
        yield {"op": "truncate", "path": path, "size": len(data)}
    elif len(flipped := _flipped(old, data)) == 1:
        yield {"op": "flip", "path": path, "offset": flipped[0], "xor": _xor(old, data, flipped[0])}
    else:
        start, end = _middle(old, data)
        new = data[start : len(data) - end]
        if len(new) < len(data) // 2:
            place = {"offset": start, "size": len(old) - end - start}
            yield {"op": "splice", "path": path, **place, **_written(new)}
        else:
            yield {"op": "write", "path": path, **_written(data)}


def _flipped(old: bytes, new: bytes) -> list[int]:
    if len(old) != len(new):
        return []
    return [place for place in range(len(old)) if old[place] != new[place]]


def _xor(old: bytes, new: bytes, place: int) -> int:
    return old[place] ^ new[place]


def _middle(old: bytes, new: bytes) -> tuple[int, int]:
    """How many bytes are the same at the start, and how many of the others at the end."""
    shorter = min(len(old), len(new))
    start = next((n for n in range(shorter) if old[n] != new[n]), shorter)
    rest = shorter - start
    return start, next((n for n in range(rest) if old[-1 - n] != new[-1 - n]), rest)


def _written(data: bytes) -> dict[str, str]:
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def applied(vectors: Path, row: Mapping[str, Any], target: Path, *, modified: float) -> None:
    """Make the archive of a row of `vectors.json`; all files were `modified` at that time."""
    base = vectors / row["archive"]
    shutil.copytree(base, target)
    named = row["changes"]
    for change in json.loads((vectors / named).read_bytes())["changes"] if named else ():
        _apply(change, target, base, vectors)
    for path in target.rglob("*"):
        os.utime(path, (modified, modified), follow_symlinks=False)


def _apply(change: Change, target: Path, base: Path, vectors: Path) -> None:
    path = target / str(change["path"])
    path.parent.mkdir(parents=True, exist_ok=True)
    data = path.read_bytes() if path.is_file() else b""
    match change["op"]:
        case "remove":
            path.unlink()
        case "write":
            path.write_bytes(_bytes(change))
        case "flip":
            place = int(change["offset"])
            flipped = data[place] ^ int(change["xor"])
            path.write_bytes(data[:place] + bytes([flipped]) + data[place + 1 :])
        case "truncate":
            path.write_bytes(data[: int(change["size"])])
        case "append":
            path.write_bytes(data + _bytes(change))
        case "splice":
            start = int(change["offset"])
            end = start + int(change["size"])
            path.write_bytes(data[:start] + _bytes(change) + data[end:])
        case "copy":
            path.write_bytes((base / str(change["from"])).read_bytes())
        case "take":
            path.write_bytes((vectors / str(change["from"])).read_bytes())
        case "symlink":
            path.unlink(missing_ok=True)
            path.symlink_to(str(change["target"]))
        case other:
            raise ValueError(f"no change: {other}")


def _bytes(change: Change) -> bytes:
    if "text" in change:
        return str(change["text"]).encode()
    return base64.b64decode(str(change["base64"]))
