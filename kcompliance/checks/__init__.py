"""The code of the controls: pure functions from readings to findings, one module each."""

from typing import Any

from kcompliance.checks.interface import Check
from kcompliance.checks.recording import (
    backend_is_active_and_durable,
    policy_is_set_and_loads,
    rules_mean_what_they_say,
    writes_are_recorded_for_everyone,
)

__all__ = ["ALL", "Check"]

ALL: tuple[Check[Any], ...] = (
    policy_is_set_and_loads,
    backend_is_active_and_durable,
    rules_mean_what_they_say,
    writes_are_recorded_for_everyone,
)
"""Every check there is, in the order of the controls' ids."""
