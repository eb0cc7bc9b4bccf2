"""Gradient boosting with LightGBM: its parameters and its datasets."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import lightgbm as lgb
import numpy as np

from training.cluster import Cluster
from training.data import Split, model_columns
from training.metrics import ITERATION_METRICS

OBJECTIVES = {"BinaryClassification": "binary", "MulticlassClassification": "multiclass", "Regression": "regression"}

# How many rows LightGBM computes bins from, by default.
BINNED_ROWS = 200_000

# The hyperparameters that are LightGBM's own.
LIGHTGBM_PARAMETERS = (
    "num_leaves",
    "learning_rate",
    "max_depth",
    "min_data_in_leaf",
    "feature_fraction",
    "bagging_fraction",
    "bagging_freq",
    "lambda_l1",
    "lambda_l2",
    "seed",
)


def boost(
    train: Split,
    validation: Split,
    weights: np.ndarray | None,
    schema: Mapping[str, Any],
    options: argparse.Namespace,
    cluster: Cluster,
    callbacks: Sequence[Callable[[lgb.callback.CallbackEnv], None]],
    interrupted: lgb.Booster | None,
    binned: Split | None,
) -> lgb.Booster:
    """Train a booster. After each iteration the loss of the validation rows is measured.

    Args:
        train: This host's training rows.
        validation: This host's validation rows, which may be none.
        weights: A weight for each class, shape (classes,); None to weight all rows alike.
        schema: The content of schema.json.
        options: The parsed command line.
        cluster: The hosts that train together.
        callbacks: What is called after each iteration, in this order.
        interrupted: The trees of an interrupted training, which go first.
        binned: The rows that the bins of the features are computed from; by default a sample of ``train``.
    """
    parameters = lightgbm_parameters(schema, options) | cluster.parameters()

    def dataset(split: Split, reference: lgb.Dataset | None = None) -> lgb.Dataset:
        return lgb.Dataset(
            split.features,
            split.target,
            reference=reference,
            weight=None if weights is None else weights[split.target.astype(np.int64)],
            feature_name=feature_names(schema),
            categorical_feature=[i for i, column in enumerate(model_columns(schema)) if column["type"] == "category"],
            params=parameters,
        )

    # LightGBM's hosts divide the features among them, and each bins its own by its own rows. These may be all of one
    # kind, so that the bins of all features come from the same rows of all hosts instead, on every host.
    bins = None if binned is None else dataset(binned).construct()
    train_set = dataset(train, bins)
    return lgb.train(
        parameters,
        train_set,
        num_boost_round=options.num_boost_round - (interrupted.current_iteration() if interrupted else 0),
        valid_sets=[dataset(validation, train_set)] if len(validation) else [],
        valid_names=["validation"] if len(validation) else [],
        init_model=interrupted,
        callbacks=[*callbacks],
    )


def predict(booster: lgb.Booster, split: Split, schema: Mapping[str, Any]) -> np.ndarray:
    """Predict the rows of a split, which may be none: shape (n,), or (n, classes) for more than two classes."""
    if not len(split):
        return np.empty((0, len(schema["classes"])) if schema["problem_type"] == "MulticlassClassification" else 0)
    return np.asarray(booster.predict(split.features))


def lightgbm_parameters(schema: Mapping[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """Build LightGBM's parameters for the problem type of the schema."""
    problem_type = schema["problem_type"]
    parameters = {name: getattr(options, name) for name in LIGHTGBM_PARAMETERS} | {
        "objective": OBJECTIVES[problem_type],
        # what early stopping watches; LightGBM measures it after each iteration
        "metric": next(iter(ITERATION_METRICS[problem_type])),
        # The same seed gives the same model, whatever the number of threads.
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": int(os.environ.get("SM_NUM_CPUS", os.cpu_count() or 1)),
        "verbosity": -1,
    }
    if problem_type == "MulticlassClassification":
        parameters["num_class"] = len(schema["classes"])
    return parameters


def feature_names(schema: Mapping[str, Any]) -> list[str]:
    """Make feature names that LightGBM accepts: unique, without whitespace and JSON's special characters."""
    names: dict[str, None] = {}
    for index, column in enumerate(model_columns(schema)):
        name = re.sub(r"[^\w.-]", "_", column["name"])
        while name in names:
            name += f"_{index}"
        names[name] = None
    return [*names]
