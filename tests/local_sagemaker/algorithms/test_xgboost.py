"""The XGBoost image: its built-in algorithm, script mode, processing and inference."""

import importlib.util
import io
import json
import pickle
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from local_sagemaker.containers.container import XGBOOST as ALGORITHM
from local_sagemaker.containers.images.errors import UnsupportedImage
from local_sagemaker.containers.images.images import Images
from local_sagemaker.containers.images.isolation import Environments
from local_sagemaker.containers.model_server import ModelServer
from local_sagemaker.containers.output import LogStream
from local_sagemaker.jobs.training_job import TrainingJob
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.storage.transfers import split_uri
from tests.local_sagemaker.machine import TIMEOUT, XGBOOST, Machine, Record

pytestmark = pytest.mark.slow

xgb = pytest.importorskip("xgboost")

OLD_IMAGE = XGBOOST.replace("3.0-5", "0.90-2-cpu-py3")
INSTALL_TIMEOUT = 300
HYPERPARAMETERS = {"objective": "reg:squarederror", "num_round": "5", "max_depth": "3", "eta": "0.5", "seed": "1"}


@pytest.fixture
def algorithm(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The algorithm's module, imported into this process."""
    monkeypatch.syspath_prepend(str(ALGORITHM))
    spec = importlib.util.spec_from_file_location("xgboost_algorithm", ALGORITHM / "xgboost_algorithm.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("xgboost_hyperparameters", None)


def table(rows: int = 60, seed: int = 0) -> np.ndarray:
    """Rows of a label, the sum of two features, and three features."""
    features = np.random.default_rng(seed).normal(size=(rows, 3)).round(3)
    return np.column_stack([features[:, 0] + features[:, 1], features])


def as_csv(values: np.ndarray) -> str:
    return "".join(",".join(map(str, row)) + "\n" for row in values)


def built_in(machine: Machine, name: str, hyperparameters: dict[str, str], **more: Any) -> Record:
    """A CreateTrainingJob request of the built-in algorithm."""
    channels = {
        channel: machine.put(f"s3://bucket/{name}/{channel}/data.csv", as_csv(table(seed=seed)))
        for channel, seed in (("train", 0), ("validation", 1))
    }
    request = machine.training(name, "", channels=channels)
    specification = {"TrainingImage": XGBOOST, "TrainingInputMode": "File"}
    return {**request, "AlgorithmSpecification": specification, "HyperParameters": hyperparameters, **more}


def run(machine: Machine, request: Record) -> Record:
    machine.jobs.start("training-job", request)
    return machine.jobs.wait("training-job", request["TrainingJobName"], TIMEOUT)


def model_of(machine: Machine, record: Record) -> Any:
    archive = machine.objects.read(*split_uri(record["ModelArtifacts"]["S3ModelArtifacts"]))
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        assert tar.getnames() == ["xgboost-model"]
        booster = xgb.Booster()
        booster.load_model(bytearray(tar.extractfile("xgboost-model").read()))  # type: ignore[union-attr]
    return booster


def test_the_built_in_algorithm_trains_the_same_model_as_xgboost(machine: Machine) -> None:
    record = run(machine, built_in(machine, "job", {**HYPERPARAMETERS, "eval_metric": "rmse,mae"}))
    assert record["TrainingJobStatus"] == "Completed", record
    data, other = table(), table(seed=1)
    history: dict[str, Any] = {}
    expected = xgb.train(
        {"objective": "reg:squarederror", "max_depth": 3, "eta": 0.5, "seed": 1, "eval_metric": ["rmse", "mae"]},
        xgb.DMatrix(data[:, 1:], label=data[:, 0]),
        5,
        evals=[(xgb.DMatrix(other[:, 1:], label=other[:, 0]), "validation")],
        evals_result=history,
        verbose_eval=False,
    )
    matrix = xgb.DMatrix(other[:, 1:])
    np.testing.assert_allclose(model_of(machine, record).predict(matrix), expected.predict(matrix), rtol=1e-5)
    metrics = {metric["MetricName"]: metric["Value"] for metric in record["FinalMetricDataList"]}
    assert sorted(metrics) == ["train:mae", "train:rmse", "validation:mae", "validation:rmse"]
    assert metrics["validation:rmse"] == pytest.approx(history["validation"]["rmse"][-1], abs=1e-5)
    lines = machine.log("job")
    assert any("Train matrix has 60 rows and 3 columns" in line for line in lines)
    assert [line.partition("#011")[0] for line in lines if "#011train-rmse:" in line] == [f"[{n}]" for n in range(5)]


def test_images_before_1_3_save_a_pickle_which_they_and_users_scripts_can_load(machine: Machine, serve: Any) -> None:
    image = f"{XGBOOST.partition(':')[0]}:1.0-1-cpu-py3"
    specification = {"TrainingImage": image, "TrainingInputMode": "File"}
    record = run(machine, built_in(machine, "job", HYPERPARAMETERS, AlgorithmSpecification=specification))
    assert record["TrainingJobStatus"] == "Completed", record
    archive = machine.objects.read(*split_uri(record["ModelArtifacts"]["S3ModelArtifacts"]))
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        content = tar.extractfile("xgboost-model").read()  # type: ignore[union-attr]
    booster = pickle.loads(content)  # noqa: S301
    rows = table(3, seed=2)[:, 1:]
    _, text = answer(serve({"xgboost-model": content}, image=image), as_csv(rows))
    assert [*map(float, text.split(","))] == pytest.approx(booster.predict(xgb.DMatrix(rows)).tolist(), rel=1e-6)


def test_a_job_has_the_metric_definitions_of_the_algorithm(machine: Machine) -> None:
    job = TrainingJob(built_in(machine, "job", HYPERPARAMETERS))
    job.runtime = Images().find(XGBOOST, "training-job")
    specification = job.new_record(0.0)["AlgorithmSpecification"]
    regexes = {item["Name"]: item["Regex"] for item in specification["MetricDefinitions"]}
    assert regexes["validation:rmse"].startswith(r".*\[[0-9]+\].*#011validation-rmse:")


def test_a_script_in_the_xgboost_image_has_its_metrics(machine: Machine) -> None:
    script = """
import numpy as np, xgboost
rows = xgboost.DMatrix(np.arange(60).reshape(20, 3), label=np.arange(20))
xgboost.train({}, rows, 2, evals=[(rows, "train"), (rows, "validation")])
"""
    request = machine.training("job", script)
    request["AlgorithmSpecification"]["TrainingImage"] = XGBOOST
    record = run(machine, request)
    assert {metric["MetricName"] for metric in record["FinalMetricDataList"]} == {"train:rmse", "validation:rmse"}


def test_a_user_error_of_the_algorithm_fails_the_job_with_its_message(machine: Machine) -> None:
    record = run(machine, built_in(machine, "job", {**HYPERPARAMETERS, "depth": "3"}))
    assert record["FailureReason"] == "AlgorithmError: UserError: Extraneous hyperparameter found: depth, exit code: 1"


def test_a_tuning_job_needs_no_metric_definitions_for_the_built_in_algorithm(machine: Machine) -> None:
    definition = {
        name: value
        for name, value in built_in(machine, "tuning", {}).items()
        if name not in ("TrainingJobName", "HyperParameters")
    }
    request = {
        "HyperParameterTuningJobName": "tuning",
        "HyperParameterTuningJobConfig": {
            "Strategy": "Grid",
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "validation:rmse"},
            "ResourceLimits": {"MaxParallelTrainingJobs": 2},
            "ParameterRanges": {"CategoricalParameterRanges": [{"Name": "num_round", "Values": ["1", "8"]}]},
        },
        "TrainingJobDefinition": {**definition, "StaticHyperParameters": {"eta": "0.5"}},
    }
    machine.jobs.start("hyper-parameter-tuning-job", request)
    record = machine.jobs.wait("hyper-parameter-tuning-job", "tuning", TIMEOUT)
    assert record["HyperParameterTuningJobStatus"] == "Completed", record
    described = machine.service.call("DescribeHyperParameterTuningJob", {"HyperParameterTuningJobName": "tuning"})
    best = described["BestTrainingJob"]
    assert best["TunedHyperParameters"] == {"num_round": "8"}
    job = machine.service.call("DescribeTrainingJob", {"TrainingJobName": best["TrainingJobName"]})
    assert job["HyperParameters"]["_tuning_objective_metric"] == "validation:rmse"


def test_a_script_runs_in_the_xgboost_image(machine: Machine) -> None:
    script = "import os, xgboost; print('framework', os.environ['SM_FRAMEWORK_MODULE'])"
    request = machine.training("job", script)
    request["AlgorithmSpecification"]["TrainingImage"] = XGBOOST
    assert run(machine, request)["TrainingJobStatus"] == "Completed"
    assert machine.log("job") == ["framework sagemaker_xgboost_container.training:main"]


def test_a_script_finds_the_modules_of_the_xgboost_image_and_trains_on_several_hosts(machine: Machine) -> None:
    script = """
import json, os
import sagemaker_xgboost_container.encoder as encoder
import xgboost
from sagemaker_containers import entry_point
from sagemaker_xgboost_container import distributed
from sagemaker_xgboost_container.data_utils import get_dmatrix

def fit(rows, is_master):
    history = {}
    xgboost.train({}, rows, 1, [(rows, "train")], evals_result=history)
    columns = encoder.libsvm_to_dmatrix("0:1 2:3").num_col()
    print(is_master, rows.num_row(), rows.num_col(), columns, history["train"]["rmse"][0])

rows, hosts = get_dmatrix(os.environ["SM_CHANNEL_TRAIN"], "csv"), json.loads(os.environ["SM_HOSTS"])
assert get_dmatrix(None, "csv") is None
entry_point._wait_hostname_resolution()
distributed.rabit_run(fit, {"rows": rows}, rows is not None, hosts, os.environ["SM_CURRENT_HOST"])
"""
    channels = {"train": machine.put("s3://bucket/modules/data.csv", as_csv(table()))}
    request = machine.training("job", script, channels=channels)
    request["AlgorithmSpecification"]["TrainingImage"] = XGBOOST
    request["ResourceConfig"]["InstanceCount"] = 2
    request["StoppingCondition"] = {"MaxRuntimeInSeconds": INSTALL_TIMEOUT}
    machine.jobs.start("training-job", request)
    record = machine.jobs.wait("training-job", "job", INSTALL_TIMEOUT)
    assert record["TrainingJobStatus"] == "Completed", record["FailureReason"]
    first, second = sorted(line.split() for line in machine.log("job") if "60 3 3" in line)
    assert (first[0], second[0]) == ("False", "True")
    # the same trees on both hosts
    assert first[1:] == second[1:]


def test_a_processing_job_runs_in_the_xgboost_image(machine: Machine) -> None:
    assert machine.process(script="import xgboost", image=XGBOOST)["ProcessingJobStatus"] == "Completed"


def test_the_image_is_rejected_if_xgboost_is_not_installed(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UnsupportedImage, match="install xgboost"):
        Images().find(XGBOOST, "training-job")
    with pytest.raises(ServiceError, match=rf"{XGBOOST}.*install xgboost"):
        machine.jobs.start("training-job", built_in(machine, "job", HYPERPARAMETERS))


# hyperparameters


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "Missing required hyperparameter: num_round"),
        ({"num_round": "many"}, "Hyperparameter num_round: could not parse value 'many'"),
        ({"num_round": "0"}, "Hyperparameter num_round: 0 is not in [1, +inf)"),
        ({"num_round": "1", "eta": "1.5"}, "Hyperparameter eta: 1.5 is not in [0, 1]"),
        ({"num_round": "1", "subsample": "0"}, "Hyperparameter subsample: 0.0 is not in (0, 1]"),
        ({"num_round": "1", "eta": "nan"}, "Hyperparameter eta: nan is not in [0, 1]"),
        (
            {"num_round": "1", "booster": "tree"},
            "Hyperparameter booster: tree is not in ['gbtree', 'gblinear', 'dart']",
        ),
        ({"num_round": "1", "eval_metric": "rmse,best"}, "Hyperparameter eval_metric: value ['rmse', 'best']"),
        ({"num_round": "1", "eval_metric": "auc"}, "Metric 'auc' can only be applied for classification"),
        ({"num_round": "1", "objective": "multi:softmax"}, "Require input for parameter 'num_class'"),
        ({"num_round": "1", "monotone_constraints": "__import__('os')"}, "could not parse value"),
    ],
)
def test_invalid_hyperparameters_are_rejected_with_the_images_messages(
    algorithm: Any, given: dict[str, str], expected: str
) -> None:
    with pytest.raises(algorithm.UserError) as error:
        algorithm.read_hyperparameters(given)
    assert expected in str(error.value)


