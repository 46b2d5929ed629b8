"""The published vectors of the Certificate Transparency tree, and the tree's own rules."""

from hashlib import sha256
from typing import Any

import pytest

from kcompliance.ledger import (
    EMPTY_ROOT,
    EventsRoot,
    FindingCode,
    Frontier,
    Refused,
    consistency_fault,
    consistency_proof,
    inclusion_fault,
    inclusion_proof,
    leaf_hash,
    merkle_root,
    node_hash,
)

# The eight entries, roots and proofs that every implementation of RFC 6962 is tested with.
ENTRIES = [
    bytes.fromhex(entry)
    for entry in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    bytes.fromhex(root)
    for root in (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    )
]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
_96 = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
_5F = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
_6B = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
_BC = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
_CA = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
_0E = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
_D3, _6E, _FA = (ROOTS[size].hex() for size in (4, 1, 2))
INCLUSION = {
    (0, 1): [],
    (0, 2): [_96],
    (1, 2): [_6E],
    (2, 3): [_FA],
    (1, 5): [_6E, _5F, _BC],
    (0, 8): [_96, _5F, _6B],
    (5, 8): [_BC, _CA, _D3],
}
CONSISTENCY: dict[tuple[int, int], list[str]] = {
    (1, 1): [],
    (1, 8): [_96, _5F, _6B],
    (2, 5): [_5F, _BC],
    (6, 8): [_0E, _CA, _D3],
}


def test_roots_of_the_published_tree() -> None:
    assert EMPTY_ROOT == ROOTS[0] == sha256(b"").digest()
    for size, root in enumerate(ROOTS):
        assert merkle_root(LEAVES[:size]) == root
        assert Frontier().extended(LEAVES[:size]).root == root


@pytest.mark.parametrize(("index", "size"), INCLUSION)
def test_published_inclusion_proofs(index: int, size: int) -> None:
    proof = tuple(bytes.fromhex(node) for node in INCLUSION[index, size])
    assert inclusion_proof(LEAVES[:size], index) == proof
    assert not inclusion_fault(
        leaf=LEAVES[index], index=index, size=size, proof=proof, root=ROOTS[size]
    )


@pytest.mark.parametrize(("first", "second"), CONSISTENCY)
def test_published_consistency_proofs(first: int, second: int) -> None:
    proof = tuple(bytes.fromhex(node) for node in CONSISTENCY[first, second])
    assert consistency_proof(LEAVES[:second], first) == proof
    assert not consistency_fault(
        first=first,
        first_root=ROOTS[first],
        second=second,
        second_root=ROOTS[second],
        proof=proof,
    )


def test_every_proof_of_every_small_tree_holds_at_its_place_only() -> None:
    leaves = [leaf_hash(b"%d" % number) for number in range(34)]
    roots = [merkle_root(leaves[:size]) for size in range(len(leaves) + 1)]
    for size in range(1, len(leaves) + 1):
        for index in range(size):
            proof = inclusion_proof(leaves[:size], index)
            for place in (index, index ^ 1, index + 1, size - 1):
                fault = inclusion_fault(
                    leaf=leaves[index], index=place, size=size, proof=proof, root=roots[size]
                )
                assert (fault is None) == (place == index)
        for first in range(size + 1):
            proof = consistency_proof(leaves[:size], first)
            for other in {first, max(first - 1, 0), min(first + 1, size)}:
                fault = consistency_fault(
                    first=first,
                    first_root=roots[other],
                    second=size,
                    second_root=roots[size],
                    proof=proof,
                )
                assert (fault is None) == (other == first)


def test_the_empty_tree_is_the_beginning_of_every_tree() -> None:
    assert consistency_proof(LEAVES, 0) == ()
    for root, fits in ((EMPTY_ROOT, True), (ROOTS[1], False)):
        fault = consistency_fault(
            first=0, first_root=root, second=8, second_root=ROOTS[8], proof=()
        )
        assert (fault is None) is fits


def test_equal_sizes_need_equal_roots() -> None:
    assert consistency_fault(first=8, first_root=ROOTS[7], second=8, second_root=ROOTS[8], proof=())


def test_leaves_and_nodes_never_pass_for_each_other() -> None:
    left, right = LEAVES[:2]
    assert leaf_hash(left + right) != node_hash(left, right)
    assert leaf_hash(b"\x01" + left + right) != node_hash(left, right)


