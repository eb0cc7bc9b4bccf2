"""The section `tuning`: the search for hyperparameters, by a tuning job of SageMaker.

The rules and limits are those of automatic model tuning, so that a mistake is found before anything is sent:
https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-limits.html
"""

from __future__ import annotations

import itertools
import math
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from project.settings.section import ProblemType, Section
from project.settings.training import TrainingSettings
from project.settings.training_metrics import CURVE_METRICS, MINIMIZED, TRAINING_METRICS
from project.settings.tuning_ranges import NumberRange, Range, default_ranges, parse_ranges

MAX_JOBS = {"Bayesian": 750, "Random": 10_000, "Grid": 750, "Hyperband": 750}
# how often train.py prints the objective, with the final value: more, and Hyperband would stop every job
MAX_REPORTS = 60
# combinations of categories that are checked against each other
MAX_CHECKED = 100

JobName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,31}$")]


class HyperbandSettings(Section):
    """How long strategy Hyperband lets a trial train, in reports of the objective: about 50 in a whole training."""

    min_resource: int = Field(default=5, ge=1, description="Reports before which no trial is stopped.")
    max_resource: int = Field(
        default=MAX_REPORTS,
        ge=MAX_REPORTS,
        le=20_000,
        description="Reports of a whole training; a trial that has made more is stopped, without a model.",
    )


