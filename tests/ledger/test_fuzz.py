"""Whatever bytes an archive or a trust file holds: an answer, and never an exception."""

import json
from collections.abc import Callable
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcompliance.ledger import (
    Batch,
    Checkpoint,
    Fault,
    Frontier,
    KeyRing,
    Refused,
    SignedCheckpoint,
    Trust,
    TrustedKey,
    UnsupportedRecord,
    VerifierKey,
    WindowRecord,
    canonical_bytes,
    coverage_by_stream,
    decode_leaves,
    decode_record,
    encode_record,
    faults_of,
    format_time,
    format_trust,
    merkle_root,
    open_checkpoint,
    parse_canonical,
    parse_name,
    parse_note,
    parse_period,
    parse_time,
    parse_trust,
    parse_vkey,
    read_batch,
    sign_checkpoint,
    unsafe_because,
)
from tests.ledger.samples import EVERY_RECORD, ORIGIN, SIGNER, ecdsa_signer, sample_archive
from tests.ledger.test_note import PETER, REKOR
from tests.ledger.test_trust import FULL

ECDSA = ecdsa_signer()
RING = KeyRing((TrustedKey(key=SIGNER.key), TrustedKey(key=ECDSA.key)))
CHECKPOINT = Checkpoint(origin=ORIGIN, size=1, root=merkle_root([sha256(b"").digest()]))
SIGNED = sign_checkpoint(CHECKPOINT, [SIGNER, ECDSA])


def read_record(data: bytes) -> None:
    record = decode_record(data)
    if not isinstance(record, Fault | UnsupportedRecord):
        assert encode_record(record) == data
    if isinstance(record, WindowRecord):
        coverage_by_stream([record, record])


def read_json(data: bytes) -> None:
    value = parse_canonical(data)
    if not isinstance(value, Refused):
        assert canonical_bytes(value) == data
        assert json.loads(data) == value


def read_checkpoint(data: bytes) -> None:
    parse_note(data)
    opened = open_checkpoint(data, origin=ORIGIN, keys=RING)
    if isinstance(opened, SignedCheckpoint):
        assert opened.checkpoint == CHECKPOINT


def read_log(data: bytes) -> None:
    batch = read_batch(data)
    if isinstance(batch, Batch):
        faults_of(decode_leaves(batch))
        assert batch.after.size == batch.start + len(batch.leaves)


def read_trust(data: bytes) -> None:
    trust = parse_trust(data)
    if isinstance(trust, Trust):
        assert parse_trust(format_trust(trust)) == trust


def read_texts(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    key = parse_vkey(text)
    if isinstance(key, VerifierKey):
        assert str(key) == text
        key.verifies(data, data)
    parse_name(text)
    unsafe_because(text)
    parse_period(text)
    if (time := parse_time(text)) is not None:
        assert format_time(time) == text
    Frontier.from_hex(len(data), [text])


LOG = next(data for name, data in sample_archive().objects.items() if name.startswith("log/"))
READERS: dict[str, tuple[Callable[[bytes], None], list[bytes]]] = {
    "record": (read_record, [encode_record(record) for record in EVERY_RECORD.values()]),
    "json": (read_json, [b'{"a":[1,{"b":"\\n"}],"c":null}']),
    "checkpoint": (read_checkpoint, [SIGNED]),
    "log": (read_log, [LOG]),
    "trust": (read_trust, [FULL.encode()]),
    "texts": (
        read_texts,
        [
            PETER.encode(),
            REKOR.encode(),
            b"2026-07-01T00:00:00.000001Z",
            b"2y",
            *(name.encode() for name in sample_archive().objects),
        ],
    ),
}
PUNCTUATION = '{}[]":,\\0e.-+ \n\r\0=/'
PIECES = st.sampled_from([*PUNCTUATION, "\ufeff", "\u0661", "1e999", "\ud7ff"])


@pytest.mark.parametrize("reader", READERS)
@given(data=st.binary(max_size=400))
def test_no_bytes_raise(reader: str, data: bytes) -> None:
    READERS[reader][0](data)


@pytest.mark.parametrize("reader", READERS)
@given(text=st.text(max_size=200))
def test_no_text_raises(reader: str, text: str) -> None:
    READERS[reader][0](text.encode())


@pytest.mark.parametrize("reader", READERS)
@given(data=st.data())
def test_no_accident_to_good_bytes_raises(reader: str, data: st.DataObject) -> None:
    read, samples = READERS[reader]
    bent = data.draw(st.sampled_from(samples))
    read(bent)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(bent)))
        end = min(len(bent), place + data.draw(st.integers(0, 4)))
        piece = data.draw(st.binary(max_size=3) | PIECES.map(str.encode))
        bent = bent[:place] + piece + bent[end:]
    read(bent)


@given(st.sampled_from(sorted(EVERY_RECORD)), st.data())
def test_no_value_in_any_field_raises(name: str, data: st.DataObject) -> None:
    value = json.loads(encode_record(EVERY_RECORD[name]))
    inside = value
    field = data.draw(st.sampled_from(sorted(value)))
    if isinstance(value[field], list) and value[field] and isinstance(value[field][0], dict):
        inside = value[field][0]
        field = data.draw(st.sampled_from(sorted(inside)))
    inside[field] = data.draw(
        st.none()
        | st.booleans()
        | st.integers(-(2**53) + 1, 2**53 - 1)
        | st.text()
        | st.lists(st.integers(0, 9))
        | st.dictionaries(st.text(), st.integers(0, 9))
    )
    read_record(canonical_bytes(value))
