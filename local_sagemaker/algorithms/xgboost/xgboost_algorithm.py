"""The built-in XGBoost algorithm, with which SageMaker's XGBoost images train if there is no script.

It reads the channels `train` and `validation` (CSV with the label first and no header, libsvm or Parquet), prints the
metrics of every round as the images do, and saves `xgboost-model` in XGBoost's own format; in images before 1.3, as a
pickle.

Sources: "XGBoost algorithm" in the developer guide; https://github.com/aws/sagemaker-xgboost-container.
"""

from __future__ import annotations

import csv
import json
import logging
import os
import pickle
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import xgboost as xgb
from pyarrow import csv as arrow_csv
from pyarrow import parquet
from scipy.sparse import csr_matrix
from xgboost_hyperparameters import MAXIMIZED, UserError, read_hyperparameters

MODEL_NAME = "xgboost-model"
CHECKPOINT_NAME = "xgboost-checkpoint"
CONTENT_TYPES = {
    "csv": "csv",
    "text/csv": "csv",
    "libsvm": "libsvm",
    "text/libsvm": "libsvm",
    "text/x-libsvm": "libsvm",
    "parquet": "parquet",
    "application/x-parquet": "parquet",
}

log = logging.getLogger(__name__)


def main() -> None:
    logging.basicConfig(
        stream=sys.stdout,
        level=logging.INFO,
        format="[%(asctime)s:%(levelname)s] %(message)s",
        datefmt="%Y-%m-%d:%H:%M:%S",
    )
    config = Path(os.environ["SM_INPUT_CONFIG_DIR"])
    hosts = json.loads(os.environ["SM_HOSTS"])
    try:
        if len(hosts) > 1:
            raise UserError(f"the built-in algorithm supports one instance on this machine, not {len(hosts)}")
        parameters = read_hyperparameters(json.loads((config / "hyperparameters.json").read_text()))
        channels = json.loads((config / "inputdataconfig.json").read_text())
        data = {name: read_channel(name, channels, parameters) for name in _data_channels(channels)}
        checkpoints = config / "checkpointconfig.json"
        checkpoint_dir = json.loads(checkpoints.read_text())["LocalPath"] if checkpoints.exists() else None
        train(parameters, data, Path(os.environ["SM_MODEL_DIR"]), checkpoint_dir and Path(checkpoint_dir))
    except (UserError, xgb.core.XGBoostError) as error:
        sys.exit(f"{type(error).__name__}: {error}")


def train(
    parameters: dict[str, Any], data: dict[str, xgb.DMatrix], model_dir: Path, checkpoint_dir: Path | None
) -> None:
    """Train a model, evaluate it in every round and save it.

    Args:
        parameters: The result of `read_hyperparameters`.
        data: The data of the channels `train` and, optionally, `validation`.
        model_dir: Where to save the model.
        checkpoint_dir: Where to save checkpoints; training resumes from the last one of an earlier run.
    """
    rounds = parameters.pop("num_round")
    parameters.pop("csv_weights", None)
    stopping_rounds = parameters.pop("early_stopping_rounds", None)
    save_each_round = parameters.pop("save_model_on_termination", "false") == "true"
    tuned = parameters.pop("_tuning_objective_metric", "").removeprefix("validation:")
    metrics = parameters.pop("eval_metric", [])
    wanted = sorted({*metrics, tuned}) if tuned else metrics
    custom = [metric for metric in wanted if metric in CUSTOM_METRICS]
    if native := [metric for metric in wanted if metric not in CUSTOM_METRICS]:
        parameters["eval_metric"] = native
    for name, matrix in data.items():
        log.info("%s matrix has %d rows and %d columns", name.capitalize(), matrix.num_row(), matrix.num_col())

    # print the metrics of every round, flushed, instead of the log of verbose_eval
    callbacks: list[xgb.callback.TrainingCallback] = [xgb.callback.EvaluationMonitor(logger=_print)]
    model, done = _last_checkpoint(checkpoint_dir) if checkpoint_dir else (None, 0)
    if checkpoint_dir:
        callbacks.append(xgb.callback.TrainingCheckPoint(checkpoint_dir, name=CHECKPOINT_NAME, interval=1))
    if save_each_round:
        callbacks.append(_SaveEachRound(model_dir))
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    stopping_metric = tuned or (metrics[-1] if metrics else None)
    if stopping_rounds and stopping_metric and "validation" in data:
        callbacks.append(
            xgb.callback.EarlyStopping(
                rounds=stopping_rounds,
                data_name="validation",
                metric_name=stopping_metric,
                maximize=stopping_metric.partition("@")[0] in MAXIMIZED,
                save_best=True,
            )
        )
    booster = xgb.train(
        parameters,
        data["train"],
        num_boost_round=max(0, rounds - done),
        evals=[(matrix, name) for name, matrix in data.items()],
        custom_metric=_custom_metric(custom, parameters.get("objective", "")) if custom else None,
        callbacks=callbacks,
        xgb_model=model,
        verbose_eval=False,
    )
    _save(booster, model_dir)


