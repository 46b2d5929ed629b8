"""The former place of `kcompliance.checks.sight`."""

from kcompliance.checks.sight import (
    flag_in_doubt,
    flags_not_seen,
    policies_to_judge,
    policy_question,
)

__all__ = ["flag_in_doubt", "flags_not_seen", "policies_to_judge", "policy_question"]
