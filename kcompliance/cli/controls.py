"""`kcompliance controls list`, `show` and `test`."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from kcompliance.cli.terminal import Format, FormatOption, put, put_table
from kcompliance.errors import ExitCode

if TYPE_CHECKING:
    from rich.console import RenderableType

    from kcompliance.model.control import Control

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Read the controls, and run the cases that they promise.",
)


@app.command("list")
def list_controls(format_: FormatOption = Format.TABLE) -> None:
    """List all controls with their severity, platforms and what they ask.

    Example: kcompliance controls list

    Exit codes: 0.
    """
    from kcompliance.controls import load_controls
    from kcompliance.report.json_controls import render_controls

    controls = list(load_controls().values())
    if format_ is Format.JSON:
        put(render_controls(controls))
    else:
        put_table(_list_table(controls))


@app.command()
def show(
    control: Annotated[str, typer.Argument(metavar="ID", show_default=False)],
    format_: FormatOption = Format.TABLE,
) -> None:
    """Show one control whole: why, aspects, parameters, frameworks, remedy, sources.

    Example: kcompliance controls show KC-AUD-005

    Exit codes: 0, 2 no such control.
    """
    from kcompliance.cli.choices import choose_controls
    from kcompliance.report.json_controls import render_controls

    chosen = choose_controls([control], [])
    if format_ is Format.JSON:
        put(render_controls(chosen))
    else:
        put_table(_one_control(chosen[0]))


@app.command("test")
def run_cases(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...")] = None,
) -> None:
    """Run the cases that ship with the controls: situations in words, and their verdicts.

    Example: kcompliance controls test KC-AUD-005

    Exit codes: 0 all as promised, 1 a verdict is another one, 2 no such control.
    """
    from kcompliance.cases import failures_of
    from kcompliance.cli.choices import choose_controls
    from kcompliance.controls import cases_of

    lines = []
    run = wrong = 0
    for control in choose_controls(ids or [], []):
        for case in cases_of(control):
            problems = failures_of(control, case)
            run += 1
            wrong += bool(problems)
            lines.append(f"{'FAILED' if problems else 'ok':<7}{control.id}  {case.given}\n")
            lines += [f"         {problem}\n" for problem in problems]
    put("".join([*lines, f"{run} cases: {run - wrong} as promised, {wrong} not\n"]))
    raise typer.Exit(ExitCode.FINDINGS if wrong or not run else ExitCode.GOOD)


def _list_table(controls: "list[Control]") -> "RenderableType":
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("id", "severity", "platforms", "title"):
        table.add_column(column, overflow="fold")
    for control in controls:
        platforms = ", ".join(platform.value for platform in control.platforms)
        table.add_row(control.id, control.severity.value, platforms, control.title)
    return table


def _one_control(control: "Control") -> "RenderableType":
    from rich.console import Group
    from rich.text import Text

    parts: list[Text] = [Text(f"{control.id}  {control.title}", "bold")]

    def section(head: str, *lines: str) -> None:
        if lines:
            parts.extend([Text(), Text(head, "cyan"), *(Text(f"  {line}") for line in lines)])

    section("asks", control.asks)
    section("why", " ".join(control.why.split()))
    section("platforms", ", ".join(platform.value for platform in control.platforms))
    for aspect in control.aspects:
        only = f", asked by {', '.join(aspect.only_for)} only" if aspect.only_for else ""
        lines = [aspect.title]
        for mapping in aspect.satisfies:
            versions = f" ({', '.join(mapping.versions)})" if mapping.versions else ""
            lines.append(f"{mapping.framework} {mapping.id}{versions}")
        section(f"aspect {aspect.id} ({aspect.severity.value}{only})", *lines)
    for parameter in control.parameters.values():
        default = json.dumps(parameter.default)
        section(f"parameter {parameter.name} ({parameter.type})", parameter.help, default)
    section("remedy", *control.remediation.splitlines())
    section("worth knowing", *control.edge_cases)
    section("sources", *(f"{s.title}, read {s.read}: {s.url}" for s in control.sources))
    return Group(*parts)
