"""The commands in docs/archive-format.md, run: `python -m tests.archive.worked_example` notes what
they print."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

__all__ = ["DOCUMENT", "TOOLS", "with_outputs"]

ROOT = Path(__file__).parent.parent.parent
DOCUMENT = ROOT / "docs/archive-format.md"
ARCHIVE = ROOT / "tests/vectors/good/files"
TOOLS = ("bash", "openssl", "zstd", "jq", "xxd", "sha256sum", "base64")

_BLOCK = re.compile(r"```console\n(.*?)```\n", re.DOTALL)
_MARK = "=-= next =-="


def with_outputs(markdown: str) -> str:
    """The text with each command's output as it is now; all run in one shell, in their order."""
    commands = [command for block in _BLOCK.findall(markdown) for command in _commands(block)]
    script = "".join(f"{_script(each)}\necho '{_MARK}'\n" for each in commands)
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [shutil.which("bash") or "bash", "-eu", "-c", script],
            cwd=ARCHIVE,
            env={"PATH": os.environ["PATH"], "T": folder, "LC_ALL": "C.UTF-8"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout
    outputs = iter(done.stdout.split(f"{_MARK}\n"))

    def block(found: re.Match[str]) -> str:
        told = "".join(command + next(outputs) for command in _commands(found[1]))
        return f"```console\n{told}```\n"

    return _BLOCK.sub(block, markdown)


def _commands(block: str) -> list[str]:
    """Each with the lines that continue it, as they stand there."""
    return re.findall(r"^\$ .*\n(?:^> .*\n)*", block, re.MULTILINE)


def _script(command: str) -> str:
    return "\n".join(line[2:] for line in command.splitlines())


if __name__ == "__main__":
    DOCUMENT.write_text(with_outputs(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
