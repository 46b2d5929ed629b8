"""What a user can do where a collector got no answer at all."""

from collections.abc import Mapping
from typing import Final

__all__ = ["HINTS"]

HINTS: Final[Mapping[str, str]] = {
    "kubernetes": "try:  kubectl config get-contexts  and  kubectl --context NAME version",
    "azure": "log in (az login), or set AZURE_CLIENT_ID and the like: docs/permissions.md",
    "aws": "as whom does  aws sts get-caller-identity  answer? See docs/permissions.md",
    "elasticsearch": (
        "is the server up, and KCOMPLIANCE_ELASTICSEARCH_API_KEY (or USERNAME and PASSWORD) right?"
    ),
    "archive": "try:  kcompliance archive list ARCHIVE",
}
"""By the collector, as origins name it."""
