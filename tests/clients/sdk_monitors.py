"""What users of the SageMaker SDK do with Model Monitor, as a program: `python sdk_monitors.py ENDPOINT`.

The program does not refer to the local SageMaker, which it only uses through environment variables. It prints one line
of JSON.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sdk_surroundings  # noqa: F401
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.model_monitor import (
    CronExpressionGenerator,
    DatasetFormat,
    DefaultModelMonitor,
    EndpointInput,
    ModelQualityMonitor,
)

endpoint = sys.argv[1]
session = Session()
bucket = session.default_bucket()
common = {
    "role": "arn:aws:iam::123456789012:role/SageMakerExecutionRole",
    "instance_count": 1,
    "instance_type": "ml.m5.xlarge",
    "sagemaker_session": session,
}


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, polling more often than the SDK does."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def last_status() -> str | None:
    return columns.describe_schedule().get("LastMonitoringExecutionSummary", {}).get("MonitoringExecutionStatus")


def is_over(monitor: Any) -> bool:
    return monitor.describe_latest_baselining_job()["ProcessingJobStatus"] != "InProgress"


# data quality: a baseline, and an immediate execution
Path("baseline.csv").write_text("age,plan\n" + "30,a\n40,b\n" * 50)
columns: Any = DefaultModelMonitor(**common)
columns.suggest_baseline(
    "baseline.csv", DatasetFormat.csv(header=True), output_s3_uri=f"s3://{bucket}/baseline", wait=False, logs=False
)
until(lambda: is_over(columns))
columns.create_monitoring_schedule(
    endpoint_input=endpoint,
    output_s3_uri=f"s3://{bucket}/columns",
    statistics=columns.baseline_statistics(),
    constraints=columns.suggested_constraints(),
    monitor_schedule_name="columns-once",
    schedule_cron_expression=CronExpressionGenerator.now(),
    data_analysis_start_time="-PT2H",
    data_analysis_end_time="-PT0H",
)
until(lambda: last_status() not in (None, "Pending", "InProgress"))
violations = columns.latest_monitoring_constraint_violations().body_dict["violations"]

# model quality: a baseline, and a schedule
Path("answers.csv").write_text("label,prediction\n" + "1,1\n0,0\n1,0\n" * 50)
quality: Any = ModelQualityMonitor(**common)
quality.suggest_baseline(
    "answers.csv",
    DatasetFormat.csv(header=True),
    problem_type="BinaryClassification",
    inference_attribute="prediction",
    ground_truth_attribute="label",
    output_s3_uri=f"s3://{bucket}/quality-baseline",
)
until(lambda: is_over(quality))
quality.create_monitoring_schedule(
    endpoint_input=EndpointInput(endpoint, "/opt/ml/processing/input_data", inference_attribute="0"),
    ground_truth_input=f"s3://{bucket}/labels",
    problem_type="BinaryClassification",
    output_s3_uri=f"s3://{bucket}/quality",
    constraints=quality.suggested_constraints(),
    monitor_schedule_name="quality-hourly",
    schedule_cron_expression=CronExpressionGenerator.hourly(),
)
quality.stop_monitoring_schedule()
stopped = quality.describe_schedule()["MonitoringScheduleStatus"]
quality.start_monitoring_schedule()
attached = ModelQualityMonitor.attach("quality-hourly", session)
result = {
    "status": last_status(),
    "violations": [violation["feature_name"] for violation in violations],
    "executions": len(columns.list_executions()),
    "stopped": stopped,
    "attached": attached.monitoring_schedule_name,
}
columns.delete_monitoring_schedule()
print(json.dumps(result))
