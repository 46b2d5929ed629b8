"""Measurements beside what bounds and what others do; they report and assert nothing."""
