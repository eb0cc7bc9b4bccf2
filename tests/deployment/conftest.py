from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from project.settings import Settings
from tests.deployment.aws import Account

MakeSettings = Callable[..., Settings]


@pytest.fixture
def account() -> Account:
    made = Account()
    made.packages = {1: "Approved", 2: "Approved", 3: "PendingManualApproval"}
    return made


@pytest.fixture
def make_settings() -> MakeSettings:
    return minimal_settings


@pytest.fixture
def settings() -> Settings:
    return minimal_settings()


def minimal_settings(**sections: Any) -> Settings:
    """Settings of a project `demo`, with further sections."""
    minimal = {
        "name": "demo",
        "problem_type": "BinaryClassification",
        "data": {"target_column": "y", "drop_columns": ["customer"]},
        "quality": {"metric": "auc", "threshold": 0.9},
    }
    return Settings.model_validate(minimal | sections)
