"""What a user names as `eks:…`: a cluster by its ARN, or by region and name."""

import re
from dataclasses import dataclass
from typing import Final

from kcompliance.errors import UsageError

__all__ = ["EksTarget", "read_eks_target"]

_ARN: Final = re.compile(
    r"arn:aws[a-z0-9-]*:eks:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):cluster/(?P<name>[^/]+)"
)
_SHORT: Final = re.compile(r"(?P<region>[a-z]{2}[a-z0-9-]*-\d+)/(?P<name>[^/]+)")
_NAME: Final = re.compile(r"[0-9A-Za-z][A-Za-z0-9_-]{0,99}")


@dataclass(frozen=True, slots=True, kw_only=True)
class EksTarget:
    """A cluster to look at; `arn` None: the account is that of the credentials."""

    text: str
    region: str
    name: str
    arn: str | None


def read_eks_target(text: str) -> EksTarget:
    """A target as it was written, `eks:` included. Raises UsageError."""
    written = text.removeprefix("eks:")
    found = _ARN.fullmatch(written) or _SHORT.fullmatch(written)
    if found is None or not _NAME.fullmatch(found["name"]):
        raise UsageError(
            f'not an EKS cluster: "{text}"',
            "write eks:REGION/NAME or eks:arn:aws:eks:REGION:ACCOUNT:cluster/NAME",
        )
    arn = written if written.startswith("arn:") else None
    return EksTarget(text=text, region=found["region"], name=found["name"], arn=arn)
