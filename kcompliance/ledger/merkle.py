"""The Merkle tree of RFC 9162 section 2.1 (and RFC 6962), on SHA-256.

One tree holds the records of an archive, and one more for each segment its lines. Hashes are 32
raw bytes here. A frontier is all that is needed to go on appending: the roots of the perfect
subtrees that a tree is made of, the largest first, as many as its size has binary ones.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

from kcompliance.ledger.findings import Fault, FindingCode, Refused
from kcompliance.model.digest import parse_sha256

__all__ = [
    "EMPTY_ROOT",
    "EventsRoot",
    "Frontier",
    "consistency_fault",
    "consistency_proof",
    "inclusion_fault",
    "inclusion_proof",
    "leaf_hash",
    "merkle_root",
    "node_hash",
]

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()
"""The root of a tree without leaves."""

_LINES_AT_ONCE = 16 * 1024

_AT_ONCE = 2047
"""From 2048 bytes on hashlib lets go of the interpreter's lock for each update, which under other
threads costs more than it gives: 0.9 µs of CPU for an audit event of 1.5 kB, in four threads."""

_LEAF = sha256(b"\x00")
_NODE = sha256(b"\x01")


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf: another prefix than a node's, so neither passes for the other."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash over two subtrees."""
    return sha256(b"\x01" + left + right).digest()


def merkle_root(leaf_hashes: Sequence[bytes]) -> bytes:
    """The root over leaves in this order."""
    levels: list[bytes | None] = []
    _extend(levels, leaf_hashes)
    return _root(levels)


@dataclass(frozen=True, slots=True)
class Frontier:
    """A tree's size and the roots of its perfect subtrees, the largest first."""

    size: int = 0
    nodes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if (reason := _misfit(self.size, self.nodes)) is not None:
            raise ValueError(reason)

    @classmethod
    def from_hex(cls, size: int, nodes: Sequence[str]) -> Self | Refused:
        """What `to_hex` wrote, or why it cannot be that."""
        if any(parse_sha256(node) is None for node in nodes):
            return Refused("a node of a frontier is not 64 lower-case hex digits")
        hashes = tuple(bytes.fromhex(node) for node in nodes)
        reason = _misfit(size, hashes)
        return cls(size, hashes) if reason is None else Refused(reason)

    def to_hex(self) -> list[str]:
        """The nodes as 64 lower-case hex digits each."""
        return [node.hex() for node in self.nodes]

    def extended(self, leaf_hashes: Iterable[bytes]) -> "Frontier":
        """The frontier after these leaves too."""
        remaining = list(self.nodes)
        levels = [
            remaining.pop() if self.size >> level & 1 else None
            for level in range(self.size.bit_length())
        ]
        added = _extend(levels, list(leaf_hashes))
        return Frontier(self.size + added, tuple(node for node in reversed(levels) if node))

    @property
    def root(self) -> bytes:
        """The root of the whole tree."""
        return _root(self.nodes[::-1])


class EventsRoot:
    """The root over the lines of a segment, while they stream by, in O(log n) memory.

    Give it many lines at a time: all work is done level by level over a whole batch, so that
    Python itself costs little beside SHA-256.
    """

    __slots__ = ("_levels", "size")

    def __init__(self) -> None:
        self._levels: list[bytes | None] = []
        self.size = 0

    def update(self, lines: Iterable[bytes]) -> None:
        """Append lines, without their line feeds."""
        # A copy of a prepared state is cheaper than a new one and than joining prefix and line.
        copy, hashes = _LEAF.copy, []
        for line in lines:
            state = copy()
            state.update(line)
            hashes.append(state.digest())
        self.update_hashes(hashes)

    def update_content(self, content: bytes) -> None:
        """Append all the lines of a text; ValueError unless it ends with a line feed, or is empty.

        Faster than `update` by what it costs to split a text into lines, which it never holds.
        """
        copy, find, view = _LEAF.copy, content.find, memoryview(content)
        hashes: list[bytes] = []
        start = 0
        while (end := find(b"\n", start)) >= 0:
            state = copy()
            while end - start > _AT_ONCE:
                state.update(view[start : start + _AT_ONCE])
                start += _AT_ONCE
            state.update(view[start:end])
            hashes.append(state.digest())
            start = end + 1
            if len(hashes) == _LINES_AT_ONCE:
                self.update_hashes(hashes)
                hashes = []
        self.update_hashes(hashes)
        if start != len(content):
            raise ValueError("the last line has no line feed")

    def update_hashes(self, leaf_hashes: Sequence[bytes]) -> None:
        """Append lines by their leaf hashes, for who needs these anyway."""
        self.size += _extend(self._levels, leaf_hashes)

    def copy(self) -> "EventsRoot":
        """One that goes on from here by itself."""
        twin = EventsRoot()
        twin._levels, twin.size = list(self._levels), self.size
        return twin

    @property
    def root(self) -> bytes:
        """The root over all lines so far."""
        return _root(self._levels)


