"""Train LightGBM on the encoded splits, in the script mode of SageMaker's scikit-learn image.

Hyperparameters arrive as `--name value` under LightGBM's names; channels and folders in SageMaker's SM_* variables.
Written to SM_MODEL_DIR: model.txt, schema.json, metrics.json, and code/ with inference.py, its modules and
requirements.txt, so that the model archive can be registered and served as it is; to SM_OUTPUT_DATA_DIR:
training_curve.csv and training_curve.svg.

Metrics are printed as `validation_auc=0.99123` lines for MetricDefinitions, while training and at last for the best
iteration, each for train and validation:
    BinaryClassification       auc, binary_logloss, accuracy, f1
    MulticlassClassification   multi_logloss, accuracy, weighted_f1
    Regression                 rmse, mae, r2
then best_iteration and training_seconds. The last lines count every row alike; with class_weight balanced the log loss
on the way is weighted, as it is what training brings down and what early stopping watches.

With several hosts in SM_HOSTS, they learn one model together by LightGBM's data-parallel learning: each takes its share
of the train rows and the whole validation split, and the first host writes the model (its train metrics are of its
share).

Exit status 0, or 1 with the reason in SM_OUTPUT_DIR/failure, which SageMaker returns as FailureReason, and on stderr.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import shutil
import socket
import sys
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pyarrow.csv
from sklearn import metrics

OBJECTIVES = {"BinaryClassification": "binary", "MulticlassClassification": "multiclass", "Regression": "regression"}
# what LightGBM measures after each round; the first decides when to stop
CURVE_METRICS = {
    "BinaryClassification": ["binary_logloss", "auc"],
    "MulticlassClassification": ["multi_logloss"],
    "Regression": ["rmse", "mae"],
}
CURVE_POINTS = 50

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

LISTEN_PORT = 12400
RESOLVE_SECONDS = 300
CONNECT_MINUTES = 10

Curve = dict[str, list[float]]


class TrainingError(Exception):
    """Training cannot go on; the message names the thing, the value and the next move."""


def main(arguments: Sequence[str] | None = None) -> None:
    try:
        train(parse_arguments(arguments), Cluster.of_job(os.environ))
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


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise TrainingError(f"hyperparameters: {message}; see the settings' `training` section for those there are")


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    add = parser.add_argument
    add("--num_leaves", type=int, default=31)
    add("--learning_rate", type=float, default=0.05)
    add("--num_boost_round", type=int, default=500)
    add("--early_stopping_rounds", type=int, default=50, help="0: all rounds")
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
        add(f"--{channel}", type=Path, default=folder)
    add("--model_dir", type=Path, default=os.environ.get("SM_MODEL_DIR", "/opt/ml/model"))
    add("--output_data_dir", type=Path, default=os.environ.get("SM_OUTPUT_DATA_DIR", "/opt/ml/output/data"))
    add("--inference_code", type=Path, default=Path(__file__).resolve().parent / "inference")
    return parser.parse_args(arguments)


def train(options: argparse.Namespace, cluster: Cluster) -> None:
    """Train on the channels and write the model, its metrics and the training curve.

    Raises:
        TrainingError: a channel is absent or does not fit the schema, or the hosts cannot work together.
    """
    started = time.monotonic()
    schema = read_schema(options.schema)
    rows = read_split(options.train, schema)
    validation = read_split(options.validation, schema)
    weights = class_weights(rows.target, schema) if options.class_weight == "balanced" else None
    rows = cluster.share_of(rows)

    booster, curve = boost(rows, validation, weights, schema, options, cluster)
    if not cluster.is_first:
        print(f"host {cluster.rank + 1} of {len(cluster.machines)} is done; the first one writes the model")
        return
    results: dict[str, Any] = {
        split: measure(part.target, np.asarray(booster.predict(part.features)), schema)
        for split, part in (("train", rows), ("validation", validation))
    }
    results["best_iteration"] = booster.best_iteration or booster.current_iteration()
    results["training_seconds"] = round(time.monotonic() - started, 3)
    write_model(booster, schema, results, options)
    write_curve(curve, results["best_iteration"], options.output_data_dir)
    for split in ("train", "validation"):
        for name, value in results[split].items():
            print(f"{split}_{name}={value:.8g}")
    print(f"best_iteration={results['best_iteration']}")
    print(f"training_seconds={results['training_seconds']}")


# --- data ---


@dataclass(frozen=True)
class Rows:
    """features: shape (n, number of features), NaN for what is missing; target: shape (n,), class index or number."""

    features: np.ndarray
    target: np.ndarray


def read_schema(folder: Path) -> dict[str, Any]:
    path = folder / "schema.json"
    try:
        schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainingError(f"the schema channel has no readable {path} ({error}); it is Preprocess' output") from error
    return schema


def read_split(folder: Path, schema: Mapping[str, Any]) -> Rows:
    """All CSV files of a channel, one after the other."""
    names = [schema["target"], *(feature["name"] for feature in schema["features"])]
    paths = sorted(folder.glob("*.csv"))
    if not paths:
        raise TrainingError(f"the channel {folder} has no CSV file; it is an output of Preprocess")
    tables = []
    for path in paths:
        try:
            types = dict.fromkeys(names, pa.float64())
            table = pa.csv.read_csv(path, convert_options=pa.csv.ConvertOptions(column_types=types, null_values=[""]))
        except pa.ArrowInvalid as error:
            raise TrainingError(f"{path} is not an encoded split ({error}); run Preprocess again") from error
        if table.column_names != names:
            raise TrainingError(f"{path} has other columns than schema.json; both must come from one run of Preprocess")
        tables.append(table)
    table = pa.concat_tables(tables)
    # column by column, as that is how both Arrow and LightGBM keep them
    features = np.empty((len(table), len(names) - 1), order="F")
    for index, name in enumerate(names[1:]):
        features[:, index] = table[name].to_numpy()
    return Rows(features, table[schema["target"]].to_numpy())


def class_weights(target: np.ndarray, schema: Mapping[str, Any]) -> np.ndarray | None:
    """A weight for each class, so that all classes count alike: rows / (classes * rows of the class)."""
    if schema["classes"] is None:
        raise TrainingError("class_weight is 'balanced', but a Regression has no classes; set it to 'none'")
    counts = np.bincount(target.astype(np.int64), minlength=len(schema["classes"]))
    return len(target) / (len(counts) * np.maximum(counts, 1))


# --- learning ---


def boost(
    rows: Rows,
    validation: Rows,
    weights: np.ndarray | None,
    schema: Mapping[str, Any],
    options: argparse.Namespace,
    cluster: Cluster,
) -> tuple[lgb.Booster, Curve]:
    """The trained model and its training curve: a list for each column of training_curve.csv."""
    problem_type = schema["problem_type"]
    parameters = {name: getattr(options, name) for name in LIGHTGBM_PARAMETERS} | {
        "objective": OBJECTIVES[problem_type],
        "metric": CURVE_METRICS[problem_type],
        # the same model for the same seed, whatever the number of threads
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": int(os.environ.get("SM_NUM_CPUS", os.cpu_count() or 1)),
        "verbosity": -1,
    }
    if problem_type == "MulticlassClassification":
        parameters["num_class"] = len(schema["classes"])

    def dataset(part: Rows, reference: lgb.Dataset | None = None) -> lgb.Dataset:
        return lgb.Dataset(
            part.features,
            part.target,
            reference=reference,
            weight=None if weights is None else weights[part.target.astype(np.int64)],
            feature_name=feature_names(schema),
            categorical_feature=[i for i, feature in enumerate(schema["features"]) if feature["type"] == "category"],
        )

    train_set = dataset(rows)
    history: dict[str, dict[str, list[float]]] = {}
    callbacks = [lgb.record_evaluation(history)]
    if cluster.is_first:
        callbacks.append(print_curve(max(1, options.num_boost_round // CURVE_POINTS)))
    if options.early_stopping_rounds > 0:
        callbacks.append(lgb.early_stopping(options.early_stopping_rounds, first_metric_only=True, verbose=False))
    booster = lgb.train(
        parameters | cluster.parameters(),
        train_set,
        num_boost_round=options.num_boost_round,
        valid_sets=[train_set, dataset(validation, train_set)],
        valid_names=["train", "validation"],
        callbacks=callbacks,
    )
    curve = {
        f"{split}_{metric_name(metric)}": values
        for metric in next(iter(history.values()))
        for split in ("train", "validation")
        for values in [history[split][metric]]
    }
    return booster, curve


def feature_names(schema: Mapping[str, Any]) -> list[str]:
    """Names that LightGBM takes, in which blanks and JSON's own characters are not allowed, nor is a name twice."""
    names: list[str] = []
    for index, feature in enumerate(schema["features"]):
        name = re.sub(r"[^\w.-]", "_", feature["name"])
        names.append(f"{name}_{index}" if name in names else name)
    return names


