"""Gradient boosting with LightGBM: parameters, datasets and the metrics of each iteration."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

import lightgbm as lgb
import numpy as np

from training.cluster import Cluster
from training.data import Split

OBJECTIVES = {"BinaryClassification": "binary", "MulticlassClassification": "multiclass", "Regression": "regression"}
# What LightGBM measures after each iteration; early stopping watches the first.
ITERATION_METRICS = {
    "BinaryClassification": ["binary_logloss", "auc"],
    "MulticlassClassification": ["multi_logloss"],
    "Regression": ["rmse", "mae"],
}
# How many points of the curve are printed for CloudWatch.
PRINTED_POINTS = 50

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

Curve = dict[str, list[float]]


def boost(
    train: Split,
    validation: Split,
    weights: np.ndarray | None,
    schema: Mapping[str, Any],
    options: argparse.Namespace,
    cluster: Cluster,
) -> tuple[lgb.Booster, Curve]:
    """Train a booster, with early stopping on the validation split.

    Args:
        train: This host's training rows.
        validation: The whole validation split.
        weights: A weight for each class, shape (classes,); None to weight all rows alike.
        schema: The content of schema.json.
        options: The parsed command line.
        cluster: The hosts that train together.

    Returns:
        The booster, and its training curve: a value per iteration for each column of training_curve.csv.
    """

    def dataset(split: Split, reference: lgb.Dataset | None = None) -> lgb.Dataset:
        return lgb.Dataset(
            split.features,
            split.target,
            reference=reference,
            weight=None if weights is None else weights[split.target.astype(np.int64)],
            feature_name=feature_names(schema),
            categorical_feature=[i for i, feature in enumerate(schema["features"]) if feature["type"] == "category"],
        )

    train_set = dataset(train)
    history: dict[str, dict[str, list[float]]] = {}
    callbacks = [lgb.record_evaluation(history)]
    if cluster.is_first:
        callbacks.append(print_metrics(max(1, options.num_boost_round // PRINTED_POINTS)))
    if options.early_stopping_rounds > 0:
        callbacks.append(lgb.early_stopping(options.early_stopping_rounds, first_metric_only=True, verbose=False))
    booster = lgb.train(
        lightgbm_parameters(schema, options) | cluster.parameters(),
        train_set,
        num_boost_round=options.num_boost_round,
        valid_sets=[train_set, dataset(validation, train_set)],
        valid_names=["train", "validation"],
        callbacks=callbacks,
    )
    curve = {
        f"{split}_{metric_name(metric)}": history[split][metric]
        for metric in history["train"]
        for split in ("train", "validation")
    }
    return booster, curve


def lightgbm_parameters(schema: Mapping[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """Build LightGBM's parameters for the problem type of the schema."""
    problem_type = schema["problem_type"]
    parameters = {name: getattr(options, name) for name in LIGHTGBM_PARAMETERS} | {
        "objective": OBJECTIVES[problem_type],
        "metric": ITERATION_METRICS[problem_type],
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
    for index, feature in enumerate(schema["features"]):
        name = re.sub(r"[^\w.-]", "_", feature["name"])
        while name in names:
            name += f"_{index}"
        names[name] = None
    return [*names]


def metric_name(name: str) -> str:
    """Translate LightGBM's name of a metric into the one that is printed."""
    return {"l1": "mae"}.get(name, name)


def print_metrics(period: int) -> Callable[[lgb.callback.CallbackEnv], None]:
    """Make a callback that prints the metrics every ``period`` iterations, which CloudWatch plots as curves."""

    def callback(environment: lgb.callback.CallbackEnv) -> None:
        if environment.iteration % period == 0:
            results = environment.evaluation_result_list or []
            values = [f"{split}_{metric_name(name)}={value:.8g}" for split, name, value, *_ in results]
            print(f"iteration={environment.iteration + 1}", *values, flush=True)

    return callback
