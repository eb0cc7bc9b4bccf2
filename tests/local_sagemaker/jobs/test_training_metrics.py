"""Metrics of training jobs in CloudWatch."""

from datetime import UTC, datetime, timedelta

import pytest
from moto.cloudwatch.models import cloudwatch_backends

from local_sagemaker.account import ACCOUNT, REGION
from local_sagemaker.jobs.training_metrics import NAMESPACE, TrainingMetrics
from local_sagemaker.storage.records import Record
from tests.local_sagemaker.machine import Machine


@pytest.fixture
def published() -> list[Record]:
    return []


@pytest.fixture
def metrics(published: list[Record]) -> TrainingMetrics:
    return TrainingMetrics("job", lambda namespace, data: published.extend(data))


def test_the_values_of_a_second_are_one_datum(metrics: TrainingMetrics, published: list[Record]) -> None:
    for value, now in ((0.5, 100.1), (0.75, 100.9), (0.25, 101.0)):
        metrics.add("auc", value, now)
    metrics.publish()
    assert [(datum["Timestamp"], datum["StatisticValues"]) for datum in published] == [
        (100, {"Minimum": 0.5, "Maximum": 0.75, "Sum": 1.25, "SampleCount": 2}),
        (101, {"Minimum": 0.25, "Maximum": 0.25, "Sum": 0.25, "SampleCount": 1}),
    ]
    metrics.publish()
    assert len(published) == 2


def test_a_running_job_publishes_every_few_seconds(metrics: TrainingMetrics, published: list[Record]) -> None:
    metrics.add("auc", 0.5, 100)
    assert not published
    metrics.add("auc", 0.75, 106)
    assert len(published) == 2


@pytest.mark.slow
def test_cloudwatch_has_the_metrics_of_a_job_that_ended_before_it_started(machine: Machine) -> None:
    machine.train(script="print('auc=0.5')\nprint('auc=0.75')", metrics={"train:auc": "auc=(.*)"})
    machine.app.moto.start()
    now = datetime.now(UTC).replace(tzinfo=None)
    found = cloudwatch_backends[ACCOUNT][REGION].get_metric_statistics(
        NAMESPACE,
        "train:auc",
        now - timedelta(minutes=1),
        now + timedelta(minutes=1),
        60,
        ["Maximum", "SampleCount"],
        [{"Name": "TrainingJobName", "Value": "job"}],
    )
    assert (max(item.maximum for item in found), sum(item.sample_count for item in found)) == (0.75, 2)
