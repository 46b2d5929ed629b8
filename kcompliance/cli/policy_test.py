"""`kcompliance policy test`."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kcompliance.cli.policy_files import loaded_policy, read_whole
from kcompliance.cli.terminal import put, put_table
from kcompliance.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from kcompliance.report.json_policy_test import FileOfTests

__all__ = ["run_tests"]


class ReportFormat(StrEnum):
    """How the result is written."""

    TABLE = "table"
    JSON = "json"
    JUNIT = "junit"


def run_tests(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE…", help="Tests, as YAML.", show_default=False),
    ],
    format_: Annotated[
        ReportFormat,
        typer.Option("--format", help="How to write the result.", envvar="KCOMPLIANCE_FORMAT"),
    ] = ReportFormat.TABLE,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to a file, whole or not at all.")
    ] = None,
) -> None:
    """Check what a policy records against what its authors expect, in its own pull requests.

    A file of tests names its policy, relative to itself, and for each test the requests and the
    level, stages or rule that are expected of them.

    Examples:

      kcompliance policy test audit-policy-tests.yaml

      kcompliance policy test tests/*.yaml --format junit -o policy.xml

    Exit codes: 0 all pass, 1 a test fails or a policy is refused, 2 a file is wrong, 4 a file could
    not be read.
    """
    tested = [_run(name) for name in files]
    failed = any(not each.passed for file in tested for each in file.tests)
    code = ExitCode.FINDINGS if failed else ExitCode.GOOD
    match format_:
        case ReportFormat.JSON:
            from kcompliance.report.json_policy_test import render_policy_test

            put(render_policy_test(tested, code), output)
        case ReportFormat.JUNIT:
            from kcompliance.report.policy_test import render_policy_test_junit

            put(render_policy_test_junit(tested), output)
        case ReportFormat.TABLE:
            from kcompliance.report.policy_test import table_of_policy_test

            put_table(table_of_policy_test(tested), output, wrap=False)
    raise typer.Exit(code)


def _run(name: str) -> "FileOfTests":
    from kcompliance.model.audit_policy import PolicyEvaluator
    from kcompliance.model.digest import sha256
    from kcompliance.model.policy_test import WrongPolicyTests, load_policy_tests, run_test
    from kcompliance.report.json_policy_test import FileOfTests

    try:
        tests = load_policy_tests(read_whole(name))
    except WrongPolicyTests as error:
        raise UsageError(
            f'"{name}" is no file of policy tests: {error}', "kcompliance policy test --help"
        ) from None
    folder = Path() if name == "-" else Path(name).parent
    policy = str(folder / tests.policy)
    data = read_whole(policy)
    loaded = loaded_policy(data, policy, tests.kubernetes_version)
    evaluator = PolicyEvaluator(loaded.policy)
    return FileOfTests(
        name=name,
        policy=policy,
        digest=sha256(data),
        loaded=loaded,
        tests=tuple(run_test(each, evaluator) for each in tests.tests),
    )
