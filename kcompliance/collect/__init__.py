"""The outside world: one module per source, each handing over captures and nothing else."""

from kcompliance.collect.interface import Collected, Collection, Progress

__all__ = ["Collected", "Collection", "Progress"]
