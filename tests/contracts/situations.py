"""The shipped cases of the controls that clouds and stores answer, on every platform they name.

A case that tells of no cluster (a store alone, an archive alone, or nothing) holds on every
platform of its control: it is joined with a bare cluster of each one in turn. Where the verdict is
another one there, it does not count for that platform.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from kcompliance.cases import failures_of
from kcompliance.controls import Case, cases_of, load_controls, published_policies
from kcompliance.model.assemble import assemble
from kcompliance.model.control import Control, Platform
from kcompliance.model.finding import Status
from kcompliance.model.reading import Capture, Kind, Raw
from kcompliance.model.search.product import read_server
from kcompliance.model.search.questions import Product
from tests.azure_rm import documents
from tests.captures import raw

__all__ = ["NAMED", "Cell", "Situation", "cells", "situations"]

NAMED = (
    *(f"KC-AUD-{number:03}" for number in (1, 2, 3, 4)),
    *(f"KC-CMP-{number:03}" for number in (8, 11, 12, 13)),
    *(f"KC-RET-{number:03}" for number in range(1, 11)),
    *(f"KC-PRO-{number:03}" for number in (6, 7, 8, 9, 10, 11, 13, 14)),
)
"""What the contract is about: every verdict on every platform, live and from a bundle."""

EKS_ARN = "arn:aws:eks:eu-central-1:111122223333:cluster/prod"
EKS_TARGET = "eks:eu-central-1/prod"


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """A verdict of a control on a platform, or on a sort of store."""

    control: str
    place: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """A case on one platform, with the captures that make it one of this platform."""

    control: Control
    case: Case
    platform: Platform

    @property
    def name(self) -> str:
        """Of the test about it."""
        return f"{self.control.id} {self.platform.value}: {self.case.given}"

    @property
    def cells(self) -> frozenset[Cell]:
        """The verdicts that it shows, on its platform and of the stores that it tells of."""
        places = [self.platform.value, *_products(self.case.captures)]
        statuses = {expected.status for expected in self.case.expect} - {Status.NOT_APPLICABLE}
        return frozenset(
            Cell(self.control.id, place, status.value) for place in places for status in statuses
        )


def cells(control: Control) -> Iterator[Cell]:
    """All verdicts that the contract asks of a control.

    A declared store leaves nothing undeclared, so that of a sort of store `manual` is not asked.
    """
    always = (Status.PASS, Status.FAIL, Status.ERROR)
    for platform in control.platforms:
        for status in (*always, Status.MANUAL):
            yield Cell(control.id, platform.value, status.value)
    shown = {cell.place for each in situations() if each.control is control for cell in each.cells}
    for product in Product if shown & set(Product) else ():
        for status in always:
            yield Cell(control.id, product.value, status.value)


@cache
def situations() -> tuple[Situation, ...]:
    """Every case of every named control, on each platform on which it holds."""
    controls = [load_controls()[id_] for id_ in NAMED]
    return tuple(
        found for control in controls for case in cases_of(control) for found in _of(control, case)
    )


def _of(control: Control, case: Case) -> Iterator[Situation]:
    seen = _told(case.captures)
    own = case.platform or seen
    if own is not None:
        yield Situation(control=control, case=case, platform=own)
    for platform in control.platforms if seen is None else ():
        joined = replace(case, captures=(*_bare(platform), *case.captures), platform=platform)
        if platform is not own and not failures_of(control, joined):
            yield Situation(control=control, case=joined, platform=platform)


def _told(captures: tuple[Capture, ...]) -> Platform | None:
    """Of which platform the captures tell, if only by a cluster that may not be read."""
    kinds = {capture.origin.kind for capture in captures}
    for kind, platform in ((Kind.AKS_CLUSTER, Platform.AKS), (Kind.EKS_CLUSTER, Platform.EKS)):
        if kind in kinds:
            return platform
    return assemble("case", captures, None, published_policies()).platform


def _products(captures: tuple[Capture, ...]) -> list[str]:
    """Which search servers a case tells of."""
    servers = [
        read_server(json.loads(capture.content))
        for capture in captures
        if isinstance(capture, Raw) and capture.origin.kind is Kind.ELASTICSEARCH_SERVER
    ]
    return sorted({server.product.value for server in servers if server})


def _bare(platform: Platform) -> tuple[Capture, ...]:
    """A cluster that records events, and sends them to where its provider cannot tell."""
    match platform:
        case Platform.AKS:
            id_ = documents.CLUSTER
            setting = documents.setting("kube-audit", workspace=None, hub=documents.HUB)
            hub = {"id": documents.HUB, "name": "audit", "properties": {"status": "Active"}}
            insights = f"{id_}/providers/Microsoft.Insights"
            return (
                _azure(Kind.AKS_CLUSTER, id_, documents.cluster()),
                _azure(
                    Kind.AZURE_DIAGNOSTIC_SETTINGS,
                    f"{insights}/diagnosticSettings",
                    {"value": [setting]},
                ),
                _azure(
                    Kind.AZURE_DIAGNOSTIC_CATEGORIES,
                    f"{insights}/diagnosticSettingsCategories",
                    {"value": documents.categories()},
                ),
                _azure(Kind.AZURE_EVENT_HUB, documents.HUB, hub),
            )
        case Platform.EKS:
            logging = {"clusterLogging": [{"types": ["audit"], "enabled": True}]}
            cluster = {"name": "prod", "arn": EKS_ARN, "status": "ACTIVE", "logging": logging}
            group = {"logGroupName": "/aws/eks/prod/cluster", "storedBytes": 1}
            return (
                _aws(Kind.EKS_CLUSTER, "eks:DescribeCluster prod", {"cluster": cluster}),
                _aws(
                    Kind.AWS_LOG_GROUPS,
                    "logs:DescribeLogGroups /aws/eks/prod/cluster",
                    {"logGroups": [group]},
                ),
            )
        case _:
            return ()  # its target names it, and nothing of it was looked at


def _aws(kind: Kind, asked: str, answer: object) -> Capture:
    return raw(kind, f"{EKS_TARGET} {asked}", json.dumps(answer), "aws")


def _azure(kind: Kind, path: str, answer: object) -> Capture:
    return raw(kind, path, json.dumps(answer), "azure")
