"""The model's test metrics as CloudWatch metrics, for alarms and dashboards."""

from __future__ import annotations

import os
from collections.abc import Mapping

NAMESPACE = "LightGBMPipelines"
# a job in a VPC without an endpoint for CloudWatch must not hang on it
CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 3, 10, 2


def publish(metrics: Mapping[str, float], training_seconds: float, model_name: str) -> None:
    """Put `ModelAuc`, `ModelAccuracy` ... (no unit) and `TrainingTime` (seconds) under the dimension ModelName.

    metrics: by Model Monitor's names, as `auc` or `weighted_f1`. A refusal is printed, as the evaluation is good
    without it.
    """
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    dimensions = [{"Name": "ModelName", "Value": model_name}]
    data = [
        {"MetricName": metric_name(name), "Value": value, "Unit": "None", "Dimensions": dimensions}
        for name, value in metrics.items()
    ]
    data.append({"MetricName": "TrainingTime", "Value": training_seconds, "Unit": "Seconds", "Dimensions": dimensions})
    patience = Config(
        connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, retries={"total_max_attempts": ATTEMPTS}
    )
    try:
        # SageMaker tells its containers the region in a variable that boto3 does not read
        client = boto3.client("cloudwatch", region_name=os.environ.get("AWS_REGION"), config=patience)
        client.put_metric_data(Namespace=NAMESPACE, MetricData=data)
    except (BotoCoreError, ClientError) as error:
        print(f"warning: the metrics of {model_name} did not reach CloudWatch ({error}); the evaluation goes on")


def metric_name(name: str) -> str:
    """`weighted_f1` is `ModelWeightedF1`."""
    return "Model" + "".join(part.capitalize() for part in name.split("_"))