def test_hyperparameters_have_xgboosts_names(algorithm: Any) -> None:
    given = {"num_round": "3", "learning_rate": "0.3", "silent": "0", "eval_metric": "error@0.7,auc",
             "objective": "binary:logistic", "monotone_constraints": "(1,-1)"}  # fmt: skip
    assert algorithm.read_hyperparameters(given) == {
        "num_round": 3, "eta": 0.3, "eval_metric": ["error@0.7", "auc"], "objective": "binary:logistic",
        "monotone_constraints": (1, -1),
    }  # fmt: skip


# channels


def channel(algorithm: Any, monkeypatch: Any, folder: Path, content_type: str | None, **parameters: Any) -> Any:
    monkeypatch.setenv("SM_CHANNEL_TRAIN", str(folder))
    config = {} if content_type is None else {"ContentType": content_type}
    return algorithm.read_channel("train", {"train": config}, parameters)


def write_csv(path: Path, values: np.ndarray) -> None:
    path.with_suffix(".csv").write_text(as_csv(values))


def write_tabs(path: Path, values: np.ndarray) -> None:
    path.with_suffix(".csv").write_text(as_csv(values).replace(",", "\t"))


def write_libsvm(path: Path, values: np.ndarray) -> None:
    lines = [f"{row[0]} " + " ".join(f"{n}:{value}" for n, value in enumerate(row[1:])) for row in values]
    path.with_suffix(".libsvm").write_text("# made by a test\n" + "\n".join(lines))


