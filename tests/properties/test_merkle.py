"""Laws of the tree: every proof holds, nothing but that proof does, and pieces make the whole."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kcompliance.ledger import (
    EMPTY_ROOT,
    EventsRoot,
    Frontier,
    consistency_fault,
    consistency_proof,
    inclusion_fault,
    inclusion_proof,
    leaf_hash,
    merkle_root,
    node_hash,
)

SIZES = st.integers(1, 70)


def leaves(size: int) -> list[bytes]:
    return [leaf_hash(b"%d" % place) for place in range(size)]


def naive_root(hashes: list[bytes]) -> bytes:
    """RFC 9162 section 2.1.1, word for word."""
    if not hashes:
        return EMPTY_ROOT
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return node_hash(naive_root(hashes[:split]), naive_root(hashes[split:]))


def changed(data: bytes, place: int, bits: int) -> bytes:
    mutable = bytearray(data)
    mutable[place % len(data)] ^= bits
    return bytes(mutable)


@given(st.integers(0, 300))
def test_the_root_is_that_of_the_definition(size: int) -> None:
    assert merkle_root(leaves(size)) == naive_root(leaves(size))


@given(st.lists(st.integers(0, 40), max_size=12))
def test_a_tree_appended_in_pieces_is_the_tree_built_at_once(pieces: list[int]) -> None:
    lines = [b"%d" % place for place in range(sum(pieces))]
    hashes = [leaf_hash(line) for line in lines]
    frontier, events, done = Frontier(), EventsRoot(), 0
    for piece in pieces:
        restored = Frontier.from_hex(frontier.size, frontier.to_hex())
        assert isinstance(restored, Frontier)
        frontier = restored.extended(hashes[done : done + piece])
        events.update(lines[done : done + piece])
        done += piece
        assert frontier.root == events.root == merkle_root(hashes[:done])
    assert frontier == Frontier().extended(hashes)
    assert events.size == frontier.size == done


@given(SIZES, st.data())
def test_every_inclusion_proof_holds(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    hashes = leaves(size)
    proof = inclusion_proof(hashes, index)
    assert not inclusion_fault(
        leaf=hashes[index], index=index, size=size, proof=proof, root=merkle_root(hashes)
    )


@given(SIZES, st.data())
def test_every_consistency_proof_holds(second: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, second))
    hashes = leaves(second)
    assert not consistency_fault(
        first=first,
        first_root=merkle_root(hashes[:first]),
        second=second,
        second_root=merkle_root(hashes),
        proof=consistency_proof(hashes, first),
    )


@given(SIZES, st.data())
def test_no_other_inclusion_proof_holds(size: int, data: st.DataObject) -> None:
    hashes = leaves(size)
    index = data.draw(st.integers(0, size - 1))
    good: dict[str, Any] = {
        "leaf": hashes[index],
        "index": index,
        "size": size,
        "proof": inclusion_proof(hashes, index),
        "root": merkle_root(hashes),
    }
    bad = data.draw(bent(good, hashes, ("leaf", "root"), ("index",)))
    assert inclusion_fault(**bad)


@given(st.integers(2, 70), st.data())
def test_no_other_consistency_proof_holds(second: int, data: st.DataObject) -> None:
    hashes = leaves(second)
    first = data.draw(st.integers(1, second - 1))
    good: dict[str, Any] = {
        "first": first,
        "first_root": merkle_root(hashes[:first]),
        "second": second,
        "second_root": merkle_root(hashes),
        "proof": consistency_proof(hashes, first),
    }
    bad = data.draw(bent(good, hashes, ("first_root", "second_root"), ()))
    assert consistency_fault(**bad)


@given(SIZES, st.integers(1, 70))
def test_a_proof_of_consistency_does_not_lie_about_rewritten_leaves(size: int, rest: int) -> None:
    old = leaves(size)
    new = [leaf_hash(b"rewritten"), *old[1:], *leaves(rest)]
    assert consistency_fault(
        first=size,
        first_root=merkle_root(old),
        second=len(new),
        second_root=merkle_root(new),
        proof=consistency_proof(new, size),
    )


@st.composite
def bent(
    draw: st.DrawFn,
    good: dict[str, Any],
    hashes: list[bytes],
    roots: tuple[str, ...],
    numbers: tuple[str, ...],
) -> dict[str, Any]:
    """The arguments with one thing changed: a byte, a number, a node more, less or elsewhere."""
    bad = dict(good)
    proof = list(good["proof"])
    place, bits = draw(st.integers(0, 31)), draw(st.integers(1, 255))
    what = draw(st.sampled_from([*roots, *numbers, "node", "extra", "missing"]))
    if what in roots:
        bad[what] = changed(good[what], place, bits)
    elif what in numbers:
        bad[what] = draw(st.integers(-1, 80).filter(lambda number: number != good[what]))
    elif what == "extra" or not proof:
        proof.insert(draw(st.integers(0, len(proof))), draw(st.sampled_from(hashes)))
    elif what == "missing":
        del proof[draw(st.integers(0, len(proof) - 1))]
    else:
        chosen = draw(st.integers(0, len(proof) - 1))
        proof[chosen] = changed(proof[chosen], place, bits)
    bad["proof"] = tuple(proof)
    return bad
