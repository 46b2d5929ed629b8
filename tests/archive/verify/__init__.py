"""Verifying whole archives."""
