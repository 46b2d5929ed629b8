"""Tests of kcompliance: pure ones beside the package tree, and some against real servers."""
