"""The command line: the one place where kcompliance exits."""

import os
import sys
from io import TextIOWrapper
from typing import Annotated

import typer

from kcompliance import __version__
from kcompliance.cli.approve import approve
from kcompliance.cli.archive import app as archive_app
from kcompliance.cli.controls import app as controls_app
from kcompliance.cli.demo import demo
from kcompliance.cli.keys import app as keys_app
from kcompliance.cli.policy import app as policy_app
from kcompliance.cli.preflight import preflight
from kcompliance.cli.scan import scan
from kcompliance.cli.terminal import note, put, report_error, wants_json
from kcompliance.cli.verify import verify
from kcompliance.errors import ExitCode, KcomplianceError, UsageError

__all__ = ["app", "main"]

app = typer.Typer(
    name="kcompliance",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["--help", "-h"]},
)
app.command()(scan)
app.command()(preflight)
app.command()(approve)
app.command()(verify)
app.add_typer(archive_app, name="archive")
app.add_typer(keys_app, name="keys")
app.add_typer(policy_app, name="policy")
app.add_typer(controls_app, name="controls")
app.command()(demo)


@app.command("exit-codes")
def exit_codes() -> None:
    """List the exit codes and what they mean.

    Example: kcompliance exit-codes

    Exit codes: 0.
    """
    put("".join(f"{code.value:>3}  {code.meaning}\n" for code in ExitCode))


def _show_version(asked: bool) -> None:
    if asked:
        put(f"kcompliance {__version__}\n")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an unexpected error.")
    ] = False,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Prove that a Kubernetes audit trail is on, complete, retained and untampered.

    Start with:  kcompliance demo
    """


def main() -> None:
    """Run the command line; the only function that ends the process."""
    for stream in (sys.stdout, sys.stderr):
        # NOTE: under LC_ALL=C and the like a name or a dash would end in UnicodeEncodeError.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(
                encoding=None if stream.isatty() else "utf-8", errors="backslashreplace"
            )
    sys.exit(_run(sys.argv[1:]))


def _run(arguments: list[str]) -> int:
    try:
        return int(app(arguments, standalone_mode=False) or ExitCode.GOOD)
    except KcomplianceError as error:
        report_error(error, error.exit_code, as_json=wants_json(arguments, os.environ))
        return error.exit_code
    except typer.TyperException as error:
        return _call_was_wrong(error, as_json=wants_json(arguments, os.environ))
    except (KeyboardInterrupt, typer.Abort):
        note("interrupted")
        return ExitCode.INTERRUPTED
    except (BrokenPipeError, SystemExit) as stopped:
        if isinstance(stopped, SystemExit) and not stopped.code:
            return ExitCode.GOOD  # completion for a shell
        # Whoever read our output stopped, on which Typer exits with 1, which here means findings.
        # Python would complain once more when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.COULD_NOT_RUN
    except Exception as error:
        if "--debug" in arguments:
            raise
        return _broke(error, as_json=wants_json(arguments, os.environ))


def _call_was_wrong(error: typer.TyperException, *, as_json: bool) -> int:
    if error.format_message().startswith("Usage:"):  # no arguments at all: it is the help
        note(error.format_message())
        return ExitCode.USAGE
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "kcompliance"
    message = error.format_message().rstrip(".")
    usage = UsageError(message[:1].lower() + message[1:], f"see: {command} --help")
    report_error(usage, ExitCode.USAGE, as_json=as_json)
    return ExitCode.USAGE


def _broke(error: Exception, *, as_json: bool) -> int:
    unexpected = KcomplianceError(
        f"kcompliance stopped; nothing it printed is a verdict: {type(error).__name__}: {error}",
        "run it again as kcompliance --debug …, and report what it shows",
    )
    report_error(unexpected, ExitCode.COULD_NOT_RUN, as_json=as_json)
    return ExitCode.COULD_NOT_RUN
