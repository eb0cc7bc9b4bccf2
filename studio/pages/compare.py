"""Executions and model versions side by side."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("compare", __name__, url_prefix="/compare")


@blueprint.get("")
def compare() -> str:
    return "to do"
