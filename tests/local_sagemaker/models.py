"""Small models, endpoints of them, and requests to those, without a server."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from local_sagemaker.endpoints import invocations
from tests.local_sagemaker.machine import ROLE, SCIKIT_LEARN, TIMEOUT, Machine, Record, tar_gz

# answers what it was asked, by whom it is answered, and in which process
ECHO = """
import json, os
def model_fn(model_dir):
    return open(os.path.join(model_dir, "model.txt")).read()
def transform_fn(model, body, content_type, accept):
    text = body if isinstance(body, str) else body.decode()
    return json.dumps({"model": model, "body": text, "pid": os.getpid()}), accept
"""
ON_INSTANCES = {"InstanceType": "ml.m5.xlarge", "InitialInstanceCount": 1}


class Answer:
    """What sagemaker-runtime answered. error: the exception's name, "" for none."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body
        self.error = headers.get("x-amzn-ErrorType", "")
        self.variant = headers.get("x-Amzn-Invoked-Production-Variant")

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def create_model(machine: Machine, name: str = "echo", program: str = ECHO, **variables: str) -> str:
    """A model whose answers say its name."""
    content = {"model.txt": name, "code/inference.py": program}
    data = machine.put(f"s3://bucket/models/{name}/model.tar.gz", tar_gz(content))
    container = {"Image": SCIKIT_LEARN, "ModelDataUrl": data, "Environment": variables}
    machine.service.call("CreateModel", {"ModelName": name, "ExecutionRoleArn": ROLE, "PrimaryContainer": container})
    return name


def variant(model: str = "echo", name: str = "AllTraffic", weight: float = 1.0, **more: Any) -> Record:
    where = {} if "ServerlessConfig" in more else ON_INSTANCES
    return {"VariantName": name, "ModelName": model, "InitialVariantWeight": weight, **where, **more}


def create_config(machine: Machine, name: str, *variants: Record, **more: Any) -> str:
    request = {"EndpointConfigName": name, "ProductionVariants": list(variants) or [variant()], **more}
    machine.service.call("CreateEndpointConfig", request)
    return name


def create_endpoint(machine: Machine, config: str, name: str = "endpoint", **more: Any) -> Record:
    """An endpoint of a configuration, once it has come up or failed; DescribeEndpoint's answer."""
    machine.service.call("CreateEndpoint", {"EndpointName": name, "EndpointConfigName": config, **more})
    return settled(machine, name)


def update_endpoint(machine: Machine, config: str, name: str = "endpoint", **more: Any) -> None:
    machine.service.call("UpdateEndpoint", {"EndpointName": name, "EndpointConfigName": config, **more})


def describe(machine: Machine, name: str = "endpoint") -> Record:
    return machine.service.call("DescribeEndpoint", {"EndpointName": name})


def settled(machine: Machine, name: str = "endpoint") -> Record:
    end = time.monotonic() + TIMEOUT
    while (description := describe(machine, name))["EndpointStatus"] in ("Creating", "Updating", "RollingBack"):
        assert time.monotonic() < end, description
        time.sleep(0.01)
    return description


def invoke(machine: Machine, body: str | bytes = "hello", name: str = "endpoint", **headers: str) -> Answer:
    """InvokeEndpoint; headers by the names of its members, content type text/csv unless given."""
    names = {
        "ContentType": "Content-Type",
        "Accept": "Accept",
        "CustomAttributes": invocations.CUSTOM_ATTRIBUTES,
        "InferenceId": invocations.INFERENCE_ID,
        "TargetVariant": invocations.TARGET_VARIANT,
    }
    given = {names.get(member, member): value for member, value in {"ContentType": "text/csv", **headers}.items()}
    return post(machine, f"/endpoints/{name}/invocations", body, given)


def post(machine: Machine, path: str, body: str | bytes = "", headers: Mapping[str, str] | None = None) -> Answer:
    builder = EnvironBuilder(path, method="POST", data=body, headers=dict(headers or {}))
    response = machine.app.services["sagemaker-runtime"].respond(Request(builder.get_environ()))
    return Answer(response.status_code, response.headers, response.get_data())
