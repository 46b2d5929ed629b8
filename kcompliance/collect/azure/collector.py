"""Asks Azure everything about each cluster of a target, one capture for each question."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from kcompliance.collect.azure import questions
from kcompliance.collect.azure.address import AksCluster, AksSearch, is_cluster_id
from kcompliance.collect.azure.blobs import ask_blobs
from kcompliance.collect.azure.cloud import cloud_of
from kcompliance.collect.azure.connection import (
    Answer,
    Connection,
    Failed,
    NotThere,
    Outcome,
    open_connection,
)
from kcompliance.collect.azure.log_queries import AUDIT_TABLES, Tables, log_queries
from kcompliance.collect.azure.questions import Question
from kcompliance.collect.azure.sampling import trim_sample
from kcompliance.collect.interface import Collected, Progress
from kcompliance.model.azure.answer import (
    Resource,
    WrongAnswer,
    kind_of_id,
    parts,
    resources_in,
    text,
)
from kcompliance.model.azure.audit_blobs import audit_category, blobs_place
from kcompliance.model.azure.blob_storage import container_of
from kcompliance.model.azure.diagnostics import (
    DestinationKind,
    Shipped,
    category_of,
    setting_of,
    shipped,
)
from kcompliance.model.azure.log_analytics import ANALYTICS, audit_tables, table_of, workspace_of
from kcompliance.model.azure.resource_id import ResourceId, key, parse_resource_id
from kcompliance.model.azure.store_settings import workspace_settings_of
from kcompliance.model.control import Platform
from kcompliance.model.reading import Absent, Capture, Kind, Origin, Raw, Unreadable

__all__ = ["collect_aks"]

T = TypeVar("T")

MOST_ROLES = 500
_DEDICATED = Kind.AZURE_DEDICATED_CLUSTER


def collect_aks(
    place: AksCluster | AksSearch, name: str, now: datetime, progress: Progress
) -> Iterator[Collected]:
    """Everything that the controls ask of each cluster; `name` is the target as it was written.

    A cluster is asked about when its turn comes. One that is found by a search is named by its
    id. A search that fails or finds nothing is one unreadable cluster. Raises UsageError where
    the environment names no cloud, before anything is asked.
    """
    connection = open_connection(cloud_of())
    if isinstance(connection, str):
        return iter((_nothing(name, connection, None, now),))
    return _each(connection, place, name, now, progress)


def _each(
    connection: Connection,
    place: AksCluster | AksSearch,
    name: str,
    now: datetime,
    progress: Progress,
) -> Iterator[Collected]:
    try:
        work = _Work(connection=connection, begin=now, progress=progress)
        if isinstance(place, AksCluster):
            yield _collected(name, work.cluster(place.id))
            return
        found = _clusters(connection, place)
        if isinstance(found, Failed):
            yield _nothing(name, found.reason, found.permission, now)
            return
        for id_ in found:
            yield _collected(f"aks:{id_}", work.cluster(id_))
    finally:
        connection.close()


def _collected(name: str, captures: tuple[Capture, ...]) -> Collected:
    return Collected(name=name, captures=captures, platform=Platform.AKS)


def _nothing(name: str, reason: str, permission: str | None, now: datetime) -> Collected:
    origin = Origin(kind=Kind.AKS_CLUSTER, resource=name, collector="azure", collected_at=now)
    gap = Unreadable(origin=origin, reason=reason, permission=permission)
    return Collected(name=name, captures=(gap,), platform=Platform.AKS)


def _clusters(connection: Connection, place: AksSearch) -> list[str] | Failed:
    """The ids that a search finds, in order."""
    question = questions.search(place.subscription, place.group)
    listed = connection.documents(question.path, question.version, question.permission)
    if isinstance(listed, NotThere):
        return Failed(listed.reason)
    if isinstance(listed, Failed):
        return listed
    items = listed.get("value")
    if not isinstance(items, list):
        return Failed("no list of clusters in the answer")
    found = {
        key(id_): id_
        for item in items
        if isinstance(item, dict) and isinstance(id_ := item.get("id"), str) and _has(item, place)
    }
    if not all(is_cluster_id(id_) for id_ in found.values()):
        return Failed("a cluster without an id in the answer")
    if not found:
        tags = ", ".join(f"{name}={value}" for name, value in place.tags)
        with_tags = f" with the tags {tags}" if tags else ""
        return Failed(
            f"none of the {len(items)} clusters that can be seen there is meant{with_tags}"
        )
    return [found[name] for name in sorted(found)]


def _has(item: dict[str, object], place: AksSearch) -> bool:
    """Azure compares the names of tags without regard to case, and their values with it."""
    tags = item.get("tags")
    own = (
        {str(name).lower(): value for name, value in tags.items()} if isinstance(tags, dict) else {}
    )
    return all(own.get(name.lower()) == value for name, value in place.tags)


@dataclass(slots=True, kw_only=True)
class _Work:
    """One run; what several clusters share is asked once."""

    connection: Connection
    begin: datetime
    progress: Progress
    known: dict[tuple[Kind, str], Capture] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    @property
    def now(self) -> datetime:
        """Of many clusters the last is asked about minutes after the first."""
        return self.begin + timedelta(seconds=int(time.monotonic() - self.started))

    def cluster(self, id_: str) -> tuple[Capture, ...]:
        """All about one cluster; what is its own is not needed after that."""
        captures = tuple(_of_cluster(self, id_))
        for place in [place for place in self.known if place[1].startswith(key(id_))]:
            del self.known[place]
        return captures

    def ask(self, question: Question) -> Capture:
        """One question, unless it was asked before."""
        place = (question.kind, key(question.path))
        if place not in self.known:
            self.progress(question.path)
            answer = self.connection.get(
                question.path, question.version, question.permission, question.query
            )
            self.known[place] = self.capture(question, answer)
        return self.known[place]

    def query(
        self, kind: Kind, workspace: str, customer: str | None, cluster: str, kql: str
    ) -> Capture:
        """One query of a workspace about one cluster."""
        self.progress(f"{workspace} {kind.value}")
        permission = f"{questions.QUERY_ACTION} on {workspace}"
        answer: Outcome = Failed("the workspace does not tell the id that it is queried by")
        if customer is not None and kind is Kind.AZURE_LOG_SAMPLE:
            answer = self.connection.query(customer, kql, permission, trim_sample)
        elif customer is not None:
            answer = self.connection.query(customer, kql, permission)
        asked = Question(
            kind=kind,
            path=f"{workspace}/query of {cluster}",
            version="v1",
            action=questions.QUERY_ACTION,
            none_codes=None,
        )
        return self.capture(asked, answer)

    def capture(self, question: Question, answer: Outcome) -> Capture:
        """What is kept of an answer."""
        origin = Origin(
            kind=question.kind, resource=question.path, collector="azure", collected_at=self.now
        )
        match answer:
            case Answer(content=content, redactions=redactions):
                return Raw(origin=origin, content=content, redactions=redactions)
            case NotThere(reason=reason, code=code):
                codes = question.none_codes
                if codes is not None and (not codes or code in codes):
                    return Absent(origin=origin, reason=reason)
                return Unreadable(origin=origin, reason=reason)
            case Failed(reason=reason, permission=permission):
                return Unreadable(origin=origin, reason=reason, permission=permission)


def _of_cluster(work: _Work, id_: str) -> Iterator[Capture]:
    asked_cluster, asked_settings, asked_categories = questions.about_cluster(id_)
    cluster = work.ask(asked_cluster)
    yield cluster
    if not isinstance(cluster, Raw):
        return  # gone, or not to be seen: what hangs on it would be no evidence
    subscriptions = [ResourceId(id_).subscription]
    scopes = [id_]
    settings, categories = work.ask(asked_settings), work.ask(asked_categories)
    yield from (settings, categories)
    for kind, destination in _destinations(settings):
        alive, captures = _of_destination(work, kind, destination)
        yield from captures
        if kind is DestinationKind.WORKSPACE:
            sent = audit_tables(_shipped(settings, categories), destination)
            yield from _of_log(work, captures, id_, sent.tables if sent else ())
            yield from _dedicated_clusters(work, captures)
        if kind is DestinationKind.STORAGE:
            yield from _of_blobs(work, captures[0], id_, _shipped(settings, categories))
        subscription = ResourceId(destination).subscription
        if alive and subscription.lower() not in (each.lower() for each in subscriptions):
            subscriptions.append(subscription)
        if alive and kind is not DestinationKind.EVENT_HUB:
            scopes.append(destination)
    for subscription in subscriptions:
        yield from _of_subscription(work, subscription)
    yield from _of_scopes(work, scopes)


def _destinations(settings: Capture) -> list[tuple[DestinationKind, str]]:
    """Those of all settings that ship a log, each once."""
    found: dict[str, tuple[DestinationKind, str]] = {}
    for setting in _read(settings, setting_of):
        for destination in setting.destinations if setting.enabled else ():
            known = destination.kind is not DestinationKind.PARTNER
            if known and parse_resource_id(destination.id):
                found.setdefault(key(destination.id), (destination.kind, destination.id))
    return [found[place] for place in sorted(found)]


def _resources(raw: Raw) -> tuple[Resource, ...]:
    try:
        return resources_in(raw.content)[0]
    except WrongAnswer:
        return ()


def _of_destination(work: _Work, kind: DestinationKind, id_: str) -> tuple[bool, list[Capture]]:
    """Whether it is there, and all about it; of what is not there nothing more is asked."""
    match kind:
        case DestinationKind.WORKSPACE:
            first, *more = questions.about_workspace(id_)
        case DestinationKind.STORAGE:
            first, *more = questions.about_storage(id_)
        case _:
            first, more = questions.event_hub(id_), []
    found = work.ask(first)
    if not isinstance(found, Raw):
        return False, [found]
    return True, [found, *(work.ask(question) for question in more)]


def _of_log(
    work: _Work, captures: Iterable[Capture], cluster: str, needed: Iterable[str]
) -> Iterator[Capture]:
    """What the audit records themselves tell; a workspace may refuse that and still be sound."""
    workspace, *tables = captures
    if not isinstance(workspace, Raw):
        return
    customer = next((c for c in _read(workspace, lambda r: workspace_of(r).customer_id)), None)
    for kind, kql in log_queries(cluster, _to_query(tables, needed)):
        yield work.query(kind, workspace.origin.resource, customer, cluster, kql)


def _of_blobs(work: _Work, account: Capture, cluster: str, sent: Shipped) -> Iterator[Capture]:
    """What the audit records in a storage account tell, by rights of their own."""
    place = account.origin.resource
    category = audit_category(sent, place)
    for resource in _read(account, lambda each: each) if category else ():
        path = blobs_place(place, container_of(category or ""), cluster)
        work.progress(path)
        answers = ask_blobs(work.connection, resource, category or "", cluster, work.now)
        for kind, answer in answers:
            asked = Question(
                kind=kind, path=path, version="", action=questions.BLOB_ACTION, none_codes=None
            )
            yield work.capture(asked, answer)


def _dedicated_clusters(work: _Work, captures: Iterable[Capture]) -> Iterator[Capture]:
    """What holds the data of a workspace, where that is one's own."""
    for workspace in captures:
        if workspace.origin.kind is Kind.AZURE_WORKSPACE:
            for id_ in _read(workspace, lambda r: workspace_settings_of(r).dedicated_cluster):
                if id_ and parse_resource_id(id_) and kind_of_id(id_) is _DEDICATED:
                    yield work.ask(questions.dedicated_cluster(id_))


