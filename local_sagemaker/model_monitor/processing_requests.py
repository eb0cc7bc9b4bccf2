"""CreateProcessingJob requests for the jobs of a monitoring execution.

Inputs, outputs and environment variables are those of jobs that Model Monitor has started on AWS, and of "Container
Contract Inputs" in SageMaker's developer guide.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from local_sagemaker.model_monitor.dataset_sources import DatasetSource
from local_sagemaker.model_monitor.monitoring_job import MonitoringJob
from local_sagemaker.model_monitor.monitoring_type import ENDPOINT_OUTPUT, MODEL_QUALITY
from local_sagemaker.model_monitor.schedule_times import Window, folder_of
from local_sagemaker.protocol.times import iso_time
from local_sagemaker.storage.records import Record

MERGER = "156813124566.dkr.ecr.us-east-1.amazonaws.com/sagemaker-model-monitor-groundtruth-merger"
# next to the merged records: how many there are, and how many have no label
MERGE_COUNTS = "_merge.json"

GROUND_TRUTH = "/opt/ml/processing/groundtruth"
MERGED = "/opt/ml/processing/output"
CODE = "/opt/ml/processing/code"
ANALYSIS_CONFIG = "/opt/ml/processing/input/config"
BASELINES = {
    "constraints": ("constraints", "/opt/ml/processing/baseline/constraints"),
    "statistics": ("baseline", "/opt/ml/processing/baseline/stats"),
}
SCRIPTS = {
    "record_preprocessor_script": "RecordPreprocessorSourceUri",
    "post_analytics_processor_script": "PostAnalyticsProcessorSourceUri",
}

# members of the input, and the environment variables that pass them to the container
ATTRIBUTES = {
    "FeaturesAttribute": "features_attribute",
    "ExcludeFeaturesAttribute": "exclude_features_attribute",
    "InferenceAttribute": "inference_attribute",
    "ProbabilityAttribute": "probability_attribute",
    "ProbabilityThresholdAttribute": "probability_threshold_attribute",
}


@dataclass(frozen=True)
class MonitoringExecution:
    """An execution of a schedule.

    Attributes:
        schedule_name: The schedule's name.
        schedule_arn: The schedule's ARN.
        job: The job to run.
        scheduled: The time that it was scheduled for.
        window: The time window of the dataset.
        execution_id: A unique id, which is part of the names of its processing jobs.
    """

    schedule_name: str
    schedule_arn: str
    job: MonitoringJob
    scheduled: datetime
    window: Window
    execution_id: str


def merge_uri(job: MonitoringJob) -> str:
    """Return the S3 URI of captured data merged with labels, in the folders of the captured data."""
    return f"{job.output['S3Uri'].rstrip('/')}/merge"


def output_uri(execution: MonitoringExecution) -> str:
    """Return the S3 URI of an execution's results, by endpoint, schedule and hour."""
    parts = (execution.job.endpoint_name, execution.schedule_name, folder_of(execution.scheduled))
    return "/".join([execution.job.output["S3Uri"].rstrip("/"), *filter(None, parts)])


def merge_request(
    execution: MonitoringExecution, captures: Sequence[DatasetSource], labels: Sequence[DatasetSource]
) -> Record:
    """Return the request for the job that merges captured inferences with their labels."""
    source = execution.job.input["LocalPath"]
    inputs = [*_inputs("groundtruth_input", labels, GROUND_TRUTH), *_inputs("endpoint_input", captures, source)]
    environment = {"dataset_source": source, "ground_truth_source": GROUND_TRUTH, "output_path": MERGED}
    output = {"S3Uri": merge_uri(execution.job), "LocalPath": MERGED, "S3UploadMode": "EndOfJob"}
    return _request("groundtruth-merge", execution, {"ImageUri": MERGER}, inputs, output, environment)


