"""Is the audit trail central, and does somebody notice when it is not? (KC-MON)"""

from kcompliance.checks.monitoring.audit_log_leaves_the_cluster import audit_log_leaves_the_cluster
from kcompliance.checks.monitoring.forwarder_is_ready_on_every_node import (
    forwarder_is_ready_on_every_node,
)
from kcompliance.checks.monitoring.host_audit_daemon_is_active import host_audit_daemon_is_active

__all__ = [
    "audit_log_leaves_the_cluster",
    "forwarder_is_ready_on_every_node",
    "host_audit_daemon_is_active",
]
