"""Gradient boosting with LightGBM: its parameters and its datasets."""

from __future__ import annotations

import argparse
import difflib
import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import lightgbm as lgb
import numpy as np

from training.cluster import Cluster
from training.data import Split, group_sizes, model_columns, row_weights
from training.errors import TrainingError
from training.iteration_metrics import LIGHTGBM_NAMES
from training.objectives import objective_of, watched_metric

# How many rows LightGBM computes bins from, by default.
BINNED_ROWS = 200_000

# LightGBM's parameters that are options of their own.
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


# LightGBM takes a list with a value for each column, in order; the hyperparameters name the columns.
BY_COLUMN = {
    "monotone_constraints": 0,
    "feature_contri": 1,
    "max_bin_by_feature": 255,
    "cegb_penalty_feature_lazy": 0,
    "cegb_penalty_feature_coupled": 0,
}


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
        weights: A weight for each class, shape (classes,); None to weight all classes alike.
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
            weight=row_weights(split, weights),
            group=group_sizes(split) if schema["problem_type"] == "Ranking" else None,
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
    """Predict the rows of a split, which may be none: raw scores of two classes, which a calibration may take.

    Returns:
        Shape (n,), or (n, classes) for more than two classes.
    """
    if not len(split):
        return np.empty((0, len(schema["classes"])) if schema["problem_type"] == "MulticlassClassification" else 0)
    is_binary = schema["problem_type"] == "BinaryClassification"
    return np.asarray(booster.predict(split.features, raw_score=is_binary))


def lightgbm_parameters(schema: Mapping[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """Build LightGBM's parameters for the problem type of the schema.

    Raises:
        TrainingError: The objective does not fit, or a parameter names a column that is not there or cannot have it.
    """
    objective = objective_of(schema, options)
    watched, _, top = watched_metric(schema, options).partition("@")
    parameters = {name: getattr(options, name) for name in LIGHTGBM_PARAMETERS} | options.lightgbm
    parameters |= {name: by_column(name, parameters, schema) for name in BY_COLUMN.keys() & parameters.keys()}
    if "interaction_constraints" in parameters:
        groups = parameters["interaction_constraints"]
        parameters["interaction_constraints"] = [
            [position(name, schema, "interaction_constraints") for name in group] for group in groups
        ]
    parameters |= {
        "objective": objective,
        # what early stopping watches; LightGBM measures it after each iteration
        "metric": LIGHTGBM_NAMES.get(watched, watched),
        # The same seed gives the same model, whatever the number of threads.
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": int(os.environ.get("SM_NUM_CPUS", os.cpu_count() or 1)),
        # warnings, see lightgbm_log.py
        "verbosity": 0,
    }
    if schema["problem_type"] == "MulticlassClassification":
        parameters["num_class"] = len(schema["classes"])
    if top:
        parameters["eval_at"] = [int(top)]
    return parameters


def by_column(name: str, parameters: Mapping[str, Any], schema: Mapping[str, Any]) -> list[float]:
    """Make LightGBM's list, with a value for each column, of values by column name."""
    columns = model_columns(schema)
    default = parameters.get("max_bin", BY_COLUMN[name]) if name == "max_bin_by_feature" else BY_COLUMN[name]
    values = [default] * len(columns)
    for column, value in parameters[name].items():
        index = position(column, schema, name)
        if name == "monotone_constraints" and value and columns[index]["type"] == "category":
            raise TrainingError(
                f"monotone_constraints names {column!r}, which is a category and has no order; remove it, or make it a "
                "number"
            )
        values[index] = value
    return values


def position(name: str, schema: Mapping[str, Any], parameter: str) -> int:
    """Find a column of the model by its name, which `parameter` has."""
    names = [column["name"] for column in model_columns(schema)]
    if name not in names:
        similar = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {similar[0]!r}?" if similar else f"the model has {', '.join(names[:10])}"
        raise TrainingError(f"{parameter} names {name!r}, which is not a column of the model; {hint}")
    return names.index(name)


def feature_names(schema: Mapping[str, Any]) -> list[str]:
    """Make feature names that LightGBM accepts: unique, without whitespace and JSON's special characters."""
    names: dict[str, None] = {}
    for index, column in enumerate(model_columns(schema)):
        name = re.sub(r"[^\w.-]", "_", column["name"])
        while name in names:
            name += f"_{index}"
        names[name] = None
    return [*names]
