"""Is the audit trail on? (KC-AUD)"""

from kcompliance.checks.recording.aks_ships_audit_logs import aks_ships_audit_logs
from kcompliance.checks.recording.aks_ships_companion_logs import aks_ships_companion_logs
from kcompliance.checks.recording.aks_ships_reads_too import aks_ships_reads_too
from kcompliance.checks.recording.backend_is_active_and_durable import (
    backend_is_active_and_durable,
)
from kcompliance.checks.recording.eks_control_plane_logs_are_on import (
    eks_control_plane_logs_are_on,
)
from kcompliance.checks.recording.policy_is_set_and_loads import policy_is_set_and_loads
from kcompliance.checks.recording.rules_mean_what_they_say import rules_mean_what_they_say
from kcompliance.checks.recording.writes_are_recorded_for_everyone import (
    writes_are_recorded_for_everyone,
)

__all__ = [
    "aks_ships_audit_logs",
    "aks_ships_companion_logs",
    "aks_ships_reads_too",
    "backend_is_active_and_durable",
    "eks_control_plane_logs_are_on",
    "policy_is_set_and_loads",
    "rules_mean_what_they_say",
    "writes_are_recorded_for_everyone",
]
