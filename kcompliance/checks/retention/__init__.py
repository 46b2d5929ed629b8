"""Is the audit trail retained? (KC-RET)"""

from kcompliance.checks.retention.rotation_bridges_an_outage import rotation_bridges_an_outage

__all__ = [
    "rotation_bridges_an_outage",
]
