"""`kcompliance archive list`, `show`, `cat` and `prove`, which never write to an archive."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kcompliance.cli.archive_reading import moment, note_untrusted, opened_catalogue, tell_faults
from kcompliance.cli.command_config import CommandConfig
from kcompliance.cli.store_options import (
    ArchiveArgument,
    StoreEndpoint,
    StoreRegion,
    TrustOption,
    trust_of,
)
from kcompliance.cli.terminal import Format, FormatOption, note, put, put_table
from kcompliance.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from kcompliance.archive.catalogue import Catalogue
    from kcompliance.archive.selection import Selection
    from kcompliance.ledger import Fault
    from kcompliance.report.json_prove import MadeProof
    from kcompliance.stores import Store

__all__ = ["archive_cat", "archive_list", "archive_prove", "archive_show"]

_MOST_EVENTS = 1000
"""That are proven at once: an id belongs to a few stages of one request."""

_From = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="TIME", help="Windows from here on (RFC 3339).", show_default=False
    ),
]
_To = Annotated[
    str | None,
    typer.Option(
        "--to", metavar="TIME", help="Windows that begin before this.", show_default=False
    ),
]
_Spool = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Folder for a segment while it is checked.",
        envvar="KCOMPLIANCE_SPOOL",
        file_okay=False,
        exists=True,
    ),
]


# --- list ------------------------------------------------------------------------------------


def archive_list(
    archive: ArchiveArgument,
    stream: Annotated[
        str | None,
        typer.Option("--stream", metavar="NAME", help="Only this one.", show_default=False),
    ] = None,
    trust: TrustOption = None,
    format_: FormatOption = Format.TABLE,
    endpoint: StoreEndpoint = None,
    region: StoreRegion = None,
    config: CommandConfig = None,
) -> None:
    """List the streams of an archive: what is archived of each, since when, and what is not.

    A calendar shows what every hour or day has: # sealed, + late events added, . no event, ! gap.

    Examples:

      kcompliance archive list s3://audit-archive/prod --trust trust.toml

      kcompliance archive list ./archive --stream prod/k8s-audit --format json

    Exit codes: 0 listed, 1 the log was tampered with, 2 usage, 3 gaps, 4 it could not be read.
    """
    from kcompliance.archive.lookup import find_stream
    from kcompliance.report.json_archive import ListReport, render_list
    from kcompliance.report.table_archive import table_of_list

    with opened_catalogue(archive, trust, endpoint, region) as (_, catalogue):
        chosen = (
            tuple(catalogue.streams.values())
            if stream is None
            else (find_stream(catalogue, stream),)
        )
    report = ListReport(catalogue=catalogue, streams=chosen)
    note_untrusted(catalogue)
    tell_faults(catalogue.faults)
    if format_ is Format.JSON:
        put(render_list(report))
    else:
        put_table(table_of_list(report), wrap=False)
    raise typer.Exit(report.exit_code)


# --- show ------------------------------------------------------------------------------------


def archive_show(
    archive: ArchiveArgument,
    segment: Annotated[
        str,
        typer.Argument(
            metavar="SEGMENT",
            help="Its sha256, the first digits of that, or its key.",
            show_default=False,
        ),
    ],
    trust: TrustOption = None,
    format_: FormatOption = Format.TABLE,
    endpoint: StoreEndpoint = None,
    region: StoreRegion = None,
    config: CommandConfig = None,
) -> None:
    """Show a segment: its record, window, commit and run, and whether it is there and locked.

    Its bytes are not read: for that see kcompliance verify.

    Examples:

      kcompliance archive show s3://audit-archive/prod 3f9a02c1 --trust trust.toml

    Exit codes: 0 shown, 1 it is missing or was tampered with, 2 usage, 3 its lock is weak,
    4 it could not be read.
    """
    from kcompliance.archive.lookup import find_segment, look_at
    from kcompliance.ledger import exit_code_of
    from kcompliance.report.json_archive import render_show
    from kcompliance.report.table_archive import table_of_show

    with opened_catalogue(archive, trust, endpoint, region) as (store, catalogue):
        seen = look_at(store, catalogue, find_segment(catalogue, segment))
    note_untrusted(catalogue)
    tell_faults(catalogue.faults)
    code = exit_code_of((*catalogue.faults, *seen.findings))
    if format_ is Format.JSON:
        put(render_show(catalogue, seen, code))
    else:
        put_table(table_of_show(catalogue, seen), wrap=False)
    raise typer.Exit(code)


# --- cat -------------------------------------------------------------------------------------


def archive_cat(
    archive: ArchiveArgument,
    stream: Annotated[
        str, typer.Option("--stream", metavar="NAME", help="Of which stream.", show_default=False)
    ],
    from_: _From = None,
    to: _To = None,
    source_only: Annotated[
        bool,
        typer.Option(
            "--source-only/--raw", help="Only what was in _source, or the archived lines."
        ),
    ] = False,
    allow_gaps: Annotated[
        bool, typer.Option("--allow-gaps", help="Let gaps inside the time not count as incomplete.")
    ] = False,
    trust: TrustOption = None,
    spool: _Spool = None,
    endpoint: StoreEndpoint = None,
    region: StoreRegion = None,
    config: CommandConfig = None,
) -> None:
    """Give archived events back, one a line, each segment checked before a line of it is written.

    Windows are given whole: those that overlap the time from --from to before --to, with all their
    events; single events are not picked out by their time.

    Examples:

      kcompliance archive cat s3://audit-archive/prod --stream prod/k8s-audit --trust trust.toml \\
        --from 2026-07-01T00:00:00Z --to 2026-07-02T00:00:00Z --source-only | jq .verb

    Exit codes: 0 all of it, 1 a segment is missing or was tampered with, 2 usage, 3 there are gaps
    or no --trust, 4 it could not be read.
    """
    from kcompliance.archive.cat import checked_contents, sources
    from kcompliance.archive.lookup import find_stream
    from kcompliance.archive.selection import select
    from kcompliance.ledger import exit_code_of

    start, end = _times(from_, to)
    with opened_catalogue(archive, trust, endpoint, region) as (store, catalogue):
        selection = select(find_stream(catalogue, stream), start, end)
        catalogue.require_sound()
        counted = _tell_incomplete(catalogue, selection, allow_gaps=allow_gaps)
        out = typer.get_binary_stream("stdout")
        for segment in selection.segments:
            for content in checked_contents(store, segment, folder=spool):
                out.write(sources(segment.record, content) if source_only else content)
        out.flush()
    code = exit_code_of(counted)
    untrusted = code is ExitCode.GOOD and not catalogue.trusted
    raise typer.Exit(ExitCode.INCOMPLETE if untrusted else code)


def _tell_incomplete(
    catalogue: "Catalogue", selection: "Selection", *, allow_gaps: bool
) -> "tuple[Fault, ...]":
    """What counts for the exit code, told before the first event: who reads may not see the end."""
    note_untrusted(catalogue)
    tell_faults((*catalogue.faults, *selection.incomplete))
    return (*catalogue.faults, *(() if allow_gaps else selection.incomplete))


def _times(from_: str | None, to: str | None) -> tuple[datetime | None, datetime | None]:
    start, end = moment("--from", from_), moment("--to", to)
    if start is not None and end is not None and start >= end:
        raise UsageError(
            f'--from "{from_}" is not before --to "{to}"', "the end does not belong to it"
        )
    return start, end


# --- prove -----------------------------------------------------------------------------------


def archive_prove(
    archive: Annotated[
        str | None,
        typer.Argument(
            metavar="[ARCHIVE]",
            help="The archive to prove something of; none with --check.",
            show_default=False,
            envvar="KCOMPLIANCE_ARCHIVE",
        ),
    ] = None,
    segment: Annotated[
        str | None,
        typer.Option(
            metavar="SHA256", help="Prove that it holds this segment.", show_default=False
        ),
    ] = None,
    event: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="Prove that it holds the events with this _id or auditID.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR|FILE",
            help="A new folder; for one segment also FILE.tlog-proof.",
            show_default=False,
        ),
    ] = None,
    stream: Annotated[
        str | None,
        typer.Option(
            "--stream", metavar="NAME", help="Look for the event here.", show_default=False
        ),
    ] = None,
    from_: _From = None,
    to: _To = None,
    check: Annotated[
        Path | None,
        typer.Option(
            "--check",
            metavar="DIR|FILE",
            help="Check a proof, with --trust alone.",
            show_default=False,
        ),
    ] = None,
    trust: TrustOption = None,
    format_: FormatOption = Format.TABLE,
    spool: _Spool = None,
    endpoint: StoreEndpoint = None,
    region: StoreRegion = None,
    config: CommandConfig = None,
) -> None:
    """Prove to somebody who has no access to the archive that it holds a segment or an event.

    The proof stands alone: with it come the bytes, the signed checkpoint, and a page that tells
    how to check it without kcompliance. It shows what is there, never that nothing was left out.

    Examples:

      kcompliance archive prove s3://audit-archive/prod --event 6a5ddc2b-5d4a --out proof/ \\
        --stream prod/k8s-audit --from 2026-07-01T00:00:00Z --to 2026-07-02T00:00:00Z

      kcompliance archive prove --check proof/ --trust trust.toml

    Exit codes: 0 proven or the proof holds, 1 it does not or the archive was tampered with,
    2 usage, 3 incomplete, 4 it could not be read or written.
    """
    start, end = _times(from_, to)
    if check is not None:
        if segment is not None or event is not None or out is not None or stream or start or end:
            raise UsageError("--check goes with --trust alone")
        _check(check, trust, format_)
    if archive is None:
        raise UsageError("no archive is named", "kcompliance archive prove ARCHIVE, or --check")
    if (segment is None) == (event is None):
        raise UsageError("give either --segment or --event")
    if segment is not None and (stream or start or end):
        raise UsageError("--stream, --from and --to go with --event", "a segment has its own")
    if out is None:
        raise UsageError("--out is missing", "for example --out proof/")
    with opened_catalogue(archive, trust, endpoint, region, leaf_hashes=True) as (store, catalogue):
        catalogue.require_sound()
        note_untrusted(catalogue)
        tell_faults(catalogue.faults)
        if segment is not None:
            made = _prove_segment(catalogue, segment, out)
        else:
            among = (stream, start, end)
            made = _prove_events(catalogue, store, event or "", among, out, spool)
    _tell_made(catalogue, made, format_)


def _prove_segment(catalogue: "Catalogue", text: str, out: Path) -> "list[MadeProof]":
    from kcompliance.archive.lookup import find_segment
    from kcompliance.archive.proof_files import write_proofs
    from kcompliance.archive.prove import prove_segment
    from kcompliance.report.json_prove import MadeProof

    segment = find_segment(catalogue, text)
    (place,) = write_proofs(out, [prove_segment(catalogue, segment)])
    return [MadeProof(place=place, segment=segment, event=None)]


def _prove_events(
    catalogue: "Catalogue",
    store: "Store",
    text: str,
    among: tuple[str | None, datetime | None, datetime | None],
    out: Path,
    spool: Path | None,
) -> "list[MadeProof]":
    from kcompliance.archive.proof_files import write_proofs
    from kcompliance.archive.prove import prove_events
    from kcompliance.report.json_prove import MadeProof

    if not text:
        raise UsageError("--event is empty", "give an event's _id or its auditID")
    selections = tuple(_selections(catalogue, *among))
    segments = [segment for selection in selections for segment in selection.segments]
    found = list(prove_events(catalogue, store, segments, text, most=_MOST_EVENTS, folder=spool))
    if not found:
        tell_faults(fault for selection in selections for fault in selection.incomplete)
        raise UsageError(
            f'no event "{text}" in the {len(segments)} segments that were looked through',
            "it is an _id or an auditID as a whole; --stream, --from and --to may leave it out",
        )
    if len(found) == _MOST_EVENTS:
        note(f"there may be more: only {_MOST_EVENTS} were proven")
    places = write_proofs(out, [proof for _, proof in found])
    return [
        MadeProof(place=place, segment=segment, event=proof.event)
        for place, (segment, proof) in zip(places, found, strict=True)
    ]


def _selections(
    catalogue: "Catalogue", stream: str | None, start: datetime | None, end: datetime | None
) -> "Iterator[Selection]":
    from kcompliance.archive.lookup import find_stream
    from kcompliance.archive.selection import select

    named = catalogue.streams.values() if stream is None else [find_stream(catalogue, stream)]
    for each in named:
        yield select(each, start, end)


def _tell_made(catalogue: "Catalogue", made: "list[MadeProof]", format_: Format) -> None:
    from kcompliance.ledger import exit_code_of
    from kcompliance.report.json_prove import render_prove
    from kcompliance.report.table_archive import table_of_prove

    code = exit_code_of(catalogue.faults)
    if format_ is Format.JSON:
        put(render_prove(catalogue, made, code))
    else:
        put_table(table_of_prove(catalogue, made), wrap=False)
    raise typer.Exit(code)


def _check(place: Path, trust: Path | None, format_: Format) -> None:
    from kcompliance.archive.proof_files import read_proofs
    from kcompliance.archive.prove import check_proof
    from kcompliance.ledger import Fault, exit_code_of
    from kcompliance.report.json_prove import TriedProof, render_check
    from kcompliance.report.table_archive import table_of_check

    known = trust_of(trust)
    if known is None:
        raise UsageError(
            "a proof is checked with a trust file", "give --trust FILE, from elsewhere than it"
        )
    tried = [
        TriedProof(
            place=each, result=proof if isinstance(proof, Fault) else check_proof(proof, known)
        )
        for each, proof in read_proofs(place)
    ]
    code = exit_code_of(each.result for each in tried if isinstance(each.result, Fault))
    if format_ is Format.JSON:
        put(render_check(known.origin, tried, code))
    else:
        put_table(table_of_check(tried), wrap=False)
    raise typer.Exit(code)
