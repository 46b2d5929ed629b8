"""The audit policy engine: load, evaluate and lint as kube-apiserver would.

Specification: the server's own code (k8s.io/apiserver `pkg/audit/policy`), against which the
tests compare this one by the hundred thousand.
"""

from kcompliance.model.audit_policy.evaluate import Decision, PolicyEvaluator, evaluate, matches
from kcompliance.model.audit_policy.lint import Lint, lint_policy, rule_covers
from kcompliance.model.audit_policy.load import (
    Loaded,
    NotRead,
    PolicyWarning,
    Refused,
    load_policy,
)
from kcompliance.model.audit_policy.policy import (
    AuditPolicy,
    GroupResources,
    Level,
    Rule,
    Stage,
)

__all__ = [
    "AuditPolicy",
    "Decision",
    "GroupResources",
    "Level",
    "Lint",
    "Loaded",
    "NotRead",
    "PolicyEvaluator",
    "PolicyWarning",
    "Refused",
    "Rule",
    "Stage",
    "evaluate",
    "lint_policy",
    "load_policy",
    "matches",
    "rule_covers",
]
