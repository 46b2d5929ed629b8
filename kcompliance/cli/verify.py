"""`kcompliance verify`."""

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kcompliance.cli.command_config import CommandConfig
from kcompliance.cli.store_options import (
    ArchiveArgument,
    StoreEndpoint,
    StoreRegion,
    TrustOption,
    open_archive_store,
    store_options,
    trust_of,
)
from kcompliance.cli.terminal import ProgressOption, ProgressStyle, put, put_table
from kcompliance.errors import UsageError

if TYPE_CHECKING:
    from datetime import timedelta

    from kcompliance.archive.verify import Subset, Verification

__all__ = ["verify"]

_PARTS = 30
"""Of the objects, where nobody says which part is to be read."""


class VerifyFormat(StrEnum):
    """How a verification is written."""

    TABLE = "table"
    JSON = "json"
    JUNIT = "junit"


def verify(
    archive: ArchiveArgument,
    trust: TrustOption = None,
    level: Annotated[
        int | None,
        typer.Option(
            "--level",
            min=0,
            max=4,
            help="0 checkpoints, chain and tree; 1 also what is listed; 2 also a part of the "
            "objects, another one of thirty each day; 3 all objects; 4 every line. Default 3, "
            "with --subset 2.",
            envvar="KCOMPLIANCE_LEVEL",
        ),
    ] = None,
    subset: Annotated[
        str | None,
        typer.Option(
            "--subset",
            metavar="N/T",
            help="Read part N of T of the objects; T runs read all of them.",
            envvar="KCOMPLIANCE_SUBSET",
        ),
    ] = None,
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            help="Ask the store for the lock of every object, too; locked checkpoints confirm "
            "the archive as a pin does.",
            envvar="KCOMPLIANCE_LIVE",
        ),
    ] = False,
    format_: Annotated[
        VerifyFormat,
        typer.Option("--format", help="How to write the result.", envvar="KCOMPLIANCE_FORMAT"),
    ] = VerifyFormat.TABLE,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Write to this file, whole or not at all.",
            envvar="KCOMPLIANCE_OUTPUT",
        ),
    ] = None,
    grace: Annotated[
        str,
        typer.Option(
            "--grace",
            metavar="DURATION",
            help="How long an object may lie there before a commit names it.",
            envvar="KCOMPLIANCE_GRACE",
        ),
    ] = "1h",
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of",
            metavar="TIME",
            help="Judge as of this moment (RFC 3339); now otherwise.",
            envvar="KCOMPLIANCE_AS_OF",
        ),
    ] = None,
    progress: ProgressOption = ProgressStyle.AUTO,
    store_endpoint: StoreEndpoint = None,
    store_region: StoreRegion = None,
    against_elasticsearch: Annotated[
        list[str] | None,
        typer.Option(
            "--against-elasticsearch",
            metavar="URL",
            help="Count again what the source still holds, and with --level 4 compare every event; "
            "credentials as for archive run.",
            envvar="KCOMPLIANCE_AGAINST_ELASTICSEARCH",
        ),
    ] = None,
    ca_cert: Annotated[
        Path | None,
        typer.Option(
            "--ca-cert",
            metavar="FILE",
            help="CA of Elasticsearch's certificate.",
            envvar="KCOMPLIANCE_CA_CERT",
        ),
    ] = None,
    config: CommandConfig = None,
) -> None:
    """Prove that an archive is complete and unaltered, or find what is not. Only reads.

    What it rests on is the trust file: the keys and the pin that you know from elsewhere than the
    archive. Without it an archive can only be found to agree with itself.

    Examples:

      kcompliance verify s3://audit/prod --trust prod-trust.toml

      kcompliance verify archive/ --trust prod-trust.toml --subset 3/30 --format junit -o verify.xml

    Exit codes: 0 verified, 1 tampered with or corrupt, 3 incomplete, stale, not confirmed from
    outside or by no trusted key, 4 a read failed, 2 usage.
    """
    from kcompliance.archive.verify import Request
    from kcompliance.archive.verify import verify as verify_archive
    from kcompliance.cli.progress import meter

    moment_of = _moment(as_of)
    part = _subset(subset)
    chosen = _level(level, part)
    if chosen == 2 and part is None:
        part = _part_of_the_day(moment_of)
    request = Request(
        trust=trust_of(trust),
        as_of=moment_of,
        level=chosen,
        subset=part,
        grace=_duration(grace),
        live=live,
    )
    store = open_archive_store(archive, store_options(store_endpoint, store_region))
    with store, meter(progress) as telling:
        found = verify_archive(store, request, meter=telling)
        if against_elasticsearch:
            from kcompliance.cli.verify_source import compare_sources

            telling.tell("comparing with the source")
            found = found.joined(
                compare_sources(store, request, tuple(against_elasticsearch), ca_cert)
            )
    _put(found, format_, output)
    raise typer.Exit(found.exit_code)


def _put(found: "Verification", format_: VerifyFormat, output: Path | None) -> None:
    match format_:
        case VerifyFormat.JSON:
            from kcompliance.report.json_verify import render_verify

            put(render_verify(found), output)
        case VerifyFormat.JUNIT:
            from kcompliance.report.junit_verify import render_junit

            put(render_junit(found), output)
        case VerifyFormat.TABLE:
            from kcompliance.report.table_verify import table_of_verification

            put_table(table_of_verification(found), output)


def _subset(text: str | None) -> "Subset | None":
    from kcompliance.archive.verify import Subset

    if text is None:
        return None
    number, slash, parts = text.partition("/")
    try:
        if slash and number.isascii() and number.isdigit() and parts.isascii() and parts.isdigit():
            return Subset(int(number), int(parts))
    except ValueError:
        pass
    raise UsageError(
        f'--subset "{text}" is no part', "such as 3/30: the third of thirty parts of the objects"
    )


def _part_of_the_day(as_of: datetime) -> "Subset":
    """Another part each day: who verifies daily has read everything after so many days."""
    from kcompliance.archive.verify import Subset

    return Subset(as_of.toordinal() % _PARTS + 1, _PARTS)


def _level(level: int | None, subset: "Subset | None") -> int:
    if subset is not None:
        if level not in {None, 2}:
            raise UsageError(
                f"--subset reads a part of the objects, but --level {level} was asked for",
                "leave out one of them: --subset alone is level 2",
            )
        return 2
    return 3 if level is None else level


def _duration(text: str) -> "timedelta":
    from kcompliance.model.duration import parse_elastic_duration

    value = parse_elastic_duration(text)
    if value is None or value.total_seconds() < 0:
        raise UsageError(f'--grace "{text}" is not a duration', "such as 15m, 1h or 0s")
    return value


def _moment(text: str | None) -> datetime:
    from kcompliance.cli.archive_reading import moment

    if text is None or text == "now":
        return datetime.now(UTC).replace(microsecond=0)
    chosen = moment("--as-of", text)
    if chosen is None:
        raise TypeError(text)
    return chosen
