"""``python -m analyzer``: runs the analyzer, either by Model Monitor's container contract or as a command line tool.

For the command line tool see ``python -m analyzer --help``. Without arguments, the analyzer reads its settings from
environment variables and writes its results to files, as Model Monitor's own container does:

  dataset_source       a file or folder of records
  dataset_format       {"csv": {"header": true}}, {"json": {"lines": true}}, {"parquet": {}},
                       {"sagemakerCaptureJson": {"captureIndexNames": ["endpointInput", "endpointOutput"]}} or
                       {"sagemakerMergeJson": {"captureIndexNames": ["endpointOutput"]}}; captures also take
                       "output_columns_position": "START" or "END". {"profile": {}} merges partial profiles.
  output_path          the folder for statistics.json, constraints.json, analysis.json, report.html and, with a
                       baseline, constraint_violations.json
  analysis_type        DATA_QUALITY (the default) or MODEL_QUALITY
  baseline_statistics, baseline_constraints
                       files to check against; without them the run only creates a baseline
  categorical_drift_method
                       LInfinity (the default) or ChiSquared, for the suggested constraints
  problem_type         model quality only: BinaryClassification, MulticlassClassification or Regression
  ground_truth_attribute, inference_attribute, probability_attribute
                       model quality only: columns, by name, JSONPath or zero-based index
  probability_threshold_attribute
                       the lowest probability of a positive prediction, used without inference_attribute
  positive_label       the label of the positive class, if labels are not 0 and 1
  ground_truth_source  labels to merge with the captures of dataset_source. Without dataset_format, this is the merge
                       job: it writes only the merged records.
  record_preprocessor_script, post_analytics_processor_script
                       Python files with preprocess_handler(inference_record) and postprocess_handler()
  model_schema         schema.json of the training run, or the model archive with it: features, categories and
                       classes are read as the endpoint reads them, instead of as Model Monitor does
  start_time, end_time the time window of the inferences, or start_time_offset and end_time_offset (-PT3H) relative
                       to scheduled_time, by default to the current time
  record_tolerance     the share of the records that may lack a value, be of another type or have an unknown category
                       beyond what the constraints allow (0)
  metric_tolerance     the standard errors, of labels_per_window (500) records, by which metrics may be worse than
                       in the baseline (0)
  include_test_requests
                       true to analyze captured requests with the custom attribute test-request, too
  malformed_records_limit
                       the number of malformed records that may be skipped (100)
  feature_importance   a LightGBM model or a JSON object, used to rank drifted features in analysis.json
  publish_cloudwatch_metrics, sagemaker_endpoint_name, sagemaker_monitoring_schedule_name, metric_time
                       Enabled publishes metrics to CloudWatch with these dimensions and this timestamp, unless Model
                       Monitor runs the job (it sets monitoring_input_type) and publishes them itself

Clarify's container contract, for bias metrics and explanations, is that of ``python -m analyzer.clarify``; see there.
The same job is the command ``python -m analyzer clarify``.

On several instances with a dataset that is ShardedByS3Key, each instance writes a partial profile, profile-HOST.json.
A second run with dataset_format {"profile": {}} merges them.

The exit status is 0 if the analysis completed, with or without violations (the last line of output says which), and 1
if it failed: the reason goes to standard error, and no result is written. With --fail-on-violation it is 3 if there are
violations.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from analyzer import QualityError
from analyzer.container import FAILED, VIOLATIONS, read_cluster, run, write_exit_message

# Fixed paths of a processing container: the exit message, metrics for Model Monitor to publish, and the job's config.
EXIT_MESSAGE = Path("/opt/ml/output/message")
METRICS = Path("/opt/ml/output/metrics/cloudwatch")
CONFIG = Path("/opt/ml/config")

FAIL_ON_VIOLATION = "--fail-on-violation"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, or without arguments the analysis that the environment variables describe.

    Args:
        arguments: Command line arguments; those of the process if None.

    Returns:
        The exit status of the process.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if any(argument != FAIL_ON_VIOLATION for argument in arguments):
        # Commands need Typer, which is not installed in processing containers.
        from analyzer.commands import app

        app(list(arguments))
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        environment = dict(os.environ)
        cluster = read_cluster(CONFIG, environment.get("dataset_source", ""))
        message, violations = run(environment, cluster, METRICS if METRICS.parent.parent.is_dir() else None)
    except (QualityError, OSError) as error:
        write_exit_message(EXIT_MESSAGE, f"Failed: {error}")
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    write_exit_message(EXIT_MESSAGE, message)
    print(message)
    return VIOLATIONS if violations and FAIL_ON_VIOLATION in arguments else 0


if __name__ == "__main__":
    sys.exit(main())
