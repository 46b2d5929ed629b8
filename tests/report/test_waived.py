"""Both reports show what is waived and attested, and never let it pass for more."""

import jsonschema
import pytest

from kcompliance.model.finding import Status
from kcompliance.model.verdict import Judged
from kcompliance.model.waiver import Attestation, Waiver
from kcompliance.report.schemas import json_schema
from kcompliance.waivers import stale_findings
from tests.declarations import AS_OF, attestation, declare, declared, judged, review, waiver
from tests.report.outcomes import Scanned, document, outcome
from tests.report.outcomes import shown as shown_in

FAIL = judged(Status.FAIL)
OTHER = judged(Status.FAIL, resource="other.yaml")


def scanned(*items: Judged, by: tuple[Attestation | Waiver, ...]) -> Scanned:
    reviewed = review(items, declared(*by), AS_OF)
    after = declare(items, declared(*by), AS_OF)
    return outcome(*after, *stale_findings(reviewed), as_of=AS_OF, declarations=reviewed)


def shown(result: Scanned) -> str:
    return shown_in(result, width=160)


ALL = (
    waiver(),
    waiver(resource="gone", line=9),
    waiver(target="x", date=None),
    attestation(resource="q"),
    attestation(resource="old", line=20, expires=AS_OF.date().replace(day=1)),
)


def test_the_document_fits_its_schema_with_all_kinds_of_declarations() -> None:
    result = scanned(FAIL, judged(Status.MANUAL, resource="q"), by=ALL)

    told = document(result)

    jsonschema.validate(told, json_schema("kcompliance/scan/v1"))
    states = [each["state"] for each in (*told["waivers"], *told["attestations"])]
    assert states == ["used", "unused", "not-judged", "used", "expired"]


def test_a_waived_fail_stands_behind_the_others_and_not_in_one_block_with_them() -> None:
    text = shown(scanned(FAIL, OTHER, by=(waiver(),)))

    assert text.index("other.yaml") < text.index("[waived until 2026-06-30]")
    assert text.count("fail[KC-AUD-008]") == 2
    assert text.count("waived until") == 1
    assert "WAIVED: 1 of 2 fails, until 2026-06-30 by Jane Doe, approved by John Roe" in text
    assert "2 fail (1 waived)" in text


def test_several_waivers_are_counted_each() -> None:
    second = waiver(resource="other.yaml", owner="Ann Poe", line=9)
    lines = shown(scanned(FAIL, OTHER, by=(waiver(), second))).splitlines()

    at = lines.index("WAIVED: 2 of 2 fails")
    assert lines[at + 1] == "  1 until 2026-06-30 by Jane Doe, approved by John Roe"
    assert lines[at + 2] == "  1 until 2026-06-30 by Ann Poe, approved by John Roe"


def test_every_declaration_is_listed_with_what_became_of_it() -> None:
    text = shown(scanned(FAIL, judged(Status.MANUAL, resource="q"), by=ALL))

    rows = [line.split() for line in text.partition("Attestations and waivers")[2].splitlines()]
    assert [row[0] for row in rows if "kcompliance.yaml" in row] == [
        "used",
        "unused",
        "not-judged",
        "used",
        "expired",
    ]
    assert "correct the entry" in text
    assert "controls show KC-CFG-001" not in text


def test_without_declarations_nothing_speaks_of_them() -> None:
    text = shown(scanned(FAIL, by=()))

    assert "aiver" not in text
    assert "waived" not in text.lower()


@pytest.mark.parametrize("key", ["owner", "approver", "reason", "resource"])
def test_what_is_declared_cannot_steer_the_terminal(key: str) -> None:
    text = shown(scanned(FAIL, by=(waiver(**({"resource": "*"} | {key: "*\x1b[2J[red]\u202e"})),)))

    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\\x1b[2J[red]\\u202e" in text
