"""The templates, parsed, and deployed into moto."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
from cfnlint.decode import cfn_yaml

from project.paths import REPOSITORY

Record = dict[str, Any]

FOLDER = REPOSITORY / "infrastructure" / "templates"
FILES = sorted(FOLDER.glob("*.yaml"))
NAMES = [file.stem for file in FILES]


def template(name: str) -> Record:
    """A template as data, tags such as !Sub spelled out."""
    content: Record = cfn_yaml.load(str(path(name)))
    return content


def path(name: str) -> Path:
    return FOLDER / f"{name}.yaml"


def create_stack(client: Any, name: str, template_name: str, parameters: Mapping[str, str]) -> dict[str, str]:
    """Make a stack and return its outputs."""
    client.create_stack(
        StackName=name,
        TemplateBody=path(template_name).read_text(),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    stack = client.describe_stacks(StackName=name)["Stacks"][0]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def create_storage(client: Any, stage: str = "staging", **parameters: str) -> dict[str, str]:
    """The storage of a stage of project `demo`, with an object `code.zip`; its outputs."""
    given = {"ProjectName": "demo", "ModelPackageGroupName": "demo", "Stage": stage, **parameters}
    outputs = create_stack(client, storage_stack(stage), "storage-and-roles", given)
    s3 = boto3.client("s3", region_name=client.meta.region_name)
    s3.put_object(Bucket=outputs["BucketName"], Key="code.zip", Body=b"")
    return outputs


def storage_stack(stage: str = "staging") -> str:
    return f"demo-{stage}-storage-and-roles"


def statements(name: str) -> Iterator[tuple[str, Record]]:
    """Every statement of every policy of a template, with where it is; of an Fn::If both sides."""
    for logical_id, resource in template(name)["Resources"].items():
        for key, document in _documents(resource.get("Properties", {})):
            for statement in document["Statement"]:
                for one in statement["Fn::If"][1:] if "Fn::If" in statement else [statement]:
                    if "Effect" in one:
                        yield f"{name}: {logical_id}.{key}", one


def _documents(value: Any, key: str = "") -> Iterator[tuple[str, Record]]:
    if isinstance(value, dict):
        if "Statement" in value:
            yield key, value
        for name, item in value.items():
            yield from _documents(item, name)
    elif isinstance(value, list):
        for item in value:
            yield from _documents(item, key)
