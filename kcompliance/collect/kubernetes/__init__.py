"""Reads a cluster through its API server with the official client: GET only, nothing is written.

What is asked, and the permission for each, is in `docs/permissions.md`. Of every object only the
fields that controls ask about are kept. Values of the environment, and what may be a secret in
arguments and in configurations of forwarders, are overwritten before anything is hashed. Secrets
and Events are never listed.
"""

from kcompliance.collect.kubernetes.collector import collect_kubernetes
from kcompliance.collect.kubernetes.connection import ANSWER_SECONDS, MAX_BYTES
from kcompliance.collect.kubernetes.questions import FLAGZ_JSON, FLAGZ_SINCE

__all__ = ["ANSWER_SECONDS", "FLAGZ_JSON", "FLAGZ_SINCE", "MAX_BYTES", "collect_kubernetes"]
