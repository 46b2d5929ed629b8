"""`kcompliance archive run`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from kcompliance.cli.actor import default_actor
from kcompliance.cli.archive_reading import moment
from kcompliance.cli.command_config import CommandConfig
from kcompliance.cli.progress import meter
from kcompliance.cli.store_options import ArchiveArgument, StoreEndpoint, StoreRegion
from kcompliance.cli.terminal import Format, FormatOption, ProgressStyle, put, put_table

__all__ = ["archive_run"]


class Lock(StrEnum):
    """How firmly objects are locked."""

    NONE = "none"
    GOVERNANCE = "governance"
    COMPLIANCE = "compliance"


class Copy(StrEnum):
    """Which copy of a shard is read."""

    ANY = "any"
    PRIMARY = "primary"


def _option(*names: str, help_: str, env: str | None = None, metavar: str | None = None) -> Any:
    variable = env or "KCOMPLIANCE_" + names[0].removeprefix("--").replace("-", "_").upper()
    return typer.Option(*names, help=help_, envvar=variable, metavar=metavar)


def archive_run(
    ctx: typer.Context,
    archive: ArchiveArgument,
    stream: Annotated[
        str,
        _option("--stream", help_="Name of the stream: CLUSTER/DATASET.", metavar="NAME"),
    ],
    key: Annotated[
        str,
        _option("--key", help_="Key that signs (see: kcompliance keys new).", metavar="FILE"),
    ],
    more: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATTERN|PATH]...", help="Further ones after --index or --files, as of a glob."
        ),
    ] = None,
    elasticsearch: Annotated[
        list[str] | None,
        _option(
            "--elasticsearch",
            help_="Elasticsearch or OpenSearch; repeat it for several nodes. API key, password "
            "or token come from KCOMPLIANCE_ELASTICSEARCH_API_KEY, _USERNAME and _PASSWORD, "
            "_BEARER_TOKEN.",
            metavar="URL",
        ),
    ] = None,
    cloud_id: Annotated[
        str | None, _option("--cloud-id", help_="Elastic Cloud's id of the deployment.")
    ] = None,
    index: Annotated[
        list[str] | None,
        _option(
            "--index",
            help_="Index, alias, data stream or pattern of them; several, or repeat it.",
            metavar="PATTERN...",
        ),
    ] = None,
    filter_: Annotated[
        list[str] | None,
        _option(
            "--filter",
            help_="Only events with this value, such as orchestrator.cluster.name=prod; may be "
            "repeated.",
            metavar="FIELD=VALUE",
        ),
    ] = None,
    files: Annotated[
        list[str] | None,
        _option(
            "--files",
            help_="Audit log files instead: files, folders, s3:// or azblob:// prefixes "
            "(PT1H.json of AKS).",
            metavar="PATH...",
        ),
    ] = None,
    files_endpoint: Annotated[
        str | None,
        _option(
            "--files-endpoint",
            help_="Another server than that of AWS or Azure for --files with a URL.",
            metavar="URL",
        ),
    ] = None,
    from_: Annotated[
        str | None,
        _option("--from", help_="Since when; default: where the archive ends.", metavar="TIME"),
    ] = None,
    to: Annotated[
        str | None,
        _option("--to", help_="Until when; default: the last settled window.", metavar="TIME"),
    ] = None,
    last: Annotated[
        str | None,
        _option(
            "--last",
            help_="At least the last of it, such as 24h, and all since the archive ends.",
            metavar="DURATION",
        ),
    ] = None,
    window: Annotated[
        str | None,
        _option(
            "--window",
            help_="Length of a window; fixed for a stream. Default: 1h.",
            metavar="DURATION",
        ),
    ] = None,
    settle: Annotated[
        str,
        _option("--settle", help_="How long events may take to arrive before a window is closed."),
    ] = "15m",
    late: Annotated[
        str,
        _option("--late", help_="How far back to look for events that arrived after all."),
    ] = "30d",
    time_field: Annotated[
        str | None,
        _option("--time-field", help_="Field of the event's time; default: the first known one."),
    ] = None,
    copy: Annotated[
        Copy,
        _option("--copy", help_="Read any copy of a shard if all agree, or the primary."),
    ] = Copy.ANY,
    ca_cert: Annotated[
        Path | None,
        _option("--ca-cert", help_="CA of Elasticsearch's certificate.", metavar="FILE"),
    ] = None,
    client_cert: Annotated[
        Path | None, _option("--client-cert", help_="Certificate to log in with.", metavar="FILE")
    ] = None,
    client_key: Annotated[
        Path | None, _option("--client-key", help_="Its key.", metavar="FILE")
    ] = None,
    insecure: Annotated[
        bool,
        typer.Option(
            "--insecure",
            help="Do not verify the server's certificate, and send credentials in the clear.",
            envvar="KCOMPLIANCE_INSECURE",
        ),
    ] = False,
    write_trust: Annotated[
        Path | None,
        _option(
            "--write-trust",
            help_="Trust file for verifiers: made with a new archive, its pin moved with each "
            "commit. Keep it elsewhere than the archive.",
            metavar="FILE",
        ),
    ] = None,
    trust: Annotated[
        Path | None,
        _option(
            "--trust", help_="Trust file to check the archive with; only read.", metavar="FILE"
        ),
    ] = None,
    retain: Annotated[
        str, _option("--retain", help_="How long to keep what is archived: 2y or 730d.")
    ] = "2y",
    lock: Annotated[
        Lock,
        _option(
            "--lock",
            help_="Lock objects until then: S3 Object Lock, Azure immutability. Refused where "
            "the bucket does not have it.",
        ),
    ] = Lock.NONE,
    legal_hold: Annotated[
        bool,
        typer.Option(
            "--legal-hold",
            help="Put objects under a legal hold too, which lasts until somebody lifts it.",
            envvar="KCOMPLIANCE_LEGAL_HOLD",
        ),
    ] = False,
    store_endpoint: StoreEndpoint = None,
    store_region: StoreRegion = None,
    kms_key: Annotated[
        str | None, _option("--kms-key", help_="S3: encrypt under this key (SSE-KMS).")
    ] = None,
    encryption_scope: Annotated[
        str | None, _option("--encryption-scope", help_="Azure: encrypt under this scope.")
    ] = None,
    connections: Annotated[
        int,
        typer.Option(
            help="How many parts are read at once.", min=1, max=64, envvar="KCOMPLIANCE_CONNECTIONS"
        ),
    ] = 4,
    jobs: Annotated[
        int,
        typer.Option(
            help="Processes, for more than two cores; 0: threads of one process.",
            min=0,
            max=256,
            envvar="KCOMPLIANCE_JOBS",
        ),
    ] = 0,
    max_docs_per_second: Annotated[
        float | None,
        _option("--max-docs-per-second", help_="Spare the server: at most so many events."),
    ] = None,
    max_mb_per_second: Annotated[
        float | None, _option("--max-mb-per-second", help_="Spare the server: at most so many MB.")
    ] = None,
    spool: Annotated[
        Path | None,
        _option("--spool", help_="Folder for segments in the making.", metavar="DIR"),
    ] = None,
    actor: Annotated[
        str | None, _option("--actor", help_="Who runs this, for the log; default: user@host.")
    ] = None,
    rebind: Annotated[
        bool, typer.Option("--rebind", help="Bind the stream to another source from now on.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what would be archived.")
    ] = False,
    format_: FormatOption = Format.TABLE,
    progress: Annotated[
        ProgressStyle,
        typer.Option(help="How to tell progress.", envvar="KCOMPLIANCE_PROGRESS"),
    ] = ProgressStyle.AUTO,
    config: CommandConfig = None,
) -> None:
    """Archive the events of a stream into immutable, signed segments.

    Made for a CronJob: a run goes on where the archive ends, finds what arrived late, and explains
    what a killed run has left. Nothing is sealed that did not count out.

    Examples:

      kcompliance archive run s3://audit/prod --stream prod/audit --key key.pem
      --elasticsearch https://es:9200 --index 'logs-kubernetes.audit_logs-*' --last 24h
      --write-trust prod-trust.toml

      kcompliance archive run archive/ --stream prod/audit --key key.pem --files /var/log/kubernetes

    Exit codes: 0 all is archived, 3 a window was not sealed or its source was gone, 1 the archive
    was tampered with, 2 usage, 4 it could not run.
    """
    from kcompliance.cli import archive_words as words
    from kcompliance.cli import archive_work as work
    from kcompliance.cli.archive_source import SourceChoices
    from kcompliance.ledger import LockMode

    lock_mode = LockMode(lock.value)
    sources = SourceChoices(
        elasticsearch=tuple(elasticsearch or ()),
        cloud_id=cloud_id,
        patterns=tuple(words.names(index, () if files else more)),
        filters=tuple(filter_ or ()),
        files=(*(files or ()), *(more or ())) if files else (),
        files_endpoint=files_endpoint,
        time_field=time_field,
        window=None if window is None else words.duration("--window", window),
        late=words.duration("--late", late),
        copy_primary=copy is Copy.PRIMARY,
        ca_cert=ca_cert,
        client_cert=client_cert,
        client_key=client_key,
        insecure=insecure,
        max_docs_per_second=max_docs_per_second,
        max_bytes_per_second=max_mb_per_second and max_mb_per_second * 1e6,
    )
    times = work.TimeChoices(
        start=moment("--from", from_),
        end=moment("--to", to),
        last=None if last is None else words.duration("--last", last),
        settle=words.duration("--settle", settle),
    )
    choices = work.RunChoices(
        archive=archive,
        stream=words.stream_name(stream),
        key=key,
        trust=trust,
        write_trust=write_trust,
        retain=words.period(retain),
        lock=lock_mode,
        store=words.store_options(
            store_endpoint,
            store_region,
            lock_mode,
            kms_key,
            encryption_scope,
            legal_hold=legal_hold,
        ),
        connections=connections,
        jobs=jobs,
        spool=spool,
        actor=actor or default_actor(),
        rebind=rebind,
        dry_run=dry_run,
    )
    with meter(progress, "events") as telling:
        report = work.run(choices, sources, times, telling)
    if format_ is Format.JSON:
        from kcompliance.report.json_run import render_run

        put(render_run(report))
    else:
        from kcompliance.report.table_run import table_of_run

        put_table(table_of_run(report), wrap=False)
    raise typer.Exit(report.exit_code)