def _to_query(tables: Iterable[Capture], needed: Iterable[str]) -> Tables:
    """The tables that can be: those of another plan answer no query of several tables."""
    names = {ResourceId(table.origin.resource).name: table for table in tables}
    known = [name for name in AUDIT_TABLES if not _is_of_another_plan(names.get(name))]
    there = [name for name in known if name in needed and not isinstance(names.get(name), Absent)]
    return Tables(needed=tuple(there), others=tuple(name for name in known if name not in there))


def _is_of_another_plan(table: Capture | None) -> bool:
    plans = _read(table, lambda resource: table_of(resource).plan) if table else ()
    return any(plan != ANALYTICS for plan in plans)


def _shipped(settings: Capture, categories: Capture) -> Shipped:
    """What the settings ship, as far as both can be read; the checks tell what cannot."""
    found = tuple(each for each in _read(categories, category_of) if each is not None)
    return shipped(_read(settings, setting_of), found or None)


def _read(capture: Capture, read: Callable[[Resource], T]) -> tuple[T, ...]:
    """The resources of an answer that are as they should be."""
    found: list[T] = []
    for resource in _resources(capture) if isinstance(capture, Raw) else ():
        try:
            found.append(read(resource))
        except WrongAnswer:
            continue  # the checks tell it
    return tuple(found)


