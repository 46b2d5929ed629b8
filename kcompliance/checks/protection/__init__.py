"""Is the audit trail protected? (KC-PRO)"""

from kcompliance.checks.protection.archive_is_worm import archive_is_worm
from kcompliance.checks.protection.audit_data_is_safe_in_transit import (
    audit_data_is_safe_in_transit,
)
from kcompliance.checks.protection.audit_policy_is_the_approved_one import (
    audit_policy_is_the_approved_one,
)
from kcompliance.checks.protection.audit_stores_are_encrypted_and_not_public import (
    audit_stores_are_encrypted_and_not_public,
)
from kcompliance.checks.protection.aws_trail_is_protected import aws_trail_is_protected
from kcompliance.checks.protection.azure_tampering_raises_an_alarm import (
    azure_tampering_raises_an_alarm,
)
from kcompliance.checks.protection.azure_trail_is_in_few_hands import azure_trail_is_in_few_hands
from kcompliance.checks.protection.files_are_root_only import files_are_root_only
from kcompliance.checks.protection.nobody_alters_audit_indices import nobody_alters_audit_indices
from kcompliance.checks.protection.rbac_lets_nobody_unexpected_touch_the_audit_chain import (
    rbac_lets_nobody_unexpected_touch_the_audit_chain,
)
from kcompliance.checks.protection.running_is_what_is_on_disk import running_is_what_is_on_disk
from kcompliance.checks.protection.search_server_is_secured import search_server_is_secured
from kcompliance.checks.protection.tampering_raises_an_alarm import tampering_raises_an_alarm
from kcompliance.checks.protection.writes_to_audit_files_are_reported import (
    writes_to_audit_files_are_reported,
)

__all__ = [
    "archive_is_worm",
    "audit_data_is_safe_in_transit",
    "audit_policy_is_the_approved_one",
    "audit_stores_are_encrypted_and_not_public",
    "aws_trail_is_protected",
    "azure_tampering_raises_an_alarm",
    "azure_trail_is_in_few_hands",
    "files_are_root_only",
    "nobody_alters_audit_indices",
    "rbac_lets_nobody_unexpected_touch_the_audit_chain",
    "running_is_what_is_on_disk",
    "search_server_is_secured",
    "tampering_raises_an_alarm",
    "writes_to_audit_files_are_reported",
]
