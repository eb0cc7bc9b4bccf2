"""Executions of monitoring schedules with the real analyzer, on handwritten captured data."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from local_sagemaker.model_monitor.schedule_times import CAPTURE_DELAY
from local_sagemaker.protocol.errors import ServiceError
from tests.local_sagemaker.machine import SCIKIT_LEARN, Machine
from tests.local_sagemaker.model_monitor.monitoring import (
    CAPTURES,
    NINE,
    REPORTS,
    capture,
    data_quality,
    describe,
    endpoint,
    executions,
    labels,
    model_quality,
    processing_job,
    schedule,
)
from tests.local_sagemaker.models import create_config, create_endpoint, create_model, invoke
from tests.local_sagemaker.steps import until

TEN = NINE + timedelta(hours=1)
GOOD, BAD = [("30,a", "{}"), ("40,b", "{}")], [("30,a", "{}"), ("-1,zebra", "{}")]


def test_a_due_execution_checks_the_captured_data_of_the_previous_hour(machine: Machine) -> None:
    endpoint(machine)
    data_quality(machine)
    arn = schedule(machine)
    capture(machine, BAD)
    capture(machine, [("50,a", "{}")], variant="Canary")
    capture(machine, [("zebra,zebra", "{}")], TEN)
    machine.store.update("monitoring-schedule", "hourly", NextDue=TEN.timestamp())
    assert machine.scheduler.run_due(TEN + CAPTURE_DELAY) == TEN + timedelta(hours=1) + CAPTURE_DELAY
    until(lambda: executions(machine)[0]["MonitoringExecutionStatus"] not in ("Pending", "InProgress"))
    [execution] = executions(machine)
    assert execution["MonitoringExecutionStatus"] == "CompletedWithViolations", execution
    assert execution["ScheduledTime"] == TEN.timestamp()
    assert (execution["EndpointName"], execution["MonitoringType"]) == ("Churn", "DataQuality")
    assert execution["MonitoringJobDefinitionName"] == "columns"
    assert describe(machine)["LastMonitoringExecutionSummary"] == execution

    folder = f"{REPORTS}/Churn/hourly/2026/11/21/10"
    assert json.loads(machine.read(f"{folder}/statistics.json"))["dataset"]["item_count"] == 3
    [violation] = json.loads(machine.read(f"{folder}/constraint_violations.json"))["violations"]
    assert violation["feature_name"] == "plan"

    job = processing_job(machine, execution)
    assert job["ProcessingJobName"].startswith("model-monitoring-202611211000-")
    assert job["MonitoringScheduleArn"] == arn
    violations = "CompletedWithViolations: Job completed successfully with 1 violations. "
    assert job["ExitMessage"].startswith(f"{violations}plan: ")
    sources = [item["S3Input"] for item in job["ProcessingInputs"] if item["InputName"].startswith("endpoint_input")]
    assert sources[0]["S3Uri"] == f"{CAPTURES}/Churn/AllTraffic/2026/11/21/09"
    assert sources[0]["LocalPath"] == "/opt/ml/processing/input/endpoint/Churn/AllTraffic/2026/11/21/09"
    assert job["Environment"] == {
        "analysis_type": "DATA_QUALITY",
        "baseline_constraints": "/opt/ml/processing/baseline/constraints/constraints.json",
        "dataset_format": '{"sagemakerCaptureJson":{"captureIndexNames":["endpointInput","endpointOutput"]}}',
        "dataset_source": "/opt/ml/processing/input/endpoint",
        "end_time": "2026-11-21T10:00:00Z",
        "metric_time": "2026-11-21T09:00:00Z",
        "monitoring_input_type": "ENDPOINT_INPUT",
        "output_path": "/opt/ml/processing/output",
        "publish_cloudwatch_metrics": "Enabled",
        "sagemaker_endpoint_name": "Churn",
        "sagemaker_monitoring_schedule_name": "hourly",
        "start_time": "2026-11-21T09:00:00Z",
    }
    metrics = {datum["MetricName"]: datum for datum in machine.metrics["aws/sagemaker/Endpoints/data-metrics"]}
    assert metrics["total_number_of_violations"]["Value"] == 1
    assert metrics["feature_data_age"]["StatisticValues"]["SampleCount"] == 3
    names = {dimension["Name"]: dimension["Value"] for dimension in metrics["feature_data_age"]["Dimensions"]}
    assert names == {"Endpoint": "Churn", "MonitoringSchedule": "hourly"}


def test_the_latest_requests_are_checked(machine: Machine) -> None:
    create_model(machine)
    config = {
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": CAPTURES,
        "CaptureOptions": [{"CaptureMode": "Input"}],
    }
    create_endpoint(machine, create_config(machine, "config", DataCaptureConfig=config), "Churn")
    data_quality(machine)
    schedule(machine)
    for plan in ("a", "b", "zebra"):
        assert invoke(machine, f"30,{plan}", "Churn").status == 200
    execution = machine.scheduler.run_now("hourly")
    assert execution["MonitoringExecutionStatus"] == "CompletedWithViolations", execution
    statistics = json.loads(machine.read(f"{execution['OutputS3Uri']}/statistics.json"))
    assert statistics["dataset"]["item_count"] == 3


def test_run_now_checks_the_last_hour_or_the_given_window(machine: Machine) -> None:
    endpoint(machine)
    data_quality(machine, Environment={})
    schedule(machine)
    recent = datetime.now(UTC) - timedelta(seconds=10)
    capture(machine, GOOD, recent)
    execution = machine.scheduler.run_now("Hourly")
    assert execution["MonitoringExecutionStatus"] == "Completed", execution
    assert machine.metrics == {}, "the schedule publishes none"
    assert machine.scheduler.run_now("hourly", NINE, TEN)["FailureReason"] == "Job inputs had no data"
    capture(machine, BAD)
    execution = machine.scheduler.run_now("hourly", end=TEN)
    assert execution["MonitoringExecutionStatus"] == "CompletedWithViolations", execution
    assert execution["OutputS3Uri"] == f"{REPORTS}/Churn/hourly/2026/11/21/10"
    with pytest.raises(ServiceError, match="must precede its end"):
        machine.scheduler.run_now("hourly", TEN, TEN)
    with pytest.raises(ServiceError, match="'hurly' does not exist; existing schedules: hourly"):
        machine.scheduler.run_now("hurly")


def test_labels_are_merged_with_captured_data_before_model_quality_is_measured(machine: Machine) -> None:
    endpoint(machine)
    floor = {"accuracy": {"threshold": 0.9, "comparison_operator": "LessThanThreshold"}}
    model_quality(machine, constraints={"version": 0.0, "multiclass_classification_constraints": floor})
    schedule(machine, "model", "answers", "ModelQuality")
    answers = [json.dumps({"predictions": [{"label": label}]}) for label in ("yes", "no", "no", "yes")]
    capture(machine, [("1,a", answer) for answer in answers])
    assert machine.scheduler.run_now("model", end=TEN)["FailureReason"] == "Job inputs had no data"
    # uploaded hours later; the last one is still missing
    labels(machine, ["yes", "no", "yes"], datetime.now(UTC))
    execution = machine.scheduler.run_now("model", end=TEN)
    assert execution["MonitoringExecutionStatus"] == "CompletedWithViolations", execution

    job = processing_job(machine, execution)
    assert job["ProcessingJobName"].startswith("model-quality-monitoring-202611211000-")
    merge = machine.service.call(
        "DescribeProcessingJob",
        {"ProcessingJobName": job["ProcessingJobName"].replace("model-quality-monitoring", "groundtruth-merge")},
    )
    assert merge["ExitMessage"].startswith("Completed: Merged 3 of 4 inferences; 1 have no label yet")
    merged = f"{REPORTS}/merge/Churn/AllTraffic/2026/11/21/09"
    assert len(machine.read(f"{merged}/merged.jsonl").splitlines()) == 3
    assert merged in [item["S3Input"]["S3Uri"] for item in job["ProcessingInputs"]]
    assert job["Environment"]["dataset_format"] == '{"sagemakerMergeJson":{"captureIndexNames":["endpointOutput"]}}'

    folder = f"{REPORTS}/Churn/model/2026/11/21/10"
    statistics = json.loads(machine.read(f"{folder}/statistics.json"))
    assert statistics["multiclass_classification_metrics"]["accuracy"]["value"] == pytest.approx(2 / 3)
    [violation] = json.loads(machine.read(f"{folder}/constraint_violations.json"))["violations"]
    assert violation["metric_name"] == "accuracy"
    analysis = json.loads(machine.read(f"{folder}/analysis.json"))
    assert analysis["merge"]["unlabelled"] == 1


def test_batch_transforms_are_checked_through_the_manifests_of_their_inputs(machine: Machine) -> None:
    batch = {
        "DataCapturedDestinationS3Uri": "s3://bucket/batch",
        "DatasetFormat": {"Csv": {"Header": False}},
        "LocalPath": "/opt/ml/processing/input/batch",
    }
    data_quality(machine, BatchTransformInput=batch)
    schedule(machine)
    machine.put("s3://bucket/data/one.csv", "30,a\n40,b\n")
    machine.put("s3://bucket/data/two.csv", "50,a\n")
    machine.put("s3://bucket/data/other.csv", "zebra,zebra\n")
    machine.put(
        "s3://bucket/batch/input/2026/11/21/09/x.json",
        json.dumps([{"prefix": "s3://bucket/data/"}, "one.csv", "two.csv"]),
    )
    execution = machine.scheduler.run_now("hourly", end=TEN)
    assert execution["MonitoringExecutionStatus"] == "Completed", execution
    assert "EndpointName" not in execution
    assert json.loads(machine.read(f"{REPORTS}/hourly/2026/11/21/10/statistics.json"))["dataset"]["item_count"] == 3
    assert machine.metrics.keys() == {"aws/sagemaker/ModelMonitoring/data-metrics"}


def test_labels_are_merged_with_outputs_of_batch_transforms_by_inference_id(machine: Machine) -> None:
    batch = {
        "DataCapturedDestinationS3Uri": "s3://bucket/batch",
        "DatasetFormat": {"Csv": {"Header": False}},
        "LocalPath": "/opt/ml/processing/input_data",
        "InferenceAttribute": "0",
    }
    model_quality(machine, BatchTransformInput=batch)
    schedule(machine, "model", "answers", "ModelQuality")
    time = f"{NINE:%Y-%m-%dT%H:%M:%SZ}"
    machine.put("s3://bucket/out/one.csv.out", f"yes,0.9,0,{time}\nno,0.1,1,{time}\n")
    manifest = [{"prefix": "s3://bucket/out/"}, "one.csv.out"]
    machine.put("s3://bucket/batch/output/2026/11/21/09/x.json", json.dumps(manifest))
    labels(machine, ["yes", "yes"])
    execution = machine.scheduler.run_now("model", end=TEN)
    assert execution["MonitoringExecutionStatus"] == "Completed", execution
    statistics = json.loads(machine.read(f"{REPORTS}/model/2026/11/21/10/statistics.json"))
    assert statistics["multiclass_classification_metrics"]["accuracy"]["value"] == 0.5


def test_preprocessor_and_postprocessor_scripts_are_run(machine: Machine) -> None:
    endpoint(machine)
    pre = machine.put(
        "s3://bucket/code/pre.py",
        "def preprocess_handler(record):\n"
        "    age, plan = record.endpoint_input.data.split(',')\n"
        "    return {'age': abs(int(age)), 'plan': 'a'}\n",
    )
    post = machine.put("s3://bucket/code/post.py", "def postprocess_handler():\n    print('all done')\n")
    specification = {
        "ImageUri": "156813124566.dkr.ecr.us-east-1.amazonaws.com/sagemaker-model-monitor-analyzer",
        "RecordPreprocessorSourceUri": pre,
        "PostAnalyticsProcessorSourceUri": post,
    }
    data_quality(machine, DataQualityAppSpecification=specification)
    schedule(machine)
    capture(machine, BAD)
    execution = machine.scheduler.run_now("hourly", end=TEN)
    assert execution["MonitoringExecutionStatus"] == "Completed", execution
    assert "all done" in machine.log(execution["ProcessingJobArn"].rpartition("/")[2])


def test_a_custom_container_gets_the_contract_and_its_metrics_are_published(machine: Machine) -> None:
    endpoint(machine)
    script = """
