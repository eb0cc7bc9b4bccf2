"""The local account of tests/deployment with an endpoint `demo`, and a monitoring pipeline that copies results."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from local_sagemaker.account import ACCOUNT, REGION, ROLE_ARN
from monitoring.cleanup import find_removals
from pipelines import runner
from tests.deployment.local_account import LocalAccount, Record, deploy, minimal_settings
from tests.local_sagemaker.machine import SCIKIT_LEARN

ARN = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}"
BASELINES = "s3://bucket/demo/executions/1"
CONSTRAINTS = {
    "version": 0,
    "features": [
        {"name": "age", "inferred_type": "Integral", "completeness": 1.0},
        {"name": "plan", "inferred_type": "String", "completeness": 0.5},
    ],
    "monitoring_config": {"distribution_constraints": {"comparison_threshold": 0.1}},
}
METRICS = {"binary_classification_constraints": {"auc": {"threshold": 0.9, "comparison_operator": "LessThanThreshold"}}}
BIAS_CONFIG = {
    "label": "y",
    "label_values_or_threshold": ["yes"],
    "facet": [{"name_or_index": "sex", "value_or_threshold": ["f"]}],
}
SHAP_CONFIG = {
    "methods": {"shap": {"agg_method": "mean_abs", "use_logit": True}},
    "predictor": {"instance_type": "ml.m5.large", "initial_instance_count": 1, "content_type": "text/csv"},
}
WINDOW = {"start": "2026-01-02T10:00:00+00:00", "end": "2026-01-02T10:10:00+00:00"}

# copies outputs that a test has prepared; a file `fail` or `wait` beside them makes it fail or wait
_SCRIPT = """
import shutil, sys, time
from pathlib import Path
prepared, output = Path("/opt/ml/processing/input/prepared"), Path("/opt/ml/processing/output")
for folder in ("data-quality", "model-quality", "bias", "attribution", "summary"):
    if (prepared / folder).is_dir():
        shutil.copytree(prepared / folder, output / folder, dirs_exist_ok=True)
if (prepared / "wait").exists():
    time.sleep(60)
if (prepared / "fail").exists():
    sys.exit("out of memory")
