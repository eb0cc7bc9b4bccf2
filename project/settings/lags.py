"""The section `data.lags`: earlier values of columns as features."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from project.settings.section import Section


class LagSettings(Section):
    """Earlier values of columns as features, for data that is ordered by time."""

    key: tuple[str, ...] = Field(
        default=(), description="Column or columns of which each value is a series of its own; by default one series."
    )
    time: str | None = Field(default=None, description="Column to order a series by: `data.split.time_column`.")
    columns: tuple[str, ...] = Field(
        min_length=1, description="Columns whose earlier values become features; the target may be among them."
    )
    steps: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        min_length=1, description="By how many rows of the series to look back: 1 is the row before."
    )

    @field_validator("key", mode="before")
    @classmethod
    def _as_list(cls, key: object) -> object:
        return (key,) if isinstance(key, str) else key

    @field_validator("columns", "steps")
    @classmethod
    def _distinct(cls, values: tuple[object, ...]) -> tuple[object, ...]:
        if len(set(values)) < len(values):
            raise ValueError(f"{', '.join(map(str, values))} has repeated values; remove them")
        return values
