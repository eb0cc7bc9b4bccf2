"""The section `training`: LightGBM's parameters."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from project.settings.section import Section


class TrainingSettings(Section):
    """LightGBM parameters, under their LightGBM names."""

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
