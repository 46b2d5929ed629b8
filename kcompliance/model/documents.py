"""Splits a file into Kubernetes documents and reads each as plain data, as kubectl would."""

import re
from typing import Any

import msgspec

from kcompliance.model.go_tree import Malformed, Unsure, is_json, plain, read_tree

__all__ = ["Malformed", "Unsure", "read_documents", "split_documents"]

_SEPARATOR = re.compile(rb"^---(?=[ \t\r\n]|$)", re.MULTILINE)


def split_documents(data: bytes) -> list[bytes]:
    """The YAML documents of a file, each with its own bytes; JSON is always one."""
    if is_json(data):
        return [data]
    starts = [0, *(found.start() for found in _SEPARATOR.finditer(data) if found.start())]
    ends = [*starts[1:], len(data)]
    return [data[start:end] for start, end in zip(starts, ends, strict=True)]


def read_documents(data: bytes) -> list[Any]:
    """Each document as dicts, lists and scalars; empty ones are left out.

    Raises `Malformed` where Kubernetes would not read it either, `Unsure` beyond our bounds.
    """
    if is_json(data):
        return [_read_json(data)]
    documents = [plain(read_tree(chunk)) for chunk in split_documents(data)]
    return [document for document in documents if document is not None]


def _read_json(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except RecursionError:
        raise Unsure("nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"not JSON, although it begins with a brace: {error}") from None
