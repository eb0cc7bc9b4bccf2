"""A client of the server's own CloudWatch, for its endpoints and monitoring schedules.

They put metric data and read alarm states over HTTP, like any client, so that moto starts only when it is needed.
"""

from __future__ import annotations

import functools
from typing import Any

from local_sagemaker.account import REGION
from local_sagemaker.storage.records import Record

# below the 1,000 data that PutMetricData accepts
BATCH_SIZE = 500


class CloudWatch:
    """A CloudWatch client; thread-safe."""

    def __init__(self, endpoint_url: str) -> None:
        self._endpoint_url = endpoint_url

    def put_metric_data(self, namespace: str, data: list[Record]) -> None:
        """Put any number of metric data, items of PutMetricData's MetricData, in batches."""
        for start in range(0, len(data), BATCH_SIZE):
            self._client.put_metric_data(Namespace=namespace, MetricData=data[start : start + BATCH_SIZE])

    def alarm_states(self, names: list[str]) -> dict[str, str]:
        """Return the states of alarms by name, without alarms that do not exist."""
        pages = self._client.get_paginator("describe_alarms").paginate(
            AlarmNames=names, AlarmTypes=["MetricAlarm", "CompositeAlarm"]
        )
        return {
            alarm["AlarmName"]: alarm["StateValue"]
            for page in pages
            for alarm in [*page["MetricAlarms"], *page["CompositeAlarms"]]
        }

    @functools.cached_property
    def _client(self) -> Any:
        # imported on first use: the import takes as long as the server's start
        import boto3
        from botocore.config import Config

        return boto3.session.Session().client(
            "cloudwatch",
            endpoint_url=self._endpoint_url,
            region_name=REGION,
            aws_access_key_id="local",
            aws_secret_access_key="local",  # noqa: S106 - not a secret: the server accepts any key
            # the server is on this machine, not behind the user's proxy
            config=Config(proxies={}, connect_timeout=10, read_timeout=60),
        )
