"""The training script on two instances, each with one of the two files of the split (ShardedByS3Key)."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.bundles import train_bundle
from project.paths import DEFAULT_SETTINGS
from project.settings import load_settings
from tests.local_sagemaker.machine import Machine

TIMEOUT = 120
FEATURES = 5


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    yield made
    made.close()


def encoded_rows(seed: int, rows: int) -> pa.Table:
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(rows, FEATURES)).astype(np.float32)
    target = values[:, 0] + values[:, 1] * values[:, 2] + generator.normal(size=rows) > 0
    columns = {f"x{column}": values[:, column] for column in range(FEATURES)}
    return pa.table({"y": target.astype(np.float64), **columns})


def parquet(table: pa.Table) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


def train(machine: Machine, name: str, instances: int, distribution: str) -> tuple[lgb.Booster, dict[str, Any]]:
    """Run the training script as a job; returns its model and metrics.json."""
    files = {
        path: data.decode()
        for path, data in train_bundle(load_settings(DEFAULT_SETTINGS)).files.items()
        if not path.startswith("requirements")
    }
    channels = {channel: f"s3://bucket/{channel}/" for channel in ("train", "validation", "schema")}
    given = {"num_boost_round": "30", "num_leaves": "7"}
    request = machine.training(
        name, files.pop("train.py"), files=files, channels=channels, hyperparameters=given, instances=instances
    )
    for channel in request["InputDataConfig"]:
        if channel["ChannelName"] != "schema":
            channel["DataSource"]["S3DataSource"]["S3DataDistributionType"] = distribution
    machine.jobs.start("training-job", request)
    record = machine.jobs.wait("training-job", name, TIMEOUT)
    assert record["TrainingJobStatus"] == "Completed", machine.log(name)
    archive = machine.archive(record["ModelArtifacts"]["S3ModelArtifacts"])
    return lgb.Booster(model_str=archive["model.txt"]), json.loads(archive["metrics.json"])


@pytest.mark.slow
def test_two_instances_with_a_file_each_train_the_model_of_one(machine: Machine) -> None:
    parts = [encoded_rows(seed, 1500) for seed in (1, 2)]
    for number, part in enumerate(parts):
        machine.put(f"s3://bucket/train/part-{number}.parquet", parquet(part))
        machine.put(f"s3://bucket/validation/part-{number}.parquet", parquet(encoded_rows(number + 3, 300)))
    schema = {
        "problem_type": "BinaryClassification",
        "target": "y",
        "classes": [0, 1],
        "features": [{"name": f"x{column}", "type": "number"} for column in range(FEATURES)],
    }
    machine.put("s3://bucket/schema/schema.json", json.dumps(schema))

    one, metrics_of_one = train(machine, "one", 1, "FullyReplicated")
    two, metrics_of_two = train(machine, "two", 2, "ShardedByS3Key")
    tree = two.dump_model()["tree_info"][0]["tree_structure"]
    assert tree["internal_count"] == 3000, "the rows of both files"
    assert any("host 2 of 2 finished" in line for line in machine.log("two"))

    rows = encoded_rows(9, 2000).drop_columns(["y"])
    assert np.abs(np.asarray(one.predict(rows)) - np.asarray(two.predict(rows))).mean() < 0.02
    for split in ("train", "validation"):
        assert metrics_of_two[split]["auc"] == pytest.approx(metrics_of_one[split]["auc"], abs=0.01)
