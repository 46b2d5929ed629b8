"""The table of what controls need of clouds and stores agrees with their cases and the docs."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from kcompliance.collect.cloud_needs import CLOUD_NEEDS, controls_needing, with_tellers
from kcompliance.collect.cloud_reads import Source, action_of, kinds_asked, source_of, told_by
from kcompliance.controls import Case, cases_of, load_controls, published_policies
from kcompliance.model.assemble import assemble
from kcompliance.model.control import Control
from kcompliance.model.finding import Status
from kcompliance.model.reading import Capture, Kind, Unreadable
from kcompliance.report.table_preflight import in_short
from kcompliance.scan import judge_control

CONTROLS = load_controls()
ASKED = {kind for source in Source for kind in kinds_asked(source)}
DOCUMENTATION = Path(__file__).parent.parent.parent / "docs/permissions.md"
_LACKING = "a reading that is lacking"

NOT_IN_CASES: Mapping[tuple[str, Kind], str] = {
    ("KC-AUD-001", Kind.AZURE_EVENT_HUB): "no case has an event hub as the only destination",
    ("KC-RET-003", Kind.ELASTICSEARCH_DATA_STREAM_LIFECYCLE): "the cases delete by ILM",
    ("KC-RET-003", Kind.ELASTICSEARCH_ISM_POLICIES): "the cases delete by ILM",
    ("KC-RET-003", Kind.ELASTICSEARCH_ISM_EXPLAIN): "the cases delete by ILM",
    ("KC-RET-006", Kind.ELASTICSEARCH_DATA_STREAM_LIFECYCLE): "the cases delete by ILM and ISM",
}
"""What a check reads although no case shows it, and why none does."""


def _errors(
    control: Control, case: Case, captures: Iterable[Capture]
) -> dict[tuple[str, str | None], str]:
    cluster = assemble("case", tuple(captures), case.platform, published_policies())
    found = [item.finding for item in judge_control(control, cluster, case.parameters)]
    return {(f.aspect, f.resource): f.because for f in found if f.status is Status.ERROR}


def _without(case: Case, kind: Kind) -> list[Capture]:
    return [
        Unreadable(origin=each.origin, reason=_LACKING) if each.origin.kind is kind else each
        for each in case.captures
    ]


def _shown(control: Control) -> set[Kind]:
    """The kinds without which a verdict of one of the control's cases becomes an error."""
    needed: set[Kind] = set()
    for case in cases_of(control):
        before = _errors(control, case, case.captures)
        for kind in ({each.origin.kind for each in case.captures} & ASKED) - needed:
            after = _errors(control, case, _without(case, kind))
            if any(what not in before or _LACKING in why for what, why in after.items()):
                needed.add(kind)
    return needed


@pytest.mark.parametrize("id_", CONTROLS)
def test_a_control_needs_what_makes_its_cases_an_error(id_: str) -> None:
    shown = _shown(CONTROLS[id_]) | {kind for control, kind in NOT_IN_CASES if control == id_}

    assert set(with_tellers(CLOUD_NEEDS.get(id_, ()))) == set(with_tellers(shown)), (
        f"the cases show {sorted(kind.name for kind in shown)}"
    )


def test_the_table_is_about_controls_and_questions_that_there_are() -> None:
    assert set(CLOUD_NEEDS) <= set(CONTROLS)
    assert {kind for kinds in CLOUD_NEEDS.values() for kind in kinds} <= ASKED


@pytest.mark.parametrize("source", Source)
def test_every_question_follows_from_the_first(source: Source) -> None:
    firsts = [kind for kind in kinds_asked(source) if told_by(kind) is None]

    assert len(firsts) == 1
    for kind in kinds_asked(source):
        teller = told_by(kind)
        assert teller is None or source_of(teller) is source
        assert firsts[0] in with_tellers([kind])


# --- the documentation ---------------------------------------------------------------------------


def _rows(section: str) -> list[tuple[set[str], str]]:
    """The actions of each row of a section's table, and the cell of the controls."""
    text = DOCUMENTATION.read_text(encoding="utf-8").split(f"\n## {section}\n")[1].split("\n## ")[0]
    actions = {action_of(kind): kind for source in Source for kind in kinds_asked(source)}
    found = []
    for line in text.splitlines():
        if line.startswith("| ") and not line.startswith(
            ("| asks |", "| actions |", "| privilege |")
        ):
            named = {word for word in re.findall(r"`([^`]+)`", line) if word in actions}
            if named:
                found.append((named, line.rstrip(" |").rpartition(" | ")[2]))
    return found


@pytest.mark.parametrize(
    ("section", "source"),
    [
        ("Azure", Source.AZURE),
        ("AWS", Source.AWS),
        ("Elasticsearch and OpenSearch", Source.ELASTICSEARCH),
    ],
)
def test_the_documentation_tells_which_controls_need_an_action(
    section: str, source: Source
) -> None:
    kinds = kinds_asked(source)
    rows = _rows(section)
    needed = {action_of(kind) for kind in kinds if controls_needing(kind)}
    in_sight = {action for action in needed if not action.startswith(("GET ", "cluster:"))}
    assert in_sight <= {action for named, _ in rows for action in named}
    for named, told in rows:
        concerned = [kind for kind in kinds if action_of(kind) in named]
        needing = controls_needing(*concerned)
        ids = in_short([control for control in CONTROLS if control in needing])
        assert told == (ids or "none in this version"), (named, ids)
