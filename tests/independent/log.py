"""The log: which commits there are, which keys may sign, and what was recorded."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.independent.notes import Checkpoint, Vkey, read_checkpoint
from tests.independent.records import Unsupported, read_record
from tests.independent.tree import leaf_hash, root_from_frontier
from tests.independent.words import HEX, Bad, moment, parse

__all__ = ["Commit", "Key", "Log", "Objects", "read_log"]

Objects = Mapping[str, bytes]


@dataclass
class Key:
    """A key and the sizes of trees that it may sign: `start` is inside, `end` is not."""

    vkey: Vkey
    start: int = 0
    end: int | None = None

    def may_sign(self, size: int) -> bool:
        return self.start <= size and (self.end is None or size < self.end)


@dataclass
class Batch:
    """The leaves of a commit."""

    name: str
    start: int
    frontier: list[bytes]
    leaves: list[bytes]

    @property
    def end(self) -> int:
        return self.start + len(self.leaves)

    @property
    def root(self) -> bytes:
        return root_from_frontier(self.start, self.frontier, list(map(leaf_hash, self.leaves)))


@dataclass
class Commit:
    """A commit that a trusted key signed."""

    name: str
    checkpoint: Checkpoint
    batch: Batch
    records: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Log:
    """What was read, and what is wrong with it."""

    origin: str | None = None
    keys: list[Key] = field(default_factory=list)
    commits: list[Commit] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)
    """All of them; what a commit lacks is not among them."""
    grave: list[str] = field(default_factory=list)
    """What nobody without the key, or nobody honest with it, does."""
    unknown: list[str] = field(default_factory=list)
    """Records that only a later version knows."""
    told: set[str] = field(default_factory=set)
    """Objects that are no part of the log and were told as such."""

    @property
    def records(self) -> list[dict[str, Any]]:
        return [record for commit in self.commits for record in commit.records]


def read_log(objects: Objects, origin: str | None, keys: list[Key]) -> Log:
    """Without an origin the archive's own word is taken for it, and for the keys."""
    log = Log(origin=origin, keys=keys)
    names = sorted(name for name in objects if name.startswith("cp/"))
    if not names:
        log.grave.append("no checkpoint is there")
    if origin is None:
        _believe(objects, names, log)
    last: Checkpoint | None = None
    size = 0
    for name in names:
        try:
            checkpoint = read_checkpoint(objects[name])
            batch = _find(objects, name, checkpoint)
            _check_signatures(log, checkpoint, batch)
            if checkpoint.size <= (last.size if last else 0):
                raise Bad("not larger than the one before")
        except Bad as error:
            log.grave.append(f"{name}: {error}")
            log.told.add(name)
            continue
        if batch is None:
            log.grave.append(f"{name}: its records are not there, or are others")
        else:
            _take(log, Commit(name, checkpoint, batch), size, last)
        last, size = checkpoint, checkpoint.size
    return log


def _believe(objects: Objects, names: list[str], log: Log) -> None:
    for name in names:
        try:
            checkpoint = read_checkpoint(objects[name])
            batch = _find(objects, name, checkpoint)
            if batch is None or batch.start:
                continue
            genesis = read_record(batch.leaves[0])
        except (Bad, Unsupported):
            continue
        if genesis["type"] == "genesis":
            log.origin = f"kcompliance/{genesis['archive_id']}"
            log.keys = [Key(Vkey(text)) for text in genesis["keys"]]
            return


# --- a commit ---------------------------------------------------------------------------------


def _find(objects: Objects, name: str, checkpoint: Checkpoint) -> Batch | None:
    """The records below a checkpoint, if they are there and lead to its root."""
    log = f"log/{name[3:15]}-{checkpoint.root.hex()}.ndjson"
    data = objects.get(log)
    if data is None:
        return None
    try:
        batch = _batch(log, data)
        fits = (batch.end, batch.root) == (checkpoint.size, checkpoint.root)
    except Bad:
        return None
    return batch if fits else None


def _batch(name: str, data: bytes) -> Batch:
    if not data.endswith(b"\n"):
        raise Bad("a last line without an end")
    first, *leaves = data.split(b"\n")[:-1]
    head = parse(first)
    start, nodes = head.get("start"), head.get("frontier")
    if head.keys() != {"start", "frontier"} or type(start) is not int or start < 0:
        raise Bad("no first line")
    if not isinstance(nodes, list) or not all(
        isinstance(node, str) and HEX.fullmatch(node) for node in nodes
    ):
        raise Bad("no frontier")
    if len(leaves) < (1 if start else 2) or not all(0 < len(leaf) <= 65536 for leaf in leaves):
        raise Bad("no commit")
    return Batch(name, start, [bytes.fromhex(node) for node in nodes], leaves)


