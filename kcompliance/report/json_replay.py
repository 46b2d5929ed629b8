"""`policy replay` as JSON, with types of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from kcompliance.model.audit_policy import Loaded
from kcompliance.model.digest import Sha256
from kcompliance.model.replay import Example, Loss, Replayed, Row, Volume
from kcompliance.report.json_policy import PolicyV1, policy_of, render_document
from kcompliance.report.replay_cost import DAYS_OF_A_MONTH, Cost, cost_of, unrecorded_by

__all__ = ["REPLAY_SCHEMA", "Policies", "PolicyReplay", "render_replay"]

REPLAY_SCHEMA = "kcompliance/policy-replay/v1"


class VolumeV1(msgspec.Struct, kw_only=True):
    """Events, and their bytes with the line feeds; by day null where the log spans no time."""

    events: int
    bytes: int
    events_per_day: float | None
    bytes_per_day: float | None


class RowV1(msgspec.Struct, kw_only=True):
    """What the log holds, what `--against` would have written of it and what `--policy` would.

    Bytes of events that a policy writes with more than was recorded are those that are known.
    """

    name: str
    recorded: VolumeV1
    against: VolumeV1 | None
    new: VolumeV1


class ExampleV1(msgspec.Struct, kw_only=True):
    """One event of the log; `line` from 1, `user` null for a login that failed."""

    file: str
    line: int
    audit_id: str
    time: str
    user: str | None
    request: str


class LossV1(msgspec.Struct, kw_only=True):
    """Events that lose the same by the same rule of the new policy.

    `kind`: `request` (nothing of it is written any more), `stage` (this event is not, others of
    the request are), `request-body`, `response-body`. `rule` counts from 0, `line` from 1, null
    where no rule matches.
    """

    kind: str
    rule: int | None
    line: int | None
    stage: str | None
    verb: str
    resource: str
    events: int
    bytes: int
    examples: list[ExampleV1]


class MissingStageV1(msgspec.Struct, kw_only=True):
    """Events of recorded requests that the new policy writes too and the log does not hold."""

    stage: str
    events: int
    bytes_at_most: int


class UnknownV1(msgspec.Struct, kw_only=True):
    """What a log cannot tell.

    `bodies` are events that the new policy writes with bodies that were not recorded, and
    `managed_fields` those with managedFields that were not. `bytes_at_most` is null where that
    leaves no bound. Of requests that the policy of the log did not record nothing is known at all:
    with `--against`, `unrecorded_by` are the lines of its rules of level None, and null stands for
    no rule.
    """

    bodies: int
    managed_fields: int
    stages: list[MissingStageV1]
    events_at_most: int
    bytes_at_least: int
    bytes_at_most: int | None
    unrecorded_by: list[int | None] | None


class DisagreementV1(msgspec.Struct, kw_only=True):
    """Events that `--against` would not have written as they were: it did not write this log."""

    events: int
    examples: list[ExampleV1]


class CostV1(msgspec.Struct, kw_only=True):
    """For 30 days at this rate; a GB is 10^9 bytes. `new_at_most` null: no bound is known."""

    price_per_gb: float
    days: int
    recorded: float
    against: float | None
    new: float
    new_at_most: float | None


class LogFileV1(msgspec.Struct, kw_only=True):
    """One log; `unread` counts what in it is no event."""

    name: str
    events: int
    bytes: int
    unread: int


class UnreadV1(msgspec.Struct, kw_only=True):
    """One of them; `line` null where the rest of the file could not be read."""

    file: str
    line: int | None
    reason: str


class LogV1(msgspec.Struct, kw_only=True):
    """What was read; `first` and `last` are the times of events, `days` lie between them."""

    files: list[LogFileV1]
    unread: list[UnreadV1]
    first: str | None
    last: str | None
    days: float | None


class PolicyReplay(msgspec.Struct, kw_only=True):
    """The whole document; rows with the most bytes first."""

    schema: str
    policy: PolicyV1
    against: PolicyV1 | None
    log: LogV1
    total: RowV1
    by_level: list[RowV1]
    by_stage: list[RowV1]
    by_verb: list[RowV1]
    by_resource: list[RowV1]
    by_user: list[RowV1]
    lost: list[LossV1]
    unknown: UnknownV1
    disagreement: DisagreementV1 | None
    cost: CostV1 | None
    exit_code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """What was replayed."""

    new: tuple[Sha256, Loaded]
    against: tuple[Sha256, Loaded] | None


def render_replay(
    policies: Policies, found: Replayed, price_per_gb: float | None, exit_code: int
) -> str:
    """One JSON document, ending with a line feed."""
    compared = policies.against is not None
    tables = {name: _rows(table, found, compared=compared) for name, table in found.tables.items()}
    disagreement = found.disagreement
    return render_document(
        PolicyReplay(
            schema=REPLAY_SCHEMA,
            policy=policy_of(*policies.new),
            against=policy_of(*policies.against) if policies.against is not None else None,
            log=_log(found),
            total=_row("total", found.total, found, compared=compared),
            by_level=tables["level"],
            by_stage=tables["stage"],
            by_verb=tables["verb"],
            by_resource=tables["resource"],
            by_user=tables["user"],
            lost=[_loss(each) for each in found.losses],
            unknown=_unknown(policies, found),
            disagreement=DisagreementV1(
                events=disagreement.events,
                examples=[_example(each) for each in disagreement.examples],
            )
            if compared
            else None,
            cost=_cost(cost_of(found, price_per_gb, compared=compared)),
            exit_code=exit_code,
        )
    )


def _log(found: Replayed) -> LogV1:
    return LogV1(
        files=[
            LogFileV1(name=each.name, events=each.events, bytes=each.bytes, unread=each.unread)
            for each in found.files
        ],
        unread=[UnreadV1(file=e.file, line=e.line, reason=e.reason) for e in found.unread],
        first=_time(found.first),
        last=_time(found.last),
        days=found.days,
    )


def _time(time: datetime | None) -> str | None:
    return None if time is None else time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _rows(table: Mapping[str, Row], found: Replayed, *, compared: bool) -> list[RowV1]:
    return [_row(name, row, found, compared=compared) for name, row in table.items()]


def _row(name: str, row: Row, found: Replayed, *, compared: bool) -> RowV1:
    return RowV1(
        name=name,
        recorded=_volume(row.recorded, found.days),
        against=_volume(row.against, found.days) if compared else None,
        new=_volume(row.new, found.days),
    )


def _volume(volume: Volume, days: float | None) -> VolumeV1:
    return VolumeV1(
        events=volume.events,
        bytes=volume.bytes,
        events_per_day=None if days is None else round(volume.events / days, 3),
        bytes_per_day=None if days is None else round(volume.bytes / days, 3),
    )


def _example(example: Example) -> ExampleV1:
    return ExampleV1(
        file=example.file,
        line=example.line,
        audit_id=example.audit_id,
        time=example.time,
        user=example.user,
        request=example.request,
    )


def _loss(loss: Loss) -> LossV1:
    return LossV1(
        kind=loss.kind.value,
        rule=loss.rule,
        line=loss.line,
        stage=loss.stage,
        verb=loss.verb,
        resource=loss.resource,
        events=loss.events,
        bytes=loss.bytes,
        examples=[_example(each) for each in loss.examples],
    )


def _unknown(policies: Policies, found: Replayed) -> UnknownV1:
    against = policies.against
    return UnknownV1(
        bodies=found.more_bodies,
        managed_fields=found.managed_fields,
        stages=[
            MissingStageV1(stage=e.stage, events=e.events, bytes_at_most=e.bytes_at_most)
            for e in found.missing
        ],
        events_at_most=found.events_at_most,
        bytes_at_least=found.total.new.bytes,
        bytes_at_most=found.bytes_at_most,
        unrecorded_by=None if against is None else unrecorded_by(against[1].policy),
    )


def _cost(cost: Cost | None) -> CostV1 | None:
    if cost is None:
        return None
    return CostV1(
        price_per_gb=cost.price_per_gb,
        days=DAYS_OF_A_MONTH,
        recorded=cost.recorded,
        against=cost.against,
        new=cost.new,
        new_at_most=cost.new_at_most,
    )