def inclusion_proof(leaf_hashes: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """RFC 9162 section 2.1.3.1: the siblings on the way from a leaf up to the root."""
    if not 0 <= index < len(leaf_hashes):
        raise ValueError(f"no leaf {index} among {len(leaf_hashes)}")
    path: list[bytes] = []
    low, high = 0, len(leaf_hashes)
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(merkle_root(leaf_hashes[middle:high]))
            high = middle
        else:
            path.append(merkle_root(leaf_hashes[low:middle]))
            low = middle
    return tuple(reversed(path))


def consistency_proof(leaf_hashes: Sequence[bytes], first: int) -> tuple[bytes, ...]:
    """RFC 9162 section 2.1.4.1: that this tree only appends to its first leaves."""
    if not 0 <= first <= len(leaf_hashes):
        raise ValueError(f"no tree of {first} leaves in one of {len(leaf_hashes)}")
    if first in (0, len(leaf_hashes)):
        return ()
    path: list[bytes] = []
    low, high, old_is_known = 0, len(leaf_hashes), True
    while first != high:
        middle = low + _split(high - low)
        if first <= middle:
            path.append(merkle_root(leaf_hashes[middle:high]))
            high = middle
        else:
            path.append(merkle_root(leaf_hashes[low:middle]))
            low, old_is_known = middle, False
    if not old_is_known:
        path.append(merkle_root(leaf_hashes[low:high]))
    return tuple(reversed(path))


def inclusion_fault(
    *, leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> Fault | None:
    """None: the leaf of this hash is at this index of the tree of this size and root.

    RFC 9162 section 2.1.3.2, in its steps. Size and root have to come from one checkpoint: a
    proof of the same shape fits sizes that are close to each other, so it does not prove the size.
    """
    if reason := _unfit(leaf, *proof, root):
        return _invalid(reason)
    if not 0 <= index < size:  # 1.
        return _invalid(f"no leaf {index} in a tree of {size}")
    place, last = index, size - 1  # 2.
    result = leaf  # 3.
    for node in proof:  # 4.
        if last == 0:
            return _invalid(f"{len(proof)} nodes are too many for leaf {index} of {size}")
        if place & 1 or place == last:
            result = node_hash(node, result)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            result = node_hash(result, node)
        place, last = place >> 1, last >> 1
    if last:  # 5.
        return _invalid(f"{len(proof)} nodes are too few for leaf {index} of {size}")
    if result != root:
        return _invalid(f"leaf {index} of {size} does not lead to the root")
    return None


def consistency_fault(
    *, first: int, first_root: bytes, second: int, second_root: bytes, proof: Sequence[bytes]
) -> Fault | None:
    """None: the tree of the second size and root begins with that of the first.

    RFC 9162 section 2.1.4.2, in its steps. It leaves out the sizes that need no proof: an empty
    first tree, and two trees of one size; there a proof has to be empty. Each size and root have
    to come from one checkpoint, as for `inclusion_fault`.
    """
    if reason := _unfit(first_root, second_root, *proof):
        return _invalid(reason)
    if not 0 <= first <= second:
        return _invalid(f"a tree of {second} leaves cannot begin with one of {first}")
    needs_no_proof = first in (0, second)
    if needs_no_proof != (not proof):  # 1.
        return _invalid(f"{len(proof)} nodes between {first} and {second} leaves")
    if needs_no_proof:
        return None if first_root == (second_root if first else EMPTY_ROOT) else _other_root(first)
    nodes = [first_root, *proof] if first.bit_count() == 1 else list(proof)  # 2.
    place, last = first - 1, second - 1  # 3.
    while place & 1:  # 4.
        place, last = place >> 1, last >> 1
    old = new = nodes[0]  # 5.
    for node in nodes[1:]:  # 6.
        if last == 0:
            return _invalid(f"{len(proof)} nodes are too many between {first} and {second} leaves")
        if place & 1 or place == last:
            old, new = node_hash(node, old), node_hash(node, new)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            new = node_hash(new, node)
        place, last = place >> 1, last >> 1
    if last:  # 7.
        return _invalid(f"{len(proof)} nodes are too few between {first} and {second} leaves")
    if old != first_root:
        return _other_root(first)
    return None if new == second_root else _other_root(second)


def _extend(levels: list[bytes | None], leaf_hashes: Sequence[bytes]) -> int:
    """Append leaves to `levels`, which hold at place k the perfect subtree of 2^k leaves, if any.

    The leaves are a row; with what waits on its level every row becomes the row of half the
    length above it, as long as there is one.
    """
    row, level = list(leaf_hashes), 0
    added, copy = len(row), _NODE.copy
    while row:
        if level == len(levels):
            levels.append(None)
        if (waiting := levels[level]) is not None:
            row.insert(0, waiting)
        levels[level] = row.pop() if len(row) & 1 else None
        pairs, row = iter(row), []
        for left, right in zip(pairs, pairs, strict=True):
            state = copy()
            state.update(left + right)
            row.append(state.digest())
        level += 1
    return added


def _root(levels: Iterable[bytes | None]) -> bytes:
    """The root over subtrees, the smallest first."""
    root: bytes | None = None
    for node in levels:
        if node is not None:
            root = node if root is None else node_hash(node, root)
    return EMPTY_ROOT if root is None else root


def _split(size: int) -> int:
    """The largest power of two below a size from 2 on."""
    return int(1 << ((size - 1).bit_length() - 1))


def _misfit(size: int, nodes: Sequence[bytes]) -> str | None:
    if size < 0 or len(nodes) != size.bit_count():
        return f"{len(nodes)} nodes cannot be the frontier of {size} leaves"
    return _unfit(*nodes)


def _unfit(*hashes: bytes) -> str | None:
    if any(len(each) != HASH_BYTES for each in hashes):
        return f"a hash is not {HASH_BYTES} bytes long"
    return None


def _invalid(reason: str) -> Fault:
    return Fault(code=FindingCode.PROOF_INVALID, detail=reason)


def _other_root(size: int) -> Fault:
    return _invalid(f"the proof does not lead to the root of the tree of {size} leaves")
