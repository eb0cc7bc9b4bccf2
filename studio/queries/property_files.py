"""Property files: JSON documents of Processing steps, from which conditions read values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from project.s3_uris import split_s3_uri
from project.target import Target
from studio.queries.jobs import Job

# a larger file is not read
MOST_BYTES = 256_000


@dataclass(frozen=True)
class PropertyFile:
    uri: str
    content: Any


def read_property_file(target: Target, step: Mapping[str, Any], job: Job, name: str) -> PropertyFile | None:
    """Read a property file.

    Args:
        target: Account or local SageMaker.
        step: The Processing step of the definition.
        job: The step's job.
        name: Name of the file in the definition.

    Returns:
        None if the step has no such file, it is too large, or it is not JSON.
    """
    file = next((item for item in step.get("PropertyFiles", ()) if item["PropertyFileName"] == name), None)
    output = file and next((item for item in job.outputs if item.name == file["OutputName"]), None)
    if file is None or output is None:
        return None
    uri = f"{output.value}/{file['FilePath']}"
    bucket, key = split_s3_uri(uri)
    body = target.s3.get_object(Bucket=bucket, Key=key)["Body"].read(MOST_BYTES + 1)
    try:
        return PropertyFile(uri, json.loads(body)) if len(body) <= MOST_BYTES else None
    except ValueError:
        return None
