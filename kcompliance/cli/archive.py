"""`kcompliance archive`: the group of its commands."""

import typer

from kcompliance.cli.archive_run import archive_run
from kcompliance.cli.archive_see import archive_cat, archive_list, archive_prove, archive_show

__all__ = ["app"]

app = typer.Typer(
    help="Archive events for years, and prove that nothing was lost or altered.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command("run")(archive_run)
app.command("list")(archive_list)
app.command("show")(archive_show)
app.command("cat")(archive_cat)
app.command("prove")(archive_prove)
