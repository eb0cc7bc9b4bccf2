"""Train a LightGBM model on the encoded splits, in the script mode of SageMaker's scikit-learn image.

Hyperparameters are passed as `--name value` under LightGBM's names; channels and folders come from SageMaker's SM_*
variables. Output:
    SM_MODEL_DIR         model.txt, schema.json, metrics.json and code/ (inference.py, its modules, requirements.txt):
                         the archive can be registered and served without repacking
    SM_OUTPUT_DATA_DIR   training_curve.csv, training_curve.svg

Metrics are printed as `validation_auc=0.99123`, the form that MetricDefinitions match: every few iterations, and at
the end those of the best iteration for the train and validation splits:
    BinaryClassification       auc, binary_logloss, accuracy, f1
    MulticlassClassification   multi_logloss, accuracy, weighted_f1
    Regression                 rmse, mae, r2
    Ranking                    ndcg@5, ndcg@10, map@10
followed by best_iteration and training_seconds. The final metrics weight rows by the column @weight if there is one,
and describe what is served: calibrated probabilities, and labels by the decision threshold. During training, rows are
also weighted by class if class_weight is balanced: that is the loss that training minimizes and early stopping watches.

Calibration and decision threshold of two classes are fitted on the validation split and stored in schema.json. With
folds, further models are trained on parts of the training and validation rows and measured on the rest; the final model
is trained on the training rows, as without folds.

With several hosts in SM_HOSTS, all hosts train one model by LightGBM's data-parallel learning, each on its share of the
training and the validation rows: the files that SageMaker gives it of a channel that is ShardedByS3Key, or every n-th
row of one that is FullyReplicated. Class weights, bins, losses, early stopping, metrics and the curve are those of all
rows, wherever they are, and up to BINNED_ROWS the bins are those of a single host. The model is not, to the bit: splits
that gain next to nothing depend on rounding, LightGBM estimates the rows of a leaf from its hessian, bagging draws from
each share, and a regression starts from the mean of the hosts' means. The first host writes the model and all other
files, after all hosts have agreed that their trees are the same.

With a checkpoint folder, which a job has that trains on spot instances, a job that is interrupted and restarted goes on
after its last checkpoint. Without bagging and feature sampling the model is that of an uninterrupted training, but for
rounding.

Exit status 0, or 1 with the reason on stderr and in SM_OUTPUT_DIR/failure, which SageMaker returns as FailureReason.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
from training.arguments import parse_arguments
from training.artifacts import write_model
from training.boosting import BINNED_ROWS, LIGHTGBM_PARAMETERS, boost, predict
from training.checkpoints import Checkpoints, checkpoint_path
from training.cluster import Cluster
from training.communicator import Communicator
from training.curve import SAMPLE_ROWS, TrainingCurve, write_curve
from training.data import class_weights, read_schema, read_split, row_weights, weigh_classes
from training.decision import Decision
from training.early_stopping import EarlyStopping
from training.errors import TrainingError
from training.folds import cross_validate
from training.goal import Goal
from training.lightgbm_log import LightGbmLog
from training.metrics import measure
from training.objectives import check_target
from training.pooling import PooledMetric, check_equal, count_rows, gather_answers, gather_rows, pool


def main(arguments: Sequence[str] | None = None) -> None:
    try:
        options, cluster = parse_arguments(__doc__, arguments), Cluster.from_environment(os.environ)
        with Communicator.connect(cluster) as communicator:
            train(options, cluster, communicator)
    except (TrainingError, lgb.basic.LightGBMError) as error:
        write_failure(str(error))
        sys.exit(str(error))
    except Exception as error:
        write_failure(f"{type(error).__name__}: {error}")
        raise


def write_failure(reason: str) -> None:
    path = Path(os.environ.get("SM_OUTPUT_DIR", "/opt/ml/output")) / "failure"
    if path.parent.is_dir():
        path.write_text(reason, encoding="utf-8")


def train(options: argparse.Namespace, cluster: Cluster, communicator: Communicator) -> None:
    """Train on the channels; the first host writes the model, its metrics and the training curve.

    Raises:
        TrainingError: A channel is missing or does not match the schema, a host has no training rows, or it is lost.
    """
    started, log = time.monotonic(), LightGbmLog()
    schema = read_schema(options.schema)
    train_split, validation_split = (
        cluster.share_of(name, read_split(getattr(options, name), schema, name in cluster.sharded))
        for name in ("train", "validation")
    )
    train_rows, validation_rows = count_rows(train_split, validation_split, communicator)
    goal = Goal.of(schema, options)
    check_target(train_split.target, goal.objective, schema["target"])
    check_combinations(goal, schema, options, cluster)
    weights = None
    if options.class_weight == "balanced":
        weights = class_weights(communicator.sum(weigh_classes(train_split, schema)))
    ranked = schema["problem_type"] == "Ranking"
    train_sample = pool(train_split, train_rows, SAMPLE_ROWS, communicator, ranked)
    validation_sample = pool(validation_split, validation_rows, SAMPLE_ROWS, communicator, ranked)
    binned_rows = options.lightgbm.get("bin_construct_sample_cnt", BINNED_ROWS)
    binned = pool(train_split, train_rows, binned_rows, communicator) if cluster.is_distributed else None

    curve = TrainingCurve(train_sample, validation_sample, weights, goal, options.num_boost_round, train_rows)
    stopping = EarlyStopping(options.early_stopping_rounds, float(options.lightgbm.get("early_stopping_min_delta", 0)))
    checkpoints = None
    # of trees that were trained before an interruption, LightGBM could not drop any
    if options.checkpoint_dir.is_dir() and not goal.changes_earlier_trees:
        checkpoints = Checkpoints(checkpoint_path(options, communicator), stopping, curve, communicator)
    callbacks: list[Callable[[lgb.callback.CallbackEnv], None]] = [stopping]
    if cluster.is_first:
        callbacks = [curve, stopping, *filter(None, [checkpoints])]
    if cluster.is_distributed:
        validation_weights = row_weights(validation_split, weights)
        if validation_weights is None:
            validation_weights = np.ones(len(validation_split))
        callbacks.insert(0, PooledMetric(goal.watched, validation_weights, communicator))
    interrupted = checkpoints.model if checkpoints else None
    booster = boost(train_split, validation_split, weights, schema, options, cluster, callbacks, interrupted, binned)

    if cluster.is_distributed:
        check_equal(booster, communicator)
    rows = gather_answers(validation_split, communicator)
    output = gather_rows(predict(booster, validation_split, schema), communicator)
    if not cluster.is_first:
        print(f"host {cluster.rank + 1} of {len(cluster.machines)} finished; the first host writes the model")
        return
    decision = Decision.fit(rows, output, schema, options)
    schema |= decision.schema_entries()
    best_iteration = booster.best_iteration or booster.current_iteration()
    metrics: dict[str, Any] = {
        "train": measure(train_sample, decision.answer(predict(booster, train_sample, schema)), schema),
        "validation": measure(rows, decision.answer(output), schema),
        "best_iteration": best_iteration,
        **decision.facts,
    }
    if options.folds:
        metrics["folds"] = cross_validate(
            train_split, validation_split, schema, options, best_iteration, decision.answer
        )
    metrics |= {
        "warnings": [*log.warnings, *decision.remarks()],
        "curve": curve.summary(best_iteration),
        "parameters": trained_parameters(goal, options),
        "versions": {"lightgbm": lgb.__version__, "python": platform.python_version()},
        "training_seconds": round(time.monotonic() - started, 3),
    }
    write_model(booster, schema, metrics, options.inference_code, options.model_dir)
    write_curve(curve, best_iteration, options.output_data_dir)
    print_metrics(metrics)
    if checkpoints:
        checkpoints.clear()


def check_combinations(goal: Goal, schema: Mapping[str, Any], options: argparse.Namespace, cluster: Cluster) -> None:
    """Check what the settings cannot: it depends on the number of instances, or on parameters of the execution.

    Raises:
        TrainingError: Options cannot be combined.
    """
    if goal.changes_earlier_trees and options.early_stopping_rounds:
        raise TrainingError(
            "boosting dart cannot be combined with early stopping, because it changes trees of earlier rounds; set "
            "early_stopping_rounds (EarlyStoppingRounds) to 0 and choose num_boost_round"
        )
    method = options.lightgbm.get("monotone_constraints_method", "basic")
    for refused, reason in (
        (schema["problem_type"] == "Ranking", "a Ranking, whose groups would be divided among instances,"),
        (options.folds, "folds"),
        (method != "basic", f"monotone_constraints_method {method}"),
    ):
        if refused and cluster.is_distributed:
            raise TrainingError(
                f"{reason} cannot be trained on {len(cluster.machines)} instances; use one (TrainingInstanceCount)"
            )


def trained_parameters(goal: Goal, options: argparse.Namespace) -> dict[str, Any]:
    """Return the hyperparameters as trained, by the names that `training` has for them."""
    names = (*LIGHTGBM_PARAMETERS, "num_boost_round", "early_stopping_rounds", "class_weight")
    given = {name: getattr(options, name) for name in names}
    return {"objective": goal.objective, "early_stopping_metric": goal.watched} | given | options.lightgbm


def print_metrics(metrics: Mapping[str, Any]) -> None:
    """Print the metrics in the form of MetricDefinitions."""
    for name in ("train", "validation"):
        for metric, value in metrics[name].items():
            print(f"{name}_{metric}={value:.8g}")
    for metric, fold in metrics.get("folds", {"metrics": {}})["metrics"].items():
        print(f"folds_{metric}_mean={fold['mean']:.8g} folds_{metric}_deviation={fold['standard_deviation']:.8g}")
    if "decision_threshold" in metrics:
        print(f"decision_threshold={metrics['decision_threshold']['value']:.8g}")
    print(f"best_iteration={metrics['best_iteration']}")
    print(f"training_seconds={metrics['training_seconds']}")


if __name__ == "__main__":
    main()
