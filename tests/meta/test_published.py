"""The generated files and the documentation say what the program says today."""

import re
from pathlib import Path

import pytest

from kcompliance.controls import load_controls
from kcompliance.errors import ExitCode
from tests.published import ROOT, output_of, published_files

DOCUMENTS = [*sorted(ROOT.glob("docs/**/*.md")), ROOT / "README.md"]
COMMANDS = ["scan", "policy explain", "policy lint", "controls list", "controls show"]
COMMANDS += ["controls test", "exit-codes", "demo", "policy coverage", "policy replay"]
COMMANDS += ["policy test", "archive run", "archive list", "archive cat", "archive prove"]
COMMANDS += ["verify", "keys new", "approve", "preflight"]


@pytest.fixture(scope="module")
def published() -> dict[str, str]:
    return dict(published_files())


def test_generated_files_are_current(published: dict[str, str]) -> None:
    stale = [
        name
        for name, text in published.items()
        if not (ROOT / name).is_file() or (ROOT / name).read_text(encoding="utf-8") != text
    ]

    assert stale == [], "run: python -m tests.published"


def test_no_generated_file_is_left_over(published: dict[str, str]) -> None:
    folders = ("reports/schemas", "reports/samples", "docs/controls")
    there = {str(p.relative_to(ROOT)) for f in folders for p in (ROOT / f).iterdir()}

    assert there <= set(published)


def test_the_readme_shows_real_output() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"<!-- (?:output|last lines) of: .*? -->\n```text\n(.*?)```", readme, re.S)

    assert len(blocks) >= 6
    assert all(block.strip() for block in blocks)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_readme(command: str) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert f"kcompliance {command}" in readme or f"`{command}" in readme


def test_every_option_of_scan_stands_in_its_help() -> None:
    shown = output_of("scan --help")

    for option in ("--control", "--framework", "--platform", "--severity", "--fail-on"):
        assert option in shown
    for option in ("--allow-manual", "--param", "--config", "--format", "--output"):
        assert option in shown


def test_every_exit_code_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert all(f"{code.value:>3}  {code.meaning}" in readme for code in ExitCode)


def test_every_control_has_a_page() -> None:
    pages = {path.stem for path in (ROOT / "docs/controls").glob("*.md")}

    assert pages == set(load_controls())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)

    assert [link for link in links if not (document.parent / link).exists()] == []
