"""What `reports/` publishes: `python -m tests.published` writes it anew.

The JSON Schemas of all documents, and the demo's faulty cluster as each report format shows it. A
test compares what is committed with what is made here.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from kcompliance.report.schemas import DOCUMENTS, file_name, json_schema

__all__ = ["REPORTS", "published_files"]

ROOT = Path(__file__).parent.parent
REPORTS = ROOT / "reports"
SAMPLES = {"scan.txt": "table", "scan.json": "json"}


def published_files() -> Mapping[str, str]:
    """The text of every file below `reports/`, by its path there."""
    schemas = {
        f"schemas/{file_name(schema)}": json.dumps(json_schema(schema), indent=2) + "\n"
        for schema in DOCUMENTS
    }
    samples = {f"samples/{name}": _sample(format_) for name, format_ in SAMPLES.items()}
    return {**schemas, **samples}


def _sample(format_: str) -> str:
    command = [sys.executable, "-m", "kcompliance", "scan", "demo/faulty", "--format", format_]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)
    return done.stdout.decode()


if __name__ == "__main__":
    for path, text in published_files().items():
        (REPORTS / path).parent.mkdir(parents=True, exist_ok=True)
        (REPORTS / path).write_text(text, encoding="utf-8")
