"""`policy test` as JSON, with types of its own."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from kcompliance.model.audit_policy import Loaded
from kcompliance.model.digest import Sha256
from kcompliance.model.policy_test import Checked, RanTest
from kcompliance.report.json_coverage import RequestOfV1, request_of
from kcompliance.report.json_policy import PolicyV1, policy_of, render_document

__all__ = ["POLICY_TEST_SCHEMA", "FileOfTests", "PolicyTestReport", "render_policy_test"]

POLICY_TEST_SCHEMA = "kcompliance/policy-test/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOfTests:
    """One file of tests, the policy that it is about, and how its tests went."""

    name: str
    policy: str
    digest: Sha256
    loaded: Loaded
    tests: tuple[RanTest, ...]


class CheckedV1(msgspec.Struct, kw_only=True):
    """One request and what the policy says of it; `problems` are empty where that was expected.

    `user` null is a login that fails. `rule` counts from 0, `line` from 1, null where no rule
    matches.
    """

    user: str | None
    groups: list[str]
    request: RequestOfV1
    level: str
    stages: list[str]
    rule: int | None
    line: int | None
    problems: list[str]


class PolicyTestV1(msgspec.Struct, kw_only=True):
    """One test; `line` is where it stands in its file, from 1."""

    name: str
    line: int
    passed: bool
    requests: list[CheckedV1]


class PolicyTestFileV1(msgspec.Struct, kw_only=True):
    """One file; `policy_file` is where its policy was found."""

    file: str
    policy_file: str
    policy: PolicyV1
    tests: list[PolicyTestV1]


class PolicyTestSummaryV1(msgspec.Struct, kw_only=True):
    """Over all files."""

    tests: int
    passed: int
    failed: int


class PolicyTestReport(msgspec.Struct, kw_only=True):
    """The whole document; files and tests in their order."""

    schema: str
    files: list[PolicyTestFileV1]
    summary: PolicyTestSummaryV1
    exit_code: int


def render_policy_test(files: Sequence[FileOfTests], exit_code: int) -> str:
    """One JSON document, ending with a line feed."""
    passed = [each.passed for file in files for each in file.tests]
    return render_document(
        PolicyTestReport(
            schema=POLICY_TEST_SCHEMA,
            files=[_file(each) for each in files],
            summary=PolicyTestSummaryV1(
                tests=len(passed), passed=sum(passed), failed=len(passed) - sum(passed)
            ),
            exit_code=exit_code,
        )
    )


def _file(file: FileOfTests) -> PolicyTestFileV1:
    return PolicyTestFileV1(
        file=file.name,
        policy_file=file.policy,
        policy=policy_of(file.digest, file.loaded),
        tests=[
            PolicyTestV1(
                name=each.test.name,
                line=each.test.line,
                passed=each.passed,
                requests=[_checked(checked) for checked in each.checked],
            )
            for each in file.tests
        ],
    )


def _checked(checked: Checked) -> CheckedV1:
    user, decision = checked.request.user, checked.decision
    return CheckedV1(
        user=None if user is None else user.name,
        groups=[] if user is None else list(user.groups),
        request=request_of(checked.request),
        level=decision.level.value,
        stages=[stage.value for stage in decision.stages],
        rule=decision.rule,
        line=decision.line,
        problems=list(checked.problems),
    )
