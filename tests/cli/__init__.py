"""Tests of kcompliance/cli."""
