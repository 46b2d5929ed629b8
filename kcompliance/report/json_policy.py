"""`policy explain` and `policy lint` as JSON, with types of their own."""

import json
from collections.abc import Iterable, Iterator

import msgspec

from kcompliance.model.audit_policy import Decision, Lint, Loaded, Stage
from kcompliance.model.digest import Sha256

__all__ = [
    "EXPLAIN_SCHEMA",
    "LINT_SCHEMA",
    "Explain",
    "LintReport",
    "PolicyV1",
    "policy_of",
    "render_document",
    "render_explain",
    "render_lint",
]

EXPLAIN_SCHEMA = "kcompliance/policy-explain/v1"
LINT_SCHEMA = "kcompliance/policy-lint/v1"


class PolicyV1(msgspec.Struct, kw_only=True):
    """The policy file: its digest, and what the server would drop with a line in its log."""

    sha256: str
    warnings: list[str]


class RequestV1(msgspec.Struct, kw_only=True):
    """How one request is recorded; `rule` counts from 0, `line` from 1, null where none matched."""

    level: str
    stages: list[str]
    omit_stages: list[str]
    omit_managed_fields: bool
    rule: int | None
    line: int | None


class Explain(msgspec.Struct, kw_only=True):
    """The whole document; requests in the order of the input."""

    schema: str
    policy: PolicyV1
    requests: list[RequestV1]


class RemarkV1(msgspec.Struct, kw_only=True):
    """One remark of the linter; an informational one fails nothing."""

    code: str
    message: str
    informational: bool
    rule: int | None
    line: int | None


class LintReport(msgspec.Struct, kw_only=True):
    """The whole document; `refused` are the reasons of a server that would not start."""

    schema: str
    policy: PolicyV1
    refused: list[str]
    remarks: list[RemarkV1]
    exit_code: int


def render_explain(
    digest: Sha256, warnings: Iterable[str], decisions: Iterable[Decision]
) -> Iterator[str]:
    """One JSON document in pieces, ending with a line feed.

    A log has millions of events and few different decisions, so each of those is rendered once.
    """
    empty = Explain(
        schema=EXPLAIN_SCHEMA,
        policy=PolicyV1(sha256=digest, warnings=list(warnings)),
        requests=[],
    )
    head, bracket, tail = render_document(empty).rpartition("]")
    yield head
    rendered: dict[Decision, str] = {}
    separator = "\n    "
    for decision in decisions:
        text = rendered.get(decision)
        if text is None:
            text = rendered[decision] = json.dumps(msgspec.to_builtins(_request(decision)))
        yield separator + text
        separator = ",\n    "
    yield ("\n  " if rendered else "") + bracket + tail


def _request(decision: Decision) -> RequestV1:
    return RequestV1(
        level=decision.level.value,
        stages=[stage.value for stage in decision.stages],
        omit_stages=[stage.value for stage in Stage if stage in decision.omit_stages],
        omit_managed_fields=decision.omit_managed_fields,
        rule=decision.rule,
        line=decision.line,
    )


def render_lint(
    digest: Sha256,
    warnings: Iterable[str],
    refused: Iterable[str],
    remarks: Iterable[Lint],
    exit_code: int,
) -> str:
    """One JSON document, ending with a line feed."""
    return render_document(
        LintReport(
            schema=LINT_SCHEMA,
            policy=PolicyV1(sha256=digest, warnings=list(warnings)),
            refused=list(refused),
            remarks=[
                RemarkV1(
                    code=lint.code,
                    message=lint.message,
                    informational=lint.informational,
                    rule=lint.rule,
                    line=lint.line,
                )
                for lint in remarks
            ],
            exit_code=exit_code,
        )
    )


def policy_of(digest: Sha256, loaded: Loaded) -> PolicyV1:
    """A policy as documents name it."""
    return PolicyV1(sha256=digest, warnings=[each.message for each in loaded.warnings])


def render_document(document: msgspec.Struct) -> str:
    """One JSON document, ending with a line feed."""
    return json.dumps(msgspec.to_builtins(document), indent=2, ensure_ascii=False) + "\n"
