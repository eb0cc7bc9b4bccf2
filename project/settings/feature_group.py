"""The section `data.feature_group`: the data is the offline store of a feature group."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field, field_validator

from project.settings.section import Section


class FeatureGroupSettings(Section):
    """The feature group whose offline store is the data, of which Preprocess takes the latest record of each id."""

    record_identifier: str = Field(description="Its RecordIdentifierFeatureName; not a feature of the model.")
    event_time: str = Field(
        description="Its EventTimeFeatureName; not a feature of the model, but it may be `split.time_column`."
    )
    as_of: str | None = Field(
        default=None,
        description="Time in ISO 8601, such as `2026-11-01T00:00:00Z`: what was written to the offline store later is "
        "ignored.",
    )

    @field_validator("as_of", mode="before")
    @classmethod
    def _a_time(cls, value: object) -> object:
        # YAML reads a time without quotes as one
        if isinstance(value, datetime):
            value = value.isoformat()
        if value is None or not isinstance(value, str):
            return value
        try:
            zone = datetime.fromisoformat(value).tzinfo
        except ValueError:
            zone = None
        if zone is None:
            raise ValueError(f"{value!r} is not a time in ISO 8601 with its zone, such as 2026-11-01T00:00:00Z")
        return value
