"""RBAC: who may do what, and what of it endangers the audit trail."""
