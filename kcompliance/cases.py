"""Runs the cases of a control: do the verdicts come out as its authors promise?"""

from kcompliance.controls import Case, Expectation, published_policies
from kcompliance.model.assemble import assemble
from kcompliance.model.control import Control
from kcompliance.model.finding import Finding
from kcompliance.scan import judge_control

__all__ = ["failures_of"]


def failures_of(control: Control, case: Case) -> tuple[str, ...]:
    """What came out otherwise than promised, in words; nothing where all is well.

    Each expectation needs a finding of its own, and each finding of a named aspect an expectation,
    so that a case cannot leave out the verdict that does not suit it.
    """
    cluster = assemble("case", case.captures, case.platform, published_policies())
    found = [item.finding for item in judge_control(control, cluster, case.parameters)]
    problems = []
    for expected in case.expect:
        match = next((finding for finding in found if _is(finding, expected)), None)
        if match is None:
            problems.append(
                f"expected {expected.aspect}: {expected.status.value} "
                f'because "{expected.because_contains}"'
            )
        else:
            found.remove(match)
    named = {expected.aspect for expected in case.expect}
    problems += [
        f"got {finding.aspect}: {finding.status.value} because {finding.because}"
        for finding in found
        if finding.aspect in named
    ]
    return tuple(problems)


def _is(finding: Finding, expected: Expectation) -> bool:
    return (
        finding.aspect == expected.aspect
        and finding.status is expected.status
        and expected.because_contains in finding.because
    )
