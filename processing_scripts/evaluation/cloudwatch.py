"""Publish the test metrics to CloudWatch, for alarms and dashboards."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping

NAMESPACE = "LightGBMPipelines"
# A job in a VPC without an endpoint for CloudWatch must not hang.
CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 3, 10, 2


def publish(metrics: Mapping[str, float], training_seconds: float, model_name: str) -> None:
    """Put `ModelAuc`, `ModelAccuracy` ... (no unit) and `TrainingTime` (seconds) under the dimension ModelName.

    A failure is printed and does not fail the evaluation.

    Args:
        metrics: Values by Model Monitor's names, such as `auc` or `weighted_f1`.
        training_seconds: The duration of the training job.
        model_name: The value of the dimension.
    """
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    dimensions = [{"Name": "ModelName", "Value": model_name}]
    data = [
        {"MetricName": metric_name(name), "Value": value, "Unit": "None", "Dimensions": dimensions}
        for name, value in metrics.items()
        # CloudWatch refuses a whole request with an undefined value, such as the AUC of one class
        if math.isfinite(value)
    ]
    data.append({"MetricName": "TrainingTime", "Value": training_seconds, "Unit": "Seconds", "Dimensions": dimensions})
    config = Config(
        connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, retries={"total_max_attempts": ATTEMPTS}
    )
    try:
        # SageMaker sets AWS_REGION in its containers, which boto3 does not read.
        client = boto3.client("cloudwatch", region_name=os.environ.get("AWS_REGION"), config=config)
        client.put_metric_data(Namespace=NAMESPACE, MetricData=data)
    except (BotoCoreError, ClientError) as error:
        print(f"warning: cannot publish the metrics of {model_name} to CloudWatch ({error}); continuing without them")


def metric_name(name: str) -> str:
    """Convert `weighted_f1` to `ModelWeightedF1`."""
    return "Model" + "".join(part.capitalize() for part in name.split("_"))
