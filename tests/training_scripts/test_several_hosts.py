"""Distributed training: several hosts, each with a share of the rows, and one model."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import strategies as st
from training.cluster import Cluster
from training.communicator import Communicator
from training.data import Split, read_split
from training.errors import TrainingError
from training.metrics import measure
from training.pooling import pool

from tests.container_scripts import Preprocessed

REPOSITORY = Path(__file__).resolve().parents[2]
HOSTS = ["127.0.0.1", "localhost"]
TIMEOUT = 60


@dataclass(frozen=True)
class Job:
    """A training job on two hosts: the exit code and the log of each, and the folder of each."""

    exit_codes: list[int]
    logs: list[str]
    folders: list[Path]


@pytest.fixture(scope="module")
def run_hosts():
    """Run train.py as two hosts on the folders 0 and 1 below a folder, which `divide` has filled."""
    script = Path(__file__).with_name("hosts.py")
    path = os.pathsep.join([str(REPOSITORY / "training_scripts"), *sys.path])
    with subprocess.Popen(
        [sys.executable, script],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:

        def run(
            folder: Path, *hyperparameters: str, distribution: str = "ShardedByS3Key", killed_after: int | None = None
        ) -> Job:
            folders = [folder / str(host) for host in range(2)]
            channels = {name: {"S3DistributionType": distribution} for name in ("train", "validation")}
            # a name of its own gives it ports of its own
            jobs, job_name = [], str(uuid.uuid4())
            for own, host in zip(folders, HOSTS, strict=True):
                environment = {
                    "SM_HOSTS": json.dumps(HOSTS),
                    "SM_CURRENT_HOST": host,
                    "SM_NUM_CPUS": "1",
                    "SM_INPUT_DATA_CONFIG": json.dumps(channels),
                    "SM_OUTPUT_DIR": str(own),
                    "TRAINING_JOB_NAME": job_name,
                }
                arguments = [item for name in ("train", "validation", "schema") for item in (f"--{name}", own / name)]
                arguments += ["--model_dir", own / "model", "--output_data_dir", own / "data"]
                arguments += ["--inference_code", REPOSITORY / "inference", "--checkpoint_dir", own / "checkpoints"]
                jobs.append(
                    {
                        "environment": environment,
                        "arguments": [*map(str, arguments), *hyperparameters],
                        "log": str(own / "log"),
                        "killed_after": killed_after,
                    }
                )
            process.stdin.write(json.dumps(jobs) + "\n")
            process.stdin.flush()
            codes = json.loads(process.stdout.readline())
            return Job(codes, [(own / "log").read_text() for own in folders], folders)

        yield run
        process.stdin.close()


def divide(data: Preprocessed, folder: Path, **channels: Sequence[pa.Table | None]) -> None:
    """Give each host its file of each channel, as ShardedByS3Key does; None for a host without any."""
    for host in range(2):
        shutil.copytree(data.output / "schema", folder / str(host) / "schema")
        for channel, tables in channels.items():
            own = folder / str(host) / channel
            own.mkdir()
            if tables[host] is not None:
                pq.write_table(tables[host], own / f"part-{host}.parquet")


def halves(data: Preprocessed, channel: str) -> list[pa.Table]:
    """Cut a split in two: the rows with the smallest targets, and all others."""
    table = pq.read_table(data.output / channel).sort_by("target")
    return [table.slice(0, len(table) // 2), table.slice(len(table) // 2)]


def metrics_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "model" / "metrics.json").read_text())


def model_of(folder: Path) -> lgb.Booster:
    return lgb.Booster(model_file=folder / "model" / "model.txt")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "weight", "tolerance"),
    # LightGBM starts a regression from the mean of the hosts' means, whatever the number of their rows
    [("cancer", "balanced", 1e-6), ("wine", "none", 1e-6), ("mixed", "none", 1e-6), ("diabetes", "none", 1e-2)],
)
def test_the_model_of_several_hosts_is_that_of_one(
    make_project, run_train, run_hosts, tmp_path, name, weight, tolerance
):
    data = make_project(name).data
    # Splits that gain next to nothing depend on rounding, and LightGBM's hosts only estimate the rows of a leaf.
    given = ["--class_weight", weight, "--num_boost_round", "4", "--num_leaves", "3", "--min_data_in_leaf", "1"]
    # Each host lacks a class of both splits, or half of the range of a number.
    divide(data, tmp_path, train=halves(data, "train"), validation=halves(data, "validation"))
    job = run_hosts(tmp_path, *given)
    assert job.exit_codes == [0, 0], job.logs
    one, _ = run_train(data, *given)
    rows = read_split(data.output / "test", data.schema).features
    ours, wanted = (np.asarray(model_of(folder).predict(rows)) for folder in (job.folders[0], one))
    assert np.allclose(ours, wanted, rtol=tolerance)
    found, expected = metrics_of(job.folders[0]), metrics_of(one)
    for split in ("train", "validation"):
        assert found[split] == pytest.approx(expected[split], rel=tolerance, abs=tolerance)
    curves = [np.genfromtxt(folder / "data" / "training_curve.csv", delimiter=",") for folder in (job.folders[0], one)]
    assert np.allclose(*curves, rtol=tolerance, equal_nan=True)


def test_the_first_host_writes_the_model_and_metrics_of_all_rows(make_project, run_hosts, tmp_path):
    data = make_project("cancer").data
    validation = read_split(data.output / "validation", data.schema)
    # The second host has no validation rows, and stops with the first one all the same.
    whole = pq.read_table(data.output / "validation")
    divide(data, tmp_path, train=halves(data, "train"), validation=[whole, None])
    job = run_hosts(tmp_path, "--early_stopping_rounds", "5", "--learning_rate", "0.3")
    assert job.exit_codes == [0, 0], job.logs
    assert "host 2 of 2 finished; the first host writes the model" in job.logs[1]
    assert not (job.folders[1] / "model").exists()
    metrics = metrics_of(job.folders[0])
    assert 1 < metrics["best_iteration"] < 100
    model = model_of(job.folders[0])
    train = read_split(data.output / "train", data.schema)
    for name, rows in (("validation", validation), ("train", train)):
        found = measure(rows, np.asarray(model.predict(rows.features)), data.schema)
        assert metrics[name] == pytest.approx(found, rel=1e-12)
    assert metrics["validation"]["auc"] > 0.97


def test_weights_calibration_and_threshold_are_those_of_all_rows(make_project, run_train, run_hosts, tmp_path):
    data = make_project("cancer").data
    schema = json.dumps(data.schema | {"weight": "w"})
    weighted = {}
    for name in ("train", "validation"):
        table = pq.read_table(data.output / name).sort_by("target")
        weighted[name] = table.append_column("@weight", pa.array(np.linspace(0.5, 3, len(table))))
    # the second host has no validation rows, but must exchange weights all the same
    half = len(weighted["train"]) // 2
    divide(
        data,
        tmp_path,
        train=[weighted["train"].slice(0, half), weighted["train"].slice(half)],
        validation=[weighted["validation"], None],
    )
    whole = tmp_path / "whole"
    divide(data, whole, train=[weighted["train"], None], validation=[weighted["validation"], None])
    (whole / "0").rename(whole / "data")
    for folder in (tmp_path / "0", tmp_path / "1", whole / "data"):
        (folder / "schema" / "schema.json").write_text(schema)
    given = ["--num_boost_round", "4", "--num_leaves", "3", "--min_data_in_leaf", "1", "--class_weight", "balanced"]
    given += ["--calibration", "sigmoid", "--decision_threshold", "best-f1"]
    job = run_hosts(tmp_path, *given)
    assert job.exit_codes == [0, 0], job.logs
    one, _ = run_train(Preprocessed(whole / "data", None), *given)
    found, expected = metrics_of(job.folders[0]), metrics_of(one)
    for part in ("train", "validation"):
        assert found[part] == pytest.approx(expected[part], rel=1e-5)
    assert found["decision_threshold"]["value"] == pytest.approx(expected["decision_threshold"]["value"], rel=1e-5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--folds", "3"], "folds cannot be trained on 2 instances; use one"),
        (["--early_stopping_metric", "auc"], "early_stopping_metric auc is not a mean over rows"),
        (["--monotone_constraints_method", "advanced"], "monotone_constraints_method advanced cannot be trained on 2"),
    ],
)
def test_what_needs_all_rows_on_one_host_is_refused(make_project, run_hosts, tmp_path, given, message):
    data = make_project("cancer").data
    divide(data, tmp_path, train=halves(data, "train"), validation=halves(data, "validation"))
    job = run_hosts(tmp_path, *given)
    assert job.exit_codes == [1, 1]
    assert all(message in log for log in job.logs)


def test_hosts_share_the_rows_of_replicated_channels(make_project, run_hosts, tmp_path):
    data = make_project("cancer").data
    channels = {name: [pq.read_table(data.output / name)] * 2 for name in ("train", "validation")}
    divide(data, tmp_path, **channels)
    job = run_hosts(tmp_path, "--num_boost_round", "3", distribution="FullyReplicated")
    assert job.exit_codes == [0, 0], job.logs
    model = model_of(job.folders[0])
    assert "[num_machines: 2]" in (job.folders[0] / "model" / "model.txt").read_text()
    rows_at_the_root = model.dump_model()["tree_info"][0]["tree_structure"]["internal_count"]
    assert rows_at_the_root == len(channels["train"][0])


def test_a_host_without_training_rows_is_named_by_all_hosts(make_project, run_hosts, tmp_path):
    data = make_project("cancer").data
    whole = {name: [pq.read_table(data.output / name), None] for name in ("train", "validation")}
    divide(data, tmp_path, **whole)
    job = run_hosts(tmp_path)
    assert job.exit_codes == [1, 1]
    for folder in job.folders:
        assert "the share of host 2 of 2 has no training rows; use fewer instances" in (folder / "failure").read_text()


def test_hosts_that_are_interrupted_go_on_from_the_checkpoint_of_the_first(make_project, run_hosts, tmp_path):
    data = make_project("wine").data
    rounds = ["--num_boost_round", "40", "--early_stopping_rounds", "0", "--num_leaves", "3", "--learning_rate", "0.01"]
    jobs = []
    for name in ("whole", "interrupted"):
        folder = tmp_path / name
        divide(data, folder, train=halves(data, "train"), validation=halves(data, "validation"))
        if name == "interrupted":
            for host in ("0", "1"):
                (folder / host / "checkpoints").mkdir()
            killed = run_hosts(folder, *rounds, killed_after=25)
            assert killed.exit_codes == [-signal.SIGKILL] * 2
        jobs.append(run_hosts(folder, *rounds))
    assert [job.exit_codes for job in jobs] == [[0, 0], [0, 0]], jobs[1].logs
    for log in jobs[1].logs:
        assert "going on after iteration 2" in log
    rows = read_split(data.output / "test", data.schema).features
    whole, resumed = (model_of(job.folders[0]) for job in jobs)
    assert whole.num_trees() == resumed.num_trees()
    assert np.allclose(whole.predict(rows), resumed.predict(rows), rtol=1e-6)
    curves = [(job.folders[0] / "data" / "training_curve.csv").read_text().splitlines() for job in jobs]
    assert len(curves[0]) == len(curves[1]) == 41
    assert [path.stat().st_size for path in (jobs[1].folders[0] / "checkpoints").iterdir()] == [0]
    assert not [*(jobs[1].folders[1] / "checkpoints").iterdir()]


# --- the hosts of a job ---


def cluster_of(distribution: str, channel: str = "train", current: str = "localhost") -> Cluster:
    channels = {channel: {"S3DistributionType": distribution}}
    environment = {"SM_HOSTS": json.dumps(HOSTS), "SM_CURRENT_HOST": current}
    return Cluster.from_environment(environment | {"SM_INPUT_DATA_CONFIG": json.dumps(channels)})


def test_a_replicated_channel_is_divided_by_rows_and_a_sharded_one_kept():
    rows = Split(pa.table({"a": [0, 2, 4, 6, 8], "b": [1, 3, 5, 7, 9]}), np.arange(5.0))
    shares = [cluster_of("FullyReplicated", current=host).share_of("train", rows) for host in HOSTS]
    assert [share.target.tolist() for share in shares] == [[0, 2, 4], [1, 3]]
    assert shares[1].features.to_pydict() == {"a": [2, 6], "b": [3, 7]}
    assert cluster_of("ShardedByS3Key").share_of("train", rows) is rows
    assert len(cluster_of("ShardedByS3Key").share_of("validation", rows)) == 2


def test_a_sharded_schema_channel_is_refused():
    with pytest.raises(TrainingError, match="channel 'schema' is ShardedByS3Key"):
        cluster_of("ShardedByS3Key", channel="schema")


def test_hosts_agree_on_addresses_and_have_their_own_ports():
    first, second = (cluster_of("FullyReplicated", current=host) for host in HOSTS)
    assert first.machines == second.machines
    assert (first.is_first, second.is_first) == (True, False)
    ports = [cluster.parameters()["local_listen_port"] for cluster in (first, second)]
    assert len({*ports, first.rendezvous[1]}) == 3
    assert first.rendezvous == second.rendezvous


def test_one_host_needs_no_network():
    cluster = Cluster.from_environment({"SM_HOSTS": '["algo-1"]', "SM_CURRENT_HOST": "algo-1"})
    assert cluster.parameters() == {}
    assert Communicator.connect(cluster).all_gather(b"own") == [b"own"]


# --- what the hosts exchange ---


def exchange(count: int, action: Callable[[Communicator], Any]) -> list[Any]:
    """Connect so many hosts, each in a thread; returns what the action returns on each."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1] - count
    machines = tuple(f"127.0.0.1:{port + rank}" for rank in range(count))

    def host(rank: int) -> Any:
        with Communicator.connect(Cluster(machines, rank)) as communicator:
            return action(communicator)

    with ThreadPoolExecutor(count) as threads:
        return [result.result(TIMEOUT) for result in [threads.submit(host, rank) for rank in range(count)]]


