"""Each verdict of the controls that clouds and stores answer: on every platform, live and saved.

What a shipped case holds is served by loopback services, read by the real collectors and SDKs,
saved as a bundle and read back; all three have to say the very same thing.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from kcompliance.cases import failures_of
from kcompliance.collect.bundle import read_bundle, write_bundle
from kcompliance.collect.interface import Collected
from kcompliance.controls import load_controls
from kcompliance.model.finding import Finding
from tests.contracts.loopback import Loopback, findings_of, loopback, why_not_live
from tests.contracts.situations import NAMED, Cell, Situation, cells, situations

NOT_REACHABLE: Mapping[Cell, str] = {}
"""Verdicts that no case can show, and why."""
_ASKED = "a live scan always asks; only files can be without the answer"
ONLY_SAVED: Mapping[Cell, str] = {
    Cell("KC-AUD-002", "aks", "manual"): _ASKED,
    Cell("KC-CMP-008", "eks", "manual"): _ASKED,
    Cell("KC-CMP-012", "eks", "manual"): _ASKED,
    Cell("KC-RET-009", "eks", "manual"): _ASKED,
}
"""Verdicts that files can bring about and no service, and why."""


@cache
def _shown() -> frozenset[Cell]:
    return frozenset(cell for situation in situations() for cell in situation.cells)


@cache
def _live() -> tuple[Situation, ...]:
    """Those that a service can serve: each case once, and each verdict on each platform."""
    chosen: list[Situation] = []
    told: set[object] = set()
    for situation in situations():
        shows = {(situation.control.id, situation.case.given), *situation.cells}
        if not shows <= told and why_not_live(situation.case) is None:
            chosen.append(situation)
            told |= shows
    return tuple(chosen)


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loopback]:
    with loopback(tmp_path_factory.mktemp("loopback")) as running:
        yield running


@pytest.mark.parametrize("id_", NAMED)
def test_every_verdict_is_shown_on_every_platform(id_: str) -> None:
    missing = set(cells(load_controls()[id_])) - _shown() - set(NOT_REACHABLE)

    assert not sorted(missing)


@pytest.mark.parametrize("id_", NAMED)
def test_every_verdict_is_seen_live(id_: str) -> None:
    live = {cell for situation in _live() for cell in situation.cells}
    shown = {cell for cell in cells(load_controls()[id_]) if cell in _shown()}

    assert not sorted(shown - live - set(ONLY_SAVED))


def test_every_line_of_the_tables_is_needed() -> None:
    live = {cell for situation in _live() for cell in situation.cells}
    asked = {cell for id_ in NAMED for cell in cells(load_controls()[id_])}

    assert set(NOT_REACHABLE) | set(ONLY_SAVED) <= asked
    assert not set(NOT_REACHABLE) & _shown()
    assert not set(ONLY_SAVED) & live


@pytest.mark.parametrize("situation", _live(), ids=lambda situation: situation.name)
def test_a_case_is_judged_as_promised_live_and_from_its_bundle(
    situation: Situation, services: Loopback, tmp_path: Path
) -> None:
    control, case = situation.control, situation.case
    collection, own_names = services.scan(case)
    write_bundle(collection, tmp_path / "saved")
    (live,) = collection.targets
    (saved,) = read_bundle(tmp_path / "saved").targets
    promised = Collected(name="case", captures=case.captures, platform=live.platform)

    found = findings_of(control, case, live)

    assert failures_of(control, replace(case, captures=live.captures, platform=live.platform)) == ()
    assert findings_of(control, case, saved) == found
    assert _told(found, own_names) == _told(findings_of(control, case, promised))


def _told(findings: Iterable[Finding], names: Mapping[str, str] | None = None) -> Counter[str]:
    """What findings say, with the names of the case for those of loopback."""
    told = [
        f"{each.aspect} {each.status.value} {each.resource}: {each.because}" for each in findings
    ]
    for live, own in (names or {}).items():
        told = [text.replace(live, own) for text in told]
    return Counter(told)
