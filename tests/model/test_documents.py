"""Files of several documents, split and read as Kubernetes does."""

import pytest

from kcompliance.model.documents import Malformed, Unsure, read_documents, split_documents


@pytest.mark.parametrize(
    ("data", "documents"),
    [
        (b"", []),
        (b"# only a comment\n", []),
        (b"a: 1\n", [{"a": 1}]),
        (b"---\na: 1\n", [{"a": 1}]),
        (b"a: 1\n---\nb: 2\n", [{"a": 1}, {"b": 2}]),
        (b"a: 1\r\n---\r\nb: 2\r\n", [{"a": 1}, {"b": 2}]),
        (b"a: 1\n---\n---\n# nothing\n---\nb: 2\n", [{"a": 1}, {"b": 2}]),
        (b"a: 1\n--- # why\nb: 2\n", [{"a": 1}, {"b": 2}]),
        (b"a: ----\n", [{"a": "----"}]),
        (b"a: 1\n---b: 2\n", [{"a": 1, "---b": 2}]),
        (b"a: |\n  ---\n  b\n", [{"a": "---\nb\n"}]),
        (b'{"a": [1, null, true]}', [{"a": [1, None, True]}]),
        (b'  \n{"a": 1}\n', [{"a": 1}]),
        (b"- 1\n- x\n", [[1, "x"]]),
    ],
    ids=str,
)
def test_each_document_is_plain_data(data: bytes, documents: list[object]) -> None:
    assert read_documents(data) == documents


@pytest.mark.parametrize(
    "data",
    [
        b"a: [",
        b"a: 1\n---\nb: [",
        b'{"a": 1',
        b'{"a": 1} {"b": 2}',
        b"\xff\xfd",
        b"a: b: c",
        b"\t-",
    ],
    ids=str,
)
def test_what_kubernetes_would_not_read_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        read_documents(data)


@pytest.mark.parametrize("data", [b"[" * 100_000, b'{"a":' * 100_000], ids=["YAML", "JSON"])
def test_what_is_nested_without_end_is_not_read(data: bytes) -> None:
    with pytest.raises((Malformed, Unsure)):
        read_documents(data)


def test_the_documents_together_are_the_whole_file() -> None:
    data = b"# head\na: 1\n---\nb: 2\n--- # c\nc: 3"

    chunks = split_documents(data)

    assert len(chunks) == 3
    assert b"".join(chunks) == data


def test_json_is_one_document_whatever_stands_in_its_texts() -> None:
    data = b'{"a": "x\\n---\\ny"}'

    assert split_documents(data) == [data]
