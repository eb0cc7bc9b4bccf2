"""Measured comparisons with other tools; run by hand, never part of the tests."""
