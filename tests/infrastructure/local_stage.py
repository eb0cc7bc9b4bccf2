"""A local SageMaker with the stacks of a stage, and a project `demo` of tiny models that need no training."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3

from deployment.invocations import InvocationResult, as_json, invoke, runtime_client
from local_sagemaker.data_dir import DataDir
from local_sagemaker.storage.log_files import log_file
from project.target import local_target
from tests.local_sagemaker.machine import ROLE, SCIKIT_LEARN, tar_gz
from tests.stories.workplace import Workplace

SECONDS = 40
STACKS = ("storage-and-roles", "deploy-on-approval", "retrain-on-drift")
ENDPOINT = "demo-staging"

# predicts its version for each record, and answers 400 to anything else
PROGRAM = """
import json
VERSION = {version}
class Refused(Exception):
    status_code, message, phrase = 400, "not a record", "Bad Request"
def model_fn(folder):
    return None
def transform_fn(model, body, content_type, accept):
    try:
        records = json.loads(body)
        records = records if isinstance(records, list) else [records]
        numbers = [float(value) for record in records for value in record.values()]
    except (ValueError, TypeError, AttributeError):
        raise Refused from None
    {trouble}
    return json.dumps({{"predictions": [{{"prediction": VERSION}} for _ in records]}}), "application/json"
"""

# writes the summary of a check of an endpoint, which is an alert if there is a reason
MONITOR = """
import json, sys
endpoint, reason = sys.argv[1:]
summary = {"endpoint": endpoint, "alert": reason != "none", "reasons": [reason]}
with open("/opt/ml/processing/output/summary/monitoring_summary.json", "w") as file:
    json.dump(summary, file)