def metric_name(name: str) -> str:
    return {"l1": "mae"}.get(name, name)


def print_curve(period: int) -> Callable[[lgb.callback.CallbackEnv], None]:
    """Print the metrics every so many rounds, so that CloudWatch draws them as curves."""

    def callback(environment: lgb.callback.CallbackEnv) -> None:
        if environment.iteration % period == 0:
            results = environment.evaluation_result_list or []
            values = [f"{split}_{metric_name(name)}={value:.8g}" for split, name, value, *_ in results]
            print(f"iteration={environment.iteration + 1}", *values, flush=True)

    return callback


def measure(target: np.ndarray, scores: np.ndarray, schema: Mapping[str, Any]) -> dict[str, float]:
    """The metrics of one split. scores: the model's output, shape (n,), or (n, classes) for several classes."""
    if schema["problem_type"] == "BinaryClassification":
        predicted = scores >= 0.5
        return {
            "auc": float(metrics.roc_auc_score(target, scores)),
            "binary_logloss": float(metrics.log_loss(target, scores, labels=[0, 1])),
            "accuracy": float(metrics.accuracy_score(target, predicted)),
            "f1": float(metrics.f1_score(target, predicted, zero_division=0)),
        }
    if schema["problem_type"] == "MulticlassClassification":
        predicted = scores.argmax(axis=1)
        return {
            "multi_logloss": float(metrics.log_loss(target, scores, labels=range(len(schema["classes"])))),
            "accuracy": float(metrics.accuracy_score(target, predicted)),
            "weighted_f1": float(metrics.f1_score(target, predicted, average="weighted", zero_division=0)),
        }
    return {
        "rmse": float(metrics.root_mean_squared_error(target, scores)),
        "mae": float(metrics.mean_absolute_error(target, scores)),
        "r2": float(metrics.r2_score(target, scores)),
    }


