"""The section `data.feature_group`: the offline store of a feature group as data."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from deployment.records import non_feature_columns
from pipelines.preprocess_arguments import preprocess_arguments
from project.settings import Settings

GROUP = {"record_identifier": "customer", "event_time": "updated"}


def settings_with(group: dict[str, Any] | None, **more: Any) -> Settings:
    data = {"input": "s3://bucket/store/data", "target_column": "y", "feature_group": group, **more.pop("data", {})}
    return Settings.model_validate(
        {
            "name": "demo",
            "problem_type": "BinaryClassification",
            "data": data,
            "quality": {"metric": "auc", "threshold": 0.5},
            **more,
        }
    )


def test_identifier_and_event_time_are_not_features() -> None:
    settings = settings_with(GROUP, data={"drop_columns": ["note"]})
    arguments = " ".join(preprocess_arguments(settings))
    assert "--drop-columns note customer updated " in arguments
    assert "--record-identifier customer --event-time updated" in arguments
    assert non_feature_columns(settings) == {"y", "note", "customer", "updated"}


def test_the_event_time_may_order_the_rows() -> None:
    split = {"strategy": "time", "time_column": "updated"}
    arguments = " ".join(preprocess_arguments(settings_with(GROUP, data={"split": split})))
    assert "--drop-columns customer " in arguments
    assert "--time-column updated" in arguments


def test_a_time_has_a_zone() -> None:
    assert "--as-of 2026-11-01T00:00:00Z" in " ".join(
        preprocess_arguments(settings_with(GROUP | {"as_of": "2026-11-01T00:00:00Z"}))
    )
    with pytest.raises(ValidationError, match="is not a time in ISO 8601 with its zone"):
        settings_with(GROUP | {"as_of": "2026-11-01"})


def test_spark_does_not_read_a_feature_group() -> None:
    with pytest.raises(ValidationError, match=r"data.feature_group needs resources.engine: single"):
        settings_with(GROUP, resources={"engine": "spark"})


def test_without_a_feature_group_nothing_is_passed() -> None:
    assert "--record-identifier" not in preprocess_arguments(settings_with(None))
