"""A Kubernetes version, of which only major and minor decide anything here."""

import re
from dataclasses import dataclass
from typing import Self

__all__ = ["KubernetesVersion"]


@dataclass(frozen=True, slots=True, order=True)
class KubernetesVersion:
    """Major and minor, as in 1.36."""

    major: int
    minor: int

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read `v1.36.4`, `1.36`, `v1.33.5-eks-1a2b` or `1.31.4+rke2r1`; None if it is none."""
        found = re.match(r"v?(\d{1,3})\.(\d{1,4})(?![\d])", text.strip())
        return cls(int(found[1]), int(found[2])) if found else None

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"