# --- several hosts ---


@dataclass(frozen=True)
class Cluster:
    """The hosts that train together. machines: `address:port` of each, in an order that all of them agree on."""

    machines: tuple[str, ...] = ()
    rank: int = 0
    sharded: bool = False

    @classmethod
    def of_job(cls, environment: Mapping[str, str]) -> Cluster:
        """The cluster of SageMaker's variables; waits until all hosts are known by name.

        Raises:
            TrainingError: a host stays unknown, or the channels are distributed in a way that cannot work.
        """
        hosts = sorted(json.loads(environment.get("SM_HOSTS", "[]")))
        if len(hosts) < 2:
            return cls()
        channels = json.loads(environment.get("SM_INPUT_DATA_CONFIG", "{}"))
        sharded = {name for name, channel in channels.items() if channel.get("S3DistributionType") == "ShardedByS3Key"}
        if not sharded <= {"train"}:
            channel = min(sharded - {"train"})
            raise TrainingError(
                f"channel {channel!r} is ShardedByS3Key, but each host needs it whole; make it FullyReplicated"
            )
        # a port of the job's own, as hosts of two jobs may be processes of one machine
        port = LISTEN_PORT + zlib.crc32(environment.get("TRAINING_JOB_NAME", "").encode()) % 10000
        machines = tuple(f"{resolve(host)}:{port + rank}" for rank, host in enumerate(hosts))
        return cls(machines, hosts.index(environment["SM_CURRENT_HOST"]), "train" in sharded)

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def share_of(self, rows: Rows) -> Rows:
        """The rows this host learns from: every n-th, or all it has where SageMaker has divided them already."""
        if len(self.machines) < 2 or self.sharded:
            return rows
        if len(rows.target) < len(self.machines):
            raise TrainingError(f"{len(rows.target)} rows are too few for {len(self.machines)} hosts; use fewer")
        own = slice(self.rank, None, len(self.machines))
        return Rows(np.asfortranarray(rows.features[own]), rows.target[own])

    def parameters(self) -> dict[str, Any]:
        """LightGBM's network parameters; none for one host."""
        if len(self.machines) < 2:
            return {}
        return {
            "tree_learner": "data",
            "machines": ",".join(self.machines),
            "num_machines": len(self.machines),
            "local_listen_port": int(self.machines[self.rank].rpartition(":")[2]),
            "time_out": CONNECT_MINUTES,
            "pre_partition": True,
        }


