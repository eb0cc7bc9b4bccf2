"""Metrics that the container of a monitoring job writes to files and Model Monitor publishes to CloudWatch.

See "CloudWatch Metrics for Bring Your Own Containers" in SageMaker's developer guide: files in
/opt/ml/output/metrics/cloudwatch hold one datum of PutMetricData per line. The prebuilt analyzer writes them, too.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

from local_sagemaker.containers.container import Container
from local_sagemaker.model_monitor.monitoring_job import MonitoringJob

log = logging.getLogger(__name__)

Datum = dict[str, Any]
PutMetrics = Callable[[str, list[Datum]], None]

FOLDER = "output/metrics/cloudwatch"


def namespace(job: MonitoringJob) -> str:
    """Return the CloudWatch namespace of a job's metrics."""
    return f"aws/sagemaker/{'Endpoints' if job.endpoint_name else 'ModelMonitoring'}/{job.type.metrics}"


def read_metrics(container: Container) -> list[Datum]:
    """Return the metrics that a container has written; malformed lines are skipped with a warning."""
    data: list[Datum] = []
    for path in sorted(container.path(FOLDER).glob("*.jsonl")):
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
            try:
                data.append({"MetricName": "", **json.loads(line)})
            except (ValueError, TypeError) as error:
                log.warning("%s: line %d is not a metric: %s", path.name, number, error)
    return data
