"""Hyperparameters and folders, as the scikit-learn container passes them."""

from __future__ import annotations

import argparse
import difflib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from lightgbm.basic import _ConfigAliases

from training.errors import TrainingError
from training.threshold import parse_rule

# LightGBM's own names of options that have the name of an alias.
OWN_NAMES = {"num_iterations": "num_boost_round", "early_stopping_round": "early_stopping_rounds"}
SCRIPTS = Path(__file__).resolve().parent.parent


class Parser(argparse.ArgumentParser):
    """A parser whose errors become the job's FailureReason instead of exit status 2."""

    def error(self, message: str) -> NoReturn:
        raise TrainingError(f"hyperparameters: {message}; see the `training` section of the settings for valid ones")


def parse_arguments(description: str | None, arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line, with SageMaker's SM_* variables as defaults for folders.

    All other parameters of LightGBM are taken too, by their names or aliases. Their values are checked by LightGBM and
    become ``lightgbm``, a dictionary by LightGBM's own names.

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
    add("--objective", help="LightGBM's name; by default that of the problem type")
    add("--early_stopping_metric", help="metric of the validation split; by default the objective's own loss")
    add("--calibration", choices=("none", "isotonic", "sigmoid"), default="none", help="of two classes")
    add("--decision_threshold", type=parse_rule, default=0.5, help="of two classes: a number, best-f1, or JSON")
    add("--folds", type=int, default=0, help="0 for no cross-validation")
    add("--class_weight", choices=("none", "balanced"), default="none")
    add("--seed", type=int, default=42)
    for channel in ("train", "validation", "schema"):
        folder = os.environ.get(f"SM_CHANNEL_{channel.upper()}", f"/opt/ml/input/data/{channel}")
        add(f"--{channel}", type=Path, default=folder, help=f"folder of the {channel} channel")
    add("--model_dir", type=Path, default=os.environ.get("SM_MODEL_DIR", "/opt/ml/model"))
    add("--output_data_dir", type=Path, default=os.environ.get("SM_OUTPUT_DATA_DIR", "/opt/ml/output/data"))
    add("--checkpoint_dir", type=Path, default="/opt/ml/checkpoints", help="checkpoints are written if it exists")
    add("--inference_code", type=Path, default=SCRIPTS / "inference", help="folder to pack as code/ into the model")
    own, lightgbm = split(sys.argv[1:] if arguments is None else arguments, vars(parser.parse_args([])), parser)
    options = parser.parse_args(own)
    options.lightgbm = {name: decode(value) for name, value in lightgbm.items()}
    return options


def split(arguments: Sequence[str], options: Mapping[str, Any], parser: Parser) -> tuple[list[str], dict[str, str]]:
    """Split the command line into options of this script and LightGBM's other parameters, by its own names for them."""
    names = {alias: name for name, aliases in _ConfigAliases._get_all_param_aliases().items() for alias in aliases}
    own: list[str] = []
    given: dict[str, str] = {}
    lightgbm: dict[str, str] = {}
    rest = iter(arguments)
    for argument in rest:
        name, equals, value = argument.removeprefix("--").partition("=")
        if not argument.startswith("--") or name == "help":
            own.append(argument)
            continue
        known = name if name in options else names.get(name)
        if known is None:
            similar = difflib.get_close_matches(name, [*options, *names], n=1)
            parser.error(f"unknown name {name!r}" + (f"; did you mean {similar[0]!r}?" if similar else ""))
        known = OWN_NAMES.get(known, known)
        if given.setdefault(known, name) != name:
            parser.error(f"{given[known]!r} and {name!r} are the same parameter; keep one")
        if known in options:
            own += [f"--{known}={value}"] if equals else [f"--{known}"]
        else:
            lightgbm[known] = value if equals else next(rest, "")
    return own, lightgbm


def decode(value: str) -> Any:
    """Decode JSON; script mode writes booleans as Python does.

    Raises:
        TrainingError: A list or mapping is not JSON.
    """
    try:
        return json.loads(value.lower() if value in ("True", "False") else value)
    except ValueError as error:
        if value.startswith(("[", "{")):
            raise TrainingError(f"hyperparameters: {value!r} is not JSON: {error}") from None
        return value