def resolve(host: str) -> str:
    deadline = time.monotonic() + RESOLVE_SECONDS
    while True:
        try:
            return socket.gethostbyname(host)
        except OSError as error:
            # SageMaker starts hosts a little apart, and a name is known when its host is up
            if time.monotonic() > deadline:
                raise TrainingError(
                    f"host {host!r} of SM_HOSTS is unknown after {RESOLVE_SECONDS} s: {error}"
                ) from error
            time.sleep(1)


# --- writing ---


def write_model(
    booster: lgb.Booster, schema: Mapping[str, Any], results: Mapping[str, Any], options: argparse.Namespace
) -> None:
    options.model_dir.mkdir(parents=True, exist_ok=True)
    booster.save_model(options.model_dir / "model.txt", num_iteration=results["best_iteration"])
    for name, content in (("schema.json", schema), ("metrics.json", results)):
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        (options.model_dir / name).write_text(text, encoding="utf-8")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(options.inference_code, options.model_dir / "code", ignore=ignored, dirs_exist_ok=True)


def write_curve(curve: Curve, best_iteration: int, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "training_curve.csv").open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(["iteration", *curve])
        lines.writerows([iteration, *values] for iteration, values in enumerate(zip(*curve.values(), strict=True), 1))
    (folder / "training_curve.svg").write_text(curve_svg(curve, best_iteration), encoding="utf-8")


def curve_svg(curve: Curve, best_iteration: int) -> str:
    """The metric that decides when to stop, for both splits over the iterations; the image has no plotting library."""
    width, height, left, right, top, bottom = 720, 400, 64, 16, 48, 44
    (_, train_values), (name, validation_values), *_ = curve.items()
    low, high = min(train_values + validation_values), max(train_values + validation_values)
    last = max(len(train_values), 2)

    def x(iteration: float) -> float:
        return left + (width - left - right) * (iteration - 1) / (last - 1)

    def y(value: float) -> float:
        return top + (height - top - bottom) * (1 - (value - low) / ((high - low) or 1))

    def line(split: str, values: list[float]) -> str:
        points = " ".join(f"{x(iteration):.1f},{y(value):.1f}" for iteration, value in enumerate(values, 1))
        return f'<polyline class="{split}" points="{points}"/>'

    best = f"{x(best_iteration):.1f}"
    marks = [f'<line class="best" x1="{best}" y1="{top}" x2="{best}" y2="{height - bottom}"/>']
    for value in np.linspace(low, high, 5):
        marks.append(f'<line class="grid" x1="{left}" y1="{y(value):.1f}" x2="{width - right}" y2="{y(value):.1f}"/>')
        marks.append(f'<text x="{left - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.4g}</text>')
    for iteration in sorted({round(i) for i in np.linspace(1, last, 6)}):
        marks.append(f'<text x="{x(iteration):.1f}" y="{height - bottom + 20}" text-anchor="middle">{iteration}</text>')
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">
<style>
  svg {{ background: #fff }} text {{ fill: #334155; font: 12px sans-serif }} .name {{ font-weight: bold }}
  polyline {{ fill: none; stroke-width: 2 }} .train {{ stroke: #94a3b8 }} .validation {{ stroke: #2563eb }}
  .grid {{ stroke: #e2e8f0 }} .best {{ stroke: #334155; stroke-dasharray: 4 4 }}
  @media (prefers-color-scheme: dark) {{
    svg {{ background: #0f172a }} text {{ fill: #cbd5e1 }}
    .train {{ stroke: #64748b }} .validation {{ stroke: #60a5fa }}
    .grid {{ stroke: #1e293b }} .best {{ stroke: #cbd5e1 }}
  }}
</style>
<text x="{left}" y="24"><tspan class="name">{name.removeprefix("validation_")}</tspan> by iteration,
  best at {best_iteration}</text>
<polyline class="train" points="500,20 524,20"/><text x="530" y="24">train</text>
<polyline class="validation" points="590,20 614,20"/><text x="620" y="24">validation</text>
{chr(10).join(marks)}
{line("train", train_values)}
{line("validation", validation_values)}
</svg>
"""


if __name__ == "__main__":
    main()
