"""The records of a commit: written, read back, and met with the signed root."""

from dataclasses import replace

import pytest

from kcompliance.ledger import (
    Batch,
    Checkpoint,
    CommitRecord,
    Fault,
    FindingCode,
    Frontier,
    GenesisRecord,
    Record,
    batch_fault,
    canonical_bytes,
    decode_leaves,
    encode_record,
    faults_of,
    leaf_hash,
    read_batch,
    write_batch,
)
from kcompliance.ledger.canonical import MAX_RECORD_BYTES
from kcompliance.model.digest import sha256
from tests.ledger.samples import ORIGIN, commit, genesis, segment, stream, window

FIRST, FIRST_BYTES = write_batch(Frontier(), [genesis(), commit(), stream()])
SECOND, SECOND_BYTES = write_batch(
    FIRST.after, [commit(1, sha256(b"cp")), segment(), window(), window(1)]
)


def checkpoint(batch: Batch) -> Checkpoint:
    return Checkpoint(origin=ORIGIN, size=batch.after.size, root=batch.after.root)


def test_line_1_is_the_frontier_and_every_other_line_a_leaf() -> None:
    head, *lines = SECOND_BYTES.decode().split("\n")
    nodes = ",".join(f'"{node.hex()}"' for node in FIRST.after.nodes)
    assert head == f'{{"frontier":[{nodes}],"start":3}}'
    assert [line.encode() for line in lines] == [*SECOND.leaves, b""]


def test_batches_are_read_back_and_lead_to_the_signed_root() -> None:
    for batch, data, previous in (
        (FIRST, FIRST_BYTES, Frontier()),
        (SECOND, SECOND_BYTES, FIRST.after),
    ):
        assert read_batch(data) == batch
        assert batch_fault(batch, checkpoint(batch), previous=previous) is None
        assert batch_fault(batch, checkpoint(batch)) is None
    all_leaves = [leaf_hash(leaf) for leaf in (*FIRST.leaves, *SECOND.leaves)]
    assert SECOND.after == Frontier().extended(all_leaves)


def test_leaves_have_their_place_and_record() -> None:
    leaves = decode_leaves(SECOND)
    assert [leaf.index for leaf in leaves] == [3, 4, 5, 6]
    assert [leaf.record for leaf in leaves] == [
        commit(1, sha256(b"cp")),
        segment(),
        window(),
        window(1),
    ]
    assert faults_of(leaves) == []


@pytest.mark.parametrize(
    ("before", "records"), [(Frontier(), [genesis(), commit()]), (FIRST.after, [commit(1)])]
)
def test_a_heartbeat_is_a_commit_alone(before: Frontier, records: list[Record]) -> None:
    batch, data = write_batch(before, records)
    assert read_batch(data) == batch
    assert faults_of(decode_leaves(batch)) == []


def test_leaves_of_any_length_up_to_the_longest_are_taken_apart() -> None:
    for length in (1, MAX_RECORD_BYTES):
        assert isinstance(read_batch(HEAD + b"\n" + b"x" * length + b"\n"), Batch)


def test_no_leaf_lies_beyond_what_can_be_counted() -> None:
    for size, fits in ((2**53 - 2, True), (2**53 - 1, False)):
        full = Frontier(size, (bytes(32),) * size.bit_count())
        head = canonical_bytes({"start": size, "frontier": full.to_hex()})
        assert isinstance(read_batch(head + b"\n{}\n"), Batch) is fits


def test_the_signed_size_counts_too() -> None:
    fault = batch_fault(SECOND, replace(checkpoint(SECOND), size=8))
    assert fault is not None
    assert fault.code is FindingCode.ROOT_MISMATCH


OTHER_ROOTS = {
    "a leaf changed": replace(SECOND, leaves=(*SECOND.leaves[:-1], encode_record(window(2)))),
    "a leaf gone": replace(SECOND, leaves=SECOND.leaves[:-1]),
    "a leaf more": replace(SECOND, leaves=(*SECOND.leaves, encode_record(window(2)))),
    "leaves swapped": replace(SECOND, leaves=(*SECOND.leaves[:2], *SECOND.leaves[:1:-1])),
    "a leaf twice": replace(SECOND, leaves=(*SECOND.leaves[:-1], SECOND.leaves[-2])),
    "another frontier": replace(SECOND, before=Frontier(3, (bytes(32), bytes(32)))),
    "another start": replace(SECOND, before=Frontier(5, SECOND.before.nodes)),
    "nodes swapped": replace(SECOND, before=Frontier(3, SECOND.before.nodes[::-1])),
}


@pytest.mark.parametrize("case", OTHER_ROOTS)
def test_other_leaves_never_lead_to_the_signed_root(case: str) -> None:
    fault = batch_fault(OTHER_ROOTS[case], checkpoint(SECOND))
    assert fault is not None
    assert fault.code is FindingCode.ROOT_MISMATCH


