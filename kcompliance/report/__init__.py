"""Findings to bytes: one module a format, each with types of its own."""

from kcompliance.report.interface import ChosenFramework, Findings, Outcome, Target
from kcompliance.report.json_scan import JsonFindings, render_json
from kcompliance.report.table import render_table
from kcompliance.report.table_findings import TableFindings

__all__ = [
    "ChosenFramework",
    "Findings",
    "JsonFindings",
    "Outcome",
    "TableFindings",
    "Target",
    "render_json",
    "render_table",
]
