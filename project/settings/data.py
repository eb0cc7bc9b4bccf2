"""The section `data`: where the data is and what its columns mean."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from project.settings.columns import NUMBER_TYPES, ColumnSettings, CsvSettings, DatetimeSettings
from project.settings.feature_group import FeatureGroupSettings
from project.settings.lags import LagSettings
from project.settings.section import Section, Share


class SplitSettings(Section):
    """How rows are split into train, validation and test; the three shares add up to 1."""

    strategy: Literal["random", "time", "group"] = Field(
        default="random",
        description="How rows are assigned to splits: `random` (stratified by class), `time` (the newest rows are the "
        "test split) or `group` (rows of a group stay together).",
    )
    time_column: str | None = Field(
        default=None, description="Column to order rows by, for strategy `time`; not a feature."
    )
    group_column: str | None = Field(
        default=None, description="Column of the groups, for strategy `group`; not a feature."
    )
    train: Share = Field(default=0.7, description="Share of the rows to train on.")
    validation: Share = Field(default=0.1, description="Share of the rows for early stopping.")
    test: Share = Field(default=0.2, description="Share of the rows for the evaluation.")

    @model_validator(mode="after")
    def _consistent(self) -> SplitSettings:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-9:
            raise ValueError(f"train, validation and test must add up to 1, they add up to {total:g}")
        if self.strategy == "time" and not self.time_column:
            raise ValueError("strategy 'time' needs time_column")
        if self.strategy == "group" and not self.group_column:
            raise ValueError("strategy 'group' needs group_column")
        return self


class ValidationSettings(Section):
    """Requirements that the data must meet before a model is trained."""

    min_rows: int = Field(default=50, ge=10, description="Minimum number of rows; fewer are an error.")
    max_missing_share: float = Field(
        default=0.95,
        gt=0,
        le=1,
        description="Highest share of missing values that a column may have; more is an error.",
    )
    outlier_z_score: float = Field(
        default=8.0, gt=0, description="Robust z-score from which a value is reported as an outlier."
    )


NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")

TIME_COLUMN = "split.time_column"
# The settings that preprocess.py reads from data.json; it gets the others as arguments. Its DataSettings has the same.
STRUCTURED = ("columns", "missing_values", "datetime_columns", "encodings", "lags")


class DataSettings(Section):
    """Location of the data and meaning of its columns."""

    input: str | None = Field(
        default=None,
        description="CSV, JSON lines or Parquet data: a file or folder relative to the settings file, or an s3:// URI; "
        "a name that ends in `.manifest` is a manifest of S3 objects. Without it, every execution needs `--input` or "
        "the parameter InputDataUri.",
    )
    feature_group: FeatureGroupSettings | None = Field(
        default=None,
        description="With it, the data is the offline store of a SageMaker feature group, and `input` its "
        "ResolvedOutputS3Uri.",
    )
    csv: CsvSettings = Field(default=CsvSettings(), description="Format of CSV files.")
    target_column: str = Field(description="Column to predict.")
    positive_class: str | int | None = Field(
        default=None,
        description="Class whose probability a binary model predicts; by default the last of the two in sorted order.",
    )
    group_column: str | None = Field(
        default=None,
        description="With `problem_type: Ranking`, column of the queries: the rows of a query are ranked against each "
        "other, and stay together in one split; not a feature.",
    )
    weight_column: str | None = Field(
        default=None,
        description="Column of sample weights, numbers of at least 0, for training and metrics; not a feature.",
    )
    drop_columns: tuple[str, ...] = Field(default=(), description="Columns that are not features, such as identifiers.")
    categorical_columns: tuple[str, ...] = Field(
        default=(), description="Columns to treat as categories, besides text and booleans."
    )
    columns: dict[str, ColumnSettings] = Field(
        default={},
        description="Columns whose values are written as people write them, by name: amounts, percentages, booleans in "
        "words, spellings of categories.",
    )
    missing_values: tuple[str, ...] = Field(
        default=(),
        description="Texts that stand for a missing value in every column, such as `unknown`, besides empty fields, "
        "`NA`, `N/A`, `NaN`, `null` and the like; surrounding whitespace is ignored, case is not.",
    )
    features: str | None = Field(
        default=None,
        pattern=r"^(.*/)?features\.py$",
        description="A file `features.py`, relative to the settings file, with the function `add_features(rows)`, "
        "which makes the model's columns of the features, in Preprocess and at the endpoint.",
    )
    datetime_columns: dict[str, DatetimeSettings] = Field(
        default={},
        description="Dates and times, as ISO 8601, as `29.02.2024 13:00`, or as seconds or milliseconds since 1970, of "
        "which the model gets the parts: a list of columns, or for each column its `parts` (default: year, month, day, "
        "weekday, hour, days_since_epoch; also: minute, day_of_year) and the parts that are `cyclic`.",
    )
    encodings: dict[str, Literal["frequency", "target"]] = Field(
        default={},
        description="Text columns with many values that become a number: `frequency`, the share of training rows with "
        "the value, or `target`, the mean target of the training rows with the value (cross-fitted).",
    )
    duplicates: Literal["keep", "drop", "error"] = Field(
        default="keep",
        description="Rows that equal an earlier row in all columns: `keep` them, `drop` them, or fail with an `error`; "
        "the validation report says how many there are and what dropping does to the target.",
    )
    lags: LagSettings | None = Field(
        default=None,
        description="Earlier values of columns as features such as `sales_lag_7`, which requests contain, too; needs "
        "split strategy `time`.",
    )
    split: SplitSettings = Field(default=SplitSettings(), description="Train, validation and test splits.")
    validation: ValidationSettings = Field(default=ValidationSettings(), description="Requirements for the data.")

    @field_validator("datetime_columns", mode="before")
    @classmethod
    def _named(cls, value: object) -> object:
        return {column: {} for column in value} if isinstance(value, list | tuple) else value

    @model_validator(mode="after")
    def _derived_from_one_setting(self) -> DataSettings:
        settings = {
            "target_column": [self.target_column],
            "drop_columns": self.drop_columns,
            "categorical_columns": self.categorical_columns,
            "split.group_column": [self.split.group_column],
            TIME_COLUMN: [self.split.time_column],
            "columns as a number": [name for name, column in self.columns.items() if column.type in NUMBER_TYPES],
        }
        for name in self.datetime_columns:
            for setting, columns in (settings | {"encodings": self.encodings}).items():
                if name in columns:
                    copy = ", or copy it in the data to have its parts as features" if setting == TIME_COLUMN else ""
                    raise ValueError(
                        f"column {name!r} is in datetime_columns and in {setting}; remove it from one{copy}"
                    )
        for name in self.encodings:
            for setting, columns in settings.items():
                if name in columns and setting != "categorical_columns":
                    raise ValueError(f"column {name!r} is in encodings and in {setting}; remove it from one")
        return self

    @field_validator("positive_class", mode="before")
    @classmethod
    def _not_a_boolean(cls, value: object) -> object:
        # YAML reads a bare true or false as a boolean, which matches no text in a column
        if isinstance(value, bool):
            raise ValueError(f"YAML reads it as the boolean {value}; put the class in quotes, spelled as in the data")
        return value

    @model_validator(mode="after")
    def _lags_fit_the_split(self) -> DataSettings:
        if self.lags is None:
            return self
        if self.split.strategy != "time":
            raise ValueError(
                f"lags needs split strategy 'time': a row of a {self.split.strategy} test split would have its values "
                "in lags of training rows"
            )
        time = self.split.time_column
        if self.lags.time not in (None, time):
            raise ValueError(f"lags.time is {self.lags.time!r}; it must be split.time_column, {time!r}")
        if time in (*self.lags.key, *self.lags.columns):
            raise ValueError(f"lags orders rows by {time!r}; remove it from lags.key and lags.columns")
        return self

    @model_validator(mode="after")
    def _weights_are_a_column_of_their_own(self) -> DataSettings:
        others: dict[str, tuple[str | None, ...]] = {
            "target_column": (self.target_column,),
            "split.time_column": (self.split.time_column,),
            "group_column": (self.group_column,),
            "split.group_column": (self.split.group_column,),
            "drop_columns": self.drop_columns,
            "categorical_columns": self.categorical_columns,
        }
        for setting, columns in others.items():
            if self.weight_column and self.weight_column in columns:
                raise ValueError(
                    f"weight_column {self.weight_column!r} is in {setting}, too; remove it from one of them"
                )
        return self

    @field_validator("missing_values", mode="before")
    @classmethod
    def _texts(cls, values: object) -> object:
        if not isinstance(values, list | tuple):
            return values
        for value in values:
            if not isinstance(value, str):
                raise ValueError(f"YAML reads {value} as {type(value).__name__}, not as a text; put it in quotes")
            if NUMBER.fullmatch(value.strip()):
                raise ValueError(
                    f"{value!r} is a number, which may be a value in another column; leave these fields empty instead"
                )
        return tuple(value.strip() for value in values)

    @model_validator(mode="after")
    def _columns_have_one_meaning(self) -> DataSettings:
        for name, column in self.columns.items():
            if name in self.categorical_columns and column.type not in (None, "category"):
                raise ValueError(
                    f"column {name!r} has type {column.type} in columns, but is in categorical_columns; remove it from "
                    "one of them"
                )
        return self

    @property
    def not_features(self) -> tuple[str, ...]:
        """The columns that are dropped: `drop_columns`, and those of a feature group that have no other role."""
        if self.feature_group is None:
            return self.drop_columns
        roles = (self.target_column, self.group_column, self.split.time_column, self.split.group_column)
        keys = (self.feature_group.record_identifier, self.feature_group.event_time)
        return (*self.drop_columns, *(name for name in keys if name not in (*roles, *self.drop_columns)))

    @property
    def structured(self) -> dict[str, Any]:
        """The content of data.json: the settings of STRUCTURED that do not have their defaults."""
        fields = type(self).model_fields
        changed = {name for name in STRUCTURED if getattr(self, name) != fields[name].default}
        return self.model_dump(mode="json", include=changed)
