"""KC-CMP-012: continuity, no unexplained gap, and every API server instance reports."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from kcompliance.checks.event_stores import EventStore, event_stores
from kcompliance.checks.interface import check
from kcompliance.model.cluster import Cluster
from kcompliance.model.control import Platform
from kcompliance.model.event_store.timeline import (
    HOUR,
    Hole,
    Source,
    Timeline,
    explained,
    holes,
    quiet_hours,
    read_window,
)
from kcompliance.model.finding import Evidence, Finding, evidence_of
from kcompliance.model.reading import Kind, Seen

__all__ = ["Params", "trail_has_no_gap"]

_ASPECTS: Final = ("gaps", "api-servers", "volume")
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-CMP-012; each of `maintenance` is `START/END`."""

    window_days: int = 30
    max_gap_minutes: int = 15
    maintenance: tuple[str, ...] = ()
    volume_pct: int = 10


@check("KC-CMP-012", params=Params)
def trail_has_no_gap(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """The trail has no unexplained gap, and every API server reports

    Judged by the number of events in each five minutes of a month, or of as long as the store
    counts them, and in each hour of a server.
    """
    windows = tuple(map(read_window, params.maintenance))
    known = tuple(window for window in windows if window is not None)
    for store in event_stores(cluster, _ASPECTS):
        if isinstance(store, Finding):
            yield store
            continue
        for wrong in (w for w, read in zip(params.maintenance, windows, strict=True) if not read):
            because = f'maintenance "{wrong}" is not START/END, two times with their zone'
            yield Finding.error(store.name, because, aspect="gaps")
        yield from _of_bins(store, params, known)
        yield from _api_servers(cluster, store, known)


# --- gaps and volume -----------------------------------------------------------------------------


def _of_bins(store: EventStore, params: Params, windows: Sequence[Hole]) -> Iterator[Finding]:
    for aspect in ("gaps", "volume"):
        found = store.timeline(aspect)
        if isinstance(found, Finding):
            yield found
        elif aspect == "gaps":
            yield _gaps(store, found, params, windows)
        elif not found.value.bins:
            because = f"no event of the last {found.value.counted.days} days is in it"
            evidence = evidence_of(found.raw, found.value.place, "none")
            yield Finding.failed(store.name, because, evidence, aspect=aspect)
        else:
            yield _volume(store, found, params)


def _gaps(
    store: EventStore, seen: Seen[Timeline], params: Params, windows: Sequence[Hole]
) -> Finding:
    times = store.times("gaps")
    if isinstance(times, Finding):
        return times
    timeline, asked = seen.value, seen.raw.origin.collected_at
    counted = min(timedelta(days=params.window_days), timeline.counted)
    begin = asked - counted
    older = times.oldest is not None and times.oldest < begin
    bins = [start for start in timeline.bins if begin - timeline.width <= start <= asked]
    evidence = evidence_of(
        seen.raw,
        f"{timeline.place} of {timeline.field}",
        f"{len(bins)} bins of {_words(timeline.width)} have events",
    )
    if not bins:
        because = f"no event of the last {counted.days} days is in it"
        return Finding.failed(store.name, because, evidence, aspect="gaps")
    longest = timedelta(minutes=params.max_gap_minutes)
    every = holes(bins, timeline.width, longest, (begin if older else None, None))
    unexplained = [hole for hole in every if not explained(hole, windows, longest)]
    if unexplained:
        evidence += evidence_of(seen.raw, timeline.place, f"nothing from {unexplained[0]}")
        because = f"nothing was recorded from {_shown(unexplained)}"
        return Finding.failed(store.name, because, evidence, aspect="gaps")
    because = f"from {min(bins):%Y-%m-%d %H:%M}Z to {max(bins) + timeline.width:%Y-%m-%d %H:%M}Z "
    because += _no_gap(timeline, params)
    notes = tuple(f"maintenance explains the gap from {hole}" for hole in every)
    if timeline.width == HOUR:
        notes += ("by the hour in which events came: a gap within two hours is not seen",)
    if timeline.field == "@timestamp":
        notes += ("by @timestamp: when an agent read the events, which hides what came late",)
    return Finding.passed(store.name, because, evidence, aspect="gaps", notes=notes)


def _no_gap(timeline: Timeline, params: Params) -> str:
    """What is seen by bins of this width: of hours only that each has something, or most have."""
    if timeline.width < HOUR:
        return f"no gap is longer than {params.max_gap_minutes} minutes"
    if timedelta(minutes=params.max_gap_minutes) < HOUR:
        return "something came in each hour"
    return f"hours without events last for {params.max_gap_minutes} minutes at most"


def _words(width: timedelta) -> str:
    return "an hour" if width == HOUR else "five minutes"


def _volume(store: EventStore, seen: Seen[Timeline], params: Params) -> Finding:
    timeline = seen.value
    quiet = quiet_hours(timeline.bins, params.volume_pct)
    evidence = evidence_of(seen.raw, timeline.place, f"{sum(timeline.bins.values())} events")
    if quiet:
        because = f"{len(quiet)} hours have less than {params.volume_pct} % of the events that the "
        because += f"same hour of other weeks has, the first at {quiet[0]:%Y-%m-%d %H:%M}Z"
        return Finding.failed(store.name, because, evidence, aspect="volume")
    if max(timeline.bins) - min(timeline.bins) < timedelta(days=15):
        return Finding.not_applicable(
            store.name, "fewer than three weeks can be compared", evidence, aspect="volume"
        )
    because = f"no hour has less than {params.volume_pct} % of what it has in other weeks"
    return Finding.passed(store.name, because, evidence, aspect="volume")


def _shown(found: Sequence[Hole]) -> str:
    words = ", from ".join(str(hole) for hole in found[:_SHOWN])
    return words if len(found) <= _SHOWN else f"{words}, and {len(found) - _SHOWN} times more"


# --- API servers ---------------------------------------------------------------------------------


def _api_servers(cluster: Cluster, store: EventStore, windows: Sequence[Hole]) -> Iterator[Finding]:
    if cluster.platform in (Platform.AKS, Platform.EKS):
        because = f"the API servers of {cluster.platform.value} come and go as its provider wills"
        known = tuple(e for raw in cluster.platform_raw for e in evidence_of(raw, "whole file"))
        yield Finding.not_applicable(store.name, because, known, aspect="api-servers")
        return
    found = store.sources("api-servers")
    if isinstance(found, Finding):
        yield found
        return
    sources = found.value
    names = ", ".join(source.name for source in sources or ()) or "none"
    evidence = evidence_of(found.raw, "aggregations.sources", names)
    gaps = cluster.gaps_in(Kind.API_SERVER_PODS)
    for gap in gaps:
        if gap.origin.kind is not Kind.FILE:  # told already
            yield Finding.unreadable(gap, aspect="api-servers")
    expected = _expected(cluster)
    if not expected:
        if not gaps:
            yield _which(store, names, evidence)
        return
    for seen in cluster.api_servers:
        evidence += evidence_of(seen.raw, "spec.nodeName", seen.value.node or "not told")
    yield _against(cluster, store, expected, sources, evidence, windows)


def _expected(cluster: Cluster) -> frozenset[str]:
    """The nodes on which API servers run."""
    return frozenset(_short(each.value.node) for each in cluster.api_servers if each.value.node)


def _short(name: str) -> str:
    """Without its domain: a shipper may write the full name where Kubernetes does not."""
    return name.lower().partition(".")[0]


def _against(
    cluster: Cluster,
    store: EventStore,
    expected: frozenset[str],
    sources: Sequence[Source] | None,
    evidence: tuple[Evidence, ...],
    windows: Sequence[Hole],
) -> Finding:
    if sources is None:
        because = "no field that events can be grouped by tells which API server they are from"
        return Finding.failed(store.name, because, evidence, aspect="api-servers")
    by_name = {_short(source.name): source for source in sources}
    silent = sorted(expected - by_name.keys())
    if silent and not expected & by_name.keys():
        return _which(store, ", ".join(sorted(by_name)) or "none", evidence)
    if silent:
        because = f"nothing of a month is from the API server on {', '.join(silent)}"
        return Finding.failed(store.name, because, evidence, aspect="api-servers")
    torn = [(name, hole) for name in sorted(expected) for hole in _silences(by_name, name, windows)]
    if torn:
        words = ", ".join(f"{name} from {hole}" for name, hole in torn[:_SHOWN])
        because = f"nothing came from the API server on {words}"
        return Finding.failed(store.name, because, evidence, aspect="api-servers")
    because = f"events come from every API server: {', '.join(sorted(expected))}"
    if not cluster.live:
        return Finding.manual(
            store.name,
            f"{because}, as far as these are all",
            "Has this cluster other API servers than these? Scan it live.",
            evidence,
            aspect="api-servers",
        )
    return Finding.passed(store.name, because, evidence, aspect="api-servers")


def _silences(by_name: dict[str, Source], name: str, windows: Sequence[Hole]) -> Iterator[Hole]:
    """Whole hours in which the others sent something and this one did not."""
    last = max((hour for source in by_name.values() for hour in source.hours), default=None)
    mine = by_name[name].hours
    for hole in holes(mine, HOUR, timedelta(minutes=59), (None, last)):
        if not explained(hole, windows, timedelta(minutes=59)):
            yield hole


def _which(store: EventStore, names: str, evidence: tuple[Evidence, ...]) -> Finding:
    return Finding.manual(
        store.name,
        f"whether every API server reports is not known; events come from: {names}",
        "Which API servers has this cluster, and which of these sources are they? Declare `kube` "
        "beside the store under targets in kcompliance.yaml, and scan @NAME.",
        evidence,
        aspect="api-servers",
    )
