"""Is the audit trail on? (KC-AUD)"""

from kcompliance.checks.recording.backend_is_active_and_durable import (
    backend_is_active_and_durable,
)
from kcompliance.checks.recording.policy_is_set_and_loads import policy_is_set_and_loads
from kcompliance.checks.recording.rules_mean_what_they_say import rules_mean_what_they_say
from kcompliance.checks.recording.writes_are_recorded_for_everyone import (
    writes_are_recorded_for_everyone,
)

__all__ = [
    "backend_is_active_and_durable",
    "policy_is_set_and_loads",
    "rules_mean_what_they_say",
    "writes_are_recorded_for_everyone",
]
