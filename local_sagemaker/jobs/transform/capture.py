"""Data capture of a transform job: manifests of its inputs and outputs, which monitoring schedules read.

Their keys are `<DestinationS3Uri>/input/yyyy/mm/dd/hh/<uuid>.json` and `.../output/...`, by the CreationTime in UTC.
Source: "Capture data from batch transform job" in the developer guide.
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
    """Upload the manifests of a completed job.

    Args:
        objects: Where to upload to.
        record: The job's record.
        inputs: Bucket, key and relative name of each input object.
        output_prefix: S3 prefix of the outputs.
        folder: Folder for temporary files.

    Raises:
        ClientFault: DestinationS3Uri is not valid.
        OSError: The disk refuses a manifest.
    """
    hour = f"{datetime.fromtimestamp(record['CreationTime'], UTC):%Y/%m/%d/%H}"
    destination = record["DataCaptureConfig"]["DestinationS3Uri"].rstrip("/")
    uris = [f"s3://{bucket}/{key}" for bucket, key, _ in inputs]
    roots = [uri.removesuffix(relative) for uri, (_, _, relative) in zip(uris, inputs, strict=True)]
    # the S3 prefix s3://b/data matches data/x as well as data2/x, whose common folder is s3://b/
    root = min(roots, key=len)
    # an input that is the URI of one object has no name beside its prefix, as on AWS
    source = record["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
    root = source if uris == [source] else root
    manifests = {
        "input": [{"prefix": root}, *(uri.removeprefix(root) for uri in uris)],
        "output": [{"prefix": output_prefix}, *(f"{relative}.out" for _, _, relative in inputs)],
    }
    for name, manifest in manifests.items():
        path = folder / f"{name}.json"
        path.write_text(json.dumps(manifest), encoding="utf-8")
        put_file(objects, path, f"{destination}/{name}/{hour}/{uuid.uuid4()}.json")
