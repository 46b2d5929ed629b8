"""Findings to bytes: one module a format, each with types of its own."""

from kcompliance.report.interface import ChosenFramework, Outcome, Target
from kcompliance.report.json_scan import render_json
from kcompliance.report.table import render_table

__all__ = ["ChosenFramework", "Outcome", "Target", "render_json", "render_table"]
