"""The section of kcompliance.yaml that belongs to a command: its long options, and its arguments.

`archive: {run: {stream: prod/audit, …}}` holds defaults of `kcompliance archive run`,
`verify: {…}` those of `kcompliance verify`. The command line beats the environment, which beats
the file.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from kcompliance.cli.terminal import CONFIGURED_FORMAT, note
from kcompliance.errors import ConfigError

__all__ = ["CommandConfig"]


def _use_section(ctx: typer.Context, path: Path | None) -> Path | None:
    if ctx.resilient_parsing:
        return path
    from kcompliance.cli.config import read_section

    words = _words(ctx)
    found = read_section(path, words)
    if found is None:
        return path
    used, section = found
    names = _names(ctx)
    for key in section:
        if key not in names:
            raise ConfigError(
                f'"{used}" is wrong: nobody knows "{key}" under {": ".join(words)}',
                f"its keys are the long options of kcompliance {' '.join(words)}",
            )
    note(f"using {used}")
    values = {names[key]: _as_text(value) for key, value in section.items()}
    CONFIGURED_FORMAT.set(values.get(names.get("format", "")))
    ctx.default_map = {**(ctx.default_map or {}), **values}
    return path


def _words(ctx: typer.Context) -> tuple[str, ...]:
    """The words of the command below the program's own name, which may be of several words."""
    words: list[str] = []
    at: Any = ctx
    while at.parent is not None:
        words.append(at.info_name)
        at = at.parent
    return tuple(reversed(words))


def _names(ctx: typer.Context) -> dict[str, str]:
    """The parameter that each key of the file stands for."""
    names = {}
    for parameter in ctx.command.params:
        if parameter.name == "config":
            continue
        if parameter.param_type_name == "argument":
            names[parameter.name] = parameter.name
        for option in parameter.opts:
            if option.startswith("--"):
                names[option.removeprefix("--")] = parameter.name
    return names


def _as_text(value: Any) -> Any:
    """Numbers of YAML as their options take them."""
    if isinstance(value, list):
        return [_as_text(each) for each in value]
    return value if isinstance(value, bool) else str(value)


CommandConfig = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="Configuration file; else ./kcompliance.yaml where there is one.",
        envvar="KCOMPLIANCE_CONFIG",
        callback=_use_section,
        is_eager=True,
        dir_okay=False,
    ),
]
"""The option `--config` of every command but `scan`, whose keys stand at the top of the file."""
