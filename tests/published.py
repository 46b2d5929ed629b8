"""Every generated file of the project: `python -m tests.published` writes them anew.

JSON Schemas and sample reports in `reports/`, the pages of the controls in `docs/controls/`, and
the outputs of commands that the README shows. A test compares what is committed with what is made.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from kcompliance.controls import cases_of, load_controls
from kcompliance.model.control import Control
from kcompliance.report.schemas import DOCUMENTS, file_name, json_schema

__all__ = ["ROOT", "published_files"]

ROOT = Path(__file__).parent.parent
LAST_LINES = 4


def published_files() -> Mapping[str, str]:
    """The text of every generated file, by its path in the checkout."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    return {
        **{f"reports/schemas/{file_name(s)}": _schema(s) for s in DOCUMENTS},
        "reports/samples/scan.txt": output_of("scan demo/faulty"),
        "reports/samples/scan.json": output_of("scan demo/faulty --format json"),
        **{f"docs/controls/{id_}.md": _page(c) for id_, c in load_controls().items()},
        "README.md": with_outputs(readme),
    }


def output_of(arguments: str) -> str:
    """What kcompliance prints on standard output where it is no terminal."""
    command = [sys.executable, "-m", "kcompliance", *shlex.split(arguments)]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)
    return done.stdout.decode()


_BLOCK = re.compile(
    r"<!-- (?P<part>output|last lines) of: kcompliance (?P<arguments>[^\n]*) -->\n"
    r"```text\n.*?```\n",
    re.DOTALL,
)


def with_outputs(markdown: str) -> str:
    """The text with each block below an `output of:` comment as the command prints it today."""

    def block(found: re.Match[str]) -> str:
        lines = output_of(found["arguments"]).splitlines()
        if found["part"] == "last lines":
            lines = lines[-LAST_LINES:]
        comment = found[0].partition("\n")[0]
        return "\n".join([comment, "```text", *lines, "```", ""])

    return _BLOCK.sub(block, markdown)


def _schema(schema: str) -> str:
    return json.dumps(json_schema(schema), indent=2) + "\n"


def _page(control: Control) -> str:
    parts = [
        f"# {control.id} {control.title}",
        f"Severity {control.severity.value} · platforms "
        f"{', '.join(platform.value for platform in control.platforms)}",
        control.asks,
        control.why.strip(),
        "## Aspects",
        *(_aspects(control)),
        *(_parameters(control)),
        "## Remedy",
        f"```text\n{control.remediation}\n```",
        "## Worth knowing",
        "\n".join(f"* {edge}" for edge in control.edge_cases),
        "## Cases",
        "\n".join(f"* {case.given}" for case in cases_of(control)),
        "## Sources",
        "\n".join(f"* [{s.title}]({s.url}), read {s.read}" for s in control.sources),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _aspects(control: Control) -> list[str]:
    rows = ["| aspect | severity | it is good if | answers |", "|---|---|---|---|"]
    for aspect in control.aspects:
        answers = "; ".join(f"{s.framework} {s.id}" for s in aspect.satisfies)
        only = f" (asked by {', '.join(aspect.only_for)} only)" if aspect.only_for else ""
        severity = aspect.severity.value
        rows.append(f"| `{aspect.id}` | {severity} | {aspect.title}{only} | {answers} |")
    return ["\n".join(rows)]


def _parameters(control: Control) -> list[str]:
    if not control.parameters:
        return []
    rows = ["| parameter | type | meaning | default |", "|---|---|---|---|"]
    for parameter in control.parameters.values():
        default = json.dumps(parameter.default)
        rows.append(f"| `{parameter.name}` | {parameter.type} | {parameter.help} | `{default}` |")
    return ["## Parameters", "\n".join(rows)]


if __name__ == "__main__":
    for name, text in published_files().items():
        (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / name).write_text(text, encoding="utf-8")
