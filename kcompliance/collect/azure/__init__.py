"""Reads AKS clusters and what keeps their audit trail from Azure Resource Manager.

GET only, except for queries of Log Analytics (POST, which read). Keys of storage accounts are
never asked for. What is asked, and the action that each question needs: `docs/permissions.md`.
"""

from kcompliance.collect.azure.address import AksCluster, AksSearch, parse_aks
from kcompliance.collect.azure.cloud import cloud_of
from kcompliance.collect.azure.collector import collect_aks
from kcompliance.collect.azure.redaction import without_secrets

__all__ = ["AksCluster", "AksSearch", "cloud_of", "collect_aks", "parse_aks", "without_secrets"]
