"""The account of tests/deployment/aws.py with a deployed endpoint, S3, and what monitoring makes of it all."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import Any

from deployment.deploy import choose_variants, deploy_endpoint
from deployment.plan import plan_endpoint
from project.settings import Settings
from tests.deployment.aws import Account, Record, Refused, package_arn
from tests.local_sagemaker.machine import tar_gz

ARN = "arn:aws:sagemaker:eu-west-1:111122223333"
NOW = datetime.now(UTC)
BASELINES = "s3://bucket/demo/executions/1"
MODEL = "s3://bucket/demo/executions/1/model.tar.gz"
CONSTRAINTS = {
    "version": 0,
    "features": [
        {"name": "age", "inferred_type": "Integral", "completeness": 1.0},
        {"name": "plan", "inferred_type": "String", "completeness": 0.5},
    ],
    "monitoring_config": {"distribution_constraints": {"comparison_threshold": 0.1}},
}
METRICS = {"binary_classification_constraints": {"auc": {"threshold": 0.9, "comparison_operator": "LessThanThreshold"}}}


class WatchedAccount(Account):
    def __init__(self) -> None:
        super().__init__()
        self.packages = {1: "Approved"}
        self.objects: dict[str, tuple[bytes, datetime, dict[str, str]]] = {}
        self.definitions: dict[str, Record] = {}
        self.native: dict[str, Record] = {}
        self.pipeline_definitions: dict[str, str] = {}
        self.topics: list[str] = []
        # executions of the monitoring pipeline, the newest first: name, status, parameters
        self.executions: list[tuple[str, str, dict[str, str]]] = []
        self.native_executions: dict[str, list[Record]] = {}
        for name in ("data-quality", "model-quality"):
            self.put(f"{BASELINES}/{name}/statistics.json", {})
        self.put(f"{BASELINES}/data-quality/constraints.json", CONSTRAINTS)
        self.put(f"{BASELINES}/model-quality/constraints.json", METRICS)
        self.put(MODEL, tar_gz({"schema.json": json.dumps({"classes": ["no", "yes"]})}))

    def deploy(self, settings: Settings, endpoint: str = "demo") -> None:
        variants = choose_variants(settings, self.target, None, None, 0.1)
        plan = plan_endpoint(settings, self.target, endpoint, "real-time", variants)
        deploy_endpoint(settings, self.target, plan, 5, lambda _: None)

    def put(self, uri: str, content: Any, modified: datetime = NOW) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.objects[uri.removeprefix("s3://bucket/")] = (body, modified, {})

    def read(self, uri: str) -> bytes:
        return self.objects[uri.removeprefix("s3://bucket/")][0]

    # the endpoint and its model

    def _DescribeEndpoint(self, request: Record) -> Record:
        answer = super()._DescribeEndpoint(request)
        capture = self.configs.get(answer.get("EndpointConfigName", ""), {}).get("DataCaptureConfig")
        if capture is None:
            return answer
        return {
            **answer,
            "DataCaptureConfig": {**capture, "CaptureStatus": "Started", "CurrentSamplingPercentage": 100},
        }

    def _DescribeModelPackage(self, request: Record) -> Record:
        files = {
            name: {
                part: {"ContentType": "application/json", "S3Uri": f"{BASELINES}/{kind}/{part.lower()}.json"}
                for part in ("Statistics", "Constraints")
            }
            for name, kind in (("ModelDataQuality", "data-quality"), ("ModelQuality", "model-quality"))
        }
        return {
            **super()._DescribeModelPackage(request),
            "ModelPackageArn": package_arn(1),
            "DriftCheckBaselines": files,
            "InferenceSpecification": {"Containers": [{"ModelDataUrl": MODEL}]},
        }

    # S3

    def _PutObject(self, request: Record) -> Record:
        body = request["Body"]
        content = body if isinstance(body, bytes) else body.read()
        self.objects[request["Key"]] = (content, NOW, request.get("Metadata", {}))
        return {}

    def _GetObject(self, request: Record) -> Record:
        return {"Body": io.BytesIO(self._object(request)[0])}

    def _HeadObject(self, request: Record) -> Record:
        return {"Metadata": self._object(request)[2]}

    def _object(self, request: Record) -> tuple[bytes, datetime, dict[str, str]]:
        if request["Key"] not in self.objects:
            raise Refused("NoSuchKey", "The specified key does not exist.", 404)
        return self.objects[request["Key"]]

    def _ListObjectsV2(self, request: Record) -> Record:
        prefix, after = request["Prefix"], request.get("StartAfter", "")
        keys = [key for key in sorted(self.objects) if key.startswith(prefix) and key > after]
        if "Delimiter" not in request:
            return {"Contents": [{"Key": key, "LastModified": self.objects[key][1]} for key in keys]}
        folders = {key.removeprefix(prefix).split("/")[0] for key in keys if "/" in key.removeprefix(prefix)}
        return {"CommonPrefixes": [{"Prefix": f"{prefix}{folder}/"} for folder in sorted(folders)]}

    def _DeleteObjects(self, request: Record) -> Record:
        for item in request["Delete"]["Objects"]:
            del self.objects[item["Key"]]
        return {}

    # the pipeline and its schedules

    def _UpdatePipeline(self, request: Record) -> Record:
        self.pipeline_definitions[request["PipelineName"]] = request["PipelineDefinition"]
        return {"PipelineArn": f"{ARN}:pipeline/{request['PipelineName']}"}

    def _DescribePipeline(self, request: Record) -> Record:
        if request["PipelineName"] not in self.pipeline_definitions:
            raise Refused("ResourceNotFound", "Pipeline does not exist.")
        return {}

    def _DeletePipeline(self, request: Record) -> Record:
        del self.pipeline_definitions[request["PipelineName"]]
        return {}

    def _StartPipelineExecution(self, request: Record) -> Record:
        return {"PipelineExecutionArn": f"{ARN}:pipeline/demo-monitoring/execution/new"}

    def _StopPipelineExecution(self, request: Record) -> Record:
        name = request["PipelineExecutionArn"].rpartition("/")[2]
        self.executions = [(one, "Stopped" if one == name else status, more) for one, status, more in self.executions]
        return {}

    def _ListPipelineExecutions(self, request: Record) -> Record:
        return {
            "PipelineExecutionSummaries": [
                {
                    "PipelineExecutionArn": f"{ARN}:pipeline/demo-monitoring/execution/{name}",
                    "PipelineExecutionStatus": status,
                    "StartTime": NOW,
                }
                for name, status, _ in self.executions
            ]
        }

    def _ListPipelineParametersForExecution(self, request: Record) -> Record:
        _, _, parameters = self._execution(request)
        return {"PipelineParameters": [{"Name": name, "Value": value} for name, value in parameters.items()]}

    def _DescribePipelineExecution(self, request: Record) -> Record:
        return {"PipelineExecutionStatus": self._execution(request)[1]}

    def _ListPipelineExecutionSteps(self, request: Record) -> Record:
        name, status, _ = self._execution(request)
        step = {
            "StepName": "Monitor",
            "StepStatus": status,
            "FailureReason": "out of memory" if status == "Failed" else "",
            "Metadata": {"ProcessingJob": {"Arn": f"{ARN}:processing-job/{name}"}},
        }
        return {"PipelineExecutionSteps": [step]}

    def _execution(self, request: Record) -> tuple[str, str, dict[str, str]]:
        wanted = request["PipelineExecutionArn"].rpartition("/")[2]
        return next(one for one in self.executions if one[0] == wanted)

    def _DescribeProcessingJob(self, request: Record) -> Record:
        root = f"s3://bucket/demo/monitoring/executions/{request['ProcessingJobName']}"
        return {
            "ProcessingOutputConfig": {
                "Outputs": [
                    {"OutputName": name, "S3Output": {"S3Uri": f"{root}/{name}"}}
                    for name in ("data-quality", "model-quality", "summary")
                ]
            }
        }

    def _CreateSchedule(self, request: Record) -> Record:
        if request["Name"] in self.schedules:
            raise Refused("ConflictException", "Schedule already exists.", 409)
        return self._UpdateSchedule(request)

    def _UpdateSchedule(self, request: Record) -> Record:
        kept = {key: value for key, value in request.items() if key != "ClientToken"}
        self.schedules[request["Name"]] = {"LastModificationDate": NOW, **kept}
        return {}

    def _ListSchedules(self, request: Record) -> Record:
        return {
            "Schedules": [
                {"Name": name, "GroupName": "default", "Target": {"Arn": schedule["Target"]["Arn"]}}
                for name, schedule in self.schedules.items()
                if name.startswith(request.get("NamePrefix", ""))
            ]
        }

    def _GetSchedule(self, request: Record) -> Record:
        if request["Name"] not in self.schedules:
            raise Refused("ResourceNotFoundException", "Schedule does not exist.", 404)
        return self.schedules[request["Name"]]

    # Model Monitor

    def _CreateDataQualityJobDefinition(self, request: Record) -> Record:
        return self._made(self.definitions, "data-quality-job-definition", request["JobDefinitionName"], request)

    def _CreateModelQualityJobDefinition(self, request: Record) -> Record:
        return self._made(self.definitions, "model-quality-job-definition", request["JobDefinitionName"], request)

    def _DescribeDataQualityJobDefinition(self, request: Record) -> Record:
        name = request["JobDefinitionName"]
        return {**self.definitions[name], "JobDefinitionArn": f"{ARN}:data-quality-job-definition/{name}"}

    _DescribeModelQualityJobDefinition = _DescribeDataQualityJobDefinition

    def _DeleteDataQualityJobDefinition(self, request: Record) -> Record:
        if request["JobDefinitionName"] not in self.definitions:
            raise Refused("ResourceNotFound", "Job Definition not found")
        users = [item["MonitoringScheduleConfig"] for item in self.native.values()]
        assert request["JobDefinitionName"] not in [user["MonitoringJobDefinitionName"] for user in users]
        del self.definitions[request["JobDefinitionName"]]
        return {}

    _DeleteModelQualityJobDefinition = _DeleteDataQualityJobDefinition

    def _CreateMonitoringSchedule(self, request: Record) -> Record:
        self.native[request["MonitoringScheduleName"]] = {
            "MonitoringScheduleArn": f"{ARN}:monitoring-schedule/{request['MonitoringScheduleName']}",
            "MonitoringScheduleStatus": "Scheduled",
            "LastModifiedTime": NOW,
            **request,
        }
        return {}

    def _UpdateMonitoringSchedule(self, request: Record) -> Record:
        self.native[request["MonitoringScheduleName"]] |= request
        return {}

    def _DescribeMonitoringSchedule(self, request: Record) -> Record:
        name = request["MonitoringScheduleName"]
        if name not in self.native:
            raise Refused("ResourceNotFound", "Monitoring Schedule not found")
        return self.native[name]

    def _ListMonitoringSchedules(self, request: Record) -> Record:
        return {
            "MonitoringScheduleSummaries": [
                {"MonitoringScheduleName": name}
                for name, schedule in self.native.items()
                if request.get("NameContains", "") in name
                and request.get("MonitoringJobDefinitionName")
                in (None, schedule["MonitoringScheduleConfig"]["MonitoringJobDefinitionName"])
            ]
        }

    def _StopMonitoringSchedule(self, request: Record) -> Record:
        self.native[request["MonitoringScheduleName"]]["MonitoringScheduleStatus"] = "Stopped"
        return {}

    def _StartMonitoringSchedule(self, request: Record) -> Record:
        self.native[request["MonitoringScheduleName"]]["MonitoringScheduleStatus"] = "Scheduled"
        return {}

    def _DeleteMonitoringSchedule(self, request: Record) -> Record:
        del self.native[request["MonitoringScheduleName"]]
        return {}

    def _ListMonitoringExecutions(self, request: Record) -> Record:
        return {"MonitoringExecutionSummaries": self.native_executions.get(request["MonitoringScheduleName"], [])}

    # SNS

    def _CreateTopic(self, request: Record) -> Record:
        arn = f"arn:aws:sns:eu-west-1:111122223333:{request['Name']}"
        self.topics.append(arn)
        return {"TopicArn": arn}

    def _ListTopics(self, request: Record) -> Record:
        return {"Topics": [{"TopicArn": arn} for arn in self.topics]}

    def _DeleteTopic(self, request: Record) -> Record:
        self.topics.remove(request["TopicArn"])
        return {}
