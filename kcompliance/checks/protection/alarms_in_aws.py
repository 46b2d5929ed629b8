"""The AWS part of KC-PRO-014: CloudTrail records it, and a rule or a metric alarm tells somebody.

Rules are tried with events as CloudTrail writes them, for each kind of actor: a rule that waits
for root users only tells of nobody else.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kcompliance.checks.eks import describe, not_given
from kcompliance.model.aws.alarms import (
    Alarm,
    MetricFilter,
    Rule,
    Selection,
    Trail,
    TrailStatus,
    read_alarms,
    read_metric_filters,
    read_rules,
    read_selection,
    read_targets,
    read_trail_status,
    read_trails,
    synthetic_events,
)
from kcompliance.model.aws.answers import COLLECTOR, answers, ask
from kcompliance.model.aws.cluster_settings import EksCluster, region_of
from kcompliance.model.aws.event_pattern import matches_event
from kcompliance.model.aws.filter_pattern import matches_json
from kcompliance.model.cluster import Cluster, NotAsked
from kcompliance.model.finding import Evidence, Finding, evidence_of
from kcompliance.model.reading import Absent, Kind, Raw, Seen, Unreadable

__all__ = ["ASPECT", "alarms_in_aws"]

ASPECT: Final = "aws"
_CLOUDTRAIL: Final = "cloudtrail.amazonaws.com"


def alarms_in_aws(cluster: Cluster, required: tuple[str, ...]) -> Iterator[Finding]:
    """The findings of one EKS cluster, about the account and region that it is in."""
    found, early = describe(cluster, (ASPECT,))
    yield from early
    if found is None:
        return
    if not required:
        because = "required_events names no event that has to be told of"
        evidence = evidence_of(found.raw, "cluster", found.value.arn)
        yield Finding.not_applicable(found.value.arn, because, evidence, aspect=ASPECT)
        return
    trails, faults = _good_trails(cluster, found.value)
    if not trails:
        yield from faults
        return
    yield _judge(cluster, found.value, trails, required)


# --- trails ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _GoodTrail:
    """A trail that records management writes of this region."""

    trail: Trail
    without: frozenset[str]
    evidence: tuple[Evidence, ...]
    note: str | None


def _good_trails(
    cluster: Cluster, found: EksCluster
) -> tuple[tuple[_GoodTrail, ...], tuple[Finding, ...]]:
    """Those, or if there is none the findings that say why."""
    region = region_of(found.arn)
    listed, gaps = answers(cluster, Kind.AWS_TRAILS, read_trails)
    trails = {
        trail.arn: Seen(value=trail, raw=each.raw)
        for each in listed
        for trail in each.value
        if trail.sees(region)
    }
    judged = [_trail(cluster, trails[arn]) for arn in sorted(trails)]
    good = tuple(each for each in judged if isinstance(each, _GoodTrail))
    unsure = [each for each in judged if isinstance(each, Finding)]
    unsure += [Finding.unreadable(gap, aspect=ASPECT) for gap in gaps]
    if good or unsure:
        return good, tuple(unsure)
    if not _was_asked(listed):
        command = f"aws cloudtrail describe-trails --region {region}"
        return (), (not_given(found.arn, f"which trails record {region}", command, ASPECT),)
    because = "; ".join(str(each) for each in judged) or f"no trail records calls in {region}"
    evidence = tuple(piece for each in listed for piece in evidence_of(each.raw, "trailList"))
    return (), (Finding.failed(found.arn, because, evidence, aspect=ASPECT),)


def _was_asked(listed: Iterable[Seen[tuple[Trail, ...]]]) -> bool:
    return any(each.value or each.raw.origin.collector == COLLECTOR for each in listed)


def _trail(cluster: Cluster, trail: Seen[Trail]) -> _GoodTrail | Finding | str:
    """A good trail; what has to be known of it first; or in words what it lacks."""
    arn, name = trail.value.arn, trail.value.arn.rpartition("/")[2]
    status = _of_trail(cluster, Kind.AWS_TRAIL_STATUS, arn, read_trail_status)
    selection = _of_trail(cluster, Kind.AWS_EVENT_SELECTORS, arn, read_selection)
    if isinstance(status, Seen) and not status.value.logging:
        return f"the trail {name} is stopped"
    if isinstance(selection, Seen) and not selection.value.management_writes:
        return f"the trail {name} records no management writes"
    commands = (("get-trail-status", status), ("get-event-selectors", selection))
    for command, answer in commands:
        if isinstance(answer, Unreadable):
            return Finding.unreadable(answer, aspect=ASPECT)
        if isinstance(answer, NotAsked | Absent):
            line = f"aws cloudtrail {command} … > {command}.{name}.json"
            return not_given(arn, f"{command} of the trail {name}", line, ASPECT)
    return _as_good(trail, status, selection)


def _as_good(trail: Seen[Trail], status: Any, selection: Any) -> _GoodTrail:
    told: Seen[TrailStatus] = status
    chosen: Seen[Selection] = selection
    name = trail.value.arn.rpartition("/")[2]
    error = told.value.delivery_error
    return _GoodTrail(
        trail=trail.value,
        without=chosen.value.without,
        evidence=(
            *evidence_of(told.raw, "IsLogging", "true"),
            *evidence_of(chosen.raw, "event selectors", "management writes"),
        ),
        note=f"the trail {name} cannot deliver to its bucket: {error}" if error else None,
    )


def _of_trail(cluster: Cluster, kind: Kind, arn: str, read: Callable[..., Any]) -> Any:
    """By the ARN, or in a file that is called by the trail's name."""
    found = ask(cluster, kind, arn, read)
    if isinstance(found, NotAsked):
        found = ask(cluster, kind, arn.rpartition("/")[2], read)
    if isinstance(found, NotAsked) and kind is Kind.AWS_EVENT_SELECTORS:
        named = [r for r in cluster.texts.get(kind, ()) if arn.encode() in r.content]
        seen, _ = answers(cluster, kind, read)
        found = next((each for each in seen if each.raw in named), found)
    return found


