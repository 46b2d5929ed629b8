"""Tests of kcompliance/checks."""
