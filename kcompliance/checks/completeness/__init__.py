"""Is the audit trail complete? (KC-CMP)"""

from kcompliance.checks.completeness.creations_updates_and_deletions_are_recorded import (
    creations_updates_and_deletions_are_recorded,
)
from kcompliance.checks.completeness.events_answer_the_seven_questions import (
    events_answer_the_seven_questions,
)
from kcompliance.checks.completeness.failed_logins_and_denials_survive import (
    failed_logins_and_denials_survive,
)
from kcompliance.checks.completeness.ingest_is_sound import ingest_is_sound
from kcompliance.checks.completeness.loss_points_are_sized import loss_points_are_sized
from kcompliance.checks.completeness.newest_event_is_recent import newest_event_is_recent
from kcompliance.checks.completeness.no_blind_spots_for_the_privileged import (
    no_blind_spots_for_the_privileged,
)
from kcompliance.checks.completeness.no_events_are_lost import no_events_are_lost
from kcompliance.checks.completeness.permission_changes_are_recorded_with_bodies import (
    permission_changes_are_recorded_with_bodies,
)
from kcompliance.checks.completeness.secrets_do_not_leak_into_the_log import (
    secrets_do_not_leak_into_the_log,
)
from kcompliance.checks.completeness.sensitive_reads_are_recorded import (
    sensitive_reads_are_recorded,
)
from kcompliance.checks.completeness.sessions_are_recorded_for_both_transports import (
    sessions_are_recorded_for_both_transports,
)
from kcompliance.checks.completeness.trail_has_no_gap import trail_has_no_gap

__all__ = [
    "creations_updates_and_deletions_are_recorded",
    "events_answer_the_seven_questions",
    "failed_logins_and_denials_survive",
    "ingest_is_sound",
    "loss_points_are_sized",
    "newest_event_is_recent",
    "no_blind_spots_for_the_privileged",
    "no_events_are_lost",
    "permission_changes_are_recorded_with_bodies",
    "secrets_do_not_leak_into_the_log",
    "sensitive_reads_are_recorded",
    "sessions_are_recorded_for_both_transports",
    "trail_has_no_gap",
]
