"""The Merkle tree of RFC 9162, section 2.1, as its definitions say it."""

import hashlib

from tests.independent.words import Bad

__all__ = ["leaf_hash", "root", "root_by_consistency", "root_by_inclusion", "root_from_frontier"]


def leaf_hash(data: bytes) -> bytes:
    return hashlib.sha256(b"\0" + data).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def _half(size: int) -> int:
    """The largest power of two below a size from 2 on."""
    half = 1
    while half * 2 < size:
        half *= 2
    return half


def root(hashes: list[bytes]) -> bytes:
    """MTH of leaves by their hashes."""
    if len(hashes) < 2:
        return hashes[0] if hashes else hashlib.sha256().digest()
    half = _half(len(hashes))
    return _node(root(hashes[:half]), root(hashes[half:]))


def root_from_frontier(size: int, nodes: list[bytes], hashes: list[bytes]) -> bytes:
    """The root over a tree of which only the perfect subtrees are known, and leaves after it."""
    if len(nodes) != size.bit_count():
        raise Bad("a frontier of another size")
    subtrees = [1 << bit for bit in reversed(range(size.bit_length())) if size >> bit & 1]
    pieces = list(zip(nodes, subtrees, strict=True)) + [(each, 1) for each in hashes]
    stack: list[tuple[bytes, int]] = []
    for piece in pieces:
        stack.append(piece)
        while len(stack) > 1 and stack[-1][1] == stack[-2][1]:
            (right, count), (left, _) = stack.pop(), stack.pop()
            stack.append((_node(left, right), 2 * count))
    while len(stack) > 1:
        (right, more), (left, count) = stack.pop(), stack.pop()
        stack.append((_node(left, right), count + more))
    return stack[0][0] if stack else root([])


def root_by_inclusion(leaf: bytes, index: int, size: int, proof: list[bytes]) -> bytes:
    """The root that a proof of inclusion leads to, by the definition of PATH in 2.1.3.1."""
    if size == 1:
        if proof or index:
            raise Bad("a proof that is too long")
        return leaf
    if not proof or not 0 <= index < size:
        raise Bad("a proof that is too short")
    half = _half(size)
    if index < half:
        return _node(root_by_inclusion(leaf, index, half, proof[:-1]), proof[-1])
    return _node(proof[-1], root_by_inclusion(leaf, index - half, size - half, proof[:-1]))


def root_by_consistency(
    first: int, second: int, old: bytes, proof: list[bytes]
) -> tuple[bytes, bytes]:
    """The roots of both sizes that a proof of consistency leads to, by SUBPROOF in 2.1.4.1."""
    if first in (0, second):
        if proof:
            raise Bad("a proof where none is needed")
        return old, old
    return _subproof(first, second, old, proof, known=True)


def _subproof(
    first: int, second: int, old: bytes, proof: list[bytes], *, known: bool
) -> tuple[bytes, bytes]:
    if first == second:
        if known and not proof:
            return old, old
        if known or len(proof) != 1:
            raise Bad("a proof of another length")
        return proof[0], proof[0]
    if not proof:
        raise Bad("a proof that is too short")
    half, node = _half(second), proof[-1]
    if first <= half:
        before, after = _subproof(first, half, old, proof[:-1], known=known)
        return before, _node(after, node)
    before, after = _subproof(first - half, second - half, old, proof[:-1], known=False)
    return _node(node, before), _node(node, after)
