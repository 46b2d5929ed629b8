"""An entry that could be taken for more than it is does not get in."""

from datetime import date as Day
from typing import Any

import pytest

from kcompliance.controls import load_controls
from kcompliance.model.declaration_entries import (
    EntryError,
    declarations_from_json,
    declarations_to_json,
    read_declarations,
)
from kcompliance.model.waiver import Attestation, Declarations, Waiver

CONTROLS = load_controls()
ABOUT: dict[str, Any] = {
    "control": "KC-AUD-008",
    "resource": "server.yaml",
    "date": "2026-01-31",
    "expires": "2026-06-30",
}
WAIVER = ABOUT | {"reason": "s3cret reason", "owner": "Jane Doe", "approver": "John Roe"}
ATTESTATION = ABOUT | {"statement": "s3cret statement", "by": "Jane Doe"}


def read(waivers: list[Any] | None = None, attestations: list[Any] | None = None) -> Declarations:
    return read_declarations(
        [(7, entry) for entry in attestations or ()],
        [(7, entry) for entry in waivers or ()],
        CONTROLS,
    )


def test_an_entry_is_read_as_it_is_written() -> None:
    found = read([WAIVER | {"target": "@prod"}], [ATTESTATION | {"aspect": "main"}])
    about: dict[str, Any] = {
        "control": "KC-AUD-008",
        "aspect": "main",
        "resource": "server.yaml",
        "date": Day(2026, 1, 31),
        "expires": Day(2026, 6, 30),
        "line": 7,
    }

    waiver = Waiver(
        **about, target="@prod", reason="s3cret reason", owner="Jane Doe", approver="John Roe"
    )
    attestation = Attestation(**about, statement="s3cret statement", by="Jane Doe")
    assert found == Declarations(attestations=(attestation,), waivers=(waiver,))


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no such control": ({"control": "KC-AUD-999"}, 'no control "KC-AUD-999"'),
    "the built-in control": ({"control": "KC-CFG-001"}, 'no control "KC-CFG-001"'),
    "no such aspect": ({"aspect": "durable"}, 'KC-AUD-008 has no aspect "durable"'),
    "no main aspect": ({"control": "KC-AUD-006"}, 'KC-AUD-006 has no aspect "main"'),
    "no control": ({"control": None}, 'without "control"'),
    "no resource": ({"resource": None}, 'without "resource"'),
    "no end": ({"expires": None}, 'without "expires"'),
    "an unknown key": ({"until": "2026-06-30"}, 'nobody knows "until"'),
    "the line itself": ({"line": 5}, 'nobody knows "line"'),
    "an empty resource": ({"resource": " "}, '"resource" is empty'),
    "an empty target": ({"target": ""}, '"target" is empty'),
    "a number": ({"resource": 5}, '"resource" is not text'),
    "a list": ({"resource": ["a"]}, '"resource" is not text'),
    "no date": ({"expires": "soon"}, '"expires" is "soon", which is no date'),
    "a date that is none": ({"expires": "2026-02-30"}, "which is no date"),
    "a date of another form": ({"expires": "20260630"}, "which is no date"),
    "a moment": ({"expires": "2026-06-30T12:00:00Z"}, "which is no date"),
    "a date before time": ({"date": None, "expires": "0001-01-02"}, "no date"),
    "an end before the beginning": ({"expires": "2026-01-30"}, "before its date 2026-01-31"),
    "too long": ({"expires": "2027-02-02"}, "more than 366 days after its date"),
    "too much text": ({"resource": "a" * 5000}, "longer than 4000 characters"),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("entry", [WAIVER, ATTESTATION], ids=["waiver", "attestation"])
def test_a_wrong_entry_is_refused_with_its_line_and_a_hint(
    name: str, entry: dict[str, Any]
) -> None:
    changes, problem = WRONG[name]
    bad = entry | changes
    if name == "a date before time" and entry is ATTESTATION:
        bad |= {"date": "0001-01-01"}

    with pytest.raises(EntryError) as told:
        read([bad]) if entry is WAIVER else read(None, [bad])

    assert str(told.value).startswith("line 7: ")
    assert problem in str(told.value)
    assert told.value.hint
    assert "s3cret" not in str(told.value) + told.value.hint


@pytest.mark.parametrize("key", ["reason", "owner", "approver"])
def test_a_waiver_needs_all_its_own_keys(key: str) -> None:
    with pytest.raises(EntryError, match=f'a waiver without "{key}"'):
        read([{k: v for k, v in WAIVER.items() if k != key}])


@pytest.mark.parametrize("key", ["statement", "by", "date"])
def test_an_attestation_needs_all_its_own_keys_and_a_date(key: str) -> None:
    with pytest.raises(EntryError, match=f'an attestation without "{key}"'):
        read(None, [{k: v for k, v in ATTESTATION.items() if k != key}])


@pytest.mark.parametrize(
    "approver",
    ["Jane Doe", "JANE DOE", " jane  doe ", "jane\u200bdoe", "\uff2aane Doe", "Jane\tDoe"],
    ids=ascii,
)
def test_owner_and_approver_are_two_people(approver: str) -> None:
    with pytest.raises(EntryError, match="one person"):
        read([WAIVER | {"approver": approver}])


@pytest.mark.parametrize("entry", [None, "text", 5, ["a"]], ids=str)
def test_what_is_no_mapping_is_refused(entry: Any) -> None:
    with pytest.raises(EntryError, match="line 7: this waiver is no mapping"):
        read([entry])


def test_a_year_and_a_day_is_the_longest() -> None:
    read([WAIVER | {"expires": "2027-02-01"}])
    with pytest.raises(EntryError, match="more than 366 days"):
        read([WAIVER | {"expires": "2027-02-02"}])


# --- as a bundle keeps them ----------------------------------------------------------------------


def test_a_bundle_keeps_all_of_them() -> None:
    found = read([WAIVER, WAIVER | {"date": None, "target": "é*"}], [ATTESTATION])

    assert declarations_from_json(declarations_to_json(found), CONTROLS) == found


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"attestations": [], "waivers": [5]}',
        b'{"attestations": [], "waivers": [{}]}',
        b'{"attestations": [], "waivers": [{"line": "1"}]}',
        b'{"attestations": [], "waivers": [{"line": 1, "control": "KC-AUD-008"}]}',
        b'{"attestations": [], "waivers": [], "more": []}',
        b'{"waivers": ' + b"[" * 100_000,
    ],
    ids=range(9),
)
def test_what_was_bent_is_refused(content: bytes) -> None:
    with pytest.raises((ValueError, EntryError, RecursionError)):
        declarations_from_json(content, CONTROLS)
