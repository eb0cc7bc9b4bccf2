"""The section `fairness`: the groups for which bias is measured, and how much of it a model may have."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from project.settings.data import DataSettings
from project.settings.lightgbm import did_you_mean
from project.settings.section import ProblemType, Section

Value = str | int | float

# The metrics by Clarify's names: those of the training data, and those of the predictions.
PRE_TRAINING = ("CI", "DPL", "KL", "JS", "LP", "TVD", "KS", "CDDL")
POST_TRAINING = ("DPPL", "DI", "AD", "RD", "DAR", "DRR", "SD", "CDDPL", "DCA", "DCR", "TE", "GE", "FT")
# metrics whose value without bias is 1, while that of all others is 0
RATIOS = frozenset({"DI"})
# metrics that compare the groups within each value of the group column
CONDITIONAL = frozenset({"CDDL", "CDDPL"})


def _refuse_booleans(values: Any) -> Any:
    """Refuse a bare true or false, which YAML reads as a boolean that matches no text in a column."""
    for value in values if isinstance(values, list | tuple) else ():
        if isinstance(value, bool):
            raise ValueError(f"YAML reads {value} as a boolean; put it in quotes, spelled as in the data")
    return values


class Facet(Section):
    """A column and the values of the group for which bias is measured: all other rows are the group to compare with."""

    column: str = Field(description="Column of the group; it may be a dropped column, which the model does not get.")
    values: Annotated[tuple[Value, ...], Field(min_length=1)] | None = Field(
        default=None, description="Values of the group; without `values` and `threshold`, each value is a group."
    )
    threshold: float | None = Field(
        default=None, description="For a column of numbers, the value above which a row is in the group."
    )

    _no_booleans = field_validator("values", mode="before")(_refuse_booleans)

    @model_validator(mode="after")
    def _one_of_both(self) -> Facet:
        if self.values is not None and self.threshold is not None:
            raise ValueError(f"facet {self.column!r} has values and a threshold; remove one of them")
        return self


class FairnessSettings(Section):
    """Bias of the training data and of the predictions, by the metrics of SageMaker Clarify."""

    facets: tuple[Facet, ...] = Field(
        min_length=1,
        description="Groups: for each, its `column`, and its `values` or the `threshold` above which a row is in it, "
        "such as `{column: sex, values: [female]}` and `{column: age, threshold: 60}`; with neither, each value is a "
        "group. Dropped columns may be among them.",
    )
    favourable: tuple[Value, ...] = Field(
        default=(),
        description="Values of the target that are the favourable outcome; for Regression a number, above which an "
        "outcome is favourable. By default `data.positive_class`.",
    )
    group_column: str | None = Field(
        default=None,
        description="Column by whose values CDDL and CDDPL compare the groups, such as the department of an "
        "application; it may be a dropped column.",
    )
    max: dict[str, float | tuple[float, float]] = Field(
        default={},
        description="What a model may have of a metric to be registered: a number is the largest distance from 0, "
        "`[0.8, 1.25]` the lowest and the highest value. Metrics of the training data: CI, DPL, KL, JS, LP, TVD, KS, "
        "CDDL; of the predictions on the test split: DPPL, DI, AD, RD, DAR, DRR, SD, CDDPL, DCA, DCR, TE, GE, FT.",
    )

    _no_booleans = field_validator("favourable", mode="before")(_refuse_booleans)

    @field_validator("favourable", mode="before")
    @classmethod
    def _as_list(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str | int | float) else value

    @field_validator("max")
    @classmethod
    def _limits(cls, limits: dict[str, float | tuple[float, float]]) -> dict[str, float | tuple[float, float]]:
        for metric, limit in limits.items():
            _check_limit(metric, limit)
        return limits

    @model_validator(mode="after")
    def _consistent(self) -> FairnessSettings:
        columns = [facet.column for facet in self.facets]
        for column in columns:
            if columns.count(column) > 1:
                raise ValueError(
                    f"facets has column {column!r} twice; name it once, without values to measure each value as a group"
                )
        if self.group_column in columns:
            raise ValueError(f"group_column {self.group_column!r} is a facet, too; remove one of them")
        for metric in self.max:
            if metric in CONDITIONAL and self.group_column is None:
                raise ValueError(f"max.{metric} needs group_column, the column by whose values it compares the groups")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the facets, and the group column."""
        return (*(facet.column for facet in self.facets), *filter(None, [self.group_column]))

    @property
    def limits(self) -> dict[str, tuple[float, float]]:
        """The lowest and the highest value that each metric of `max` may have."""
        return {metric: limit if isinstance(limit, tuple) else (-limit, limit) for metric, limit in self.max.items()}

    @property
    def pre_training_metrics(self) -> list[str]:
        """The metrics of the training data, those by the group column only with one."""
        return [metric for metric in PRE_TRAINING if self.group_column or metric not in CONDITIONAL]

    @property
    def post_training_metrics(self) -> list[str]:
        """The metrics of the predictions: the flip test, which compares all rows with each other, only if required."""
        return [
            metric
            for metric in POST_TRAINING
            if (self.group_column or metric not in CONDITIONAL) and (metric != "FT" or metric in self.max)
        ]

    def check(self, problem_type: ProblemType, data: DataSettings) -> None:
        """Raise ValueError unless columns and favourable outcome fit the data and the problem type."""
        if problem_type == "Ranking":
            raise ValueError("fairness compares outcomes, which a Ranking does not have; remove it")
        for column in self.columns:
            if column in (data.target_column, data.weight_column):
                role = "target_column" if column == data.target_column else "weight_column"
                setting = "group_column" if column == self.group_column else "facets"
                raise ValueError(f"fairness.{setting} has {column!r}, which is data.{role}; name another column")
        favourable = self.favourable_outcome(data)
        _check_booleans("favourable", data.target_column, favourable, data)
        for facet in self.facets:
            _check_booleans(f"facets: column {facet.column!r}", facet.column, facet.values or (), data)
        if not favourable:
            needed = {
                "BinaryClassification": "set it to the value of the target that is good for a person, or set "
                "data.positive_class, which is the default",
                "MulticlassClassification": "set it to the values of the target that are good for a person",
                "Regression": "set it to the number above which an outcome is good for a person",
            }
            raise ValueError(f"fairness.favourable is missing; {needed[problem_type]}")
        if problem_type == "Regression" and (len(favourable) > 1 or isinstance(favourable[0], str)):
            raise ValueError(
                f"fairness.favourable is {list(favourable)}; for Regression it must be one number, above which an "
                "outcome is favourable"
            )

    def favourable_outcome(self, data: DataSettings) -> tuple[Value, ...]:
        """Return the favourable values of the target, or the number above which it is favourable; empty if unknown."""
        default = () if data.positive_class is None else (data.positive_class,)
        return self.favourable or default

    def for_evaluation(self, problem_type: ProblemType, data: DataSettings) -> dict[str, Any]:
        """Return the part `fairness` of quality.json, in the terms of analyzer/bias/config.py."""
        favourable = self.favourable_outcome(data)
        by_threshold = problem_type == "Regression"
        return {
            "label": data.target_column,
            "favourable": {
                "values": [] if by_threshold else list(favourable),
                "threshold": favourable[0] if by_threshold else None,
            },
            "facets": [facet.model_dump(mode="json") for facet in self.facets],
            "group_column": self.group_column,
            "max": {metric: list(limit) for metric, limit in self.limits.items()},
        }


