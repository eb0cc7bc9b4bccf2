"""Evaluate: measure the model on the test split.

Reads the encoded test.csv and, of model.tar.gz, model.txt, schema.json and metrics.json. Written below the output:
    evaluation/evaluation.json     metrics by Model Monitor's names, in its model-quality layout
    predictions/predictions.csv    prediction, probability, label; one line for each test row. Of two classes prediction
                                   and label are 0 or 1 (the positive class) and the probability is that of 1; of more
                                   they are class names and the probability is that of the prediction; a regression has
                                   no probability
    report/report.html             the metrics and plots as one page that needs nothing else
With --model-name the metrics are put to CloudWatch too, under that name.

Exit status 0, or 1 with the reason as the last line on stderr.
"""

from __future__ import annotations

import argparse
import json
import posixpath
import sys
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pyarrow.csv
from evaluation.cloudwatch import publish
from evaluation.outcome import Outcome
from evaluation.page import HEADLINES, report_page

from analyzer import QualityError
from analyzer.performance.metrics import METRICS_KEY, model_quality

# SageMaker returns the first kilobyte of this file as the job's ExitMessage
EXIT_MESSAGE = Path("/opt/ml/output/message")


class EvaluationError(Exception):
    """The model cannot be measured; the message names the thing and the next move."""


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
    add("--model-dir", type=Path, default=Path("/opt/ml/processing/input/model"), help="holds model.tar.gz")
    add("--test-dir", type=Path, default=Path("/opt/ml/processing/input/test"), help="holds test.csv")
    add("--output-dir", type=Path, default=Path("/opt/ml/processing/output"))
    add("--model-name", help="whose metrics these are in CloudWatch; without it none are put there")
    return parser.parse_args(arguments)


def evaluate(options: argparse.Namespace) -> None:
    """Measure the model and write the three outputs.

    Raises:
        EvaluationError: the model archive or the test split cannot be read, or they do not belong together.
        QualityError: what the model predicts cannot be measured.
    """
    booster, schema, training = load_model(options.model_dir / "model.tar.gz")
    features, target = read_test(options.test_dir / "test.csv", schema)
    outcome = Outcome.of(schema, np.asarray(booster.predict(features)), target)
    quality = model_quality(schema["problem_type"], outcome.labels, outcome.predictions, outcome.probabilities)
    metrics = quality[METRICS_KEY[schema["problem_type"]]]
    gains = dict(zip([f["name"] for f in schema["features"]], booster.feature_importance("gain"), strict=True))

    write(json.dumps(quality, indent=2) + "\n", options.output_dir / "evaluation" / "evaluation.json")
    write(outcome.as_csv(), options.output_dir / "predictions" / "predictions.csv")
    write(report_page(schema, outcome, metrics, gains), options.output_dir / "report" / "report.html")
    headlines = {name: metrics[name]["value"] for name in HEADLINES[schema["problem_type"]]}
    for name, value in headlines.items():
        print(f"test_{name}={value}")
    if options.model_name:
        publish(headlines, training["training_seconds"], options.model_name)


def fail(message: str) -> NoReturn:
    if EXIT_MESSAGE.parent.is_dir():
        EXIT_MESSAGE.write_text(message.encode()[:1024].decode(errors="ignore"), encoding="utf-8")
    sys.exit(message)


def write(text: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}")
    aside.write_text(text, encoding="utf-8")
    aside.replace(path)


def load_model(archive: Path) -> tuple[lgb.Booster, dict[str, Any], dict[str, Any]]:
    """The model, its schema and what training measured, read out of the archive without unpacking it anywhere."""
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
        raise EvaluationError(f"{archive} has no file {error}; it is to be the output of Train") from error
    except (OSError, EOFError, zlib.error, tarfile.TarError, ValueError, lgb.basic.LightGBMError) as error:
        raise EvaluationError(f"{archive} is no readable model archive ({error}); run Train again") from error


def read_test(path: Path, schema: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Features, shape (n, number of features), and target, shape (n,)."""
    names = [schema["target"], *(feature["name"] for feature in schema["features"])]
    try:
        types = dict.fromkeys(names, pa.float64())
        table = pa.csv.read_csv(path, convert_options=pa.csv.ConvertOptions(column_types=types, null_values=[""]))
    except (OSError, pa.ArrowInvalid) as error:
        raise EvaluationError(
            f"{path} is no readable test split ({error}); it is to be the output of Preprocess"
        ) from error
    if table.column_names != names:
        raise EvaluationError(f"{path} has other columns than the model's schema; both must come from one execution")
    columns = [table[name].to_numpy() for name in names]
    return np.column_stack(columns[1:]), columns[0]


if __name__ == "__main__":
    main()
