"""`kcompliance policy coverage`."""

from typing import Annotated

import typer

from kcompliance.cli.policy_files import (
    VersionOption,
    kubernetes_version,
    loaded_policy,
    read_whole,
)
from kcompliance.cli.terminal import Format, FormatOption, put, put_table

__all__ = ["coverage"]


def coverage(
    policy: Annotated[
        str,
        typer.Argument(metavar="POLICY|-", help="The audit policy file.", show_default=False),
    ],
    version: VersionOption = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Show what a policy records of which kind of user doing what over which transport.

    The users and requests are those by which KC-AUD-008 judges a policy. To them come the actions
    that auditors ask about: secrets, tokens, RBAC, exec by POST and by WebSocket, proxies.

    Examples:

      kcompliance policy coverage audit-policy.yaml

      kcompliance policy coverage audit-policy.yaml --format json | jq .summary

    Exit codes: 0 told, 1 the policy is refused, 2 usage, 4 the file could not be read.
    """
    from kcompliance.model.digest import sha256
    from kcompliance.model.policy_coverage import cover

    data = read_whole(policy)
    loaded = loaded_policy(data, policy, kubernetes_version(version))
    found = cover(loaded.policy)
    if format_ is Format.JSON:
        from kcompliance.report.json_coverage import render_coverage

        put(render_coverage(sha256(data), loaded, found))
    else:
        from kcompliance.report.table_coverage import table_of_coverage

        put_table(table_of_coverage(policy, found))