def _check_booleans(setting: str, column: str, values: tuple[Value, ...], data: DataSettings) -> None:
    """Raise ValueError if values are not those that data.columns makes of the booleans of a column."""
    settings = data.columns.get(column)
    if settings is None or settings.type != "boolean":
        return
    for value in values:
        if value not in ("true", "false"):
            raise ValueError(
                f"fairness.{setting} has the value {value!r}, but data.columns makes {column!r} a boolean; write "
                '"true" or "false", in quotes'
            )


def _check_limit(metric: str, limit: float | tuple[float, float]) -> None:
    known = (*PRE_TRAINING, *POST_TRAINING)
    if metric not in known:
        suggestion = did_you_mean(metric.upper(), list(known)) or f"; the metrics are {', '.join(known)}"
        raise ValueError(f"Clarify has no bias metric {metric!r}{suggestion}")
    if isinstance(limit, tuple):
        if limit[0] > limit[1]:
            raise ValueError(f"{metric} is {list(limit)}; write the lowest value first")
    elif metric in RATIOS:
        raise ValueError(
            f"{metric} is {limit:g}, but without bias it is 1; write the lowest and the highest value, such as "
            "[0.8, 1.25]"
        )
    elif limit < 0:
        raise ValueError(f"{metric} is {limit:g}, but it is a distance from 0; write {-limit:g}, or both ends")
