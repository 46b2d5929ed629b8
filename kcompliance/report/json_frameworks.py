"""The frameworks that were asked for in the JSON of a scan."""

import msgspec

from kcompliance.model.tally import Tally
from kcompliance.model.verdict import item_verdicts, unanswered_items
from kcompliance.report.interface import ChosenFramework

__all__ = ["FrameworkV1", "framework_v1"]


class ItemV1(msgspec.Struct, kw_only=True):
    """A framework's item: the worst of the aspects mapped to it, `waived` as of a control."""

    id: str
    title: str
    status: str
    waived: bool
    aspects: list[str]


class FrameworkV1(msgspec.Struct, kw_only=True):
    """A framework that was asked for; `version` null means all of its versions.

    `unanswered` are items that no control here is about: nothing is said of them.
    """

    id: str
    title: str
    version: str | None
    items: list[ItemV1]
    unanswered: list[str]


def framework_v1(chosen: ChosenFramework, tally: Tally) -> FrameworkV1:
    """What a framework comes to."""
    framework, version = chosen.framework, chosen.version
    verdicts = item_verdicts(framework, version, tally.verdicts)
    return FrameworkV1(
        id=framework.id,
        title=framework.title,
        version=version,
        items=[
            ItemV1(
                id=verdict.item.id,
                title=verdict.item.title,
                status=verdict.status.value,
                waived=verdict.waived,
                aspects=list(verdict.aspects),
            )
            for verdict in verdicts
        ],
        unanswered=[item.id for item in unanswered_items(framework, version, verdicts)],
    )
