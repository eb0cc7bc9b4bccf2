"""``python -m monitoring.quality``: the analyzer by Model Monitor's container contract.

Settings come as environment variables, results go to files; nothing is read from the command line.

  dataset_source       a file or folder of records
  dataset_format       {"csv": {"header": true}}, {"json": {"lines": true}} or {"parquet": {}}
  output_path          the folder for statistics.json, constraints.json and, with a baseline, constraint_violations.json
  analysis_type        DATA_QUALITY (the default) or MODEL_QUALITY
  baseline_statistics, baseline_constraints
                       files to check against; without them the run only makes a baseline
  categorical_drift_method
                       LInfinity (the default) or ChiSquared, for the suggested constraints
  problem_type         BinaryClassification, MulticlassClassification or Regression (model quality, like those below)
  ground_truth_attribute, inference_attribute, probability_attribute
                       columns, by name or by index from 0
  probability_threshold_attribute
                       the probability from which a prediction is positive, where there is no inference_attribute

The exit status is 0 when the analysis ran, violations or not (the last line of output says which), and 1 when it could
not: then standard error has one line saying why, and no file is written.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monitoring.quality import QualityError, files
from monitoring.quality.constraints import check, suggest
from monitoring.quality.datasets import Dataset
from monitoring.quality.metric_constraints import check_metrics, suggest_metrics
from monitoring.quality.model_quality import METRICS_KEY, model_quality
from monitoring.quality.profile import profile
from monitoring.quality.records import Attributes, read_records

# Where a processing container leaves the job's exit message.
EXIT_MESSAGE = Path("/opt/ml/output/message")

Documents = dict[str, Mapping[str, Any]]


def main() -> int:
    """Run the analysis that the environment describes; the exit status of the process."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        message = run(os.environ)
    except (QualityError, OSError) as error:
        _leave_message(f"Failed: {error}")
        print(f"error: {error}", file=sys.stderr)
        return 1
    _leave_message(message)
    print(message)
    return 0


def run(environment: Mapping[str, str]) -> str:
    """Analyse, write the files and return the exit message, in Model Monitor's words.

    Raises:
        QualityError: a setting is missing or wrong, or the data cannot be analysed; nothing is written then.
    """
    for unsupported in ("record_preprocessor_script", "post_analytics_processor_script"):
        if environment.get(unsupported):
            raise QualityError(f"{unsupported} is not supported; prepare the records before the analysis")
    dataset = Dataset.of(Path(_required(environment, "dataset_source")), _required(environment, "dataset_format"))
    output = Path(_required(environment, "output_path"))
    analysis = environment.get("analysis_type") or "DATA_QUALITY"
    if analysis not in ANALYSES:
        raise QualityError(f"analysis_type {analysis!r} is unknown; use one of {', '.join(ANALYSES)}")
    documents = ANALYSES[analysis](dataset, environment)
    files.write(output, documents)
    violations = len(documents.get(files.VIOLATIONS, {}).get("violations", []))
    if violations:
        return f"CompletedWithViolations: Job completed successfully with {violations} violations."
    return "Completed: Job completed successfully with no violations."


def _data_quality(dataset: Dataset, environment: Mapping[str, str]) -> Documents:
    baseline_path, constraints_path = _baseline(environment)
    # Read before the long pass: a wrong path should cost seconds.
    baseline = files.read_statistics(baseline_path) if baseline_path else None
    constraints = files.read_constraints(constraints_path) if constraints_path else None
    if constraints is None and baseline is not None:
        constraints = suggest(baseline)
    current = profile(dataset)
    suggested = suggest(current, environment.get("categorical_drift_method") or "LInfinity")
    documents: Documents = {
        files.STATISTICS: files.statistics_to_json(current),
        files.CONSTRAINTS: files.constraints_to_json(suggested),
    }
    if constraints is not None:
        documents[files.VIOLATIONS] = files.violations_to_json(check(current, constraints, baseline))
    return documents


def _model_quality(dataset: Dataset, environment: Mapping[str, str]) -> Documents:
    problem_type = _required(environment, "problem_type")
    if problem_type not in METRICS_KEY:
        raise QualityError(f"problem_type {problem_type!r} is unknown; use one of {', '.join(METRICS_KEY)}")
    baseline_path, constraints_path = _baseline(environment)
    constraints = files.read(constraints_path) if constraints_path else None
    if constraints is None and baseline_path is not None:
        constraints = suggest_metrics(files.read(baseline_path), problem_type)
    records = read_records(dataset, Attributes.of(environment, problem_type))
    current = model_quality(problem_type, records.labels, records.predictions, records.probabilities)
    documents: Documents = {
        files.STATISTICS: current,
        files.CONSTRAINTS: suggest_metrics(current, problem_type),
    }
    if constraints is not None:
        documents[files.VIOLATIONS] = {"violations": check_metrics(current, constraints, problem_type)}
    return documents


ANALYSES = {"DATA_QUALITY": _data_quality, "MODEL_QUALITY": _model_quality}


def _baseline(environment: Mapping[str, str]) -> tuple[Path | None, Path | None]:
    """The baseline's statistics and constraints, as far as they are given."""
    statistics, constraints = environment.get("baseline_statistics"), environment.get("baseline_constraints")
    return (Path(statistics) if statistics else None), (Path(constraints) if constraints else None)


def _required(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name)
    if not value:
        raise QualityError(f"the environment variable {name} is not set; see python -m monitoring.quality's manual")
    return value


def _leave_message(message: str) -> None:
    if EXIT_MESSAGE.parent.is_dir():
        EXIT_MESSAGE.write_text(message + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
