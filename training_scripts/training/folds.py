"""Cross-validation: how much the metrics vary with the rows that a model is trained and measured on."""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from training.boosting import boost, predict
from training.cluster import Cluster
from training.data import Split, class_weights, concatenate, weigh_classes
from training.errors import TrainingError
from training.metrics import measure

Fold = tuple[np.ndarray, np.ndarray]


def cross_validate(
    train: Split,
    validation: Split,
    schema: Mapping[str, Any],
    options: argparse.Namespace,
    rounds: int,
    answer: Callable[[np.ndarray], np.ndarray],
) -> dict[str, Any]:
    """Train a model for each fold of the training and validation rows, and measure it on the fold.

    The models have as many rounds as the final one, so that no fold decides when its own training stops; and its
    calibration and decision threshold.

    Args:
        train: The training rows.
        validation: The validation rows.
        schema: The content of schema.json, with the decision threshold.
        options: The parsed command line.
        rounds: The rounds of the final model.
        answer: The function from the output of ``predict`` to what the final model answers.

    Returns:
        What metrics.json has as ``folds``.

    Raises:
        TrainingError: There are too few rows, groups or times for so many folds.
    """
    rows = concatenate([train, validation])
    by, folds = assign_folds(rows, options.folds, schema, options.seed)
    options = copy.copy(options)
    options.num_boost_round = rounds
    values: dict[str, list[float]] = {}
    for number, (others, own) in enumerate(folds, start=1):
        learned, measured = rows.take(others), rows.take(own)
        weights = class_weights(weigh_classes(learned, schema)) if options.class_weight == "balanced" else None
        booster = boost(learned, measured.take(own[:0]), weights, schema, options, Cluster(), [], None, None)
        metrics = measure(measured, answer(predict(booster, measured, schema)), schema)
        for name, value in metrics.items():
            values.setdefault(name, []).append(value)
        shown = ", ".join(f"{name} {value:.6g}" for name, value in metrics.items())
        print(f"fold {number} of {len(folds)} ({by}): {shown}", flush=True)
    return {"count": len(folds), "by": by, "metrics": {name: _summary(measured) for name, measured in values.items()}}


def assign_folds(rows: Split, folds: int, schema: Mapping[str, Any], seed: int) -> tuple[str, list[Fold]]:
    """Divide rows into folds by time, by group, or at random; where there are classes, with the same share of each.

    Returns:
        time, group, stratified or random; and for each fold the positions of the rows to train and to measure on.
    """
    from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

    if rows.time is not None:
        return "time", _by_time(rows, folds)
    number = len(rows) if rows.group is None else len(np.unique(rows.group))
    if number < folds:
        raise TrainingError(
            f"folds is {folds}, but there are {number} {'rows' if rows.group is None else 'groups'} for training and "
            f"validation; set folds to at most {number}"
        )
    settings = {"n_splits": folds, "shuffle": True, "random_state": seed}
    if schema["classes"] is None:
        by, splitter = ("random", KFold) if rows.group is None else ("group", GroupKFold)
    else:
        by, splitter = ("stratified", StratifiedKFold) if rows.group is None else ("group", StratifiedGroupKFold)
        counts = np.bincount(rows.target.astype(np.int64), minlength=len(schema["classes"]))
        if counts.min() < folds:
            raise TrainingError(
                f"folds is {folds}, but class {schema['classes'][int(counts.argmin())]!r} has {counts.min()} rows for "
                f"training and validation; set folds to at most {max(2, counts.min())}, or use more data"
            )
    return by, [*splitter(**settings).split(rows.target, rows.target, rows.group)]


def _by_time(rows: Split, folds: int) -> list[Fold]:
    """Divide rows into periods of about the same size; each but the first is a fold, trained for on all before it."""
    assert rows.time is not None
    time = rows.time
    if rows.group is not None:
        # a group is as old as its first row
        _, position = np.unique(rows.group, return_inverse=True)
        first = np.full(position.max() + 1, np.inf)
        np.minimum.at(first, position, time)
        time = first[position]
    starts = np.sort(time)[[len(time) * number // (folds + 1) for number in range(1, folds + 1)]]
    period = np.searchsorted(starts, time, side="right")
    if len(np.unique(period)) < folds + 1:
        raise TrainingError(
            f"folds is {folds}, but the rows for training and validation have too few different times for {folds + 1} "
            "periods; set fewer folds"
        )
    return [(np.flatnonzero(period < fold), np.flatnonzero(period == fold)) for fold in range(1, folds + 1)]


def _summary(values: list[float]) -> dict[str, Any]:
    return {
        "mean": float(np.mean(values)),
        "standard_deviation": float(np.std(values, ddof=1)),
        "values": values,
    }