def read_channel(name: str, channels: dict[str, Any], parameters: dict[str, Any]) -> xgb.DMatrix:
    """Read the files of a channel.

    Raises:
        UserError: The channel is empty, or its data does not have the ContentType of the channel.
    """
    folder = Path(os.environ[f"SM_CHANNEL_{name.upper()}"])
    content_type = channels[name].get("ContentType", "text/libsvm")
    if not any(file.stat().st_size for file in _files(folder)):
        raise UserError(f"No data in {name} channel path {folder}")
    return read_folder(folder, content_type, weighted=parameters.get("csv_weights") == 1)


def read_folder(path: Path, content_type: str, weighted: bool = False) -> xgb.DMatrix:
    """Read the files of a folder, or one file.

    Args:
        path: The folder or the file.
        content_type: The data's ContentType.
        weighted: Whether the second column of a CSV file has weights.

    Raises:
        UserError: The data does not have the ContentType.
    """
    content_type = _content_type(content_type)
    files = [path] if path.is_file() else list(_files(path))
    read: Callable[[Path], Any] = {"csv": _csv, "libsvm": _libsvm, "parquet": _parquet}[content_type]
    try:
        parts = [read(file) for file in files if file.stat().st_size]
        if content_type == "libsvm":
            return _sparse(parts)
        table = np.concatenate(parts)
    except (ValueError, pa.ArrowException) as error:
        raise UserError(f"Failed to load {content_type} data with exception:\n{error}") from error
    weighted = weighted and content_type == "csv"
    return xgb.DMatrix(table[:, 1 + weighted :], label=table[:, 0], weight=table[:, 1] if weighted else None)


def _data_channels(channels: dict[str, Any]) -> list[str]:
    if "train" not in channels:
        raise UserError("Missing required channel: train")
    for name in channels:
        if name not in ("train", "validation", "code"):
            raise UserError(f"Extraneous channel found: {name}")
    return [name for name in ("train", "validation") if name in channels]


def _content_type(text: str) -> str:
    name, *options = (part.strip() for part in text.lower().split(";"))
    if name not in CONTENT_TYPES:
        raise UserError(f"{text} is not an accepted ContentType: {', '.join(CONTENT_TYPES)}.")
    size = next((option.partition("=")[2] for option in options if option.startswith("label_size=")), "1")
    if size != "1":
        raise UserError(f"{text} is not an accepted csv ContentType. Optional parameter label_size must be equal to 1")
    return CONTENT_TYPES[name]


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.name.startswith("."):
            raise UserError("Hidden file found in the data path! Remove that before training.")
        if path.is_file():
            yield path


def _csv(path: Path) -> np.ndarray:
    with path.open(encoding="utf-8") as file:
        line = file.readline().strip()
    try:
        delimiter = csv.Sniffer().sniff(line[:512]).delimiter
    except csv.Error:
        delimiter = ","
    # for a line with a single value such as 1.25 the sniffer may return one of its characters
    delimiter = "," if delimiter.isalnum() or delimiter in ".-+" else delimiter
    try:
        float(line.split(delimiter)[0])
    except ValueError:
        raise UserError(
            f"First line '{line[:50]}...' of file '{path.name}' is not 'CSV' format: it must begin with the label, a "
            "number; remove the header, if any"
        ) from None
    names = [str(number) for number in range(line.count(delimiter) + 1)]
    table = arrow_csv.read_csv(
        path,
        read_options=arrow_csv.ReadOptions(column_names=names),
        parse_options=arrow_csv.ParseOptions(delimiter=delimiter),
        convert_options=arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.float64())),
    )
    return _matrix(table)


def _parquet(path: Path) -> np.ndarray:
    return _matrix(parquet.read_table(path))


def _matrix(table: pa.Table) -> np.ndarray:
    matrix = np.empty((table.num_rows, table.num_columns), dtype=np.float32)
    for number, column in enumerate(table.columns):
        matrix[:, number] = column.cast(pa.float64()).to_numpy()
    return matrix


def _libsvm(path: Path) -> list[tuple[float, float, list[int], list[float]]]:
    """Return label, weight, indices and values of each row, which is `label[:weight] index:value index:value ...`."""
    rows = []
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            head, *items = line.partition("#")[0].split() or [""]
            if not head:
                continue
            try:
                label, _, weight = head.partition(":")
                pairs = [item.split(":") for item in items if not item.startswith("qid:")]
                indices, values = [int(index) for index, _ in pairs], [float(value) for _, value in pairs]
                rows.append((float(label), float(weight or 1), indices, values))
            except ValueError:
                raise UserError(
                    f"Line {number} '{line.strip()[:50]}...' of file '{path.name}' is not 'LIBSVM' format. "
                    "Please ensure the file is in 'LIBSVM' format."
                ) from None
    return rows


