"""Is the audit trail retained? (KC-RET)"""

from kcompliance.checks.retention.archive_is_kept_two_years import archive_is_kept_two_years
from kcompliance.checks.retention.azure_archive_is_kept_two_years import (
    azure_archive_is_kept_two_years,
)
from kcompliance.checks.retention.backups_run import backups_run
from kcompliance.checks.retention.deletion_is_not_too_early import deletion_is_not_too_early
from kcompliance.checks.retention.deletion_waits_for_a_backup import deletion_waits_for_a_backup
from kcompliance.checks.retention.eks_archive_is_kept_and_current import (
    eks_archive_is_kept_and_current,
)
from kcompliance.checks.retention.eks_log_group_keeps_six_months import (
    eks_log_group_keeps_six_months,
)
from kcompliance.checks.retention.log_analytics_keeps_audit_tables import (
    log_analytics_keeps_audit_tables,
)
from kcompliance.checks.retention.oldest_record_is_old_enough import oldest_record_is_old_enough
from kcompliance.checks.retention.rotation_bridges_an_outage import rotation_bridges_an_outage
from kcompliance.checks.retention.store_keeps_six_months import store_keeps_six_months

__all__ = [
    "archive_is_kept_two_years",
    "azure_archive_is_kept_two_years",
    "backups_run",
    "deletion_is_not_too_early",
    "deletion_waits_for_a_backup",
    "eks_archive_is_kept_and_current",
    "eks_log_group_keeps_six_months",
    "log_analytics_keeps_audit_tables",
    "oldest_record_is_old_enough",
    "rotation_bridges_an_outage",
    "store_keeps_six_months",
]