def test_events_root_is_the_root_over_the_lines() -> None:
    root = EventsRoot()
    assert root.root == EMPTY_ROOT
    root.update(ENTRIES[:3])
    root.update([])
    root.update_hashes(LEAVES[3:5])
    root.update(iter(ENTRIES[5:]))
    assert (root.size, root.root) == (8, ROOTS[8])


def test_events_root_takes_a_text_of_lines() -> None:
    lines = [b"%d" % number for number in range(40_000)]
    root, whole = EventsRoot(), EventsRoot()
    root.update_content(b"")
    root.update_content(b"".join(line + b"\n" for line in lines[:3]))
    root.update_content(b"".join(line + b"\n" for line in lines[3:]))
    whole.update(lines)
    assert (root.size, root.root) == (whole.size, whole.root)
    with pytest.raises(ValueError, match="no line feed"):
        root.update_content(b"whole\nhalf")


@pytest.mark.parametrize("size", [0, 2046, 2047, 2048, 4094, 4095, 10_000])
def test_events_root_takes_lines_of_any_length(size: int) -> None:
    lines = [bytes(65 + number % 26 for number in range(size)), b"short"]
    root = EventsRoot()
    root.update_content(b"".join(line + b"\n" for line in lines))
    assert root.root == merkle_root([leaf_hash(line) for line in lines])


def test_a_copy_of_an_events_root_goes_on_by_itself() -> None:
    root = EventsRoot()
    root.update(ENTRIES[:3])
    twin = root.copy()
    root.update([b"another"])
    assert (twin.size, twin.root) == (3, ROOTS[3])
    twin.update(ENTRIES[3:])
    assert (twin.size, twin.root) == (8, ROOTS[8])


def test_a_frontier_is_written_and_read_as_hex() -> None:
    frontier = Frontier().extended(LEAVES[:7])
    assert frontier.to_hex() == [ROOTS[4].hex(), _0E, LEAVES[6].hex()]
    assert Frontier.from_hex(7, frontier.to_hex()) == frontier
    assert frontier.extended(LEAVES[7:]).root == ROOTS[8]


@pytest.mark.parametrize(
    ("size", "nodes"),
    [
        (0, ["00" * 32]),
        (1, []),
        (2, ["00" * 32] * 2),
        (-1, []),
        (1, ["00" * 31]),
        (1, ["AA" * 32]),
        (1, ["00" * 31 + "0 "]),
        (1, ["00" * 33]),
        (1, ["é" * 64]),
    ],
)
def test_what_is_no_frontier_is_refused(size: int, nodes: list[str]) -> None:
    assert isinstance(Frontier.from_hex(size, nodes), Refused)


def test_a_frontier_that_cannot_be_is_never_made() -> None:
    with pytest.raises(ValueError, match="frontier of 3"):
        Frontier(3, (b"\0" * 32,))
    with pytest.raises(ValueError, match="32 bytes"):
        Frontier(1, (b"\0" * 31,))


def test_proofs_are_made_of_leaves_that_are_there() -> None:
    for index in (-1, 8):
        with pytest.raises(ValueError, match="no leaf"):
            inclusion_proof(LEAVES, index)
    for first in (-1, 9):
        with pytest.raises(ValueError, match="no tree"):
            consistency_proof(LEAVES, first)


# --- attack 39: tricks with proofs ---------------------------------------------------------------

