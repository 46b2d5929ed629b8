"""Runs the real command line in this process: as `command.py`, and many times as fast."""

import io
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

from kcompliance.cli import main
from tests.cli.command import Done

__all__ = ["run"]


def run(*arguments: str | Path, **variables: str) -> Done:
    """The command's exit code and output; fails where a traceback was shown."""
    written = io.BytesIO(), io.BytesIO()
    out, err = (io.TextIOWrapper(each, encoding="utf-8", write_through=True) for each in written)
    argv = ["kcompliance", *map(str, arguments)]
    environment = {**os.environ, "COLUMNS": "200", **variables}
    code: object = None
    with (
        patch.object(sys, "argv", argv),
        patch.dict(os.environ, environment, clear=True),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as ended:
            code = ended.code
    told = [each.getvalue().decode() for each in written]
    assert "Traceback" not in told[0] + told[1], told[1]
    assert isinstance(code, int)
    return Done(code=code, out=told[0], err=told[1])
