"""Hyperparameters and folders, as the scikit-learn container passes them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from training.errors import TrainingError

SCRIPTS = Path(__file__).resolve().parent.parent


class Parser(argparse.ArgumentParser):
    """A parser whose errors become the job's FailureReason instead of exit status 2."""

    def error(self, message: str) -> NoReturn:
        raise TrainingError(f"hyperparameters: {message}; see the `training` section of the settings for valid ones")


def parse_arguments(description: str | None, arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line, with SageMaker's SM_* variables as defaults for folders.

    Args:
        description: The text of ``--help``.
        arguments: The command line without the program; that of this process by default.

    Raises:
        TrainingError: A hyperparameter is unknown or has an invalid value.
    """
    parser = Parser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    add = parser.add_argument
    add("--num_leaves", type=int, default=31)
    add("--learning_rate", type=float, default=0.05)
    add("--num_boost_round", type=int, default=500)
    add("--early_stopping_rounds", type=int, default=50, help="0 disables early stopping")
    add("--max_depth", type=int, default=-1)
    add("--min_data_in_leaf", type=int, default=20)
    add("--feature_fraction", type=float, default=1.0)
    add("--bagging_fraction", type=float, default=1.0)
    add("--bagging_freq", type=int, default=0)
    add("--lambda_l1", type=float, default=0.0)
    add("--lambda_l2", type=float, default=0.0)
    add("--class_weight", choices=("none", "balanced"), default="none")
    add("--seed", type=int, default=42)
    for channel in ("train", "validation", "schema"):
        folder = os.environ.get(f"SM_CHANNEL_{channel.upper()}", f"/opt/ml/input/data/{channel}")
        add(f"--{channel}", type=Path, default=folder, help=f"folder of the {channel} channel")
    add("--model_dir", type=Path, default=os.environ.get("SM_MODEL_DIR", "/opt/ml/model"))
    add("--output_data_dir", type=Path, default=os.environ.get("SM_OUTPUT_DATA_DIR", "/opt/ml/output/data"))
    add("--checkpoint_dir", type=Path, default="/opt/ml/checkpoints", help="checkpoints are written if it exists")
    add("--inference_code", type=Path, default=SCRIPTS / "inference", help="folder to pack as code/ into the model")
    return parser.parse_args(arguments)
