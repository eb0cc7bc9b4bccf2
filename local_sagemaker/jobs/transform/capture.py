"""Data capture of a transform job: manifests of what it has read and written, for monitoring schedules to find.

As "Capture data from batch transform job" in the developer guide has it: `<DestinationS3Uri>/input/yyyy/mm/dd/hh/` and
`.../output/yyyy/mm/dd/hh/`, by the time (UTC) at which the job was started.
"""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from pathlib import Path

from local_sagemaker.storage.objects import ObjectStore
from local_sagemaker.storage.records import Record
from local_sagemaker.storage.transfers import put_file


def put_manifests(
    objects: ObjectStore, record: Record, inputs: list[tuple[str, str, str]], output_prefix: str, folder: Path
) -> None:
    """Put the manifests of a job that has completed.

    inputs: bucket, key and name relative to the job's input. folder: to write in. Raises ClientFault, OSError.
    """
    hour = f"{datetime.fromtimestamp(record['CreationTime'], UTC):%Y/%m/%d/%H}"
    destination = record["DataCaptureConfig"]["DestinationS3Uri"].rstrip("/")
    uris = [f"s3://{bucket}/{key}" for bucket, key, _ in inputs]
    roots = [uri.removesuffix(relative) for uri, (_, _, relative) in zip(uris, inputs, strict=True)]
    # the prefix s3://b/data finds objects below data/ and such as data2/x, which have s3://b/ in common
    root = min(roots, key=len)
    manifests = {
        "input": [{"prefix": root}, *(uri.removeprefix(root) for uri in uris)],
        "output": [{"prefix": output_prefix}, *(f"{relative}.out" for _, _, relative in inputs)],
    }
    for name, manifest in manifests.items():
        path = folder / f"{name}.json"
        path.write_text(json.dumps(manifest), encoding="utf-8")
        put_file(objects, path, f"{destination}/{name}/{hour}/{uuid.uuid4()}.json")
