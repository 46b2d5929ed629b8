"""A verification as JUnit XML, for CI: one test case a question, failed by its findings.

Valid against the schemas of Ant (windyroad/JUnit-Schema) and Jenkins (xunit-plugin, junit-10).
A cause is a failure, what could not be read is an error, and what was not asked is skipped.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC
from xml.etree import ElementTree as Xml

from kcompliance.archive.verify import OutsideResult, Verification
from kcompliance.ledger import Fault, FindingCode
from kcompliance.report.printable import printable
from kcompliance.report.verdict_verify import verdict
from kcompliance.report.verify_words import WORDS

__all__ = ["render_junit"]

_SHOWN = 1000
"""Findings in the text of one case."""

_NO_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, not even as a reference."""

_C = FindingCode
_LOG = "checkpoints, chain and tree"
_NAMES = "every object is there under its name"
_BYTES = "every object holds what was signed"
_LOCKS = "locks keep every object"
_OUTSIDE = "a memory outside the archive confirms it"
_FRESH = "the archive is as young as it has to be"

_CASE_OF = {
    **dict.fromkeys(
        (
            _C.SEGMENT_MISSING,
            _C.METADATA_MISSING,
            _C.RUN_MISSING,
            _C.UNEXPECTED_OBJECT,
            _C.UNCOMMITTED,
            _C.SYMLINK,
            _C.NOT_REGULAR,
            _C.NAME_COLLISION,
            _C.SHADOW_VERSION,
            _C.DELETE_MARKER,
        ),
        _NAMES,
    ),
    **dict.fromkeys(
        (
            _C.SEGMENT_MODIFIED,
            _C.SEGMENT_TRUNCATED,
            _C.SEGMENT_TRAILING_DATA,
            _C.EVENTS_ROOT,
            _C.BOMB,
            _C.METADATA_MODIFIED,
            _C.RUN_MODIFIED,
        ),
        _BYTES,
    ),
    _C.WORM_WEAK: _LOCKS,
    **dict.fromkeys(
        (_C.ROLLBACK_VS_PIN, _C.FORK_VS_PIN, _C.UNANCHORED, _C.UNTRUSTED_KEY), _OUTSIDE
    ),
    **dict.fromkeys((_C.STALE, _C.TIME_FUTURE), _FRESH),
}
_OF_STREAMS = {
    _C.WINDOW_GAP,
    _C.WINDOW_OVERLAP,
    _C.STREAM_MISSING,
    _C.STREAM_STALE,
    _C.COPY_MISMATCH,
    _C.SOURCE_MISMATCH,
}


@dataclass(frozen=True, slots=True)
class _Case:
    name: str
    group: str
    skipped: str | None = None


def render_junit(found: Verification) -> str:
    """One XML document, ending with a line feed."""
    cases = list(_cases(found))
    by_case: dict[str, list[Fault]] = {case.name: [] for case in cases}
    for fault in found.findings:
        by_case[_case_of(fault, by_case)].append(fault)
    root = Xml.Element("testsuites")
    suite = Xml.SubElement(root, "testsuite")
    properties = Xml.SubElement(suite, "properties")
    for name, value in _properties(found):
        Xml.SubElement(properties, "property", name=name, value=_clean(value))
    counts = {"failures": 0, "errors": 0, "skipped": 0}
    for case in cases:
        element = Xml.SubElement(
            suite,
            "testcase",
            classname=f"kcompliance.verify.{case.group}",
            name=case.name,
            time="0",
        )
        kind = _outcome(element, case, by_case[case.name])
        if kind is not None:
            counts[kind] += 1
    Xml.SubElement(suite, "system-out").text = _clean(": ".join(verdict(found)))
    Xml.SubElement(suite, "system-err")
    suite.attrib = {
        "id": "0",
        "name": "kcompliance verify",
        "package": "kcompliance",
        "hostname": "localhost",
        "timestamp": found.request.as_of.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        "time": "0",
        "tests": str(len(cases)),
        **{name: str(count) for name, count in counts.items()},
    }
    Xml.indent(root)
    text = Xml.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _cases(found: Verification) -> Iterator[_Case]:
    level = found.request.level
    not_asked = f"not part of level {level}"
    yield _Case(_LOG, "log")
    yield _Case(_NAMES, "objects", None if level >= 1 else not_asked)
    yield _Case(_BYTES, "objects", None if level >= 2 else not_asked)
    yield _Case(_LOCKS, "objects", None if found.request.live else "only with --live")
    yield _Case(_OUTSIDE, "trust")
    yield _Case(_FRESH, "trust")
    trust = found.request.trust
    names: set[str] = {stream.name for stream in found.streams}
    names |= {fault.stream for fault in found.findings if fault.stream and _is_of_stream(fault)}
    names |= {stream.name for stream in trust.streams} if trust is not None else set()
    for name in sorted(names):
        yield _Case(_clean(name), "streams")


def _is_of_stream(fault: Fault) -> bool:
    return fault.code in _OF_STREAMS and fault.stream is not None


def _case_of(fault: Fault, known: dict[str, list[Fault]]) -> str:
    """Where a finding belongs; one that could not be read, to the case of what it was."""
    if _is_of_stream(fault) and (name := _clean(fault.stream or "")) in known:
        return name
    if fault.code is _C.READ_FAILED:
        name = fault.object or ""
        return _LOG if name.startswith(("cp/", "log/")) else _BYTES if name else _NAMES
    return _CASE_OF.get(fault.code, _LOG)


def _outcome(element: Xml.Element, case: _Case, faults: Sequence[Fault]) -> str | None:
    """Add what became of the case; the name of its count."""
    if not faults:
        if case.skipped is not None:
            Xml.SubElement(element, "skipped", message=case.skipped)
            return "skipped"
        return None
    unread = [fault for fault in faults if fault.code is not _C.READ_FAILED] == []
    kind = "error" if unread else "failure"
    first = faults[0]
    child = Xml.SubElement(
        element,
        kind,
        type=first.code.value,
        message=_clean(f"{WORDS[first.code].meaning}: {first.object or first.detail}"),
    )
    lines = [_line(fault) for fault in faults[:_SHOWN]]
    if len(faults) > _SHOWN:
        lines.append(f"and {len(faults) - _SHOWN} more")
    child.text = _clean("\n".join(lines))
    return f"{kind}s"


def _line(fault: Fault) -> str:
    parts = [fault.code.value, fault.object, fault.stream]
    if fault.start or fault.end:
        parts.append(f"{fault.start or '…'} to {fault.end or '…'}")
    parts.append(fault.detail)
    if fault.caused_by is not None:
        parts.append(f"(because of {fault.caused_by})")
    return "  ".join(part.replace("\n", " ") for part in parts if part)


def _properties(found: Verification) -> Iterator[tuple[str, str]]:
    request, checkpoint = found.request, found.checkpoint
    yield "archive", found.archive
    yield "origin", found.origin or ""
    yield "level", str(request.level) + (f" {request.subset}" if request.subset else "")
    yield "exit_code", str(int(found.exit_code))
    if checkpoint is not None:
        yield "checkpoint", f"{checkpoint.number} {checkpoint.size} {checkpoint.root.hex()}"
    for memory in found.outside_memory:
        if memory.result is not OutsideResult.NOT_CHECKED:
            yield f"outside.{memory.kind}", f"{memory.result.value}: {memory.detail}"


def _clean(text: str) -> str:
    return _NO_XML.sub(lambda found: found[0].encode("unicode_escape").decode(), printable(text))
