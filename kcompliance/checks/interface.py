"""What a check is: a pure function from one cluster and its parameters to findings.

A check answers every aspect of its control, never catches an exception, reads no clock and asks
nobody anything. What it cannot see it says with `Finding.unreadable`; silence is no verdict.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from kcompliance.model.cluster import Cluster
from kcompliance.model.finding import Finding

__all__ = ["Check", "NoParams", "check"]

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class NoParams:
    """The parameters of a control that has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(Generic[P]):
    """The code of one control; `params` is a frozen dataclass with the YAML's names."""

    control: str
    params: type[P]
    run: Callable[[Cluster, P], Iterator[Finding]]
    title: str

    def __call__(self, cluster: Cluster, values: dict[str, Any]) -> Iterator[Finding]:
        """Run it with these parameter values."""
        return self.run(cluster, self.params(**values))


def check(
    control: str, params: type[P]
) -> Callable[[Callable[[Cluster, P], Iterator[Finding]]], Check[P]]:
    """Tie a function to the control of this id; the first line of its docstring is the title."""

    def tie(run: Callable[[Cluster, P], Iterator[Finding]]) -> Check[P]:
        title = (run.__doc__ or "").split("\n", 1)[0]
        return Check(control=control, params=params, run=run, title=title)

    return tie
