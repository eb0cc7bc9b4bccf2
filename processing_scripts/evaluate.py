"""Evaluate: measure the model on the test split.

Reads the encoded test split (Parquet), model.txt, schema.json and metrics.json of model.tar.gz, and the warnings of
Preprocess's validation_report.json. Output, under the output folder:
    evaluation/evaluation.json     the metrics in the layout of Model Monitor's model quality
    evaluation/summary.json        more metrics, which weight the rows as training does, with 95 % intervals: what the
                                   pipeline decides by
    predictions/predictions.csv    prediction, probability, label; a line per test row. For two classes, prediction and
                                   label are 0 or 1 (the positive class), and the probability is that of 1. For more,
                                   they are class names, and the probability is that of the prediction. A regression
                                   has no probability
    report/report.html             the metrics, the plots and the warnings about the data as one self-contained page
With --model-name, the metrics are also published to CloudWatch under that name. With --tuning-job, summary.json and the
report have the trials of the tuning job that trained the model, if the SageMaker API can be reached.

Exit status 0, or 1 with the reason as the last line on stderr.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation.cloudwatch import publish
from evaluation.decision import Rules
from evaluation.errors import EvaluationError
from evaluation.evaluation import Evaluation
from evaluation.explanations import explain
from evaluation.inputs import read_model, read_report
from evaluation.intervals import Interval, intervals
from evaluation.outcome import RANKING, Outcome
from evaluation.predicting import predict_split
from evaluation.provenance import provenance
from evaluation.remarks import remarks
from evaluation.report.page import HEADLINES, report_page
from evaluation.summary import summarize
from evaluation.trials import read_trials
from job_files import fail, write_blocks, write_text

from analyzer import QualityError
from analyzer.performance.metrics import model_quality
from analyzer.performance.metrics.deviations import NOT_A_NUMBER, json_number


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
    add(
        "--quality",
        type=Path,
        default=Path(__file__).with_name("quality.json"),
        help="file with the settings of quality (default: quality.json beside this script, if it is there)",
    )
    add("--metric-threshold", type=float, help="value that the metric of the settings must reach")
    add("--tuning-job", help="tuning job that trained the model; the report lists its trials")
    add("--data-uri", help="S3 URI of the raw data, which the report names")
    add("--output-dir", type=Path, default=Path("/opt/ml/processing/output"))
    add("--model-name", help="publish the metrics to CloudWatch under this name (default: do not publish)")
    return parser.parse_args(arguments)


def evaluate(options: argparse.Namespace) -> None:
    """Measure the model and write the outputs.

    Raises:
        EvaluationError: The model archive, the test split or the validation report cannot be read, or the split does
            not match the model.
        QualityError: The metrics of the predictions cannot be computed.
    """
    model = read_model(options.model_dir / "model.tar.gz")
    schema = model.schema
    data_report = read_report(options.validation_dir / "validation_report.json")
    rules = Rules.read(options.quality, options.metric_threshold)
    outcome = predict_split(model.booster, schema, options.test_dir, rules.alpha)
    test_metrics = intervals(outcome)
    quality = quality_statistics(outcome, test_metrics)
    metrics = next(section for name, section in quality.items() if name.endswith("_metrics"))
    explanations = explain(model.booster, schema, outcome, options.test_dir, existing(options.records_dir))
    origin = provenance(options.data_uri)
    summary = summarize(model, outcome, test_metrics, data_report, rules)
    if options.tuning_job:
        summary["tuning"] = read_trials(options.tuning_job)
    evaluation = Evaluation(
        schema, model.training, outcome, metrics, data_report.warnings, explanations, origin, summary
    )
    summary["remarks"] = remarks(evaluation)

    write_json(quality, options.output_dir / "evaluation" / "evaluation.json")
    write_json(summary, options.output_dir / "evaluation" / "summary.json")
    write_blocks(outcome.csv_blocks(), options.output_dir / "predictions" / "predictions.csv")
    write_text(report_page(evaluation), options.output_dir / "report" / "report.html")
    headlines = {name: test_metrics[name].value for name in HEADLINES[schema["problem_type"]]}
    for name, value in headlines.items():
        print(f"test_{name}={value}")
    if options.model_name:
        publish(headlines, model.training["training_seconds"], options.model_name)


def existing(folder: Path) -> Path | None:
    return folder if folder.is_dir() else None


def quality_statistics(outcome: Outcome, test_metrics: Mapping[str, Interval]) -> dict[str, Any]:
    """Return the content of evaluation.json: the metrics in Model Monitor's layout, which knows no rankings."""
    if outcome.problem_type != RANKING:
        return model_quality(outcome.problem_type, outcome.labels, outcome.predictions, outcome.probabilities)
    metrics = {
        name: {"value": json_number(interval.value), "standard_deviation": NOT_A_NUMBER}
        for name, interval in test_metrics.items()
    }
    return {"version": 0.0, "dataset": {"item_count": len(outcome.truth)}, "ranking_metrics": metrics}


def write_json(content: object, path: Path) -> None:
    write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", path)


if __name__ == "__main__":
    main()
