"""Property files: JSON documents of Processing steps, from which conditions read values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from project.target import Target
from studio.queries.jobs import Job
from studio.queries.s3 import read_json

# a larger file is not read
MAX_BYTES = 256_000


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
    content = read_json(target, uri, MAX_BYTES)
    return None if content is None else PropertyFile(uri, content)
