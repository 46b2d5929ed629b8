"""Facts of a node as a capture writes them down, and what is refused as such."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kcompliance.model.assemble import assemble
from kcompliance.model.audit_log_files import is_of_log
from kcompliance.model.digest import sha256
from kcompliance.model.node_facts import (
    FileFacts,
    FileType,
    LogRate,
    NodeFacts,
    ProcessFacts,
    read_node_facts,
    write_node_facts,
)
from kcompliance.model.reading import Kind
from tests.captures import raw

MOMENT = datetime(2026, 1, 15, 9, 0, 0, 123456, tzinfo=UTC)
FILE = FileFacts(
    path="/etc/a",
    type=FileType.FILE,
    mode=0o4600,
    uid=0,
    gid=0,
    size=2**40,
    modified=MOMENT,
    changed=MOMENT,
    acl=False,
    sha256=sha256(b"a"),
)
LINK = FileFacts(path="/etc/l", type=FileType.LINK, mode=0o777, uid=0, gid=0, target="../etc/a")
FACTS = NodeFacts(
    node="cp-1.example",
    files=(FILE, LINK, FileFacts(path="/srv", type=FileType.FOLDER, free=5)),
    processes=(ProcessFacts(pid=1, name="k3s", arguments=("k3s", ""), uid=0, started=MOMENT),),
    log_rates=(
        LogRate(path="/l", size=7, since=MOMENT, until=MOMENT + timedelta(hours=2), peak=9),
    ),
)


def test_what_is_written_is_read_again() -> None:
    assert read_node_facts(write_node_facts(FACTS)) == FACTS
    assert read_node_facts(write_node_facts(NodeFacts(node="a"))) == NodeFacts(node="a")


def test_no_proc_and_no_process_are_two_things() -> None:
    none = NodeFacts(node="a", processes=())

    assert read_node_facts(write_node_facts(none)) == none


def _text(**change: Any) -> bytes:
    return json.dumps({**json.loads(write_node_facts(FACTS)), **change}).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        _text(schema="kcompliance/node-facts/v2"),
        _text(node="../x"),
        _text(node="a\n"),
        _text(more=1),
        _text(files=[{"path": "etc/a", "type": "file"}]),
        _text(files=[{"path": "/a\x00", "type": "file"}]),
        _text(files=[{"path": "/a", "type": "door"}]),
        _text(files=[{"path": "/a", "type": "file", "mode": 384}]),
        _text(files=[{"path": "/a", "type": "file", "mode": "0900"}]),
        _text(files=[{"path": "/a", "type": "file", "size": -1}]),
        _text(files=[{"path": "/a", "type": "file", "modified": "2026-01-01T00:00:00"}]),
        _text(files=[{"path": "/a", "type": "file", "owner": "root"}]),
        _text(files=[{"path": "/a", "type": "file"}] * 20_001),
        _text(processes=[{"pid": 0, "name": "a", "arguments": []}]),
        _text(
            log_rates=[
                {
                    "path": "/l",
                    "size": 1,
                    "since": "2026-01-01T00:00:00Z",
                    "until": "2026-01-01T00:00:00Z",
                    "peak": 1,
                }
            ]
        ),
    ],
    ids=lambda data: data[:20].decode("utf-8", "replace") + str(len(data)),
)
def test_what_is_no_such_text_is_a_gap_and_never_breaks(data: bytes) -> None:
    assert isinstance(read_node_facts(data), str)
    text = data.decode("utf-8", "surrogateescape")
    if "\udcff" not in text:
        (gap,) = assemble("c", [raw(Kind.NODE_FACTS, "node:a", text)]).gaps
        assert gap.origin.kind is Kind.NODE_FACTS


def test_a_second_look_at_a_node_that_saw_something_else_is_a_gap() -> None:
    first = raw(Kind.NODE_FACTS, "node:cp-1.example", write_node_facts(FACTS).decode())
    other = raw(Kind.NODE_FACTS, "node:cp-1.example", _text(files=[]).decode())

    assert assemble("c", [first, first]).gaps == ()
    assert "a second time" in assemble("c", [first, other]).gaps[0].reason


def test_links_are_followed_in_what_was_seen() -> None:
    assert FACTS.reached("/etc/l") == FILE
    assert FACTS.way("/etc/l") == (LINK, FILE)
    assert FACTS.reached("/etc/../etc/./a") == FILE
    assert FACTS.reached("/etc/b") is None


def test_links_in_a_circle_lead_nowhere() -> None:
    circle = tuple(
        FileFacts(path=f"/{a}", type=FileType.LINK, target=b) for a, b in (("a", "b"), ("b", "a"))
    )

    assert NodeFacts(node="n", files=circle).reached("/a") is None


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/l/audit.log", True),
        ("/l/audit-2026-11-21T02-53-32.122.log", True),
        ("/l/audit-2026-11-21T02-53-32.122.log.gz", True),
        ("/l/audit.log.1", True),
        ("/l/audit.log-20260101", True),
        ("/l/audit.logs", False),
        ("/l/other.log", False),
        ("/l/deeper/audit.log", False),
        ("/l/audit-policy.yaml", False),
    ],
)
def test_which_files_are_of_a_log(path: str, expected: bool) -> None:
    assert is_of_log("/l/audit.log", path) is expected
