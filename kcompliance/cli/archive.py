"""`kcompliance archive`: the group of its commands."""

import typer

from kcompliance.cli.archive_run import archive_run

__all__ = ["app"]

app = typer.Typer(
    help="Archive events for years, and prove that nothing was lost or altered.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command("run")(archive_run)
