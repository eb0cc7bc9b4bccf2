from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from project.settings import Settings, load_settings

MINIMAL: dict[str, Any] = {
    "name": "demo",
    "problem_type": "BinaryClassification",
    "data": {"input": "s3://bucket/data.csv", "target_column": "y"},
    "quality": {"metric": "auc", "threshold": 0.9},
}


@pytest.fixture
def write_settings(tmp_path: Path) -> Callable[..., Path]:
    """Write a minimal settings file with some sections replaced, and return its path."""

    def write(**sections: Any) -> Path:
        path = tmp_path / "settings.yaml"
        path.write_text(yaml.safe_dump(MINIMAL | sections))
        return path

    return write


@pytest.fixture
def make_settings(write_settings: Callable[..., Path]) -> Callable[..., Settings]:
    def make(**sections: Any) -> Settings:
        return load_settings(write_settings(**sections))

    return make
