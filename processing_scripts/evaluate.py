"""Evaluate: measure the model on the test split.

Reads the encoded test split (Parquet), model.txt, schema.json and metrics.json of model.tar.gz, and the warnings of
Preprocess's validation_report.json; with the settings `fairness`, also the groups of the training rows. Output, under
the output folder:
    evaluation/evaluation.json     the metrics in the layout of Model Monitor's model quality
    evaluation/summary.json        more metrics, which weight the rows as training does, with 95 % intervals: what the
                                   pipeline decides by
    evaluation/samples.jsonl       some records with their predictions, to test an endpoint with
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

from evaluation.champion import Champion, Comparison, compare
from evaluation.cloudwatch import publish
from evaluation.decision import Rules
from evaluation.errors import EvaluationError
from evaluation.evaluation import Evaluation
from evaluation.explanations import explain
from evaluation.fairness import FairnessRules, measure_fairness
from evaluation.fairness_data import Splits
from evaluation.inputs import read_model, read_report
from evaluation.intervals import Interval, intervals
from evaluation.outcome import RANKING, Outcome
from evaluation.predicting import predict_split
from evaluation.provenance import provenance
from evaluation.remarks import remarks
from evaluation.report.page import HEADLINES, report_page
from evaluation.samples import sample_lines
from evaluation.segments import decide, measure_segments
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
        "--facets-dir",
        type=Path,
        default=Path("/opt/ml/processing/input/facets"),
        help="folder of the groups and the target of the training rows, if the settings have fairness",
    )
    add(
        "--quality",
        type=Path,
        default=Path(__file__).with_name("quality.json"),
        help="file with the settings of quality (default: quality.json beside this script, if it is there)",
    )
    add("--metric-threshold", type=float, help="value that the metric of the settings must reach")
    add("--tuning-job", help="tuning job that trained the model; the report lists its trials")
    add("--champion-version", type=int, default=0, help="version to compare with, if the settings ask for it; 0: none")
    add("--champion-arn", default="", help="ARN of that version")
    add("--champion-uri", default="", help="S3 URI of the model archive of that version")
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
    outcome = predict_split(model.booster, schema, options.test_dir, model.alpha)
    test_metrics = intervals(outcome)
    quality = quality_statistics(outcome, test_metrics)
    metrics = next(section for name, section in quality.items() if name.endswith("_metrics"))
    explanations = explain(model.booster, schema, outcome, options.test_dir, existing(options.records_dir))
    comparison = compare_with_champion(options, rules, outcome, schema)
    segments, segment_gate = segment_metrics(options, rules, outcome)
    champion = comparison.summary if comparison else None
    fairness = fairness_metrics(options, rules, outcome, schema)
    summary = summarize(model, outcome, test_metrics, data_report, rules, champion, segments, segment_gate, fairness)
    if options.tuning_job:
        summary["tuning"] = read_trials(options.tuning_job)
    evaluation = Evaluation(
        schema=schema,
        training=model.training,
        outcome=outcome,
        metrics=metrics,
        warnings=data_report.warnings,
        explanations=explanations,
        provenance=provenance(options.data_uri),
        summary=summary,
        champion=comparison.outcome if comparison else None,
    )
    summary["remarks"] = [*remarks(evaluation), *(comparison.remarks if comparison else ())]

    write_json(quality, options.output_dir / "evaluation" / "evaluation.json")
    write_json(summary, options.output_dir / "evaluation" / "summary.json")
    if existing(options.records_dir):
        lines = sample_lines(outcome, schema, options.records_dir)
        write_blocks(lines, options.output_dir / "evaluation" / "samples.jsonl")
    write_blocks(outcome.csv_blocks(), options.output_dir / "predictions" / "predictions.csv")
    write_text(report_page(evaluation), options.output_dir / "report" / "report.html")
    headlines = {name: test_metrics[name].value for name in HEADLINES[schema["problem_type"]]}
    for name, value in headlines.items():
        print(f"test_{name}={value}")
    if options.model_name:
        publish(headlines, model.training["training_seconds"], options.model_name)


def existing(folder: Path) -> Path | None:
    return folder if folder.is_dir() else None


def compare_with_champion(
    options: argparse.Namespace, rules: Rules, outcome: Outcome, schema: Mapping[str, Any]
) -> Comparison | None:
    if rules.champion is None:
        return None
    champion = Champion(options.champion_version, options.champion_arn, options.champion_uri)
    archive = options.model_dir / "model.tar.gz"
    comparison = compare(champion, rules.champion, outcome, schema, archive, options.records_dir)
    print(comparison.summary["sentence"])
    return comparison


def segment_metrics(
    options: argparse.Namespace, rules: Rules, outcome: Outcome
) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """Return the parts `segments` and `segment_gate` of summary.json."""
    if not rules.segments:
        return [], None
    metric = rules.segment_gate["metric"] if rules.segment_gate else rules.metric
    segments = measure_segments(outcome, options.records_dir, rules.segments, metric)
    return segments, decide(segments, rules.segment_gate) if rules.segment_gate else None


def fairness_metrics(
    options: argparse.Namespace, rules: Rules, outcome: Outcome, schema: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return the part `fairness` of summary.json."""
    if rules.fairness is None:
        return None
    splits = Splits(options.facets_dir, options.records_dir, options.test_dir, schema, outcome)
    fairness = measure_fairness(FairnessRules.of(rules.fairness), splits)
    print(fairness["sentence"])
    return fairness


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
