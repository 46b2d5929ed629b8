"""`kcompliance policy replay`."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from kcompliance.cli.policy_files import (
    VersionOption,
    kubernetes_version,
    loaded_policy,
    read_whole,
)
from kcompliance.cli.terminal import (
    Format,
    FormatOption,
    ProgressOption,
    ProgressStyle,
    progress,
    put,
    put_table,
)
from kcompliance.errors import ExitCode, NothingToScan, UsageError

if TYPE_CHECKING:
    from kcompliance.collect.interface import Progress
    from kcompliance.model.audit_policy import Loaded
    from kcompliance.model.digest import Sha256
    from kcompliance.model.kubernetes_version import KubernetesVersion
    from kcompliance.model.replay import Replay, Replayed

__all__ = ["replay"]


def replay(
    logs: Annotated[
        list[str],
        typer.Argument(
            metavar="AUDIT_LOG…",
            help="Recorded events, a document a line or over many, in any wrapper, plain or gzip.",
            show_default=False,
        ),
    ],
    policy: Annotated[
        str, typer.Option(metavar="FILE", help="The policy to try.", show_default=False)
    ],
    against: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="The policy to compare with; else it is the log itself."),
    ] = None,
    price_per_gb: Annotated[
        float | None,
        typer.Option(min=0, help="What a GB (10^9 bytes) costs, in any currency."),
    ] = None,
    version: VersionOption = None,
    progress_style: ProgressOption = ProgressStyle.AUTO,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Tell what a recorded log would have been under another policy: volume, losses, cost.

    Reads logs of any size in the same memory. An event at a lower level is the same one without its
    bodies, so its bytes are known exactly; what a log cannot tell is said, with its bounds.

    Examples:

      kcompliance policy replay --policy new.yaml audit.log

      kcompliance policy replay --policy new.yaml --against old.yaml --price-per-gb 2.5 audit*.gz

    Exit codes: 0 told, 1 a policy is refused, 2 usage, 3 told, and something in the logs was not
    read, 4 no event could be read.
    """
    from kcompliance.model.replay import Replay
    from kcompliance.report.json_replay import Policies, render_replay

    _check(policy, against, logs, price_per_gb)
    known = kubernetes_version(version)
    new = _policy(policy, known)
    old = None if against is None else _policy(against, known)
    running = Replay(new[1].policy, None if old is None else old[1].policy)
    with progress(progress_style) as tell:
        _read(running, logs, tell)
    found = running.result()
    code = _exit_code(found)
    policies = Policies(new=new, against=old)
    if format_ is Format.JSON:
        put(render_replay(policies, found, price_per_gb, code))
    else:
        from kcompliance.report.table_replay import table_of_replay

        put_table(table_of_replay(policies, found, price_per_gb))
    raise typer.Exit(code)


def _check(policy: str, against: str | None, logs: Sequence[str], price: float | None) -> None:
    if [policy, against, *logs].count("-") > 1:
        raise UsageError("only one of the policies and logs can be standard input")
    if price is not None and not math.isfinite(price):
        raise UsageError(f"--price-per-gb {price} is no price")


def _policy(name: str, version: "KubernetesVersion | None") -> "tuple[Sha256, Loaded]":
    from kcompliance.model.digest import sha256

    data = read_whole(name)
    return sha256(data), loaded_policy(data, name, version)


def _read(running: "Replay", logs: Sequence[str], tell: "Progress") -> None:
    """Read the logs in their order; one that breaks off is told of and counts as far as it goes."""
    from kcompliance.collect.log_pieces import LogBreaksOff, log_pieces

    for name in logs:
        tell(name)
        try:
            running.read(name, log_pieces(name))
        except LogBreaksOff as error:
            running.breaks_off(error.message)


def _exit_code(found: "Replayed") -> ExitCode:
    """Raises `NothingToScan` where there is no event at all."""
    unread = sum(file.unread for file in found.files)
    if not found.total.recorded.events:
        why = ""
        if found.unread:
            first = found.unread[0]
            place = "" if first.line is None else f" line {first.line}"
            why = f': "{first.file}"{place}: {first.reason}'
        raise NothingToScan(
            f"no audit event in these logs{why}", "give logs as kube-apiserver writes them"
        )
    return ExitCode.INCOMPLETE if unread else ExitCode.GOOD
