"""Evaluate: measure the model on the test split.

Reads the encoded test split (Parquet), model.txt, schema.json and metrics.json of model.tar.gz, and the warnings of
Preprocess's validation_report.json. Output, under the output folder:
    evaluation/evaluation.json     the metrics in the layout of Model Monitor's model quality
    predictions/predictions.csv    prediction, probability, label; a line per test row. For two classes, prediction and
                                   label are 0 or 1 (the positive class), and the probability is that of 1. For more,
                                   they are class names, and the probability is that of the prediction. A regression
                                   has no probability
    report/report.html             the metrics, the plots and the warnings about the data as one self-contained page
With --model-name, the metrics are also published to CloudWatch under that name.

Exit status 0, or 1 with the reason as the last line on stderr.
"""

from __future__ import annotations

import argparse
import json
import posixpath
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from evaluation.cloudwatch import publish
from evaluation.evaluation import Evaluation
from evaluation.explanations import explain
from evaluation.outcome import Outcome
from evaluation.provenance import provenance
from evaluation.report.page import HEADLINES, report_page
from job_files import fail, write_blocks, write_text

from analyzer import QualityError
from analyzer.performance.metrics import METRICS_KEY, model_quality


class EvaluationError(Exception):
    """The model cannot be evaluated; the message names the thing, the value and the next move."""


def main(arguments: Sequence[str] | None = None) -> None:
    try:
        evaluate(parse_arguments(arguments))
    except (EvaluationError, QualityError) as error:
        fail(str(error))


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add("--model-dir", type=Path, default=Path("/opt/ml/processing/input/model"), help="folder of model.tar.gz")
    add("--test-dir", type=Path, default=Path("/opt/ml/processing/input/test"), help="folder of the test split")
    add(
        "--validation-dir",
        type=Path,
        default=Path("/opt/ml/processing/input/validation"),
        help="folder of validation_report.json",
    )
    add(
        "--records-dir",
        type=Path,
        default=Path("/opt/ml/processing/input/records"),
        help="folder of the test rows with their original values, if there is one",
    )
    add("--data-uri", help="S3 URI of the raw data, which the report names")
    add("--output-dir", type=Path, default=Path("/opt/ml/processing/output"))
    add("--model-name", help="publish the metrics to CloudWatch under this name (default: do not publish)")
    return parser.parse_args(arguments)


def evaluate(options: argparse.Namespace) -> None:
    """Measure the model and write the three outputs.

    Raises:
        EvaluationError: The model archive, the test split or the validation report cannot be read, or the split does
            not match the model.
        QualityError: The metrics of the predictions cannot be computed.
    """
    booster, schema, training = load_model(options.model_dir / "model.tar.gz")
    warnings = read_warnings(options.validation_dir / "validation_report.json")
    scores, target = predict(booster, schema, options.test_dir)
    outcome = Outcome.from_scores(schema, scores, target)
    quality = model_quality(schema["problem_type"], outcome.labels, outcome.predictions, outcome.probabilities)
    metrics = quality[METRICS_KEY[schema["problem_type"]]]
    explanations = explain(booster, schema, outcome, options.test_dir, existing(options.records_dir))
    origin = provenance(options.data_uri)

    write_text(json.dumps(quality, indent=2) + "\n", options.output_dir / "evaluation" / "evaluation.json")
    write_blocks(outcome.csv_blocks(), options.output_dir / "predictions" / "predictions.csv")
    page = report_page(Evaluation(schema, training, outcome, metrics, warnings, explanations, origin))
    write_text(page, options.output_dir / "report" / "report.html")
    headlines = {name: metrics[name]["value"] for name in HEADLINES[schema["problem_type"]]}
    for name, value in headlines.items():
        print(f"test_{name}={value}")
    if options.model_name:
        publish(headlines, training["training_seconds"], options.model_name)


def load_model(archive: Path) -> tuple[lgb.Booster, dict[str, Any], dict[str, Any]]:
    """Read a model archive, without unpacking it.

    Returns:
        The model, schema.json and metrics.json.

    Raises:
        EvaluationError: The archive cannot be read, or a file is missing.
    """
    contents: dict[str, str] = {}
    try:
        with tarfile.open(archive, "r:gz") as members:
            for member in members:
                name = posixpath.normpath(member.name)
                file = members.extractfile(member) if member.isfile() else None
                if file and name in ("model.txt", "schema.json", "metrics.json"):
                    contents[name] = file.read().decode("utf-8")
        booster = lgb.Booster(model_str=contents["model.txt"])
        return booster, json.loads(contents["schema.json"]), json.loads(contents["metrics.json"])
    except KeyError as error:
        raise EvaluationError(f"{archive} has no file {error}; expected the model archive of Train") from error
    except (OSError, EOFError, zlib.error, tarfile.TarError, ValueError, lgb.basic.LightGBMError) as error:
        raise EvaluationError(f"{archive} is not a readable model archive ({error}); run Train again") from error


def model_columns(schema: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return name, type and categories of the model's columns: the features, or what is derived from them."""
    columns: Sequence[Mapping[str, Any]] = schema.get("columns", schema["features"])
    return columns


def predict(booster: lgb.Booster, schema: Mapping[str, Any], folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Predict the encoded test split, a row group at a time: all of its files, in the order of their names.

    Returns:
        The model's output, shape (n,) or (n, classes), and the target, shape (n,).

    Raises:
        EvaluationError: A file cannot be read or does not match the schema, or there is none.
    """
    names = [schema["target"], *(column["name"] for column in model_columns(schema))]
    scores, targets = [], []
    for path in sorted(folder.glob("*.parquet")):
        try:
            file = pq.ParquetFile(path)
            # behind these there may be others, whose names begin with "@"
            if file.schema_arrow.names[: len(names)] != names:
                raise EvaluationError(
                    f"the columns of {path} do not match the model's schema; use the outputs of one execution"
                )
            for group in range(file.num_row_groups):
                rows = file.read_row_group(group, names)
                # a worker of Spark that has no rows writes an empty file
                if not len(rows):
                    continue
                scores.append(np.asarray(booster.predict(rows.select(names[1:]))))
                targets.append(rows[names[0]].to_numpy())
        except (OSError, pa.ArrowInvalid) as error:
            raise EvaluationError(
                f"{path} is not a readable test split ({error}); expected the test split of Preprocess"
            ) from error
    if not scores:
        raise EvaluationError(f"{folder} has no Parquet file with rows; expected the test split of Preprocess")
    return np.concatenate(scores), np.concatenate(targets)


def existing(folder: Path) -> Path | None:
    return folder if folder.is_dir() else None


def read_warnings(path: Path) -> list[str]:
    """Read the warnings of a validation report, in order; none if there is no report.

    Raises:
        EvaluationError: The file cannot be read.
    """
    if not path.exists():
        return []
    try:
        checks = json.loads(path.read_text(encoding="utf-8"))["checks"]
        return [message for check in checks if check["severity"] == "warning" for message in check["messages"]]
    except (OSError, ValueError, KeyError) as error:
        raise EvaluationError(
            f"{path} is not a readable validation report ({error}); expected the report of Preprocess"
        ) from error


if __name__ == "__main__":
    main()