def _of_subscription(work: _Work, subscription: str) -> Iterator[Capture]:
    alerts: Capture | None = None
    for question in questions.about_subscription(subscription):
        capture = work.ask(question)
        yield capture
        if question.kind is Kind.AZURE_ACTIVITY_ALERTS:
            alerts = capture
    for group in _groups_elsewhere(alerts, subscription):
        yield work.ask(questions.action_group(group))


def _groups_elsewhere(alerts: Capture | None, subscription: str) -> list[str]:
    """Action groups that alerts name and that are in another subscription."""
    if not isinstance(alerts, Raw):
        return []
    found: dict[str, str] = {}
    for resource in _resources(alerts):
        actions = resource.fields.get("actions")
        try:
            groups = parts(actions, "actionGroups") if isinstance(actions, dict) else ()
            ids = [text(group, "actionGroupId") for group in groups]
        except WrongAnswer:
            continue
        for id_ in ids:
            parsed = parse_resource_id(id_) if id_ else None
            if id_ and parsed and parsed.subscription.lower() != subscription.lower():
                found.setdefault(key(id_), id_)
    return [found[place] for place in sorted(found)]


def _of_scopes(work: _Work, scopes: Iterable[str]) -> Iterator[Capture]:
    """Roles at each scope, and the locks there and above, which hold below them too."""
    roles: dict[str, str] = {}
    above: dict[str, str] = {}
    for scope in scopes:
        assignments, locks = (work.ask(question) for question in questions.about_scope(scope))
        yield from (assignments, locks)
        if isinstance(assignments, Raw):
            roles |= {key(role): role for role in _roles(assignments)}
        id_ = ResourceId(scope)
        for place in (id_.group, f"/subscriptions/{id_.subscription}"):
            above.setdefault(key(place), place)
    for place in above.values():
        yield work.ask(questions.about_scope(place)[1])
    for role in sorted(roles)[:MOST_ROLES]:
        yield work.ask(questions.about_role(roles[role]))


def _roles(assignments: Raw) -> Iterator[str]:
    for resource in _resources(assignments):
        role = resource.fields.get("roleDefinitionId")
        if isinstance(role, str) and "/roledefinitions/" in role.lower():
            yield role
