"""``python -m analyzer``: the analyzer, by Model Monitor's container contract or by commands.

With arguments it is a command line tool: see ``python -m analyzer --help``. Without any, settings come as
environment variables and results go to files, as in Model Monitor's own container:

  dataset_source       a file or folder of records
  dataset_format       {"csv": {"header": true}}, {"json": {"lines": true}}, {"parquet": {}},
                       {"sagemakerCaptureJson": {"captureIndexNames": ["endpointInput", "endpointOutput"]}} or
                       {"sagemakerMergeJson": {"captureIndexNames": ["endpointOutput"]}}; captures also have
                       "output_columns_position": "START" or "END". {"profile": {}} merges partial profiles.
  output_path          the folder for statistics.json, constraints.json, analysis.json, report.html and, with a
                       baseline, constraint_violations.json
  analysis_type        DATA_QUALITY (the default) or MODEL_QUALITY
  baseline_statistics, baseline_constraints
                       files to check against; without them the run only makes a baseline
  categorical_drift_method
                       LInfinity (the default) or ChiSquared, for the suggested constraints
  problem_type         BinaryClassification, MulticlassClassification or Regression (model quality, like those below)
  ground_truth_attribute, inference_attribute, probability_attribute
                       columns, by name, JSONPath or index from 0
  probability_threshold_attribute
                       the probability from which a prediction is positive, where there is no inference_attribute
  positive_label       what the positive class is called, where labels are no 0 and 1
  ground_truth_source  labels to merge with the captures of dataset_source. Alone with dataset_source and output_path
                       it makes this the merge job: the merged records are all that is written.
  record_preprocessor_script, post_analytics_processor_script
                       Python files with preprocess_handler(inference_record) and postprocess_handler()
  start_time, end_time the window of the inferences, or start_time_offset and end_time_offset (-PT3H) from
                       scheduled_time, else from now
  malformed_records_limit
                       how many malformed records may be skipped (100)
  feature_importance   a LightGBM model or a JSON object, by which analysis.json ranks drifted features
  publish_cloudwatch_metrics, sagemaker_endpoint_name, sagemaker_monitoring_schedule_name, metric_time
                       Enabled puts metrics to CloudWatch, under these dimensions and this time; where Model Monitor
                       runs the job (it sets monitoring_input_type), that is left to it

On several instances with a dataset that is ShardedByS3Key, each leaves its partial profile, profile-HOST.json, for a
second run with dataset_format {"profile": {}}.

The exit status is 0 when the analysis ran, violations or not (the last line of output says which), and 1 when it could
not: then standard error says why, and no result is written. With --fail-on-violation it is 3 where there
are violations.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from analyzer import QualityError
from analyzer.container import FAILED, VIOLATIONS, read_hosts, run

# A processing container's fixed places: the job's exit message, metrics to be forwarded, and the job's description.
EXIT_MESSAGE = Path("/opt/ml/output/message")
METRICS = Path("/opt/ml/output/metrics/cloudwatch")
CONFIG = Path("/opt/ml/config")

FAIL_ON_VIOLATION = "--fail-on-violation"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the arguments say, or without any what the environment describes; the exit status of the process."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if any(argument != FAIL_ON_VIOLATION for argument in arguments):
        # Commands need typer, which a processing container has not.
        from analyzer.commands import app

        app(list(arguments))
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        environment = dict(os.environ)
        hosts = read_hosts(CONFIG, environment.get("dataset_source", ""))
        message, violations = run(environment, hosts, METRICS if METRICS.parent.parent.is_dir() else None)
    except (QualityError, OSError) as error:
        _leave_message(f"Failed: {error}")
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    _leave_message(message)
    print(message)
    return VIOLATIONS if violations and FAIL_ON_VIOLATION in arguments else 0


def _leave_message(message: str) -> None:
    if EXIT_MESSAGE.parent.is_dir():
        EXIT_MESSAGE.write_text(message + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
