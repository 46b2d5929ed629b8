"""The JSON Schemas of everything that kcompliance writes as JSON, made from its own types."""

from collections.abc import Mapping
from inspect import cleandoc
from typing import Any

import msgspec

from kcompliance.archive.proof_files import EVENT_PROOF_SCHEMA, EventProofV1
from kcompliance.collect.bundle import BUNDLE_SCHEMA, Bundle
from kcompliance.model.approval.approved import LOCK_SCHEMA, Approved
from kcompliance.model.archive_evidence import ARCHIVE_EVIDENCE_SCHEMA, ArchiveEvidence
from kcompliance.model.node_facts import NODE_FACTS_SCHEMA, NodeFactsV1
from kcompliance.report.json_approve import APPROVE_SCHEMA, Approval
from kcompliance.report.json_archive import LIST_SCHEMA, SHOW_SCHEMA, ArchiveList, SegmentShow
from kcompliance.report.json_controls import CONTROLS_SCHEMA, Controls
from kcompliance.report.json_coverage import COVERAGE_SCHEMA, PolicyCoverage
from kcompliance.report.json_error import ERROR_SCHEMA, ErrorReport
from kcompliance.report.json_policy import EXPLAIN_SCHEMA, LINT_SCHEMA, Explain, LintReport
from kcompliance.report.json_policy_test import POLICY_TEST_SCHEMA, PolicyTestReport
from kcompliance.report.json_preflight import PREFLIGHT_SCHEMA, PreflightReport
from kcompliance.report.json_prove import (
    PROOF_CHECK_SCHEMA,
    PROVE_SCHEMA,
    ProofCheck,
    ProveReport,
)
from kcompliance.report.json_replay import REPLAY_SCHEMA, PolicyReplay
from kcompliance.report.json_run import RUN_SCHEMA, Run
from kcompliance.report.json_scan import SCAN_SCHEMA, Scan
from kcompliance.report.json_verify import VERIFY_SCHEMA, VerifyReport

__all__ = ["DOCUMENTS", "file_name", "json_schema"]

DOCUMENTS: Mapping[str, type[msgspec.Struct]] = {
    SCAN_SCHEMA: Scan,
    APPROVE_SCHEMA: Approval,
    LOCK_SCHEMA: Approved,
    PREFLIGHT_SCHEMA: PreflightReport,
    EXPLAIN_SCHEMA: Explain,
    LINT_SCHEMA: LintReport,
    COVERAGE_SCHEMA: PolicyCoverage,
    REPLAY_SCHEMA: PolicyReplay,
    POLICY_TEST_SCHEMA: PolicyTestReport,
    CONTROLS_SCHEMA: Controls,
    ERROR_SCHEMA: ErrorReport,
    BUNDLE_SCHEMA: Bundle,
    NODE_FACTS_SCHEMA: NodeFactsV1,
    ARCHIVE_EVIDENCE_SCHEMA: ArchiveEvidence,
    VERIFY_SCHEMA: VerifyReport,
    RUN_SCHEMA: Run,
    LIST_SCHEMA: ArchiveList,
    SHOW_SCHEMA: SegmentShow,
    PROVE_SCHEMA: ProveReport,
    PROOF_CHECK_SCHEMA: ProofCheck,
    EVENT_PROOF_SCHEMA: EventProofV1,
}
"""Every document by the name in its `schema` field."""


def file_name(schema: str) -> str:
    """`kcompliance/scan/v1` is published as `scan-v1.schema.json`."""
    return f"{schema.removeprefix('kcompliance/').replace('/', '-')}.schema.json"


def json_schema(schema: str) -> dict[str, Any]:
    """JSON Schema 2020-12 of one document."""
    (reference,), parts = msgspec.json.schema_components(
        [DOCUMENTS[schema]], ref_template="#/$defs/{name}"
    )
    root = parts[reference["$ref"].rpartition("/")[2]]
    for part in parts.values():  # docstrings keep their indentation before Python 3.13
        part["description"] = cleandoc(part["description"])
    root["properties"]["schema"] = {"const": schema}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": file_name(schema),
        "title": schema,
        **reference,
        "$defs": parts,
    }