import json, os, pathlib
source, folder = pathlib.Path(os.environ["dataset_source"]), pathlib.Path("/opt/ml/output/metrics/cloudwatch")
folder.mkdir(parents=True)
count = sum(len(path.read_text().splitlines()) for path in source.rglob("*.jsonl"))
metric = {"MetricName": "events", "Timestamp": os.environ["metric_time"], "Dimensions": [], "Value": count}
(folder / "cloudwatch_metrics.jsonl").write_text(json.dumps(metric) + "\\n{no metric\\n")
pathlib.Path("/opt/ml/output/message").write_text("CompletedWithViolations: too few")
"""
    machine.put("s3://bucket/code/pre.py", script)
    code = "/opt/ml/processing/code/record_preprocessor_script"
    specification = {
        "ImageUri": SCIKIT_LEARN,
        "ContainerEntrypoint": ["python3", f"{code}/pre.py"],
        "RecordPreprocessorSourceUri": "s3://bucket/code/pre.py",
        "Environment": {"publish_cloudwatch_metrics": "Enabled"},
    }
    data_quality(machine, DataQualityAppSpecification=specification)
    schedule(machine)
    capture(machine, BAD)
    execution = machine.scheduler.run_now("hourly", end=TEN)
    assert execution["MonitoringExecutionStatus"] == "CompletedWithViolations", execution
    [datum] = machine.metrics["aws/sagemaker/Endpoints/data-metrics"]
    assert (datum["MetricName"], datum["Value"]) == ("events", 2)


def test_a_failed_execution_has_a_failure_reason(machine: Machine) -> None:
    endpoint(machine, captures=False)
    data_quality(machine)
    schedule(machine)
    capture(machine, BAD)
    assert "Data capture is disabled" in machine.scheduler.run_now("hourly", end=TEN)["FailureReason"]
    endpoint(machine)
    machine.objects.delete("bucket", "baseline/constraints.json")
    execution = machine.scheduler.run_now("hourly", end=TEN)
    assert execution["MonitoringExecutionStatus"] == "Failed"
    assert "No S3 objects found under S3 URL" in execution["FailureReason"]
    machine.store.delete("data-quality-job-definition", "columns")
    assert "not found" in machine.scheduler.run_now("hourly", end=TEN)["FailureReason"]


def test_an_execution_whose_job_is_stopped_is_stopped(machine: Machine) -> None:
    endpoint(machine)
    machine.put("s3://bucket/code/wait.py", "import time\ntime.sleep(60)\n")
    specification = {
        "ImageUri": SCIKIT_LEARN,
        "ContainerEntrypoint": ["python3", "/opt/ml/processing/code/record_preprocessor_script/wait.py"],
        "RecordPreprocessorSourceUri": "s3://bucket/code/wait.py",
    }
    data_quality(machine, DataQualityAppSpecification=specification)
    schedule(machine)
    capture(machine, GOOD)
    machine.store.update("monitoring-schedule", "hourly", NextDue=TEN.timestamp())
    machine.scheduler.run_due(TEN)
    until(lambda: "ProcessingJobArn" in executions(machine)[0])
    assert executions(machine)[0]["MonitoringExecutionStatus"] == "InProgress"
    job = executions(machine)[0]["ProcessingJobArn"].rpartition("/")[2]
    machine.service.call("StopProcessingJob", {"ProcessingJobName": job})
    until(lambda: executions(machine, StatusEquals="Stopped"))


def test_only_the_latest_execution_missed_without_a_server_is_made_up_for(machine: Machine) -> None:
    endpoint(machine)
    data_quality(machine)
    schedule(machine)
    schedule(machine, "daily", ScheduleConfig={"ScheduleExpression": "cron(0 8 ? * * *)"})
    schedule(machine, "asleep")
    machine.service.call("StopMonitoringSchedule", {"MonitoringScheduleName": "asleep"})
    long_ago = (NINE - timedelta(days=3)).timestamp()
    for name in ("hourly", "daily"):
        machine.store.update("monitoring-schedule", name, NextDue=long_ago)
    monitoring_scheduler = machine.scheduler
    assert monitoring_scheduler.run_due(NINE + timedelta(minutes=30)) == TEN + CAPTURE_DELAY
    found = {one["MonitoringScheduleName"]: one["ScheduledTime"] for one in executions(machine)}
    assert found == {"hourly": NINE.timestamp(), "daily": (NINE - timedelta(hours=1)).timestamp()}
    monitoring_scheduler.run_due(NINE + timedelta(minutes=31))
    assert len(executions(machine)) == 2


def test_a_now_schedule_runs_once(machine: Machine) -> None:
    endpoint(machine)
    data_quality(machine)
    machine.scheduler.start()
    window = {"DataAnalysisStartTime": "-PT2H", "DataAnalysisEndTime": "PT0H"}
    capture(machine, GOOD, datetime.now(UTC) - timedelta(minutes=90))
    schedule(machine, ScheduleConfig={"ScheduleExpression": "NOW", **window})
    until(lambda: executions(machine, StatusEquals="Completed"))
    assert len(executions(machine)) == 1


def test_unfinished_executions_of_an_earlier_server_are_marked_failed(machine: Machine) -> None:
    endpoint(machine)
    data_quality(machine)
    schedule(machine)
    machine.scheduler.run_now("hourly", end=TEN)
    name = machine.store.all("monitoring-execution")[0]["MonitoringExecutionName"]
    machine.store.update("monitoring-execution", name, MonitoringExecutionStatus="InProgress")
    again = Machine(machine.data_dir)
    again.scheduler.start()
    [execution] = executions(again)
    assert execution["MonitoringExecutionStatus"] == "Failed"
    assert execution["FailureReason"].startswith("InternalServerError: the local SageMaker ended")
    again.scheduler.close()
