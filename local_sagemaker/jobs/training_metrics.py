"""The metrics of a training job in CloudWatch: namespace /aws/sagemaker/TrainingJobs, by TrainingJobName.

The SDK's `TrainingJobAnalytics` reads them. The values of one second, CloudWatch's finest resolution, are one datum.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from local_sagemaker.storage.records import Record

NAMESPACE = "/aws/sagemaker/TrainingJobs"
# how often a running job publishes its metrics
PUBLISH_SECONDS = 5.0

# takes a namespace and items of PutMetricData's MetricData
PutMetricData = Callable[[str, list[Record]], None]


class TrainingMetrics:
    """Collects the metrics in a training job's log, and publishes them every few seconds.

    Args:
        job_name: The training job.
        put: Publishes metric data.
    """

    def __init__(self, job_name: str, put: PutMetricData) -> None:
        self._job_name, self._put = job_name, put
        # each container has a thread that reads its log
        self._lock = threading.Lock()
        # StatisticValues by metric and second
        self._statistics: dict[tuple[str, int], dict[str, float]] = {}
        self._published = 0.0

    def add(self, name: str, value: float, now: float) -> None:
        """Add a value of a metric, and publish if that is due.

        Args:
            name: The metric.
            value: A finite number.
            now: Epoch seconds.
        """
        with self._lock:
            seen = self._statistics.get((name, int(now)))
            self._statistics[name, int(now)] = {
                "Minimum": min(value, seen["Minimum"]) if seen else value,
                "Maximum": max(value, seen["Maximum"]) if seen else value,
                "Sum": value + (seen["Sum"] if seen else 0),
                "SampleCount": 1 + (seen["SampleCount"] if seen else 0),
            }
            if not self._published:
                self._published = now
            due = now - self._published >= PUBLISH_SECONDS
            if due:
                self._published = now
        if due:
            self.publish()

    def publish(self) -> None:
        """Publish the values since the last time."""
        with self._lock:
            statistics, self._statistics = self._statistics, {}
        if statistics:
            dimensions = [{"Name": "TrainingJobName", "Value": self._job_name}]
            data: list[Record] = [
                {
                    "MetricName": name,
                    "Dimensions": dimensions,
                    "Timestamp": second,
                    "StatisticValues": values,
                    "Unit": "None",
                }
                for (name, second), values in statistics.items()
            ]
            self._put(NAMESPACE, data)