def _check_signatures(log: Log, checkpoint: Checkpoint, batch: Batch | None) -> None:
    """Each signature line is good, one of them by a key that was trusted before."""
    if checkpoint.origin != log.origin:
        raise Bad("a checkpoint of another archive")
    known = {key.vkey.text for key in log.keys}
    new = [Vkey(text) for text in _introduced(batch) if text not in known]
    trusted, missing = False, {key.text for key in new}
    for line in checkpoint.lines:
        named = (line.name, line.id)
        by = [key for key in log.keys if (key.vkey.name, key.vkey.id) == named]
        by = [key for key in by if key.vkey.verifies(checkpoint.text, line.signature)]
        fresh = [key for key in new if (key.name, key.id) == named]
        fresh = [key for key in fresh if key.verifies(checkpoint.text, line.signature)]
        if line.name != log.origin or not (by or fresh):
            raise Bad("a signature that no key of the archive made")
        if by and not any(key.may_sign(checkpoint.size) for key in by):
            raise Bad("a signature by a key that may not sign this size")
        trusted = trusted or bool(by)
        missing -= {key.text for key in fresh}
    if not trusted:
        raise Bad("no trusted key signed")
    if missing:
        raise Bad("a new key did not sign")


def _introduced(batch: Batch | None) -> list[str]:
    found = []
    for leaf in batch.leaves if batch else []:
        try:
            record = read_record(leaf)
        except (Bad, Unsupported):
            continue
        if record["type"] == "key" and record["action"] == "rotate":
            found.append(str(record["vkey"]))
    return found


def _take(log: Log, commit: Commit, size: int, last: Checkpoint | None) -> None:
    batch, name = commit.batch, commit.batch.name
    if batch.start != size:
        log.grave.append(f"{name}: does not go on where the commit before it ended")
    elif len(log.leaves) == size and batch.frontier != _frontier(log.leaves):
        log.grave.append(f"{name}: goes on from another tree")
    for index, leaf in enumerate(batch.leaves, start=batch.start):
        try:
            record = read_record(leaf)
            _check_place(record, index, batch.start)
        except Bad as error:
            log.grave.append(f"{name}: leaf {index}: {error}")
        except Unsupported as error:
            log.unknown.append(f"{name}: leaf {index}: {error}")
        else:
            commit.records.append(record)
    _check_commit(log, commit, last)
    log.leaves += batch.leaves
    _turn_keys(log, commit)
    log.commits.append(commit)


def _frontier(leaves: list[bytes]) -> list[bytes]:
    nodes, place = [], 0
    for bit in reversed(range(len(leaves).bit_length())):
        if len(leaves) >> bit & 1:
            part = leaves[place : place + (1 << bit)]
            nodes.append(root_from_frontier(0, [], list(map(leaf_hash, part))))
            place += 1 << bit
    return nodes


def _check_place(record: dict[str, Any], index: int, start: int) -> None:
    place = {0: "genesis", max(start, 1): "commit"}.get(index)
    if record["type"] in {"genesis", "commit"} and record["type"] != place:
        raise Bad("it has no place there")
    if place is not None and record["type"] != place:
        raise Bad(f"not a {place}")


def _check_commit(log: Log, commit: Commit, last: Checkpoint | None) -> None:
    for record in commit.records:
        if record["type"] == "genesis" and f"kcompliance/{record['archive_id']}" != log.origin:
            log.grave.append(f"{commit.name}: the genesis of another archive")
        if record["type"] != "commit":
            continue
        if record["n"] != int(commit.name[3:15]):
            log.grave.append(f"{commit.name}: says to be commit {record['n']}")
        if record["prev"] != (last.sha256 if last else None):
            log.grave.append(f"{commit.name}: does not name the checkpoint before it")
        times = [moment(each["time"]) for each in log.records if each["type"] == "commit"]
        if times and moment(record["time"]) < times[-1]:
            log.grave.append(f"{commit.name}: dated before the commit that it follows")


def _turn_keys(log: Log, commit: Commit) -> None:
    """What the key records of a commit change, from the next size on."""
    size = commit.checkpoint.size
    for record in commit.records:
        if record["type"] != "key":
            continue
        ends = record["replaces"] if record["action"] == "rotate" else record["vkey"]
        if record["action"] == "rotate" and all(k.vkey.text != record["vkey"] for k in log.keys):
            log.keys.append(Key(Vkey(record["vkey"]), start=size))
        for key in log.keys:
            if key.vkey.text == ends:
                key.end = size + 1 if key.end is None else min(key.end, size + 1)
