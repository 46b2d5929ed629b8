"""Tests of kcompliance/checks/completeness."""
