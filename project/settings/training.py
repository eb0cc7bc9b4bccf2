"""The section `training`: LightGBM's parameters."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from project.settings.lightgbm import settable_parameter
from project.settings.lightgbm_combinations import check_choice, check_combinations
from project.settings.section import Section

# LightGBM's own names of fields that have the name of an alias.
_OWN_NAMES = {"num_boost_round": "num_iterations", "early_stopping_rounds": "early_stopping_round"}
_FIELDS = {own: field for field, own in _OWN_NAMES.items()}
_NOT_LIGHTGBM = {"class_weight", "calibration", "folds"}
# Lists with a value for each column, which the settings take by the columns' names.
BY_COLUMN = ("max_bin_by_feature", "feature_contri", "cegb_penalty_feature_lazy", "cegb_penalty_feature_coupled")
# SageMaker's limit.
MAX_HYPERPARAMETER_LENGTH = 2500


class TrainingSettings(Section):
    """LightGBM parameters, under their LightGBM names or aliases; those that are not listed here as well."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)

    num_leaves: int = Field(default=31, ge=2, le=131072, description="Maximum number of leaves per tree.")
    learning_rate: float = Field(default=0.05, gt=0, le=1, description="Shrinkage rate of each boosting round.")
    num_boost_round: int = Field(default=500, ge=1, le=100000, description="Maximum number of boosting rounds.")
    early_stopping_rounds: int = Field(
        default=50,
        ge=0,
        le=10000,
        description="Rounds without improvement on the validation split before training stops; 0 "
        "disables early stopping.",
    )
    max_depth: int = Field(default=-1, ge=-1, description="Maximum depth of a tree; -1 for no limit.")
    min_data_in_leaf: int = Field(default=20, ge=0, description="Minimum number of rows per leaf.")
    feature_fraction: float = Field(default=1.0, gt=0, le=1, description="Share of the features sampled for each tree.")
    bagging_fraction: float = Field(default=1.0, gt=0, le=1, description="Share of the rows sampled for bagging.")
    bagging_freq: int = Field(default=0, ge=0, description="Rounds between two bagging samples; 0 disables bagging.")
    lambda_l1: float = Field(default=0.0, ge=0, description="L1 regularization.")
    lambda_l2: float = Field(default=0.0, ge=0, description="L2 regularization.")
    class_weight: Literal["none", "balanced"] = Field(
        default="none", description="`balanced` weights rows inversely to the frequency of their class."
    )
    seed: int = Field(default=42, ge=0, lt=2**31, description="Random seed of the split and the training.")
    objective: str | None = Field(
        default=None,
        description="What training minimizes, by LightGBM's name; by default `binary`, `multiclass`, `regression` or "
        "`lambdarank`.",
    )
    monotone_constraints: dict[str, Literal[-1, 0, 1]] = Field(
        default={},
        description="By name of a number column: 1 if the prediction must not fall when the column rises, -1 if it "
        "must not rise.",
    )
    interaction_constraints: list[list[str]] = Field(
        default=[], description="Groups of columns; only columns of one group may be in one branch of a tree."
    )

    calibration: Literal["none", "isotonic", "sigmoid"] = Field(
        default="none",
        description="How the probabilities of a binary model are calibrated, on the validation split: not at all, by a "
        "monotone function (`isotonic`, for some thousand rows and more) or by a logistic one (`sigmoid`).",
    )
    folds: Annotated[int, Field(ge=2, le=50)] | None = Field(
        default=None,
        description="Parts of the training and validation rows for a cross-validation: metrics with mean and standard "
        "deviation. The registered model is trained as without it.",
    )

    @model_validator(mode="before")
    @classmethod
    def _lightgbm_names(cls, content: Any) -> Any:
        """Replace aliases by the names of fields or LightGBM's own ones, and check values that no field checks."""
        if not isinstance(content, dict):
            return content
        named: dict[str, Any] = {}
        given_as: dict[str, str] = {}
        problems = []
        for given, value in content.items():
            name = given
            try:
                if name not in cls.model_fields:
                    parameter = settable_parameter(str(given), cls.model_fields)
                    name = _FIELDS.get(parameter.name, parameter.name)
                if name in named:
                    raise ValueError(f"{given_as[name]} and {given} are the same parameter of LightGBM; keep one")
                named[name], given_as[name] = value, given
                if name not in cls.model_fields:
                    named[name] = _by_column(name, value) if name in BY_COLUMN else parameter.check(value)
                    check_choice(name, named[name])
            except ValueError as error:
                problems.append(str(error))
        if problems:
            raise ValueError("; ".join(problems))
        return named

    @model_validator(mode="after")
    def _combinations(self) -> TrainingSettings:
        check_combinations(self.lightgbm | {"class_weight": self.class_weight})
        for name, text in self.hyperparameters().items():
            if len(str(text)) > MAX_HYPERPARAMETER_LENGTH:
                raise ValueError(
                    f"{name} is too long for a hyperparameter: {len(text)} characters, of which SageMaker allows "
                    f"{MAX_HYPERPARAMETER_LENGTH}; name fewer columns"
                )
        return self

    @property
    def further(self) -> dict[str, Any]:
        """The parameters of LightGBM that are not fields, by LightGBM's own names."""
        return dict(self.model_extra or {})

    @property
    def lightgbm(self) -> dict[str, Any]:
        """The parameters of LightGBM that are set or have a default here, by LightGBM's own names."""
        fields = {name: getattr(self, name) for name in type(self).model_fields if name not in _NOT_LIGHTGBM}
        return {_OWN_NAMES.get(name, name): value for name, value in fields.items()} | self.further

    def hyperparameters(self) -> dict[str, Any]:
        """Return the job's hyperparameters: the fields that always are, and the others that are set."""
        optional = ("objective", "monotone_constraints", "interaction_constraints", "calibration", "folds")
        further = {name: getattr(self, name) for name in optional} | self.further
        return self.model_dump(exclude={*further}) | {
            name: hyperparameter(value)
            for name, value in further.items()
            if value not in (None, {}, []) and (name, value) != ("calibration", "none")
        }


def name_of(given: str) -> str:
    """Return the name that a parameter has in the settings.

    Args:
        given: The name, or LightGBM's name or alias of it.

    Raises:
        ValueError: LightGBM has no such parameter, or a training job cannot set it.
    """
    if given in TrainingSettings.model_fields:
        return given
    parameter = settable_parameter(given, TrainingSettings.model_fields)
    return _FIELDS.get(parameter.name, parameter.name)


def _by_column(name: str, value: Any) -> dict[str, float]:
    parameter = settable_parameter(name)
    if not isinstance(value, dict) or not value:
        raise ValueError(f"{name} is {value!r}; expected numbers by the names of columns, such as {{age: 1}}")
    parameter.check([*value.values()])
    return {str(column): number for column, number in value.items()}


def hyperparameter(value: Any) -> str:
    """Encode a value for script mode, which decodes JSON and passes what it finds as Python writes it.

    Lists and mappings are encoded twice, so that train.py receives JSON.
    """
    if isinstance(value, str):
        return value
    return json.dumps(json.dumps(value)) if isinstance(value, (dict, list)) else json.dumps(value)
