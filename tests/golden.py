"""Requests that only AWS can run, kept as JSON beside the tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


def assert_golden(path: Path, request: dict[str, Any]) -> None:
    """Compare a request with the file. A missing file is written, for review, and fails the test."""
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(request, indent=2) + "\n", encoding="utf-8")
        pytest.fail(f"{path} was missing; review it and run the test again")
    assert request == json.loads(path.read_text(encoding="utf-8"))
