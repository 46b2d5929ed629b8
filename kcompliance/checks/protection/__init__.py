"""Is the audit trail protected? (KC-PRO)"""

from kcompliance.checks.protection.audit_data_is_safe_in_transit import (
    audit_data_is_safe_in_transit,
)

__all__ = [
    "audit_data_is_safe_in_transit",
]
