"""Asks AWS about the audit trail of an EKS cluster, by boto3, and reads only."""

from kcompliance.collect.aws.asking import SharedAnswers
from kcompliance.collect.aws.collector import collect_eks
from kcompliance.collect.aws.target import EksTarget, read_eks_target

__all__ = ["EksTarget", "SharedAnswers", "collect_eks", "read_eks_target"]
