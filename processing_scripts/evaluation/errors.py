"""The errors of evaluate.py."""

from __future__ import annotations


class EvaluationError(Exception):
    """The model cannot be evaluated; the message names the thing, the value and the next move."""