def analysis_request(execution: MonitoringExecution, dataset: Sequence[DatasetSource]) -> Record:
    """Return the request for the job that checks a dataset, captured or merged, against the baseline."""
    job, window = execution.job, execution.window
    source, output = job.input["LocalPath"], job.output["LocalPath"]
    files = _files(job)
    inputs = [_input(name, folder, uri) for name, folder, uri in files.values()]
    inputs += _inputs("endpoint_input" if job.endpoint_name else "batch_transform_input", dataset, source, job.input)
    if job.config:
        inputs.append(_input("analysis_config", ANALYSIS_CONFIG, job.config))
    if job.type is MODEL_QUALITY:
        inputs.append(_input("merge_counts", source, f"{merge_uri(job)}/{MERGE_COUNTS}"))
    environment = {
        **job.environment,
        "analysis_type": job.type.analysis_type,
        "dataset_format": json.dumps(_dataset_format(job), separators=(",", ":")),
        "dataset_source": source,
        "output_path": output,
        "start_time": iso_time(window.start.timestamp()),
        "end_time": iso_time(window.end.timestamp()),
        "metric_time": iso_time(window.start.timestamp()),
        "monitoring_input_type": "ENDPOINT_INPUT" if job.endpoint_name else "BATCH_TRANSFORM_INPUT",
        "sagemaker_monitoring_schedule_name": execution.schedule_name,
        **({"sagemaker_endpoint_name": job.endpoint_name} if job.endpoint_name else {}),
        **({"problem_type": job.problem_type} if job.problem_type else {}),
        **{name: str(job.input[member]) for member, name in ATTRIBUTES.items() if member in job.input},
        **{variable: f"{folder}/{uri.rpartition('/')[2]}" for variable, (_, folder, uri) in files.items()},
    }
    names = ("ImageUri", "ContainerEntrypoint", "ContainerArguments")
    specification = {name: job.specification[name] for name in names if name in job.specification}
    target = {"S3UploadMode": "Continuous", **job.output, "S3Uri": output_uri(execution)}
    return _request(job.type.job_prefix, execution, specification, inputs, target, environment)


def _files(job: MonitoringJob) -> dict[str, tuple[str, str, str]]:
    """Return input name, folder and S3 URI of baseline files and scripts, by their environment variable."""
    files = {
        f"baseline_{part}": (name, folder, job.baseline[part])
        for part, (name, folder) in BASELINES.items()
        if part in job.baseline
    }
    for variable, member in SCRIPTS.items():
        if member in job.specification:
            files[variable] = (variable, f"{CODE}/{variable}", job.specification[member])
    return files


def _dataset_format(job: MonitoringJob) -> Record:
    # labels are merged with the output of batch transforms, which may be joined with their input
    captures = {"captureIndexNames": list(job.type.captures) if job.endpoint_name else [ENDPOINT_OUTPUT]}
    if job.ground_truth:
        return {"sagemakerMergeJson": captures}
    if job.endpoint_name:
        return {"sagemakerCaptureJson": captures}
    ((name, options),) = job.input["DatasetFormat"].items()
    if name == "Csv":
        return {"csv": {"header": options.get("Header", False)}}
    if name == "Json":
        return {"json": {"line": options.get("Line", True)}}
    return {"parquet": {}}


def _request(
    prefix: str,
    execution: MonitoringExecution,
    specification: Record,
    inputs: list[Record],
    output: Record,
    environment: Record,
) -> Record:
    job = execution.job
    return {
        "ProcessingJobName": f"{prefix}-{execution.execution_id}",
        "AppSpecification": specification,
        "ProcessingInputs": inputs,
        "ProcessingOutputConfig": {
            "Outputs": [{"OutputName": "result", "S3Output": output}],
            **({"KmsKeyId": job.output_key} if job.output_key else {}),
        },
        "ProcessingResources": job.resources,
        "Environment": environment,
        # not a member of CreateProcessingJob, but of DescribeProcessingJob's response
        "MonitoringScheduleArn": execution.schedule_arn,
        **job.settings,
    }


def _inputs(name: str, sources: Sequence[DatasetSource], root: str, options: Record | None = None) -> list[Record]:
    return [
        _input(f"{name}_{number}", f"{root}/{source.folder}", source.uri, source.data_type, options or {})
        for number, source in enumerate(sources, start=1)
    ]


def _input(name: str, folder: str, uri: str, data_type: str = "S3Prefix", options: Record | None = None) -> Record:
    options = options or {}
    return {
        "InputName": name,
        "S3Input": {
            "S3Uri": uri,
            "LocalPath": folder,
            "S3DataType": data_type,
            "S3InputMode": options.get("S3InputMode", "File"),
            "S3DataDistributionType": options.get("S3DataDistributionType", "FullyReplicated"),
        },
    }
