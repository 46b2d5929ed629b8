"""Falco: its rules, and which writes they report."""
