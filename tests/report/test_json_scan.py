"""The scan as JSON is one document, fits its schema and holds all that the finding says."""

import jsonschema
import pytest

from kcompliance.errors import ExitCode
from kcompliance.model.finding import Finding, Severity, evidence_of
from kcompliance.model.reading import Kind, Origin, Raw
from kcompliance.report.schemas import DOCUMENTS, json_schema
from tests.report.outcomes import MOMENT, document, judged, outcome

ORIGIN = Origin(kind=Kind.OBJECTS, resource="pod.yaml", collector="files", collected_at=MOMENT)
EVIDENCE = evidence_of(Raw(origin=ORIGIN, content=b"x"), "--audit-log-path", "/var/log/a.log")
FAILED = Finding.failed("server", "writes nowhere", EVIDENCE, aspect="durable", notes=("a note",))
OPEN = Finding.manual("server", "cannot be told", "Is it so?", aspect="json-format")


def test_it_fits_the_published_schema() -> None:
    schema = json_schema("kcompliance/scan/v1")

    jsonschema.validate(document(outcome(judged(FAILED), judged(OPEN))), schema)


@pytest.mark.parametrize("schema", DOCUMENTS)
def test_every_schema_is_valid_itself_and_binds_its_name(schema: str) -> None:
    published = json_schema(schema)
    jsonschema.Draft202012Validator.check_schema(published)

    with pytest.raises(jsonschema.ValidationError, match=r"was expected|required property"):
        jsonschema.validate({"schema": "another"}, published)


def test_a_finding_is_whole() -> None:
    finding = document(outcome(judged(FAILED)))["findings"][0]

    assert finding["control"] == "KC-AUD-006"
    assert finding["aspect"] == "durable"
    assert finding["severity"] == "critical"
    assert finding["status"] == "fail"
    assert finding["because"] == "writes nowhere"
    assert finding["confidence"] == "bundle"
    assert finding["notes"] == ["a note"]
    assert finding["question"] is None
    assert finding["evidence"] == [
        {
            "resource": "pod.yaml",
            "location": "--audit-log-path",
            "quote": "/var/log/a.log",
            "sha256": "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",
            "collector": "files",
            "collected_at": "2026-01-15T09:00:00Z",
        }
    ]


def test_a_scan_with_an_open_question_is_not_complete() -> None:
    assert document(outcome(judged(OPEN)))["summary"]["complete"] is False
    assert document(outcome(judged(FAILED)))["summary"]["complete"] is True


def test_hidden_findings_are_counted_but_left_out() -> None:
    hidden = document(outcome(judged(OPEN), judged(FAILED), shown_from=Severity.CRITICAL))

    assert [finding["status"] for finding in hidden["findings"]] == ["fail"]
    assert hidden["summary"]["hidden"] == 1
    assert hidden["summary"]["findings"]["manual"] == 1


def test_the_exit_code_stands_in_the_document() -> None:
    assert document(outcome(exit_code=ExitCode.INCOMPLETE))["exit_code"] == 3


def test_a_framework_only_aspect_does_not_fail_its_control() -> None:
    only = Finding.failed("server", "not set", EVIDENCE, aspect="log-path-set")
    good = Finding.passed("server", "a webhook", EVIDENCE, aspect="durable")
    controls = document(outcome(judged(only), judged(good)))["controls"]

    assert [control["status"] for control in controls] == ["pass"]
