"""Runs the real command line in this process: as `command.py`, and many times as fast."""

import io
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

import typer

from kcompliance.cli import app, main
from kcompliance.cli.archive_see import app as see_app
from kcompliance.cli.keys import app as keys_app
from tests.cli.command import Done

__all__ = ["run"]


def _register(name: str, added: typer.Typer) -> None:
    if all(group.name != name for group in app.registered_groups):
        app.add_typer(added, name=name)


_register("keys", keys_app)
_register("archive", see_app)


def run(*arguments: str | Path, **variables: str) -> Done:
    """The command's exit code and output; fails where a traceback was shown."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    argv = ["kcompliance", *map(str, arguments)]
    environment = {**os.environ, "COLUMNS": "200", **variables}
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
    out.flush()
    err.flush()
    told = [stream.buffer.getvalue().decode() for stream in (out, err)]  # type: ignore[attr-defined]
    assert "Traceback" not in told[0] + told[1], told[1]
    assert isinstance(code, int)
    return Done(code=code, out=told[0], err=told[1])