def test_messages_arrive_by_rank_at_the_first_host_or_at_all():
    def action(communicator: Communicator) -> tuple[list[bytes], list[bytes]]:
        own = bytes([communicator.rank]) * 300_000 * communicator.rank
        return communicator.gather(own), communicator.all_gather(own)

    messages = [b"", b"\x01" * 300_000, b"\x02" * 600_000]
    assert exchange(3, action) == [(messages, messages), ([], messages), ([], messages)]


def test_sums_are_the_same_to_the_bit_on_all_hosts():
    def action(communicator: Communicator) -> bytes:
        return communicator.sum(np.array([0.1, 1e16, 1.0]) * (communicator.rank + 1)).tobytes()

    sums = exchange(3, action)
    assert len(set(sums)) == 1
    assert np.frombuffer(sums[0]) == pytest.approx([0.6, 6e16, 6.0])


def test_a_lost_host_ends_the_others():
    def action(communicator: Communicator) -> str:
        if communicator.rank == 1:
            return "gone"
        with pytest.raises(TrainingError) as lost:
            communicator.all_gather(b"own")
        return str(lost.value)

    first, _, third = exchange(3, action)
    assert first.startswith("lost the connection to host 2 (it was closed); see the log of that host")
    assert third.startswith("lost the connection to host 1")


@hypothesis.given(shares=st.lists(st.integers(0, 40), min_size=1, max_size=4), limit=st.integers(1, 60))
@hypothesis.settings(max_examples=15)
def test_pooled_rows_are_in_proportion_to_the_shares(shares, limit):
    ends = np.cumsum([0, *shares])

    def action(communicator: Communicator) -> list[float]:
        rows = np.arange(ends[communicator.rank], ends[communicator.rank + 1], dtype=np.float64)
        pooled = pool(Split(pa.table({"row": rows}), rows), int(ends[-1]), limit, communicator)
        assert pooled.features["row"].to_pylist() == pooled.target.tolist()
        return pooled.target.tolist()

    first, *others = exchange(len(shares), action)
    assert all(other == first for other in others)
    assert len(set(first)) == len(first) <= limit
    if ends[-1] <= limit:
        assert len(first) == ends[-1]
    counts = np.histogram(first, bins=ends - 0.5)[0] if ends[-1] > limit else shares
    assert np.all(np.abs(counts - np.array(shares) * min(1, limit / max(ends[-1], 1))) <= 1)
