"""Runs a scan: one target after the other is read, saved, judged and forgotten, then reported."""

from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from kcompliance.cli.target_options import chosen_node
from kcompliance.cli.terminal import Format, ProgressStyle, progress, put, put_parts
from kcompliance.errors import NothingToScan, UsageError
from kcompliance.model.control import Platform
from kcompliance.model.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kcompliance.baseline import Comparison
    from kcompliance.cli.config import Config
    from kcompliance.collect.interface import Collected, Collection, Progress

__all__ = ["ScanOptions", "run_scan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanOptions:
    """What the user asked of `scan`."""

    targets: tuple[str, ...]
    platform: Platform | None = None
    node_root: str | None = None
    node_name: str | None = None
    as_of: str | None = None
    controls: tuple[str, ...] = ()
    frameworks: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    severity: Severity = Severity.LOW
    fail_on: Severity = Severity.LOW
    allow_manual: bool = False
    approved: Path | None = None
    baseline: Path | None = None
    new_only: bool = False
    format: Format = Format.TABLE
    output: Path | None = None
    save_bundle: Path | None = None
    progress: ProgressStyle = ProgressStyle.AUTO
    verbose: bool = False


def run_scan(options: ScanOptions, config: "Config") -> None:
    """Choose, collect, judge, report; ends with `typer.Exit`."""
    from kcompliance.cli.choices import choose_controls, choose_frameworks
    from kcompliance.cli.judging import Judging
    from kcompliance.report import JsonFindings, TableFindings, render_json, render_table

    now = datetime.now(UTC).replace(microsecond=0)
    frameworks = choose_frameworks(options.frameworks)
    controls = choose_controls(options.controls, frameworks)
    if not controls:
        raise NothingToScan(
            f"no control answers {', '.join(options.frameworks)}",
            "nothing would be checked: choose other controls or frameworks",
        )
    comparison = _comparison(options)
    kept: JsonFindings | TableFindings
    if options.format is Format.JSON:
        kept = JsonFindings(options.severity, compared=comparison is not None)
    else:
        kept = TableFindings(options.severity, verbose=options.verbose, new_only=options.new_only)
    with progress(options.progress) as tell:
        collection = _collection(options, config, now, tell)
        judging = Judging(options, controls, frameworks, collection, comparison, kept)
        with _saving(collection, options.save_bundle) as save:
            for found in collection.targets:
                save(found)
                judging.add(found)
                del found  # before the next one is read
    outcome = judging.outcome()
    if isinstance(kept, JsonFindings):
        put(render_json(outcome, kept), options.output)
    else:
        put_parts(render_table(outcome, kept), options.output)
    raise typer.Exit(outcome.exit_code)


def _collection(
    options: ScanOptions, config: "Config", now: datetime, tell: "Progress"
) -> "Collection":
    """What is to be read and compared with; all that can be refused is refused here."""
    from kcompliance.cli.approved_lock import refuse_missing, to_be_compared
    from kcompliance.cli.choices import choose_parameters
    from kcompliance.cli.declarations import with_declarations
    from kcompliance.collect.targets import collect

    choose_parameters(options.parameters, config.parameters, {})
    refuse_missing(options.approved)
    node = chosen_node(options.targets, options.node_root, options.node_name)
    collection = collect(options.targets, config.targets, options.platform, now, tell, node)
    collection = replace(
        collection,
        as_of=collection.as_of if options.as_of is None else _moment(options.as_of, now),
        parameters=choose_parameters(options.parameters, config.parameters, collection.parameters),
    )
    collection = to_be_compared(collection, options.approved, config.path, now)
    return with_declarations(collection, config.path, config.declarations)


@contextmanager
def _saving(
    collection: "Collection", folder: Path | None
) -> "Iterator[Callable[[Collected], None]]":
    """Takes each target, for the bundle if one is wanted."""
    from kcompliance.collect.bundle import BundleWriter

    if folder is None:
        yield lambda found: None
        return
    with BundleWriter(folder, collection.as_of, collection.parameters) as writer:
        yield writer.add


def _comparison(options: ScanOptions) -> "Comparison | None":
    """Read before anything else, so that a wrong one costs no scan."""
    from kcompliance.baseline import MAX_BASELINE_BYTES, Comparison, read_baseline

    if options.baseline is None:
        if options.new_only:
            raise UsageError("--new-only needs a --baseline", "give the report of a former scan")
        return None
    try:
        with options.baseline.open("rb") as file:
            data = file.read(MAX_BASELINE_BYTES + 1)
    except OSError as error:
        raise UsageError(f'cannot read "{options.baseline}": {error.strerror}') from error
    if len(data) > MAX_BASELINE_BYTES:
        raise UsageError(f'"{options.baseline}" is too large for a report of a scan')
    return Comparison(read_baseline(data, str(options.baseline)))


def _moment(text: str, now: datetime) -> datetime:
    if text == "now":
        return now
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f'--as-of "{text}" is no moment', "for example 2026-01-31T12:00:00Z, or now"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
