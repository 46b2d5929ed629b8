"""Tests of kcompliance/collect."""