def test_leaves_of_two_commits_in_one_batch_are_found_by_where_it_starts() -> None:
    joined = Batch(before=Frontier(), leaves=(*FIRST.leaves, *SECOND.leaves))
    assert batch_fault(joined, checkpoint(SECOND)) is None
    fault = batch_fault(joined, checkpoint(SECOND), previous=FIRST.after)
    assert fault is not None
    assert fault.code is FindingCode.ROOT_MISMATCH


HEAD = SECOND_BYTES.split(b"\n")[0]
REST = SECOND_BYTES[len(HEAD) :]
BAD_BATCHES = {
    "nothing": b"",
    "a line feed": b"\n",
    "no final line feed": SECOND_BYTES[:-1],
    "an empty line at the end": SECOND_BYTES + b"\n",
    "an empty line inside": SECOND_BYTES.replace(b"\n", b"\n\n"),
    "line 1 alone": HEAD + b"\n",
    "genesis alone": b"\n".join(FIRST_BYTES.split(b"\n")[:2]) + b"\n",
    "no line 1": REST[1:],
    "line 1 with a space": HEAD.replace(b":", b": ") + REST,
    "line 1 in another order": b'{"start":0,"frontier":[]}' + REST,
    "line 1 with an extra field": HEAD.replace(b'{"f', b'{"a":1,"f') + REST,
    "no start": b'{"frontier":[]}' + REST,
    "a negative start": b'{"frontier":[],"start":-1}' + REST,
    "a true start": b'{"frontier":["' + b"0" * 64 + b'"],"start":true}' + REST,
    "a start of text": b'{"frontier":[],"start":"0"}' + REST,
    "too few nodes": b'{"frontier":[],"start":3}' + REST,
    "nodes that are no hashes": b'{"frontier":["00"],"start":1}' + REST,
    "nodes of another type": b'{"frontier":[1],"start":1}' + REST,
    "a frontier of another type": b'{"frontier":{},"start":0}' + REST,
    "a leaf too long": HEAD + b"\n" + b"x" * (MAX_RECORD_BYTES + 1) + b"\n",
}


@pytest.mark.parametrize("case", BAD_BATCHES)
def test_what_is_no_batch_is_malformed(case: str) -> None:
    fault = read_batch(BAD_BATCHES[case])
    assert isinstance(fault, Fault)
    assert fault.code is FindingCode.LEAF_MALFORMED


def test_a_malformed_leaf_is_named_and_hides_no_other() -> None:
    batch = read_batch(SECOND_BYTES + b"# commented out\n" + encode_record(window(2)) + b"\n")
    assert isinstance(batch, Batch)
    leaves = decode_leaves(batch)
    assert leaves[-1].record == window(2)
    (fault,) = faults_of(leaves)
    assert fault.code is FindingCode.LEAF_MALFORMED
    assert fault.detail.startswith("leaf 7: not JSON")


def test_records_of_a_later_version_are_faults_of_their_own() -> None:
    batch = replace(SECOND, leaves=(*SECOND.leaves, b'{"type":"hold","v":1}'))
    (fault,) = faults_of(decode_leaves(batch))
    assert fault.code is FindingCode.UNSUPPORTED_RECORD
    assert fault.detail.startswith("leaf 7: ")


GENESIS, COMMIT = encode_record(genesis()), encode_record(commit())
MISPLACED = {
    "no genesis": Batch(before=Frontier(), leaves=(COMMIT, COMMIT)),
    "genesis twice": Batch(before=Frontier(), leaves=(GENESIS, GENESIS, COMMIT)),
    "no commit": Batch(before=Frontier(), leaves=(GENESIS, encode_record(stream()))),
    "two commits": replace(SECOND, leaves=(*SECOND.leaves, COMMIT)),
    "genesis later": replace(SECOND, leaves=(*SECOND.leaves, GENESIS)),
    "a commit that does not begin with one": replace(SECOND, leaves=SECOND.leaves[1:]),
}


@pytest.mark.parametrize("case", MISPLACED)
def test_genesis_and_commit_have_one_place(case: str) -> None:
    faults = faults_of(decode_leaves(MISPLACED[case]))
    assert faults
    assert {fault.code for fault in faults} == {FindingCode.LEAF_MALFORMED}


def test_genesis_is_leaf_0_and_the_commit_leaf_1() -> None:
    first, second, *_ = decode_leaves(FIRST)
    assert isinstance(first.record, GenesisRecord)
    assert isinstance(second.record, CommitRecord)


@pytest.mark.parametrize("records", [[], [genesis()], [stream()], [commit(), genesis()]])
def test_what_could_not_be_read_back_is_never_written(records: list[CommitRecord]) -> None:
    with pytest.raises(ValueError, match="cannot be a commit"):
        write_batch(Frontier(), records)