def write_parquet(path: Path, values: np.ndarray) -> None:
    parquet.write_table(pa.table({str(n): column for n, column in enumerate(values.T)}), path.with_suffix(".parquet"))


@pytest.mark.parametrize(
    ("content_type", "write"),
    [
        ("text/csv", write_csv),
        ("csv;label_size=1", write_csv),
        ("text/csv", write_tabs),
        ("text/libsvm", write_libsvm),
        (None, write_libsvm),
        ("application/x-parquet", write_parquet),
    ],
)
def test_a_channel_is_read_by_content_type_from_all_its_folders(
    algorithm: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content_type: str | None, write: Any
) -> None:
    values = table(10)
    (tmp_path / "deep").mkdir()
    write(tmp_path / "a", values[:4])
    write(tmp_path / "deep" / "b", values[4:])
    (tmp_path / "empty").touch()
    matrix = channel(algorithm, monkeypatch, tmp_path, content_type)
    np.testing.assert_allclose(matrix.get_label(), values[:, 0], rtol=1e-6)
    np.testing.assert_allclose(matrix.get_data().toarray(), values[:, 1:], rtol=1e-6)


def test_empty_fields_are_missing_values_and_weights_are_the_second_column(
    algorithm: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("1,0.5,,3\n0,2,4,\n")
    matrix = channel(algorithm, monkeypatch, tmp_path, "text/csv", csv_weights=1)
    assert list(matrix.get_weight()) == [0.5, 2]
    assert (matrix.num_row(), matrix.num_col(), matrix.num_nonmissing()) == (2, 2, 2)


@pytest.mark.parametrize(
    ("content_type", "files", "expected"),
    [
        ("text/csv", {"a.csv": "label,x\n1,2\n"}, "remove the header"),
        ("text/csv", {"a.csv": "1,2\n1,two\n"}, "Failed to load csv data with exception"),
        ("text/csv", {"a.csv": "1,2\n1,2,3\n"}, "Failed to load csv data with exception"),
        ("text/csv;label_size=2", {"a.csv": "1,2\n"}, "label_size must be equal to 1"),
        ("text/libsvm", {"a": "1 0:1\n1,2,3\n"}, "Line 2 '1,2,3...' of file 'a' is not 'LIBSVM' format"),
        ("application/json", {"a": "1"}, "application/json is not an accepted ContentType"),
        ("text/csv", {"a.csv": ""}, "No data in train channel path"),
        ("text/csv", {".hidden": "1,2\n"}, "Hidden file found"),
    ],
)
def test_the_error_for_unreadable_data_names_it(
    algorithm: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    content_type: str,
    files: dict[str, str],
    expected: str,
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(algorithm.UserError) as error:
        channel(algorithm, monkeypatch, tmp_path, content_type)
    assert expected in str(error.value)


@pytest.mark.parametrize("names", [["validation"], ["train", "test"]])
def test_channels_other_than_train_and_validation_are_rejected(algorithm: Any, names: list[str]) -> None:
    with pytest.raises(algorithm.UserError, match="channel"):
        algorithm._data_channels({name: {} for name in names})


# training


def matrices(label: Any = lambda values: values[:, 0]) -> dict[str, Any]:
    found = {"train": table(), "validation": table(seed=1)}
    return {name: xgb.DMatrix(values[:, 1:], label=label(values)) for name, values in found.items()}


def loaded(folder: Path) -> Any:
    booster = xgb.Booster()
    booster.load_model(bytearray((folder / "xgboost-model").read_bytes()))
    return booster


def model_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    return folder


def test_training_stops_early_and_keeps_the_best_round(algorithm: Any, tmp_path: Path) -> None:
    noise = np.random.default_rng(3).normal(size=60)
    parameters = {"num_round": 500, "early_stopping_rounds": 3, "eval_metric": ["mae", "rmse"], "eta": 1.0}
    folder = model_folder(tmp_path)
    algorithm.train(parameters, matrices(lambda values: noise + values[:, 0] * 0), folder, None)
    assert loaded(folder).num_boosted_rounds() < 50


def test_the_images_additional_metrics_equal_those_of_scikit_learn(
    algorithm: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from sklearn.metrics import accuracy_score, f1_score

    data = matrices(lambda values: (values[:, 0] > 0).astype(int))
    folder = model_folder(tmp_path)
    parameters = {"num_round": 2, "objective": "binary:logistic", "eval_metric": ["accuracy", "f1", "logloss"]}
    algorithm.train(parameters, data, folder, None)
    measured = dict(part.rsplit(":", 1) for part in capsys.readouterr().out.splitlines()[-1].split("\t")[1:])
    labels = data["validation"].get_label()
    predicted = loaded(folder).predict(data["validation"]) > 0.5
    assert float(measured["validation-accuracy"]) == pytest.approx(accuracy_score(labels, predicted), abs=1e-4)
    assert float(measured["validation-f1"]) == pytest.approx(f1_score(labels, predicted, average="macro"), abs=1e-4)
    assert "validation-logloss" in measured


def test_training_resumes_from_a_checkpoint(algorithm: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, checkpoints = model_folder(tmp_path), tmp_path / "checkpoints"
    algorithm.train({"num_round": 4}, matrices(), folder, checkpoints)
    capsys.readouterr()
    algorithm.train({"num_round": 6}, matrices(), folder, checkpoints)
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert loaded(folder).num_boosted_rounds() == 6


def test_a_job_has_its_checkpoints_in_local_path(machine: Machine) -> None:
    request = built_in(machine, "job", HYPERPARAMETERS, CheckpointConfig={"S3Uri": "s3://bucket/kept"})
    assert run(machine, request)["TrainingJobStatus"] == "Completed"
    assert machine.keys("kept/")[-1] == "kept/xgboost-checkpoint_4.ubj"


def test_save_model_on_termination_saves_the_model_of_every_round(algorithm: Any, tmp_path: Path) -> None:
    folder = model_folder(tmp_path)
    algorithm._SaveEachRound(folder).after_iteration(xgb.train({}, matrices()["train"], 3), 2, {})
    assert loaded(folder).num_boosted_rounds() == 3
    assert json.loads(loaded(folder).save_config())["learner"]


# inference


@pytest.fixture
def inference(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The inference module of the algorithm, imported into this process."""
    spec = importlib.util.spec_from_file_location("xgboost_inference", ALGORITHM / "xgboost_inference.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def serve(machine: Machine) -> Iterator[Any]:
    """Starts a container of the XGBoost image for the files of a model."""
    servers = []

    def start(
        files: dict[str, bytes], image: str = XGBOOST, images: Images | None = None, **environment: str
    ) -> ModelServer:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            for name, content in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
        uri = machine.put("s3://bucket/model.tar.gz", buffer.getvalue())
        log = LogStream(machine.data_dir / "model.log", lambda line, now: None)
        container = {"Image": image, "ModelDataUrl": uri, "Environment": environment}
        server = ModelServer(container, machine.data_dir / f"model-{len(servers)}", machine.objects, {}, log, images)
        servers.append(server)
        server.start(INSTALL_TIMEOUT)
        return server

    yield start
    for server in servers:
        server.close()


def answer(server: ModelServer, body: str, content_type: str = "text/csv", **headers: str) -> tuple[int, str]:
    response = server.invoke(body.encode(), {"Content-Type": content_type, **headers}, TIMEOUT)
    return response.status, response.body.decode()


def trained() -> Any:
    return xgb.train({"max_depth": 3}, matrices()["train"], 3)


def test_a_model_of_the_algorithm_is_served_without_an_inference_script(serve: Any) -> None:
    server = serve({"xgboost-model": bytes(trained().save_raw("ubj"))})
    rows = table(3)[:, 1:]
    scores = trained().predict(xgb.DMatrix(rows)).tolist()
    status, text = answer(server, as_csv(rows))
    assert (status, [float(line) for line in text.splitlines()]) == (200, pytest.approx(scores, rel=1e-6))
    status, text = answer(server, as_csv(rows), Accept="application/json")
    assert [record["score"] for record in json.loads(text)["predictions"]] == pytest.approx(scores, rel=1e-6)
    status, text = answer(server, "[1]", "application/json")
    assert (status, text.splitlines()[0]) == (415, "Content-type application/json is not supported.")


def test_images_up_to_1_2_respond_to_the_records_of_a_request_with_one_line(serve: Any) -> None:
    files = {"xgboost-model": bytes(trained().save_raw("json"))}
    rows = table(3)[:, 1:]
    for image, separator in (("1.2-2", ","), ("0.90-1-cpu-py3", ","), ("1.3-1", "\n")):
        _, text = answer(serve(files, image=f"{XGBOOST.partition(':')[0]}:{image}"), as_csv(rows))
        assert len(text.strip().split(separator)) == 3
    _, text = answer(serve(files, image=f"{XGBOOST.partition(':')[0]}:1.2-2", SAGEMAKER_BATCH="true"), as_csv(rows))
    assert len(text.splitlines()) == 3


def test_a_script_without_input_fn_gets_a_dmatrix(serve: Any) -> None:
    script = b"""
import os, xgboost
def model_fn(model_dir):
    booster = xgboost.Booster()
    booster.load_model(os.path.join(model_dir, "mine.ubj"))
    return booster
"""
    files = {"mine.ubj": bytes(trained().save_raw("ubj")), "code/inference.py": script}
    server = serve(files, SAGEMAKER_PROGRAM="inference.py")
    rows = table(2)[:, 1:]
    status, text = answer(server, as_csv(rows), Accept="application/json")
    assert (status, json.loads(text)) == (200, pytest.approx(trained().predict(xgb.DMatrix(rows)).tolist(), rel=1e-6))


@pytest.mark.parametrize("first", [0, 1])
def test_libsvm_indices_are_those_of_the_training_data(inference: Any, first: int) -> None:
    rows = inference.input_fn(f"{first}:0.5 {first + 2}:1\n{first + 1}:2".encode(), "text/libsvm")
    assert (rows.num_row(), rows.num_col(), rows.num_nonmissing()) == (2, first + 3, 3)


def test_rows_without_a_content_type_are_csv(inference: Any) -> None:
    rows = inference.input_fn(b"1,2\n3,4", None)
    assert (rows.num_row(), rows.num_col()) == (2, 2)


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [("a,b", "text/csv", 415), ("1,2\n1", "text/csv", 415), ("", "text/csv", 415), ("x:1", "text/libsvm", 415)],
)
def test_unreadable_rows_are_a_client_error(inference: Any, body: str, content_type: str, status: int) -> None:
    with pytest.raises(inference.RequestError) as error:
        inference.input_fn(body, content_type)
    assert error.value.status_code == status


def test_rows_with_another_number_of_features_are_a_client_error(inference: Any) -> None:
    with pytest.raises(inference.RequestError, match="Unable to evaluate payload provided") as error:
        inference.predict_fn(inference.input_fn("1,2,3,4", "text/csv"), trained())
    assert error.value.status_code == 400


@pytest.mark.parametrize(
    ("accept", "text"),
    [
        ("text/csv", "0.25,0.75\n1.0,0.0\n"),
        ("application/json", '{"predictions": [{"score": [0.25, 0.75]}, {"score": [1.0, 0.0]}]}'),
        ("application/jsonlines", '{"score": [0.25, 0.75]}\n{"score": [1.0, 0.0]}\n'),
    ],
)
def test_scores_of_several_classes_are_one_row_per_prediction(inference: Any, accept: str, text: str) -> None:
    assert inference.output_fn(np.array([[0.25, 0.75], [1, 0]]), accept) == (text, accept)
    with pytest.raises(inference.RequestError, match="image/png is not supported"):
        inference.output_fn(np.array([1.0]), "image/png")


TRAIN_OLD = """
import pickle, sys
import numpy as np, xgboost as xgb
rows = np.arange(60).reshape(20, 3) % 7.0
booster = xgb.train({}, xgb.DMatrix(rows, label=rows[:, 0]), 2)
pickle.dump(booster, open("pickle", "wb"))
booster.save_model("own")
print(*booster.predict(xgb.DMatrix(rows[:2])))
"""


def test_models_of_an_old_image_are_served_by_its_version_of_xgboost(serve: Any, tmp_path: Path) -> None:
    environments = Environments(tmp_path / "environments")
    python = environments.python(Images().find(OLD_IMAGE, "model"), requirements=None)
    trained = subprocess.run([python, "-c", TRAIN_OLD], cwd=tmp_path, capture_output=True, text=True, check=True)
    for name in ("pickle", "own"):
        status, text = answer(serve({"xgboost-model": (tmp_path / name).read_bytes()}, OLD_IMAGE), "0,1,2\n")
        assert status == 500
        assert re.match(r"Unable to load model: XGBoost [3-9]\S+ cannot load xgboost-model", text)
        server = serve({"xgboost-model": (tmp_path / name).read_bytes()}, OLD_IMAGE, Images(environments=environments))
        _, scores = answer(server, "0,1,2\n3,4,5\n")
        assert [float(score) for score in scores.split(",")] == pytest.approx(
            [float(score) for score in trained.stdout.split()]
        )


def test_a_pickled_model_is_served_as_the_image_serves_it(inference: Any, tmp_path: Path) -> None:
    """Images up to 1.2 save a pickle."""
    booster, rows = trained(), inference.input_fn("1,2,3", "text/csv")
    (tmp_path / "xgboost-model").write_bytes(pickle.dumps(booster))
    served = inference.model_fn(str(tmp_path))
    assert inference.predict_fn(rows, served).tolist() == inference.predict_fn(rows, booster).tolist()


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (
            {"xgboost-model": pickle.dumps({"not": "a model"})},
            r"XGBoost \S+ cannot load xgboost-model: the pickle",
        ),
        ({"xgboost-model": b"other"}, r"XGBoost \S+ cannot load xgboost-model: "),
        ({}, r"xgboost-model is not among the model's files \(none\)"),
    ],
)
def test_requests_fail_and_not_the_container_if_the_model_cannot_be_loaded(
    inference: Any, tmp_path: Path, files: dict[str, bytes], reason: str
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    model = inference.model_fn(str(tmp_path))
    with pytest.raises(inference.RequestError, match=f"^Unable to load model: {reason}") as error:
        inference.predict_fn(inference.input_fn("1,2,3", "text/csv"), model)
    assert error.value.status_code == 500
