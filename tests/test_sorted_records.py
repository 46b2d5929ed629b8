"""Records wait on disk and come back in order; what is written of them is one document."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcompliance.errors import OutputError
from kcompliance.json_pieces import json_pieces
from kcompliance.sorted_records import IN_MEMORY, SortedRecords

_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.tuples(st.tuples(st.integers(0, 3), st.integers(0, 1)), st.binary())))
def test_records_come_back_by_key_and_then_as_they_came(
    records: list[tuple[tuple[int, int], bytes]],
) -> None:
    kept = SortedRecords()
    for key, record in records:
        kept.put(key, record)

    expected = [record for _, record in sorted(records, key=lambda item: item[0])]
    assert list(kept) == expected
    assert list(kept) == expected


def test_records_that_are_too_many_for_memory_come_back_too() -> None:
    kept = SortedRecords()
    size = IN_MEMORY // 10
    for number in range(25):
        kept.put((-number,), bytes([number]) * size)

    assert [record[0] for record in kept] == list(range(24, -1, -1))


def test_a_disk_that_refuses_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    kept = SortedRecords()
    kept.put((), b"few bytes need no disk")

    with pytest.raises(OutputError, match="temporary file"):
        kept.put((), bytes(IN_MEMORY))


@given(
    before=st.dictionaries(st.text(), _values, max_size=3),
    items=st.lists(_values, max_size=3),
    last=_values,
)
def test_the_pieces_are_the_document(before: dict[str, Any], items: list[Any], last: Any) -> None:
    names = [f"field {number}" for number in range(len(before))]
    document = dict(zip(names, before.values(), strict=True)) | {"items": items, "last": last}
    texts = {name: json.dumps(value, indent=2) for name, value in document.items()}
    pieces = json_pieces((texts | {"items": [json.dumps(i, indent=2) for i in items]}).items())

    assert "".join(pieces) == json.dumps(document, indent=2) + "\n"