# --- what tells somebody ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bell:
    """Something that would ring for some events; `unsure` says why that is not certain."""

    name: str
    rings: Callable[[Mapping[str, Any]], bool | None]
    raws: tuple[Raw, ...]
    unsure: Finding | None = None
    of_cloudtrail: bool = True
    """Whether calls to CloudTrail itself are made where it listens."""


def _judge(
    cluster: Cluster, found: EksCluster, trails: tuple[_GoodTrail, ...], required: tuple[str, ...]
) -> Finding:
    bells, gaps = _bells(cluster, found, trails)
    evidence = trails[0].evidence
    missing: list[str] = []
    doubts: list[Finding] = list(gaps)
    used: dict[str, Raw] = {}
    for event in required:
        heard, unsure = _hears(bells, event, found, trails)
        used |= {bell.name: bell.raws[0] for bell in heard}
        if not heard:
            missing.append(event)
            doubts += unsure
    if not missing:
        names = ", ".join(used)
        shown = tuple(piece for name, raw in used.items() for piece in evidence_of(raw, name))
        because = f"each of {len(required)} kinds of tampering is told by: {names}"
        notes = tuple(trail.note for trail in trails if trail.note)
        return Finding.passed(found.arn, because, evidence + shown, aspect=ASPECT, notes=notes)
    if doubts:
        return doubts[0]
    because = f"nothing tells of {', '.join(missing)}"
    return Finding.failed(found.arn, because, evidence, aspect=ASPECT)


def _hears(
    bells: Iterable[_Bell], event: str, found: EksCluster, trails: Iterable[_GoodTrail]
) -> tuple[list[_Bell], list[Finding]]:
    """The bells that ring whoever did it; else what may be one."""
    source = event.partition("/")[0]
    if all(source in trail.without for trail in trails):
        return [], []
    heard: dict[str, _Bell] = {}
    unsure: list[Finding] = []
    everyone = True
    for synthetic in synthetic_events(event, found):
        rung = False
        for bell in bells:
            verdict = bell.rings(synthetic)
            sure = verdict and bell.unsure is None and (bell.of_cloudtrail or source != _CLOUDTRAIL)
            if sure:
                heard[bell.name], rung = bell, True
            elif verdict is not False:
                unsure.append(bell.unsure or _not_understood(bell, found, source))
        everyone = everyone and rung
    return (list(heard.values()), []) if everyone and heard else ([], unsure)


