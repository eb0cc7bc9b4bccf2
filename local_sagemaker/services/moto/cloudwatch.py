"""The CloudWatch of a server, for its own parts that put metrics or look at alarms: asked over HTTP, as by anyone."""

from __future__ import annotations

import functools
from typing import Any

from local_sagemaker.account import REGION
from local_sagemaker.storage.records import Record

# CloudWatch takes 1,000 in one request
BATCH = 500


class CloudWatch:
    """The CloudWatch at a URL; safe to use from many threads."""

    def __init__(self, endpoint_url: str) -> None:
        self._endpoint_url = endpoint_url

    def put_metric_data(self, namespace: str, data: list[Record]) -> None:
        """Put data of PutMetricData, however many. Raises what boto3 does."""
        for start in range(0, len(data), BATCH):
            self._client.put_metric_data(Namespace=namespace, MetricData=data[start : start + BATCH])

    def alarm_states(self, names: list[str]) -> dict[str, str]:
        """OK, ALARM or INSUFFICIENT_DATA of those of the named alarms that there are. Raises what boto3 does."""
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
        # imported when it is needed, which is seldom: it takes as long to import as all of the server
        import boto3
        from botocore.config import Config

        return boto3.session.Session().client(
            "cloudwatch",
            endpoint_url=self._endpoint_url,
            region_name=REGION,
            aws_access_key_id="local",
            aws_secret_access_key="local",  # noqa: S106 - no secret: any key will do
            # no proxy of the user's: the URL is on this machine
            config=Config(proxies={}, connect_timeout=10, read_timeout=60),
        )
