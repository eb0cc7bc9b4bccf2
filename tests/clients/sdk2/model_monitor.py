"""Capture an endpoint's traffic, suggest a baseline, run a schedule on the captured data, and read its violations."""

import json
import time

import boto3
import numpy as np
import sagemaker
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.model_monitor import CronExpressionGenerator, DataCaptureConfig, DefaultModelMonitor
from sagemaker.model_monitor.dataset_format import DatasetFormat
from sagemaker.serializers import CSVSerializer

session = sagemaker.Session()
role = sagemaker.get_execution_role()
bucket, name = session.default_bucket(), f"model-monitor-{time.time_ns()}"
s3 = boto3.client("s3")

features = np.random.default_rng(4).normal(size=(300, 2))
rows = "".join(f"{int(row.sum() > 0)},{row[0]},{row[1]}\n" for row in features)
s3.put_object(Bucket=bucket, Key=f"{name}/train/data.csv", Body=rows)
s3.put_object(Bucket=bucket, Key=f"{name}/baseline/data.csv", Body=f"score,first,second\n{rows}")
estimator = Estimator(
    sagemaker.image_uris.retrieve("xgboost", session.boto_region_name, "1.7-1"),
    role,
    instance_count=1,
    instance_type="ml.m5.xlarge",
    output_path=f"s3://{bucket}/{name}/output",
    sagemaker_session=session,
    hyperparameters={"objective": "binary:logistic", "num_round": 5},
)
estimator.fit({"train": TrainingInput(f"s3://{bucket}/{name}/train", content_type="csv")}, wait=False)
trained = boto3.client("sagemaker").get_waiter("training_job_completed_or_stopped")
trained.wait(TrainingJobName=estimator.latest_training_job.name, WaiterConfig={"Delay": 1})
predictor = estimator.deploy(
    initial_instance_count=1,
    instance_type="ml.m5.xlarge",
    endpoint_name=name,
    wait=False,
    serializer=CSVSerializer(),
    data_capture_config=DataCaptureConfig(
        enable_capture=True, sampling_percentage=100, destination_s3_uri=f"s3://{bucket}/{name}/capture"
    ),
)
boto3.client("sagemaker").get_waiter("endpoint_in_service").wait(EndpointName=name, WaiterConfig={"Delay": 1})
for row in features[:30]:
    predictor.predict(f"{row[0] + 9},{row[1]}")
deadline = time.monotonic() + 30
while not (captured := s3.list_objects(Bucket=bucket, Prefix=f"{name}/capture/{name}").get("Contents")):
    assert time.monotonic() < deadline, "no data were captured"
    time.sleep(0.5)
record = json.loads(s3.get_object(Bucket=bucket, Key=captured[-1]["Key"])["Body"].read().splitlines()[0])
assert record["captureData"]["endpointInput"]["encoding"] == "CSV"

monitor = DefaultModelMonitor(
    role=role,
    instance_count=1,
    instance_type="ml.m5.xlarge",
    volume_size_in_gb=20,
    max_runtime_in_seconds=1800,
    sagemaker_session=session,
)
monitor.suggest_baseline(
    baseline_dataset=f"s3://{bucket}/{name}/baseline/data.csv",
    dataset_format=DatasetFormat.csv(header=True),
    output_s3_uri=f"s3://{bucket}/{name}/baseline-results",
    logs=False,
)
assert [feature["name"] for feature in monitor.baseline_statistics().body_dict["features"]] == [
    "score",
    "first",
    "second",
]
monitor.create_monitoring_schedule(
    monitor_schedule_name=name,
    endpoint_input=name,
    output_s3_uri=f"s3://{bucket}/{name}/reports",
    statistics=monitor.baseline_statistics(),
    constraints=monitor.suggested_constraints(),
    schedule_cron_expression=CronExpressionGenerator.now(),
    data_analysis_start_time="-PT1H",
    data_analysis_end_time="-PT0H",
    enable_cloudwatch_metrics=True,
)
deadline = time.monotonic() + 60
while not (executions := monitor.list_executions()):
    assert time.monotonic() < deadline, "the schedule did not run"
    time.sleep(0.5)
executions[-1].wait(logs=False)
assert executions[-1].describe()["ExitMessage"].startswith("CompletedWithViolations")
violations = monitor.latest_monitoring_constraint_violations().body_dict["violations"]
assert "baseline_drift_check" in {
    violation["constraint_check_type"] for violation in violations if violation["feature_name"] == "first"
}
monitor.delete_monitoring_schedule()
predictor.delete_model()
predictor.delete_endpoint()
