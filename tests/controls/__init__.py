"""Tests of the controls that the package ships, and of their loader."""
