"""A Lambda function that records its events, and rules that invoke it."""

import json
import uuid
from typing import Any

from tests.local_sagemaker.conftest import Client, MakeClient
from tests.local_sagemaker.machine import ROLE
from tests.local_sagemaker.services.lambda_.test_functions import archive
from tests.local_sagemaker.steps import until

RECORDER_SOURCE = """
import boto3, json, os, time
def handler(event, context):
    name = f"{time.time_ns():020}"
    boto3.client("s3").put_object(Bucket=os.environ["BUCKET"], Key=name, Body=json.dumps(event))
"""


class Recorder:
    """A Lambda function that writes every event to a bucket of its own."""

    def __init__(self, client: MakeClient, bucket: str) -> None:
        self.name = f"recorder-{uuid.uuid4().hex[:8]}"
        self._s3, self._bucket = client("s3"), bucket
        self.arn = client("lambda").create_function(
            FunctionName=self.name,
            Runtime="python3.12",
            Role=ROLE,
            Handler="app.handler",
            Code={"ZipFile": archive({"app.py": RECORDER_SOURCE})},
            Environment={"Variables": {"BUCKET": bucket}},
            Timeout=60,
        )["FunctionArn"]

    def events(self) -> list[Any]:
        keys = [item["Key"] for item in self._s3.list_objects_v2(Bucket=self._bucket).get("Contents", [])]
        return [json.load(self._s3.get_object(Bucket=self._bucket, Key=key)["Body"]) for key in keys]

    def wait(self, count: int) -> list[Any]:
        until(lambda: len(self.events()) >= count)
        return self.events()


def put_rule(events: Client, pattern: Any, target: Any, **more: Any) -> str:
    """Create a rule with a single target.

    Returns:
        The rule's name.
    """
    name = f"rule-{uuid.uuid4().hex[:8]}"
    events.put_rule(Name=name, EventPattern=json.dumps(pattern), **more)
    events.put_targets(Rule=name, Targets=[{"Id": "1", **target}])
    return name
