"""Train LightGBM on the encoded splits, in the script mode of SageMaker's scikit-learn image.

Hyperparameters arrive as `--name value`, channels and folders in SageMaker's SM_* variables. Written to SM_MODEL_DIR: model.txt,
schema.json, metrics.json, code/inference.py, code/requirements.txt; to SM_OUTPUT_DATA_DIR: training_curve.csv, training_curve.svg.
Prints `validation_auc=0.99123` lines for MetricDefinitions. Metric names, each for train and validation:
    BinaryClassification       auc, binary_logloss, accuracy, f1
    MulticlassClassification   multi_logloss, accuracy, weighted_f1
    Regression                 rmse, mae, r2
and best_iteration, training_seconds. With several hosts in SM_HOSTS they train one model by LightGBM's data-parallel learning.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path


def main() -> None:
    parse_arguments()


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--num_leaves", type=int, default=31)
    parser.add_argument("--learning_rate", type=float, default=0.05)
    parser.add_argument("--num_boost_round", type=int, default=500)
    parser.add_argument("--early_stopping_rounds", type=int, default=50, help="0: all rounds")
    parser.add_argument("--max_depth", type=int, default=-1)
    parser.add_argument("--min_data_in_leaf", type=int, default=20)
    parser.add_argument("--feature_fraction", type=float, default=1.0)
    parser.add_argument("--bagging_fraction", type=float, default=1.0)
    parser.add_argument("--bagging_freq", type=int, default=0)
    parser.add_argument("--lambda_l1", type=float, default=0.0)
    parser.add_argument("--lambda_l2", type=float, default=0.0)
    parser.add_argument("--class_weight", choices=("none", "balanced"), default="none")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--train", type=Path, default=os.environ.get("SM_CHANNEL_TRAIN", "/opt/ml/input/data/train"))
    parser.add_argument(
        "--validation", type=Path, default=os.environ.get("SM_CHANNEL_VALIDATION", "/opt/ml/input/data/validation")
    )
    parser.add_argument("--schema", type=Path, default=os.environ.get("SM_CHANNEL_SCHEMA", "/opt/ml/input/data/schema"))
    parser.add_argument("--model_dir", type=Path, default=os.environ.get("SM_MODEL_DIR", "/opt/ml/model"))
    parser.add_argument(
        "--output_data_dir", type=Path, default=os.environ.get("SM_OUTPUT_DATA_DIR", "/opt/ml/output/data")
    )
    parser.add_argument("--failure_file", type=Path, default=Path("/opt/ml/output/failure"))
    parser.add_argument("--inference_code", type=Path, default=Path(__file__).resolve().parent / "inference")
    parser.add_argument("--hosts", type=json.loads, default=os.environ.get("SM_HOSTS", '["algo-1"]'))
    parser.add_argument("--current_host", default=os.environ.get("SM_CURRENT_HOST", "algo-1"))
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