"""

SETTINGS = """
name: demo
problem_type: Regression
data: {target_column: y}
quality: {metric: rmse, threshold: 1}
# the alarms look at the last minute, in which a version may have failed its test
deployment: {update: {wait_seconds: 0, max_5xx_errors_per_minute: 1000000, max_latency_in_milliseconds: 60000}}
"""


class LocalStage:
    def __init__(self, workplace: Workplace, folder: Path) -> None:
        self.workplace = workplace
        self.settings = folder / "settings.yaml"
        self.settings.write_text(SETTINGS)
        with workplace.here():
            self.target = local_target()
            self.clients = {
                name: boto3.client(name, region_name=self.target.region)
                for name in ("sagemaker", "s3", "sns", "sqs", "cloudwatch", "events", "lambda", "cloudformation")
            }
            self.runtime = runtime_client(self.target)
            self.queue = self.clients["sqs"].create_queue(QueueName="notifications")["QueueUrl"]
        self.notifications: list[str] = []
        self.versions = 0
        self.deploy("storage-and-roles")
        outputs = json.loads(self.infrastructure("status", "--stack", "storage-and-roles", "--json"))[0]["outputs"]
        self.bucket = outputs["BucketName"]
        queue_arn = f"arn:aws:sqs:{self.target.region}:123456789012:notifications"
        self["sns"].subscribe(TopicArn=outputs["TopicArn"], Protocol="sqs", Endpoint=queue_arn)
        self.put("demo/test.csv", b"a,b,y\n1,2,3\n4,5,6\n")
        self.deploy("deploy-on-approval", f"TestRecordsUri=s3://{self.bucket}/demo/test.csv", "PromotionPipelineName=")
        self["sagemaker"].create_model_package_group(ModelPackageGroupName="demo")

    def __getitem__(self, service: str) -> Any:
        """Return a client of the local server."""
        return self.clients[service]

    def infrastructure(self, command: str, *arguments: str) -> str:
        whole = [command, "--local", "--stage", "staging", "--settings", str(self.settings), *arguments]
        ended = self.workplace.infrastructure(*whole)
        assert ended.code == 0, ended.stderr + ended.stdout
        return ended.stdout

    def deploy(self, stack: str, *parameters: str) -> None:
        given = [part for parameter in parameters for part in ("-p", parameter)]
        self.infrastructure("deploy", "--yes", "--stack", stack, *given)

    def put(self, key: str, body: bytes) -> str:
        self["s3"].put_object(Bucket=self.bucket, Key=key, Body=body)
        return f"s3://{self.bucket}/{key}"

    def register(self, trouble: str = "") -> str:
        """Register a version, which predicts its number and is pending approval, and return its ARN."""
        self.versions += 1
        code = PROGRAM.format(version=self.versions, trouble=trouble or "pass")
        uri = self.put(f"demo/models/{self.versions}/model.tar.gz", tar_gz({"code/inference.py": code}))
        return str(
            self["sagemaker"].create_model_package(
                ModelPackageGroupName="demo",
                ModelApprovalStatus="PendingManualApproval",
                InferenceSpecification={
                    "Containers": [
                        {
                            "Image": SCIKIT_LEARN,
                            "ModelDataUrl": uri,
                            "Environment": {"SAGEMAKER_PROGRAM": "inference.py"},
                        }
                    ],
                    "SupportedContentTypes": ["application/json"],
                    "SupportedResponseMIMETypes": ["application/json"],
                },
            )["ModelPackageArn"]
        )

    def decide(self, arn: str, status: str) -> None:
        self["sagemaker"].update_model_package(ModelPackageArn=arn, ModelApprovalStatus=status)

    def predict(self) -> InvocationResult:
        return invoke(self.runtime, ENDPOINT, as_json([{"a": 1, "b": 2}]))

    def wait_for_notification(self, *words: str) -> str:
        """Wait for a new notification that contains all these words."""
        found: list[str] = []

        def received_all() -> bool:
            messages = self["sqs"].receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages", [])
            for item in messages:
                self["sqs"].delete_message(QueueUrl=self.queue, ReceiptHandle=item["ReceiptHandle"])
                self.notifications.append(json.loads(item["Body"])["Message"])
            found[:] = [message for message in self.notifications if all(word in message for word in words)]
            return bool(found)

        until(
            received_all,
            lambda: f"{words} among {self.notifications}; log: {self.log('deploy-approved')} {self.log('promote')}",
        )
        self.notifications.remove(found[0])
        return found[0]

    def log(self, function: str) -> str:
        """Return the log of a function."""
        folder = log_file(DataDir(self.workplace.data_dir), f"/aws/lambda/{ENDPOINT}-{function}", "stream").parent
        return "".join(path.read_text() for path in sorted(folder.rglob("*")) if path.is_file())

    def make_pipelines(self) -> None:
        """Create a pipeline `demo`, which ends at once, or after a minute if its parameter Slow is yes.

        Also create `demo-monitoring`, which writes a summary as the monitoring pipeline does.
        """
        slow = self._processing_step("wait", "import time\ntime.sleep(60)\n")
        condition = {"Type": "Equals", "LeftValue": {"Get": "Parameters.Slow"}, "RightValue": "yes"}
        arguments = {"Conditions": [condition], "IfSteps": [slow], "ElseSteps": []}
        definition = {
            "Version": "2020-12-01",
            "Parameters": [
                {"Name": "InputDataUri", "Type": "String", "DefaultValue": "s3://none"},
                {"Name": "Slow", "Type": "String", "DefaultValue": "no"},
            ],
            "Steps": [{"Name": "Begin", "Type": "Condition", "Arguments": arguments}],
        }
        self._create_pipeline("demo", definition)
        monitor = self._processing_step("monitor", MONITOR)
        # as of commands with --local, which know no bucket of a stage
        root = f"s3://{self.target.bucket}/demo/monitoring/executions"
        uri = {"Std:Join": {"On": "/", "Values": [root, {"Get": "Execution.PipelineExecutionId"}, "summary"]}}
        monitor["Arguments"]["ProcessingOutputConfig"] = {
            "Outputs": [
                {
                    "OutputName": "summary",
                    "S3Output": {
                        "S3Uri": uri,
                        "LocalPath": "/opt/ml/processing/output/summary",
                        "S3UploadMode": "EndOfJob",
                    },
                }
            ]
        }
        monitor["Arguments"]["AppSpecification"]["ContainerArguments"] = [
            {"Get": f"Parameters.{name}"} for name in ("EndpointName", "Reason")
        ]
        definition = {
            "Version": "2020-12-01",
            "Parameters": [{"Name": "EndpointName", "Type": "String"}, {"Name": "Reason", "Type": "String"}],
            "Steps": [monitor],
        }
        self._create_pipeline("demo-monitoring", definition)

    def _create_pipeline(self, name: str, definition: dict[str, Any]) -> None:
        self["sagemaker"].create_pipeline(
            PipelineName=name,
            PipelineDefinition=json.dumps(definition),
            RoleArn=ROLE,
            ClientRequestToken=f"the-one-and-only-pipeline-of-the-stage-{name}",
        )

    def _processing_step(self, name: str, program: str) -> dict[str, Any]:
        code = self.put(f"demo/code/{name}/main.py", program.encode())
        return {
            "Name": name,
            "Type": "Processing",
            "Arguments": {
                "RoleArn": ROLE,
                "AppSpecification": {
                    "ImageUri": SCIKIT_LEARN,
                    "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/code/main.py"],
                },
                "ProcessingInputs": [
                    {
                        "InputName": "code",
                        "S3Input": {
                            "S3Uri": code,
                            "LocalPath": "/opt/ml/processing/input/code",
                            "S3DataType": "S3Prefix",
                            "S3InputMode": "File",
                        },
                    }
                ],
                "ProcessingResources": {
                    "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 30}
                },
            },
        }

    def executions(self) -> list[dict[str, Any]]:
        answer = self["sagemaker"].list_pipeline_executions(PipelineName="demo")
        executions: list[dict[str, Any]] = answer["PipelineExecutionSummaries"]
        return executions

    def check(self, reason: str, endpoint: str = ENDPOINT) -> str:
        """Run the monitoring pipeline, which raises an alert if there is a reason; return the ID of the execution."""
        arn = self["sagemaker"].start_pipeline_execution(
            PipelineName="demo-monitoring",
            PipelineParameters=[
                {"Name": "EndpointName", "Value": endpoint},
                {"Name": "Reason", "Value": reason},
            ],
            ClientRequestToken=uuid.uuid4().hex,
        )["PipelineExecutionArn"]
        return str(arn.rpartition("/")[2])

    def wait_for_decision(self, check: str) -> dict[str, Any]:
        """Return what the retraining function has written about the alert of a check."""
        key = f"demo/monitoring/executions/{check}/summary/retraining.json"
        until(lambda: key in self._keys(key), lambda: self.log("retrain"))
        answer = self["s3"].get_object(Bucket=self.target.bucket, Key=key)
        decision: dict[str, Any] = json.loads(answer["Body"].read())
        return decision

    def _keys(self, prefix: str) -> list[str]:
        page = self["s3"].list_objects_v2(Bucket=self.target.bucket, Prefix=prefix)
        return [item["Key"] for item in page.get("Contents", [])]


def until(condition: Callable[[], bool], words: Callable[[], str] = lambda: "") -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, words()
        time.sleep(0.05)
