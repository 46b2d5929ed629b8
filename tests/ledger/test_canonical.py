"""One form in bytes for each record, and nothing else is read: attack 37."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcompliance.ledger import FindingCode, Refused, canonical_bytes, decode_record, parse_canonical
from kcompliance.ledger.canonical import MAX_DEPTH, MAX_INTEGER, MAX_RECORD_BYTES
from kcompliance.ledger.findings import Fault

# RFC 8785 section 3.2.3: sorted by UTF-16 units, and escaped no more than needed.
RFC_SORTED = (
    '{"\\r":"Carriage Return","1":"One","\u0080":"Control","ö":"Latin Small Letter O With '
    'Diaeresis","€":"Euro Sign","😀":"Emoji: Grinning Face","\ufb33":"Hebrew Letter Dalet With '
    'Dagesh"}'
).encode()

JSON_TRICKS = {
    "duplicate keys": b'{"a":1,"a":1}',
    "duplicate keys by escape": b'{"a":1,"\\u0061":1}',
    "duplicate keys inside": b'{"a":[{"b":1,"b":2}]}',
    "2^53": b'{"a":9007199254740992}',
    "-2^53": b'{"a":-9007199254740992}',
    "thousands of digits": b'{"a":' + b"9" * 5000 + b"}",
    "NaN": b'{"a":NaN}',
    "Infinity": b'{"a":Infinity}',
    "-Infinity": b'{"a":-Infinity}',
    "1e999": b'{"a":1e999}',
    "a float": b'{"a":0.5}',
    "a float that is whole": b'{"a":1.0}',
    "an exponent": b'{"a":1E2}',
    "minus zero": b'{"a":-0}',
    "leading zero": b'{"a":01}',
    "plus": b'{"a":+1}',
    "byte order mark": b'\xef\xbb\xbf{"a":1}',
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "UTF-32 without a mark": '{"a":1}'.encode("utf-32-le"),
    "broken UTF-8": b'{"a":"\xff"}',
    "overlong UTF-8": b'{"a":"\xc0\xaf"}',
    "a surrogate in UTF-8": b'{"a":"\xed\xa0\x80"}',
    "half a surrogate pair": b'{"a":"\\ud83d"}',
    "half a surrogate pair as key": b'{"\\ud83d":1}',
    "a pair by escape": b'{"a":"\\ud83d\\ude00"}',
    "needless escape": b'{"a":"\\u0062"}',
    "upper-case escape": b'{"a":"\\u001F"}',
    "escaped solidus": b'{"a":"\\/"}',
    "a raw control character": b'{"a":"\x01"}',
    "a raw line feed": b'{"a":"\n"}',
    "keys in another order": b'{"b":1,"a":1}',
    "a space": b'{"a": 1}',
    "a line feed after": b'{"a":1}\n',
    "a space before": b' {"a":1}',
    "something after": b'{"a":1}{}',
    "a comma too many": b'{"a":1,}',
    "a comment": b'{"a":1/**/}',
    "single quotes": b"{'a':1}",
    "True": b'{"a":True}',
    "a list": b"[]",
    "a text": b'"a"',
    "a number": b"1",
    "null": b"null",
    "nothing": b"",
    "NUL": b"\0",
    "cut off": b'{"a":1',
    "too deep": b'{"a":' + b"[" * 40 + b"]" * 40 + b"}",
    "much too deep": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "opened only": b"[" * 60_000,
    "brackets after an open string": b'{"' + b"[" * 30_000,
    "too long": b'{"a":"' + b"x" * (MAX_RECORD_BYTES - 7) + b'"}',
}


@pytest.mark.parametrize("trick", JSON_TRICKS)
def test_attack_37_json_tricks(trick: str) -> None:
    assert isinstance(parse_canonical(JSON_TRICKS[trick]), Refused)
    fault = decode_record(JSON_TRICKS[trick])
    assert isinstance(fault, Fault)
    assert fault.code is FindingCode.LEAF_MALFORMED


def test_the_example_of_the_rfc() -> None:
    value = json.loads(RFC_SORTED)
    assert canonical_bytes(dict(reversed(value.items()))) == RFC_SORTED
    assert parse_canonical(RFC_SORTED) == value


def test_the_largest_integers_depths_and_sizes_are_taken() -> None:
    deepest: object = 1
    for _ in range(MAX_DEPTH - 1):
        deepest = [deepest]
    longest = "x" * (MAX_RECORD_BYTES - 8)
    for value in (MAX_INTEGER, -MAX_INTEGER, deepest, longest, '[[[["{\\', True, None):
        assert parse_canonical(canonical_bytes({"a": value})) == {"a": value}
    with pytest.raises(ValueError, match="levels"):
        canonical_bytes({"a": [deepest]})
    with pytest.raises(ValueError, match="bytes"):
        canonical_bytes({"a": longest + "x"})


@pytest.mark.parametrize(
    "value",
    [1.0, float("nan"), MAX_INTEGER + 1, b"bytes", "\ud800", {1: 2}, {"\ud800": 1}, object()],
    ids=lambda value: type(value).__name__,
)
def test_what_no_record_may_hold_is_never_written(value: object) -> None:
    with pytest.raises(ValueError, match="cannot be a record"):
        canonical_bytes({"a": value})


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), VALUES))
def test_what_is_written_reads_back(record: dict[str, object]) -> None:
    try:
        data = canonical_bytes(record)
    except ValueError as error:
        assert "levels deep" in str(error)  # noqa: PT017
        return
    assert parse_canonical(data) == record
    assert json.loads(data) == record


@given(st.dictionaries(st.text(), st.text() | st.integers(0, 9), min_size=1), st.data())
def test_no_second_form_is_read(record: dict[str, object], data: st.DataObject) -> None:
    written = canonical_bytes(record)
    place = data.draw(st.integers(0, len(written) - 1))
    other = bytearray(written)
    other[place] = data.draw(st.integers(0, 255).filter(lambda byte: byte != written[place]))
    value = parse_canonical(bytes(other))
    assert isinstance(value, Refused) or value != record