class TuningSettings(Section):
    """A search for hyperparameters. With this section, the training pipeline has a Tuning step instead of Train."""

    max_jobs: int | None = Field(
        default=None,
        ge=1,
        description="Number of trials, each a training job (default: 20; with `strategy: Grid`, all combinations).",
    )
    max_parallel_jobs: int = Field(default=2, ge=1, le=100, description="Number of trials that run at the same time.")
    strategy: Literal["Bayesian", "Random", "Grid", "Hyperband"] = Field(
        default="Bayesian",
        description="How values are chosen: from the results of earlier trials (`Bayesian`), at random (`Random`), all "
        "combinations (`Grid`), or at random with early stops of bad trials (`Hyperband`).",
    )
    objective: str | None = Field(
        default=None,
        description="Metric that the search optimizes, by the name that train.py prints (default: `auc`, "
        "`multi_logloss`, `rmse` or `ndcg@10`, by the problem type): its mean over the folds with "
        "`training.folds`, else that of the validation split.",
    )
    ranges: dict[str, Range] = Field(
        default={},
        description="What to search, by LightGBM's names: `num_leaves: {min: 8, max: 256, scaling: Logarithmic}`, or a "
        "list of values (default: learning rate, leaves, regularization and sampling, except those that "
        "`training` sets).",
    )
    early_stopping: Literal["Auto", "Off"] = Field(
        default="Off", description="Whether SageMaker stops trials that are unlikely to become the best (`Auto`)."
    )
    hyperband: HyperbandSettings = Field(default=HyperbandSettings(), description="Settings of strategy Hyperband.")
    warm_start_from: tuple[JobName, ...] = Field(
        default=(), max_length=5, description="Names of earlier tuning jobs whose trials the search learns from."
    )
    warm_start_type: Literal["TransferLearning", "IdenticalDataAndAlgorithm"] = Field(
        default="TransferLearning",
        description="Whether data and code may differ from those of the earlier tuning jobs (`TransferLearning`), or "
        "are the same (`IdenticalDataAndAlgorithm`).",
    )
    random_seed: int | None = Field(
        default=None, ge=0, lt=2**31, description="Seed of the search (default: `training.seed`)."
    )

    @field_validator("ranges", mode="before")
    @classmethod
    def _parse_ranges(cls, ranges: Any) -> Any:
        return parse_ranges(ranges)

    @model_validator(mode="after")
    def _consistent(self) -> TuningSettings:
        limit = MAX_JOBS[self.strategy]
        if self.max_jobs is not None and self.max_jobs > limit:
            raise ValueError(f"max_jobs is {self.max_jobs}; strategy {self.strategy} allows at most {limit}")
        if self.max_jobs is not None and self.max_parallel_jobs > self.max_jobs:
            raise ValueError(f"max_parallel_jobs is {self.max_parallel_jobs}, more than max_jobs ({self.max_jobs})")
        if self.strategy == "Grid":
            self._check_grid()
        if self.strategy == "Hyperband" and self.early_stopping == "Auto":
            raise ValueError("strategy Hyperband stops trials itself; set early_stopping to Off, or remove it")
        if self.strategy != "Hyperband" and "hyperband" in self.model_fields_set:
            raise ValueError(f"hyperband is for strategy Hyperband, not {self.strategy}; remove one of them")
        if self.hyperband.min_resource > self.hyperband.max_resource:
            raise ValueError(
                f"hyperband.min_resource is {self.hyperband.min_resource}, more than max_resource "
                f"({self.hyperband.max_resource})"
            )
        if "warm_start_type" in self.model_fields_set and not self.warm_start_from:
            raise ValueError("warm_start_type needs warm_start_from: the names of earlier tuning jobs")
        return self

    def _check_grid(self) -> None:
        if not self.ranges:
            raise ValueError("strategy Grid needs ranges: for each parameter a list of the values to try")
        if numbers := [name for name, item in self.ranges.items() if isinstance(item, NumberRange)]:
            raise ValueError(
                f"strategy Grid tries lists of values; give lists instead of ranges for {', '.join(numbers)}, such as "
                f"{numbers[0]}: [{self.ranges[numbers[0]].min:g}, {self.ranges[numbers[0]].max:g}]"  # type: ignore[union-attr]
            )
        combinations = math.prod(len(item) for item in self.ranges.values() if not isinstance(item, NumberRange))
        if combinations > MAX_JOBS["Grid"]:
            raise ValueError(
                f"the grid has {combinations} combinations; SageMaker allows at most {MAX_JOBS['Grid']}: remove "
                "values, or use strategy Random"
            )
        if self.max_jobs not in (None, combinations):
            raise ValueError(f"max_jobs is {self.max_jobs}, but the grid has {combinations} combinations; remove it")
        if self.warm_start_from:
            raise ValueError(
                "strategy Grid tries all combinations, whatever earlier jobs found; remove warm_start_from"
            )

    def check(self, problem_type: ProblemType, training: TrainingSettings) -> None:
        """Check what depends on other sections.

        Raises:
            ValueError: The objective is not a metric of the problem type, or a parameter has a value and a range.
        """
        metrics = TRAINING_METRICS[problem_type]
        if self.objective is not None and self.objective not in metrics:
            raise ValueError(
                f"tuning.objective is {self.objective!r}; for {problem_type} it must be one of {', '.join(metrics)}"
            )
        objective = self.metric(problem_type)
        stops = "strategy Hyperband" if self.strategy == "Hyperband" else "early_stopping Auto"
        needs_curve = self.strategy == "Hyperband" or self.early_stopping == "Auto"
        if needs_curve and training.folds:
            raise ValueError(
                f"training.folds makes the mean over the folds the objective, which is known only when a training "
                f"ends; remove it, or {stops}"
            )
        if needs_curve and objective not in CURVE_METRICS:
            printed = [name for name in metrics if name in CURVE_METRICS]
            raise ValueError(
                f"tuning.objective is {objective!r}, which is known only when a training ends; {stops} needs one of "
                f"{', '.join(printed)}"
            )
        if fixed := [name for name in self.ranges if name in training.model_fields_set]:
            raise ValueError(
                f"training.{fixed[0]} is {getattr(training, fixed[0])!r} and has a range in tuning.ranges; remove one "
                "of them"
            )
        if not self.search_space(training):
            raise ValueError("training sets all parameters that tuning would search; give tuning.ranges")
        self._check_combinations(training)

    def _check_combinations(self, training: TrainingSettings) -> None:
        """Check that the ends of the ranges can be combined with each other and with the settings of the training."""
        space = self.search_space(training)
        choices = {name: item for name, item in space.items() if not isinstance(item, NumberRange)}
        given = {name: getattr(training, name) for name in training.model_fields_set}
        for numbers in _corners({name: item for name, item in space.items() if isinstance(item, NumberRange)}):
            for values in itertools.islice(itertools.product(*choices.values()), MAX_CHECKED):
                chosen = dict(zip(choices, values, strict=True))
                try:
                    TrainingSettings.model_validate(given | numbers | chosen)
                except ValidationError as error:
                    reason = error.errors()[0]["msg"].removeprefix("Value error, ")
                    tried = ", ".join(f"{name} {value}" for name, value in {**chosen, **numbers}.items())
                    raise ValueError(f"tuning.ranges cannot be combined: {reason} (tried {tried})") from None

    def metric(self, problem_type: ProblemType) -> str:
        """Return the metric that the search optimizes."""
        return self.objective or TRAINING_METRICS[problem_type][0]

    def objective_name(self, problem_type: ProblemType, training: TrainingSettings) -> str:
        """Return the name under which the training job reports the objective, such as `validation:auc`."""
        return f"{'folds' if training.folds else 'validation'}:{self.metric(problem_type)}"

    def is_minimized(self, problem_type: ProblemType) -> bool:
        return self.metric(problem_type) in MINIMIZED

    def search_space(self, training: TrainingSettings) -> dict[str, Range]:
        """Return the ranges to search: those given, or the default ones of parameters that `training` does not set."""
        return self.ranges or default_ranges(training)

    @property
    def number_of_jobs(self) -> int:
        """The number of trials; for a grid, of its combinations."""
        if self.strategy == "Grid":
            return math.prod(len(item) for item in self.ranges.values() if not isinstance(item, NumberRange))
        return self.max_jobs or max(20, self.max_parallel_jobs)


def _corners(ranges: dict[str, NumberRange]) -> list[dict[str, int | float]]:
    """Return the lowest values of all ranges, the highest ones, and both with one range at its other end.

    These have each pair of ranges at every combination of their ends, without the 2^n corners of n ranges.
    """
    lowest = {name: item.min for name, item in ranges.items()}
    highest = {name: item.max for name, item in ranges.items()}
    exchanged = [
        base | {name: other[name]} for base, other in ((lowest, highest), (highest, lowest)) for name in ranges
    ]
    return [lowest, highest, *exchanged]