def _sparse(parts: list[list[tuple[float, float, list[int], list[float]]]]) -> xgb.DMatrix:
    rows = [row for part in parts for row in part]
    starts = np.cumsum([0, *(len(indices) for _, _, indices, _ in rows)])
    indices = np.array([index for row in rows for index in row[2]], dtype=np.int64)
    values = np.array([value for row in rows for value in row[3]])
    matrix = csr_matrix((values, indices, starts), shape=(len(rows), int(indices.max(initial=-1)) + 1))
    return xgb.DMatrix(matrix, label=[row[0] for row in rows], weight=[row[1] for row in rows])


def _last_checkpoint(folder: Path) -> tuple[str | None, int]:
    """Return the latest checkpoint and its number of rounds, or None and 0."""
    folder.mkdir(parents=True, exist_ok=True)
    found = {
        int(match[1]): path
        for path in folder.iterdir()
        if (match := re.fullmatch(rf"{CHECKPOINT_NAME}_(\d+)\.\w+", path.name))
    }
    if not found:
        return None, 0
    last = max(found)
    log.info("Checkpoint loaded from %s", found[last])
    log.info("Resuming from iteration %s", last + 1)
    return str(found[last]), last + 1


class _SaveEachRound(xgb.callback.TrainingCallback):
    """Saves the model after every round, so that a stopped job has one (save_model_on_termination)."""

    def __init__(self, model_dir: Path) -> None:
        super().__init__()
        self._model_dir = model_dir

    def after_iteration(self, model: xgb.Booster, epoch: int, evals_log: Any) -> bool:
        _save(model, self._model_dir)
        return False


def _save(booster: xgb.Booster, model_dir: Path) -> None:
    # replaced atomically, since the job may be stopped while the model is being written
    temporary_path = model_dir.parent / f"{MODEL_NAME}.ubj"
    if "XGBOOST_BEFORE_1_3" in os.environ:
        temporary_path.write_bytes(pickle.dumps(booster, protocol=4))
    else:
        booster.save_model(temporary_path)
    temporary_path.replace(model_dir / MODEL_NAME)


def _print(line: str) -> None:
    print(line.rstrip("\n"), flush=True)


# metrics of the images in addition to XGBoost's own

Score = Callable[[np.ndarray, np.ndarray, str], float]


def _class_score(name: str, **options: Any) -> Score:
    def score(labels: np.ndarray, predictions: np.ndarray, objective: str) -> float:
        from sklearn import metrics

        return float(getattr(metrics, name)(labels, _classes(predictions, objective), **options))

    return score


def _regression_score(name: str) -> Score:
    def score(labels: np.ndarray, predictions: np.ndarray, objective: str) -> float:
        from sklearn import metrics

        return float(getattr(metrics, name)(labels, predictions))

    return score


def _classes(predictions: np.ndarray, objective: str) -> np.ndarray:
    """Return the predicted classes.

    Args:
        predictions: Probabilities with a column per class, classes (multi:softmax), or probabilities or margins
            (binary:logitraw) of the positive class.
        objective: The objective.
    """
    if predictions.ndim == 2:
        return predictions.argmax(axis=1)
    if objective == "multi:softmax":
        return predictions
    return (predictions > (0 if objective == "binary:logitraw" else 0.5)).astype(int)


CUSTOM_METRICS = {
    "accuracy": _class_score("accuracy_score"),
    "balanced_accuracy": _class_score("balanced_accuracy_score"),
    "f1": _class_score("f1_score", average="macro"),
    "f1_binary": _class_score("f1_score"),
    "f1_macro": _class_score("f1_score", average="macro"),
    "mse": _regression_score("mean_squared_error"),
    "precision": _class_score("precision_score"),
    "precision_macro": _class_score("precision_score", average="macro"),
    "precision_micro": _class_score("precision_score", average="micro"),
    "r2": _regression_score("r2_score"),
    "recall": _class_score("recall_score"),
    "recall_macro": _class_score("recall_score", average="macro"),
    "recall_micro": _class_score("recall_score", average="micro"),
}


def _custom_metric(names: list[str], objective: str) -> Callable[[np.ndarray, xgb.DMatrix], list[tuple[str, float]]]:
    def measure(predictions: np.ndarray, matrix: xgb.DMatrix) -> list[tuple[str, float]]:
        return [(name, CUSTOM_METRICS[name](matrix.get_label(), predictions, objective)) for name in names]

    return measure


if __name__ == "__main__":
    main()
