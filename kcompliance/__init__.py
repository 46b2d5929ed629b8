"""Proof that a Kubernetes audit trail is on, complete, retained and untampered."""

__version__ = "0.1.0"
__all__ = ["__version__"]
