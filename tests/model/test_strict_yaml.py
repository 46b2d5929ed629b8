"""Our own YAML can be taken in one way only."""

from typing import Any

import pytest

from kcompliance.model.strict_yaml import (
    MAX_BYTES,
    MAX_DEPTH,
    StrictYamlError,
    entry_lines,
    load_strict_yaml,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.10", "1.10"),
        ("yes", "yes"),
        ("on", "on"),
        ("2026-01-01", "2026-01-01"),
        ("0x10", "0x10"),
        ("010", "010"),
        ("1_000", "1_000"),
        ("1e3", "1e3"),
        (".inf", ".inf"),
        ("12:30", "12:30"),
        ("True", "True"),
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("0", 0),
        ("-12", -12),
        ('"12"', "12"),
        ("'true'", "true"),
    ],
)
def test_only_plain_numbers_and_words_are_more_than_text(text: str, value: Any) -> None:
    loaded = load_strict_yaml(f"key: {text}\n".encode())["key"]

    assert loaded == value
    assert type(loaded) is type(value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\na: 2\n", "line 2: 'a' stands there twice"),
        ("x: {a: 1, a: 1}\n", "stands there twice"),
        ("a: &x 1\nb: *x\n", "anchors and aliases"),
        ("a: {<<: {b: 1}, <<: {c: 1}}\n", "stands there twice"),
        ("a: !!str 1\n", "tags are not allowed"),
        ("a: !mine 1\n", "tags are not allowed"),
        ("a: 1\n---\nb: 1\n", "line 2: a second document"),
        ("1: a\n", "is not text: quote it"),
        ("true: a\n", "is not text: quote it"),
        ("? [a]\n: b\n", "is not text"),
        ("a: [\n", "line "),
        ("a: b: c\n", "line 1"),
        ("\t- a\n", "line 1"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "nested more than"),
        ("[" * 100_000, "nested more than"),
    ],
    ids=lambda text: text[:30],
)
def test_what_could_be_taken_in_two_ways_is_refused(text: str, problem: str) -> None:
    with pytest.raises(StrictYamlError) as caught:
        load_strict_yaml(text.encode())

    assert problem in str(caught.value)


@pytest.mark.parametrize("data", [b"\xff\xfe\xfd", b"a: \x00\n", b"a: \xc3\x28\n"])
def test_bytes_that_are_no_text_are_refused(data: bytes) -> None:
    with pytest.raises(StrictYamlError):
        load_strict_yaml(data)


def test_a_file_beyond_all_measure_is_refused() -> None:
    with pytest.raises(StrictYamlError, match="larger than"):
        load_strict_yaml(b"#" * (MAX_BYTES + 1))


@pytest.mark.parametrize("data", [b"", b"# nothing\n", b"---\n"])
def test_an_empty_document_is_none(data: bytes) -> None:
    assert load_strict_yaml(data) is None


def test_a_merge_key_is_a_key_like_any_other() -> None:
    assert load_strict_yaml(b"a: {<<: {b: 1}}\n") == {"a": {"<<": {"b": 1}}}


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a: [1, 2]\n", (1, 1)),
        ("# c\nb: [9]\na:\n  - x: 1\n    y: 2\n\n  - {}\n", (4, 7)),
        ("a: []\n", ()),
        ("a: text\n", ()),
        ("b: [1]\n", ()),
        ("- a\n", ()),
        ("", ()),
    ],
)
def test_the_lines_of_entries_are_those_a_reader_counts(text: str, lines: tuple[int, ...]) -> None:
    assert entry_lines(text.encode(), "a") == lines
