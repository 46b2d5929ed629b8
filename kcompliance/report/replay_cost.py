"""What a replay says beside its sums: money, and what no log can tell."""

from dataclasses import dataclass
from typing import Final

from kcompliance.model.audit_policy import AuditPolicy, Level
from kcompliance.model.replay import Replayed

__all__ = ["DAYS_OF_A_MONTH", "Cost", "cost_of", "unrecorded_by"]

DAYS_OF_A_MONTH: Final = 30
_GB: Final = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """For `DAYS_OF_A_MONTH` days, in the currency of the price; None where no bound is known."""

    price_per_gb: float
    recorded: float
    against: float | None
    new: float
    new_at_most: float | None


def cost_of(found: Replayed, price_per_gb: float | None, *, compared: bool) -> Cost | None:
    """None without a price, or where the log spans no time."""
    days = found.days
    if price_per_gb is None or days is None:
        return None

    def price(size: int) -> float:
        return round(size / days * DAYS_OF_A_MONTH / _GB * price_per_gb, 2)

    most = found.bytes_at_most
    return Cost(
        price_per_gb=price_per_gb,
        recorded=price(found.total.recorded.bytes),
        against=price(found.total.against.bytes) if compared else None,
        new=price(found.total.new.bytes),
        new_at_most=None if most is None else price(most),
    )


def unrecorded_by(policy: AuditPolicy) -> list[int | None]:
    """Lines of the rules by which a policy leaves requests out; None where no rule matches them."""
    lines: list[int | None] = [rule.line for rule in policy.rules if rule.level is Level.NONE]
    return lines if any(rule.catch_all for rule in policy.rules) else [*lines, None]