def _not_understood(bell: _Bell, found: EksCluster, source: str) -> Finding:
    region = region_of(found.arn)
    if source == _CLOUDTRAIL and not bell.of_cloudtrail:
        because = f"{bell.name} is in {region}, and no trail has its home there"
        question = "Does a rule in the trail's home region tell when the trail is stopped?"
    else:
        because = f"the pattern of {bell.name} is not understood"
        question = f"Does {bell.name} match each call that turns off, shortens or deletes logging?"
    return Finding.manual(found.arn, because, question, aspect=ASPECT)


def _bells(
    cluster: Cluster, found: EksCluster, trails: tuple[_GoodTrail, ...]
) -> tuple[list[_Bell], list[Finding]]:
    """All that may ring, and what hides more of them."""
    rules, gaps = answers(cluster, Kind.AWS_EVENT_RULES, read_rules)
    filters, more = answers(cluster, Kind.AWS_METRIC_FILTERS, read_metric_filters)
    alarms, still_more = answers(cluster, Kind.AWS_ALARMS, read_alarms)
    findings = [Finding.unreadable(g, aspect=ASPECT) for g in (*gaps, *more, *still_more)]
    region = region_of(found.arn)
    at_home = any(trail.trail.home_region == region for trail in trails)
    bells = [
        _rule(cluster, found, rule, each.raw, at_home=at_home)
        for each in rules
        for rule in each.value
        if rule.enabled and rule.bus == "default"
    ]
    groups = {trail.trail.log_group for trail in trails}
    bells += [
        _metric(found_, each.raw, alarms)
        for each in filters
        for found_ in each.value
        if found_.log_group in groups
    ]
    if not rules and not gaps:
        command = f"aws events list-rules --region {region}"
        findings.append(
            not_given(found.arn, f"the rules of EventBridge in {region}", command, ASPECT)
        )
    return [bell for bell in bells if bell is not None], findings


def _rule(
    cluster: Cluster, found: EksCluster, rule: Rule, raw: Raw, *, at_home: bool
) -> _Bell | None:
    """None for a rule without targets."""
    targets = ask(cluster, Kind.AWS_RULE_TARGETS, rule.name, read_targets)
    unsure: Finding | None = None
    if isinstance(targets, Unreadable):
        unsure = Finding.unreadable(targets, aspect=ASPECT)
    elif not isinstance(targets, Seen):
        line = f"aws events list-targets-by-rule … > list-targets-by-rule.{rule.name}.json"
        unsure = not_given(rule.arn or rule.name, f"whom {rule.name} tells", line, ASPECT)
    elif not targets.value:
        return None
    elif all(":event-bus/" in arn for arn in targets.value):
        unsure = Finding.manual(
            rule.arn or rule.name,
            f"the rule {rule.name} only hands on to {', '.join(targets.value)}",
            "Does a rule on that event bus tell somebody?",
            evidence_of(targets.raw, "Targets", ", ".join(targets.value)),
            aspect=ASPECT,
        )
    pattern = rule.pattern

    def rings(event: Mapping[str, Any]) -> bool | None:
        return None if pattern is None else matches_event(pattern, event)

    return _Bell(
        name=f"the rule {rule.name}",
        rings=rings,
        raws=(raw,),
        unsure=unsure,
        of_cloudtrail=at_home,
    )


def _metric(
    filter_: MetricFilter, raw: Raw, alarms: Iterable[Seen[tuple[Alarm, ...]]]
) -> _Bell | None:
    """None for a filter whose metrics raise no alarm."""
    ringing = [
        alarm.name
        for each in alarms
        for alarm in each.value
        if alarm.rings and alarm.metric in filter_.metrics
    ]
    if not ringing:
        return None

    def rings(event: Mapping[str, Any]) -> bool | None:
        return matches_json(filter_.pattern, event["detail"])

    return _Bell(name=f"the alarm {ringing[0]}", rings=rings, raws=(raw,))