"""
_OUTPUTS = ("data-quality", "model-quality", "bias", "attribution", "summary")
_PARAMETERS = (
    "EndpointName",
    "CaptureUri",
    "GroundTruthUri",
    "DataQualityStatisticsUri",
    "DataQualityConstraintsUri",
    "ModelQualityStatisticsUri",
    "ModelQualityConstraintsUri",
    "BiasConstraintsUri",
    "BiasConfigUri",
    "AttributionConstraintsUri",
    "AttributionConfigUri",
    "ModelUri",
    "PositiveLabel",
    "WindowEnd",
    "WindowMinutes",
    "CaptureDelayMinutes",
    "PreparedUri",
)


def bias_analysis(section: str, error: str = "", **metrics: float | None) -> Record:
    """Return an analysis.json with metrics of the group sex = f; `error` is why those of None have no value."""
    entries = [
        {"name": name, "description": name, "value": value, "standard_deviation": 0.01}
        | ({"error": error} if value is None else {})
        for name, value in metrics.items()
    ]
    facets = {"sex": [{"value_or_threshold": "f", "metrics": entries}]}
    return {"version": "1.0", section: {"label": "y", "label_value_or_threshold": "yes", "facets": facets}}


def shap_analysis(**values: float) -> Record:
    labels = {"label0": {"global_shap_values": values, "expected_value": 0.3}}
    return {"version": "1.0", "explanations": {"kernel_shap": labels}}


class MonitoredAccount(LocalAccount):
    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir)
        self.register_with_baselines("demo", BASELINES)
        deploy(minimal_settings(), self)
        self.put("s3://bucket/code/monitor.py", _SCRIPT.encode())
        self.put("s3://bucket/prepared/none/none", b"")
        self._prepared = 0
        self.kept = set(self.keys())

    def register_with_baselines(self, group: str, root: str) -> int:
        """Register an approved version whose baselines are below the prefix."""
        for name in ("data-quality", "model-quality"):
            self.put_json(f"{root}/{name}/statistics.json", {})
        self.put_json(f"{root}/data-quality/constraints.json", CONSTRAINTS)
        self.put_json(f"{root}/model-quality/constraints.json", METRICS)
        files = {
            name: {
                part: {"ContentType": "application/json", "S3Uri": f"{root}/{kind}/{part.lower()}.json"}
                for part in ("Statistics", "Constraints")
            }
            for name, kind in (("ModelDataQuality", "data-quality"), ("ModelQuality", "model-quality"))
        }
        clarify = {
            "Bias": {
                "PreTrainingConstraints": (
                    "data-bias/analysis.json",
                    bias_analysis("pre_training_bias_metrics", CI=0.1),
                ),
                "PostTrainingConstraints": (
                    "model-bias/analysis.json",
                    bias_analysis("post_training_bias_metrics", DI=0.9, DPPL=0.05),
                ),
                "ConfigFile": ("bias-monitoring/analysis_config.json", BIAS_CONFIG),
            },
            "Explainability": {
                "Constraints": ("explainability/analysis.json", shap_analysis(age=0.6, plan=0.2)),
                "ConfigFile": ("explainability-monitoring/analysis_config.json", SHAP_CONFIG),
            },
        }
        for name, documents in clarify.items():
            files[name] = {}
            for part, (path, document) in documents.items():
                self.put_json(f"{root}/{path}", document)
                files[name][part] = {"ContentType": "application/json", "S3Uri": f"{root}/{path}"}
        schema = json.dumps({"classes": ["no", "yes"], "features": [{"name": "age"}, {"name": "plan"}]})
        return self.register(group, files={"schema.json": schema}, DriftCheckBaselines=files)

    def put_json(self, uri: str, content: Any) -> None:
        self.put(uri, json.dumps(content).encode())

    def make_old(self, prefix: str, age: timedelta) -> None:
        """Let objects have been written that long ago."""
        written = (datetime.now(UTC) - age).timestamp()
        for key in self.keys(prefix):
            os.utime(self.data_dir / "s3" / "bucket" / key, (written, written))

    def finish(self, endpoint: str = "demo", status: str = "Succeeded", **results: Any) -> str:
        """Run an execution of the monitoring pipeline to its end with these results; return its name."""
        self._prepared += 1
        root = f"s3://bucket/prepared/{self._prepared}"
        summary = {
            "status": "Completed",
            "alert": False,
            "reasons": [],
            "window": WINDOW,
            "data_quality": {"records": 500},
            "model_quality": {"records": 400},
            "missing_label_share": 0.2,
        }
        self.put_json(f"{root}/summary/monitoring_summary.json", summary | results.get("summary", {}))
        if "retraining" in results:
            self.put_json(f"{root}/summary/retraining.json", results["retraining"])
        self.put_json(f"{root}/data-quality/analysis.json", {"drift": results.get("drift", [])})
        self.put_json(f"{root}/data-quality/constraint_violations.json", {"violations": results.get("violations", [])})
        self.put_json(f"{root}/model-quality/analysis.json", {"metrics": results.get("metrics", [])})
        for name, document in results.get("clarify", {}).items():
            self.put_json(f"{root}/{name}", document)
        self.put(f"{root}/data-quality/report.html", b"<p>data</p>")
        if marker := {"Failed": "fail", "Executing": "wait"}.get(status):
            self.put(f"{root}/{marker}", b"")
        arn: str = self.target.sagemaker.start_pipeline_execution(
            PipelineName="demo-monitoring",
            PipelineParameters=[
                {"Name": "EndpointName", "Value": endpoint},
                {"Name": "PreparedUri", "Value": root},
            ],
            ClientRequestToken=f"{root:-<32}{os.urandom(4).hex()}",
        )["PipelineExecutionArn"]
        if status != "Executing":
            *_, execution = runner.follow(self.target, arn, 60)
            assert execution.status == status
        return arn.rpartition("/")[2]

    def topics(self) -> list[str]:
        return [topic["TopicArn"] for topic in self.target.sns.list_topics()["Topics"]]

    def pipelines(self) -> list[str]:
        return [item["PipelineName"] for item in self.target.sagemaker.list_pipelines()["PipelineSummaries"]]

    def monitoring_schedules(self) -> list[str]:
        summaries = self.target.sagemaker.list_monitoring_schedules()["MonitoringScheduleSummaries"]
        return sorted(item["MonitoringScheduleName"] for item in summaries)

    def job_definitions(self) -> list[str]:
        sagemaker = self.target.sagemaker
        lists = (
            sagemaker.list_data_quality_job_definitions,
            sagemaker.list_model_quality_job_definitions,
            sagemaker.list_model_bias_job_definitions,
            sagemaker.list_model_explainability_job_definitions,
        )
        return sorted(
            item["MonitoringJobDefinitionName"] for list_them in lists for item in list_them()["JobDefinitionSummaries"]
        )

    def monitoring_alarms(self) -> dict[str, Record]:
        alarms = self.target.cloudwatch.describe_alarms(AlarmNamePrefix="demo")["MetricAlarms"]
        return {alarm["AlarmName"]: alarm for alarm in alarms if "-monitoring-" in alarm["AlarmName"]}

    def schedule(self, name: str = "demo-monitoring") -> Record:
        schedule: Record = self.target.scheduler.get_schedule(Name=name)
        return schedule

    def remove_monitoring(self) -> None:
        """Remove everything but the endpoint `demo` and its model."""
        for name in self.schedules():
            if name != "demo-monitoring":
                self.target.scheduler.delete_schedule(Name=name)
        if self.schedules() or self.monitoring_schedules() or self.pipelines():
            for removal in find_removals(minimal_settings(), self.target, "demo", with_reports=False):
                removal.remove()
        if extra := [{"Key": key} for key in self.keys() if key not in self.kept]:
            self.target.s3.delete_objects(Bucket="bucket", Delete={"Objects": extra})


def monitoring_definition() -> str:
    """The definition of a monitoring pipeline whose job copies prepared results."""
    folder = "/opt/ml/processing"

    def source(name: str, uri: Any) -> Record:
        location = {"LocalPath": f"{folder}/input/{name}", "S3DataType": "S3Prefix", "S3InputMode": "File"}
        return {"InputName": name, "S3Input": {**location, "S3Uri": uri}}

    def output(name: str) -> Record:
        values = ["s3://bucket/demo/monitoring/executions", {"Get": "Execution.PipelineExecutionId"}, name]
        location = {"LocalPath": f"{folder}/output/{name}", "S3UploadMode": "EndOfJob"}
        return {"OutputName": name, "S3Output": {**location, "S3Uri": {"Std:Join": {"On": "/", "Values": values}}}}

    cluster = {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 30}
    arguments = {
        "AppSpecification": {
            "ImageUri": SCIKIT_LEARN,
            "ContainerEntrypoint": ["python3", f"{folder}/input/code/monitor.py"],
        },
        "ProcessingInputs": [
            source("code", "s3://bucket/code/monitor.py"),
            source("prepared", {"Get": "Parameters.PreparedUri"}),
        ],
        "ProcessingOutputConfig": {"Outputs": [output(name) for name in _OUTPUTS]},
        "ProcessingResources": {"ClusterConfig": cluster},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        "RoleArn": ROLE_ARN,
    }
    defaults = {"PreparedUri": "s3://bucket/prepared/none"}
    parameters = [{"Name": name, "Type": "String", "DefaultValue": defaults.get(name, "none")} for name in _PARAMETERS]
    step = {"Name": "Monitor", "Type": "Processing", "Arguments": arguments}
    return json.dumps({"Version": "2020-12-01", "Parameters": parameters, "Steps": [step]})
