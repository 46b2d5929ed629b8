"""`kcompliance scan`."""

from pathlib import Path
from typing import Annotated

import typer

from kcompliance.cli.scan_run import ScanOptions, run_scan
from kcompliance.cli.target_options import NodeName, NodeRoot, PlatformOption
from kcompliance.cli.terminal import (
    CONFIGURED_FORMAT,
    Format,
    FormatOption,
    ProgressOption,
    ProgressStyle,
    note,
)
from kcompliance.model.finding import Severity

__all__ = ["scan"]


def _use_config(ctx: typer.Context, path: Path | None) -> Path | None:
    """Options that the command line and the environment leave open come from the file."""
    if ctx.resilient_parsing:
        return path
    from kcompliance.cli.config import read_config

    config = read_config(path)
    ctx.obj = config
    CONFIGURED_FORMAT.set(config.options.get("format_"))
    if config.path is not None:
        note(f"using {config.path}")
    ctx.default_map = {**(ctx.default_map or {}), **config.options}
    return path


def scan(
    ctx: typer.Context,
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TARGET",
            help="A file, a folder, a saved bundle, - for standard input, kube[:CONTEXT], "
            "aks:RESOURCE_ID, aks:subscription/ID, eks:REGION/NAME, eks:ARN, "
            "elasticsearch+https://HOST/PATTERN, or @NAME from kcompliance.yaml; may be left out "
            "with --node-root.",
            show_default=False,
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            help="Configuration file; else ./kcompliance.yaml where there is one.",
            envvar="KCOMPLIANCE_CONFIG",
            callback=_use_config,
            is_eager=True,
            dir_okay=False,
        ),
    ] = None,
    platform: PlatformOption = None,
    node_root: NodeRoot = None,
    node_name: NodeName = None,
    as_of: Annotated[
        str | None,
        typer.Option(
            help="Judge as of this moment (RFC 3339, or now); a bundle's own otherwise.",
            envvar="KCOMPLIANCE_AS_OF",
        ),
    ] = None,
    controls: Annotated[
        list[str] | None,
        typer.Option(
            "--control",
            help="Only this control; may be repeated.",
            envvar="KCOMPLIANCE_CONTROL",
            metavar="ID",
        ),
    ] = None,
    frameworks: Annotated[
        list[str] | None,
        typer.Option(
            "--framework",
            help="Only what this framework asks for, such as cis-kubernetes:1.12; repeatable.",
            envvar="KCOMPLIANCE_FRAMEWORK",
            metavar="ID[:VERSION]",
        ),
    ] = None,
    parameters: Annotated[
        list[str] | None,
        typer.Option(
            "--param",
            help="Set a control's parameter; see kcompliance controls show.",
            envvar="KCOMPLIANCE_PARAM",
            metavar="[CONTROL.]NAME=VALUE",
        ),
    ] = None,
    severity: Annotated[
        Severity,
        typer.Option(
            help="Show findings from this severity on; the exit code still counts all.",
            envvar="KCOMPLIANCE_SEVERITY",
        ),
    ] = Severity.LOW,
    fail_on: Annotated[
        Severity,
        typer.Option(
            help="Exit with 1 for fails from this severity on.", envvar="KCOMPLIANCE_FAIL_ON"
        ),
    ] = Severity.LOW,
    allow_manual: Annotated[
        bool,
        typer.Option(
            "--allow-manual",
            help="Let questions that need a human answer not count as incomplete.",
            envvar="KCOMPLIANCE_ALLOW_MANUAL",
        ),
    ] = False,
    approved: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="What was approved, as kcompliance approve wrote it; else kcompliance.lock beside "
            "the configuration or in this folder, where there is one.",
            envvar="KCOMPLIANCE_APPROVED",
        ),
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(
            metavar="SCAN.json",
            help="Tell what is new since this scan, which was written with --format json.",
            envvar="KCOMPLIANCE_BASELINE",
        ),
    ] = None,
    new_only: Annotated[
        bool,
        typer.Option(
            "--new-only",
            help="Let fails that the baseline has too not count for the exit code.",
            envvar="KCOMPLIANCE_NEW_ONLY",
        ),
    ] = False,
    format_: FormatOption = Format.TABLE,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Write to this file, whole or not at all.",
            envvar="KCOMPLIANCE_OUTPUT",
        ),
    ] = None,
    save_bundle: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Save all that was read as a new folder, to be scanned again as a TARGET.",
            envvar="KCOMPLIANCE_SAVE_BUNDLE",
        ),
    ] = None,
    progress_style: ProgressOption = ProgressStyle.AUTO,
    verbose: Annotated[
        bool,
        typer.Option("--verbose", "-v", help="Show the evidence of passes too."),
    ] = False,
) -> None:
    """Check whether a cluster's audit trail can be trusted. Only reads, never writes to a target.

    Examples:

      kcompliance scan kube:prod --save-bundle evidence/

      kcompliance scan /etc/kubernetes --fail-on high --format json -o scan.json

    Exit codes: 0 good, 1 fails from --fail-on on, 3 something could not be read or needs a human,
    2 usage, 4 nothing could be evaluated.
    """
    run_scan(
        ScanOptions(
            targets=tuple(targets or ()),
            platform=platform,
            node_root=node_root,
            node_name=node_name,
            as_of=as_of,
            controls=tuple(controls or ()),
            frameworks=tuple(frameworks or ()),
            parameters=tuple(parameters or ()),
            severity=severity,
            fail_on=fail_on,
            allow_manual=allow_manual,
            approved=approved,
            baseline=baseline,
            new_only=new_only,
            format=format_,
            output=output,
            save_bundle=save_bundle,
            progress=progress_style,
            verbose=verbose,
        ),
        ctx.obj,
    )
