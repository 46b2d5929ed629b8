"""Proofs that stand alone: that an archive holds a segment, or one event of it."""

import base64
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.independent.notes import Checkpoint, read_checkpoint
from tests.independent.records import Unsupported, read_record
from tests.independent.tree import leaf_hash, root_by_inclusion
from tests.independent.trust import Trust
from tests.independent.words import HEX, Bad

__all__ = ["Proven", "check_proof"]


@dataclass
class Proven:
    """What a proof has shown."""

    segment: dict[str, Any]
    """The record."""
    checkpoint: Checkpoint
    event: bytes | None


def check_proof(place: Path, trust: Trust) -> Proven:
    """Check a folder, or one text with the record in its `extra` line; Bad if it does not hold."""
    folder = place if place.is_dir() else None
    text = (place / "segment.tlog-proof" if folder else place).read_bytes()
    head, blank, note = text.partition(b"\n\n")
    rows = head.decode().split("\n")
    if not blank or rows.pop(0) != "c2sp.org/tlog-proof@v1":
        raise Bad("no proof of a log")
    extra = rows.pop(0).split(" ") if rows[0].startswith("extra ") else None
    leaf = (folder / "segment.leaf").read_bytes() if folder else b""
    if folder is None:
        if extra is None:
            raise Bad("no record in the text")
        leaf = _decoded(extra[1])
    index = re.fullmatch("index (0|[1-9][0-9]*)", rows.pop(0) if rows else "")
    if index is None:
        raise Bad("no index")
    checkpoint = read_checkpoint(note)
    _check_signatures(checkpoint, trust)
    hashes = [_decoded(row) for row in rows]
    found = root_by_inclusion(leaf_hash(leaf), int(index[1]), checkpoint.size, hashes)
    if found != checkpoint.root:
        raise Bad("the record does not lead to the root that was signed")
    try:
        segment = read_record(leaf)
    except Unsupported as error:
        raise Bad("a record that is not known") from error
    if segment["type"] != "segment":
        raise Bad("not the record of a segment")
    event = _event(folder, segment) if folder and (folder / "event.json").exists() else None
    return Proven(segment, checkpoint, event)


def _decoded(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise Bad("no base64") from error
    if base64.b64encode(data).decode() != text:
        raise Bad("not the only base64 of it")
    return data


def _check_signatures(checkpoint: Checkpoint, trust: Trust) -> None:
    """Every signature is by a key of the trust file that may sign this size."""
    if checkpoint.origin != trust.origin:
        raise Bad("a checkpoint of another archive")
    for line in checkpoint.lines:
        named = (line.name, line.id)
        if not any(
            (key.vkey.name, key.vkey.id) == named
            and key.may_sign(checkpoint.size)
            and key.vkey.verifies(checkpoint.text, line.signature)
            for key in trust.keys
        ):
            raise Bad("a signature that no trusted key may have made")
    if trust.pin and trust.pin[0] == checkpoint.size and trust.pin[1] != checkpoint.root:
        raise Bad("another tree than the pin remembers")


def _event(folder: Path, segment: dict[str, Any]) -> bytes:
    line = (folder / "event.json").read_bytes()
    proof = json.loads((folder / "event.proof").read_bytes())
    said = (proof["schema"], proof["segment"], proof["size"], proof["root"])
    docs, root = segment["docs"], segment["events_root"]
    if said != ("kcompliance/event-proof/v1", segment["sha256"], docs, root):
        raise Bad("the proof of an event of another segment")
    if not all(isinstance(each, str) and HEX.fullmatch(each) for each in proof["hashes"]):
        raise Bad("no hashes")
    hashes = [bytes.fromhex(each) for each in proof["hashes"]]
    if root_by_inclusion(leaf_hash(line), proof["index"], docs, hashes).hex() != root:
        raise Bad("the event does not lead to the root that its segment's record names")
    return line
