"""`policy test` for people, and as JUnit XML for CI."""

import re
from collections.abc import Iterator, Sequence
from typing import Final
from xml.etree import ElementTree as Xml

from rich.console import Group, RenderableType
from rich.text import Text

from kcompliance.model.policy_test import Checked, RanTest
from kcompliance.report.json_policy_test import FileOfTests
from kcompliance.report.printable import printable

__all__ = ["render_policy_test_junit", "table_of_policy_test"]

_NO_XML: Final = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, not even as a reference."""


def table_of_policy_test(files: Sequence[FileOfTests]) -> RenderableType:
    """The failing tests with the rule that decides, and a count."""
    lines: list[Text] = []
    for file in files:
        for tested in file.tests:
            if not tested.passed:
                lines.append(
                    Text("FAIL", "bold red").append(f"  {file.name}:{tested.test.line}  ", "cyan")
                )
                lines[-1].append(printable(tested.test.name), "default")
                lines += [Text(f"      {each}") for each in _problems(file, tested)]
    passed = [tested.passed for file in files for tested in file.tests]
    failed = len(passed) - sum(passed)
    summary = f"{len(passed)} tests: {sum(passed)} pass, {failed} fail"
    return Group(*lines, Text(summary, "bold red" if failed else "green"))


def _problems(file: FileOfTests, tested: RanTest) -> Iterator[str]:
    for checked in tested.checked:
        for problem in checked.problems:
            yield printable(f"{_asked(checked)}: {problem} ({_decided(file, checked)})")


def _asked(checked: Checked) -> str:
    user = checked.request.user
    return f"{'a failed login' if user is None else user.name}, {checked.request}"


def _decided(file: FileOfTests, checked: Checked) -> str:
    decision = checked.decision
    if decision.rule is None:
        return f"no rule of {file.policy} matches"
    return f"{file.policy}:{decision.line}, rule {decision.rule}"


def render_policy_test_junit(files: Sequence[FileOfTests]) -> str:
    """One XML document, ending with a line feed: a suite a file, a case a test."""
    root = Xml.Element("testsuites")
    for number, file in enumerate(files):
        suite = Xml.SubElement(root, "testsuite")
        properties = Xml.SubElement(suite, "properties")
        Xml.SubElement(properties, "property", name="policy", value=_clean(file.policy))
        Xml.SubElement(properties, "property", name="policy.sha256", value=file.digest)
        for tested in file.tests:
            case = Xml.SubElement(
                suite,
                "testcase",
                classname="kcompliance.policy",
                name=_clean(tested.test.name),
                time="0",
            )
            if not tested.passed:
                problems = list(_problems(file, tested))
                failure = Xml.SubElement(
                    case, "failure", type="unexpected", message=_clean(problems[0])
                )
                failure.text = _clean("\n".join(problems))
        Xml.SubElement(suite, "system-out")
        Xml.SubElement(suite, "system-err")
        failed = sum(not each.passed for each in file.tests)
        suite.attrib = {
            "id": str(number),
            "name": _clean(file.name),
            "package": "kcompliance",
            "hostname": "localhost",
            "timestamp": "1970-01-01T00:00:00",
            "time": "0",
            "tests": str(len(file.tests)),
            "failures": str(failed),
            "errors": "0",
            "skipped": "0",
        }
    Xml.indent(root)
    text = Xml.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _clean(text: str) -> str:
    return _NO_XML.sub("\ufffd", printable(text))
