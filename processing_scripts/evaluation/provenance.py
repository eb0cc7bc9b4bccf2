"""For which data, execution and model an evaluation is.

SageMaker passes a Processing job its own request. Arguments with the same content would change with each execution, and
with them the key of the step's cache.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

JOB_CONFIG = Path("/opt/ml/config/processingjobconfig.json")


def provenance(data_uri: str | None, job_config: Path = JOB_CONFIG) -> dict[str, str]:
    """Return what is known of data, execution, model artifact, test split and code, by title.

    Args:
        data_uri: S3 URI of the raw data; None if it is not known.
        job_config: The request of the job; outside of SageMaker there is none.
    """
    facts = {"Data": data_uri} if data_uri else {}
    try:
        job: dict[str, Any] = json.loads(job_config.read_text(encoding="utf-8"))
    except OSError:
        return facts
    uris = {item["InputName"]: item["S3Input"]["S3Uri"] for item in job["ProcessingInputs"] if "S3Input" in item}
    outputs = job.get("ProcessingOutputConfig", {}).get("Outputs", [])
    for output in outputs:
        if found := re.search("/executions/([^/]+)/", output.get("S3Output", {}).get("S3Uri", "")):
            facts["Execution"] = found[1]
    facts |= {title: uris[name] for title, name in (("Model", "model"), ("Test split", "test")) if name in uris}
    if "code" in uris:
        facts["Code"] = uris["code"].rstrip("/").rsplit("/", 1)[-1]
    return facts