PROOF = tuple(bytes.fromhex(node) for node in INCLUSION[5, 8])
GOOD: dict[str, Any] = {"leaf": LEAVES[5], "index": 5, "size": 8, "proof": PROOF, "root": ROOTS[8]}
INCLUSION_TRICKS: dict[str, dict[str, Any]] = {
    "the next index": {"index": 6},
    "an index outside": {"index": 8},
    "an index before the tree": {"index": -1},
    "twice the size": {"size": 16},
    "one leaf more": {"size": 9},
    "an empty tree": {"size": 0},
    "a negative size": {"size": -8},
    "another root": {"root": ROOTS[7]},
    "a root cut short": {"root": ROOTS[8][:-1]},
    "a node too many": {"proof": (*PROOF, ROOTS[1])},
    "a node too many at the start": {"proof": (ROOTS[1], *PROOF)},
    "a node too few": {"proof": PROOF[:-1]},
    "the first node gone": {"proof": PROOF[1:]},
    "no nodes": {"proof": ()},
    "nodes in another order": {"proof": PROOF[::-1]},
    "a garbled node": {"proof": (PROOF[0], bytes(32), PROOF[2])},
    "a node cut short": {"proof": (PROOF[0][:-1], *PROOF[1:])},
    "a node too long": {"proof": (PROOF[0] + b"\0", *PROOF[1:])},
    "a node passed as leaf, one level up": {
        "leaf": node_hash(LEAVES[4], LEAVES[5]),
        "index": 2,
        "proof": PROOF[1:],
    },
    "a node passed as leaf in the tree of half the size": {
        "leaf": node_hash(LEAVES[4], LEAVES[5]),
        "index": 2,
        "size": 8,
        "proof": PROOF[1:],
    },
    "two leaves passed as the bytes of one": {
        "leaf": leaf_hash(LEAVES[4] + LEAVES[5]),
        "index": 2,
        "size": 4,
        "proof": PROOF[1:],
    },
    "another leaf's proof": {"proof": inclusion_proof(LEAVES, 4)},
    "another leaf": {"leaf": LEAVES[4]},
    "a byte moved from the leaf to its sibling": {
        "leaf": LEAVES[5][1:],
        "proof": (PROOF[0] + LEAVES[5][:1], *PROOF[1:]),
    },
    "the second leaf of one": {
        "leaf": ROOTS[1],
        "index": 1,
        "size": 1,
        "proof": (),
        "root": ROOTS[1],
    },
    "the root as its own proof": {"leaf": ROOTS[8], "index": 0, "size": 8, "proof": ()},
}


@pytest.mark.parametrize("trick", INCLUSION_TRICKS)
def test_tricks_with_inclusion_proofs(trick: str) -> None:
    assert inclusion_fault(**GOOD) is None
    fault = inclusion_fault(**(GOOD | INCLUSION_TRICKS[trick]))
    assert fault is not None
    assert fault.code is FindingCode.PROOF_INVALID


STEPS = tuple(bytes.fromhex(node) for node in CONSISTENCY[6, 8])
STEADY: dict[str, Any] = {
    "first": 6,
    "first_root": ROOTS[6],
    "second": 8,
    "second_root": ROOTS[8],
    "proof": STEPS,
}
CONSISTENCY_TRICKS: dict[str, dict[str, Any]] = {
    "another first size": {"first": 5},
    "another second size": {"second": 9},
    "twice the size": {"second": 16},
    "sizes the other way round": {"first": 8, "second": 6},
    "a negative size": {"first": -6},
    "another first root": {"first_root": ROOTS[5]},
    "another second root": {"second_root": ROOTS[7]},
    "roots the other way round": {"first_root": ROOTS[8], "second_root": ROOTS[6]},
    "a node too many": {"proof": (*STEPS, ROOTS[1])},
    "a node too few": {"proof": STEPS[:-1]},
    "no nodes": {"proof": ()},
    "a garbled node": {"proof": (STEPS[0], bytes(32), STEPS[2])},
    "a node cut short": {"proof": (STEPS[0][:-1], *STEPS[1:])},
    "a byte moved from one node to the next": {
        "proof": (STEPS[0][1:], STEPS[1], STEPS[2] + STEPS[0][:1])
    },
    "a byte moved between the nodes that both roots share": {
        "first": 3,
        "first_root": ROOTS[3],
        "second": 4,
        "second_root": ROOTS[4],
        "proof": (LEAVES[2][1:], LEAVES[3], ROOTS[2] + LEAVES[2][:1]),
    },
    "nodes for an empty first tree": {"first": 0, "first_root": EMPTY_ROOT},
    "nodes for equal sizes": {"first": 8, "first_root": ROOTS[8]},
}


@pytest.mark.parametrize("trick", CONSISTENCY_TRICKS)
def test_tricks_with_consistency_proofs(trick: str) -> None:
    assert consistency_fault(**STEADY) is None
    fault = consistency_fault(**(STEADY | CONSISTENCY_TRICKS[trick]))
    assert fault is not None
    assert fault.code is FindingCode.PROOF_INVALID
