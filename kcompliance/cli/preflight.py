"""`kcompliance preflight`."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from kcompliance.cli.command_config import CommandConfig
from kcompliance.cli.terminal import (
    Format,
    FormatOption,
    ProgressOption,
    ProgressStyle,
    progress,
    put,
    put_table,
)
from kcompliance.errors import ExitCode, NothingToScan

if TYPE_CHECKING:
    from kcompliance.collect.preflight import Preflight

__all__ = ["preflight"]


def preflight(
    targets: Annotated[
        list[str],
        typer.Argument(
            metavar="TARGET",
            help="As for scan: kube[:CONTEXT], aks:ID, eks:REGION/NAME, "
            "elasticsearch+https://HOST/INDICES, @NAME from kcompliance.yaml, or a file or folder.",
            show_default=False,
        ),
    ],
    config: CommandConfig = None,
    controls: Annotated[
        list[str] | None,
        typer.Option(
            "--control",
            help="Only what this control needs; may be repeated.",
            envvar="KCOMPLIANCE_CONTROL",
            metavar="ID",
        ),
    ] = None,
    format_: FormatOption = Format.TABLE,
    progress_style: ProgressOption = ProgressStyle.AUTO,
) -> None:
    """Show which permissions a scan needs, for which control, and whether the caller has them.

    A Kubernetes cluster is asked by SelfSubjectAccessReview: a POST that it answers and never
    stores. Of Azure, AWS, search stores and archives each read of a scan is tried. Of files it is
    shown what each control needs; they are not opened.

    Examples:

      kcompliance preflight kube:prod

      kcompliance preflight eks:eu-central-1/prod

      kcompliance preflight @prod --control KC-PRO-012 --format json

    Exit codes: 0 all permissions are there, 3 some are missing or not known, 2 usage,
    4 no target could be asked.
    """
    from kcompliance.cli.choices import choose_controls
    from kcompliance.cli.config import read_config
    from kcompliance.collect.preflight_targets import preflight_all

    chosen = [control.id for control in choose_controls(controls or [], [])]
    named = read_config(config).targets
    now = datetime.now(UTC).replace(microsecond=0)
    with progress(progress_style) as tell:
        found = preflight_all(targets, named, chosen, now, tell)
    _refuse_silence(found)
    code = _exit_code(found)
    if format_ is Format.JSON:
        from kcompliance.report.json_preflight import render_preflight

        put(render_preflight(found, code))
    else:
        from kcompliance.report.table_preflight import table_of_preflight

        put_table(table_of_preflight(found))
    raise typer.Exit(code)


def _refuse_silence(found: "Sequence[Preflight]") -> None:
    """Where not one target could be asked there is one error, as a scan has it."""
    problems = [each for each in found if each.problem is not None]
    if len(problems) == len(found):
        names = ", ".join(dict.fromkeys(each.target for each in problems))
        first = problems[0]
        raise NothingToScan(f"nothing could be asked of {names}: {first.problem}", first.hint)


def _exit_code(found: "Sequence[Preflight]") -> ExitCode:
    incomplete = any(each.problem is not None or each.missing for each in found)
    return ExitCode.INCOMPLETE if incomplete else ExitCode.GOOD
