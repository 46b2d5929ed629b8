"""The code of the controls: pure functions from readings to findings, one module each."""

from typing import Any

from kcompliance.checks.completeness import (
    creations_updates_and_deletions_are_recorded,
    failed_logins_and_denials_survive,
    loss_points_are_sized,
    no_blind_spots_for_the_privileged,
    no_events_are_lost,
    permission_changes_are_recorded_with_bodies,
    secrets_do_not_leak_into_the_log,
    sensitive_reads_are_recorded,
    sessions_are_recorded_for_both_transports,
)
from kcompliance.checks.interface import Check
from kcompliance.checks.protection import audit_data_is_safe_in_transit
from kcompliance.checks.recording import (
    backend_is_active_and_durable,
    policy_is_set_and_loads,
    rules_mean_what_they_say,
    writes_are_recorded_for_everyone,
)
from kcompliance.checks.retention import rotation_bridges_an_outage

__all__ = ["ALL", "Check"]

ALL: tuple[Check[Any], ...] = (
    policy_is_set_and_loads,
    backend_is_active_and_durable,
    rules_mean_what_they_say,
    writes_are_recorded_for_everyone,
    creations_updates_and_deletions_are_recorded,
    sensitive_reads_are_recorded,
    sessions_are_recorded_for_both_transports,
    permission_changes_are_recorded_with_bodies,
    failed_logins_and_denials_survive,
    secrets_do_not_leak_into_the_log,
    no_blind_spots_for_the_privileged,
    no_events_are_lost,
    loss_points_are_sized,
    audit_data_is_safe_in_transit,
    rotation_bridges_an_outage,
)
"""Every check there is, in the order of the controls' ids."""
