"""The only code that prints.

The rules: what was asked for goes to standard output, everything else to standard error. With
`--format json` standard output is exactly one document, on failure too. Colours and movement only
where a terminal is, and never under NO_COLOR. Errors are lower case, name the object, end without
a full stop and are followed by a hint where there is something to do.
"""

import json
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kcompliance.errors import ExitCode, KcomplianceError, OutputError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from kcompliance.collect.interface import Progress

__all__ = [
    "CONFIGURED_FORMAT",
    "Format",
    "FormatOption",
    "ProgressOption",
    "ProgressStyle",
    "console_for",
    "note",
    "progress",
    "put",
    "put_parts",
    "put_table",
    "report_error",
    "wants_json",
]

PIPE_WIDTH = 120


class Format(StrEnum):
    """How a result is written."""

    TABLE = "table"
    JSON = "json"


class ProgressStyle(StrEnum):
    """How progress is told on standard error."""

    AUTO = "auto"
    JSON = "json"
    NONE = "none"


FormatOption = Annotated[
    Format,
    typer.Option("--format", help="How to write the result.", envvar="KCOMPLIANCE_FORMAT"),
]
ProgressOption = Annotated[
    ProgressStyle,
    typer.Option(
        "--progress",
        help="How to tell progress on standard error.",
        envvar="KCOMPLIANCE_PROGRESS",
    ),
]

CONFIGURED_FORMAT: ContextVar[str | None] = ContextVar("configured format", default=None)
"""What kcompliance.yaml says, once it was read; for failures after that."""


def wants_json(arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Whether the caller reads JSON; also where the call itself could not be understood."""
    chosen = environment.get("KCOMPLIANCE_FORMAT", "")
    for index, argument in enumerate(arguments):
        if argument == "--format" and index + 1 < len(arguments):
            chosen = arguments[index + 1]
        elif argument.startswith("--format="):
            chosen = argument.partition("=")[2]
    chosen = chosen or CONFIGURED_FORMAT.get() or ""
    return chosen == Format.JSON.value


# --- results -------------------------------------------------------------------------------------


def put(text: str | Iterable[str], output: Path | None = None) -> None:
    """Write a result, in one or in pieces; to a file whole or not at all.

    Raises OutputError where the file cannot be written.
    """
    text = [text] if isinstance(text, str) else text
    if output is None:
        sys.stdout.writelines(text)
        sys.stdout.flush()
        return
    try:
        if output.exists() and not output.resolve().is_file():  # a pipe, /dev/stdout, …
            with output.open("w", encoding="utf-8") as stream:
                stream.writelines(text)
            return
        handle, name = tempfile.mkstemp(prefix=f".{output.name}-", dir=output.resolve().parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.writelines(text)
            Path(name).chmod(0o644)
            Path(name).replace(output.resolve())
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f'cannot write "{output}": {error.strerror}') from error


def put_table(table: "RenderableType", output: Path | None = None, *, wrap: bool = True) -> None:
    """Write a result for people; plain text where it does not go to a terminal."""
    put_parts([table], output, wrap=wrap)


def put_parts(
    parts: "Iterable[RenderableType]", output: Path | None = None, *, wrap: bool = True
) -> None:
    """As `put_table`, of many parts one below the other, which are written one by one."""
    if output is None and sys.stdout.isatty():
        console = console_for()
        for part in parts:
            console.print(part, soft_wrap=not wrap)
    else:
        put(_plain(parts, wrap=wrap), output)


def _plain(parts: "Iterable[RenderableType]", *, wrap: bool) -> Iterator[str]:
    console = console_for(plain=True)
    for part in parts:
        with console.capture() as captured:
            console.print(part, soft_wrap=not wrap)
        yield "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def console_for(*, stderr: bool = False, plain: bool = False) -> "Console":
    """A pipe is wider than most terminals, and has no colours unless FORCE_COLOR asks for them."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH
    no_color = True if plain and "FORCE_COLOR" not in os.environ else None
    return Console(stderr=stderr, width=width, no_color=no_color, highlight=False, emoji=False)


# --- everything else -----------------------------------------------------------------------------


def note(text: str) -> None:
    """One line on standard error."""
    sys.stderr.write(f"{text}\n")


def report_error(error: KcomplianceError, exit_code: ExitCode, *, as_json: bool) -> None:
    """Tell an expected failure."""
    if as_json:
        from kcompliance.report.json_error import render_error

        put(render_error(error, exit_code))
    from kcompliance.report.printable import printable

    console = console_for(stderr=True)
    console.print("error:", style="bold red", end=" ")
    console.print(printable(error.message), markup=False, soft_wrap=True)
    if error.hint:
        console.print("hint: ", style="cyan", end=" ")
        console.print(printable(error.hint), markup=False, soft_wrap=True)


@contextmanager
def progress(style: ProgressStyle) -> "Iterator[Progress]":
    """Tells what is being looked at: a spinner on a terminal, lines of JSON, or nothing."""
    if style is ProgressStyle.JSON:
        yield lambda what: note(json.dumps({"progress": what}))
    elif style is ProgressStyle.AUTO and sys.stderr.isatty():
        with console_for(stderr=True).status("reading") as status:
            yield lambda what: status.update(f"reading {what}")
    else:
        yield lambda what: None
