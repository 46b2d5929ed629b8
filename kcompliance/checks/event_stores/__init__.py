"""Where audit events can be searched, and what each such store tells the checks."""

from kcompliance.checks.event_stores.every import event_stores, no_event_store, seen_event_stores
from kcompliance.checks.event_stores.interface import Delivery, EventStore, Sampled, Sources, Times

__all__ = [
    "Delivery",
    "EventStore",
    "Sampled",
    "Sources",
    "Times",
    "event_stores",
    "no_event_store",
    "seen_event_stores",
]
