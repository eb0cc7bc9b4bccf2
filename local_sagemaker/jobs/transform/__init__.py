"""Batch transform jobs, and how they split, filter, join and assemble records."""
