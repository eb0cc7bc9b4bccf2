"""Custom images, and isolated Python environments for jobs."""

import json
import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_sagemaker.containers.images.errors import ImageMapError, UnsupportedImage
from local_sagemaker.containers.images.image import Image
from local_sagemaker.containers.images.image_map import read_image_map
from local_sagemaker.containers.images.image_settings import ImageSettings, image_settings, remember
from local_sagemaker.containers.images.images import Images
from local_sagemaker.containers.images.isolation import Environments
from local_sagemaker.data_dir import DataDir
from local_sagemaker.http.background import ensure_server, stop_server
from tests.local_sagemaker.conftest import make_client
from tests.local_sagemaker.machine import ANALYZER, ROLE, SCIKIT_LEARN, TIMEOUT, Machine
from tests.local_sagemaker.models import create_config, create_endpoint, invoke, variant

OWN = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/churn:7"
MakeMachine = Callable[..., Machine]


@pytest.fixture
def images_file(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        file = tmp_path / "images.yaml"
        file.write_text(text)
        return file

    return write


@pytest.fixture
def make_machine(tmp_path: Path) -> Iterator[MakeMachine]:
    made = []

    def make(images: Images) -> Machine:
        made.append(Machine(tmp_path / "data", images=images))
        return made[-1]

    yield make
    for machine in made:
        machine.close()


def wheel(folder: Path, name: str, body: str) -> Path:
    """Build a package with one module."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", body)
        files = {
            "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
            "WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            "RECORD": "",
        }
        for file, text in files.items():
            archive.writestr(f"{name}-1.0.dist-info/{file}", text)
    return path


# the image map


@pytest.mark.parametrize(
    ("pattern", "uri"),
    [
        ("team/churn", OWN),
        ("team/*", OWN),
        ("'*/churn'", "localhost:5000/team/churn@sha256:0"),
        ("churn", "registry.example.com/churn"),
        ("me/mine", "me/mine:latest"),
        ("sagemaker-scikit-learn", SCIKIT_LEARN),
    ],
)
def test_an_image_is_found_by_its_repository(images_file: Any, pattern: str, uri: str) -> None:
    file = images_file(f"{pattern}: {{as: sagemaker-scikit-learn, python: {sys.executable}}}")
    images = Images(mapped=read_image_map(file))
    runtime = images.find(uri, "training-job")
    assert (runtime.image, runtime.python) == (Image.SCIKIT_LEARN, Path(sys.executable))


def test_the_first_matching_pattern_applies(images_file: Any) -> None:
    text = "team/churn: {as: sagemaker-xgboost}\nteam/*: {as: sagemaker-scikit-learn}\n"
    images = Images(mapped=read_image_map(images_file(text)))
    found = [images.find(f"team/{name}:1", "processing-job").image for name in ("churn", "other")]
    assert found == [Image.XGBOOST, Image.SCIKIT_LEARN]
    assert images.find(SCIKIT_LEARN, "model").image is Image.SCIKIT_LEARN


def test_a_mapped_image_of_sagemaker_keeps_its_version(images_file: Callable[[str], Path]) -> None:
    text = f"'*xgboost*':\n  as: sagemaker-xgboost\n  python: {sys.executable}\n"
    images = Images(mapped=read_image_map(images_file(text)))
    own = images.find("683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.0-1-cpu-py3", "training-job")
    assert (own.tag, own.python) == ("1.0-1-cpu-py3", Path(sys.executable))
    # the tags of others have another meaning
    assert images.find("team/my-xgboost:1.0", "training-job").tag == ""


@pytest.mark.parametrize("tag", ["1", "latest"])
def test_the_first_images_of_xgboost_are_known_by_their_repository(tag: str) -> None:
    runtime = Images().find(f"811284229777.dkr.ecr.us-east-1.amazonaws.com/xgboost:{tag}", "training-job")
    assert (runtime.image, runtime.tag) == (Image.XGBOOST, tag)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- team", "must be a mapping"),
        ("team: {", "cannot read "),
        ("team: {}", "team: Value error, give either `as`"),
        ("team: {as: sagemaker-scikit-learn, command: [run]}", "give either `as`"),
        ("team: {as: sagemaker-tensorflow}", "team: as: Input should be 'sagemaker-scikit-learn'"),
        ("team: {as: sagemaker-scikit-learn, code: .}", "`code` is the folder that `command` runs in"),
        ("team: {command: []}", "command: List should have at least 1 item"),
        ("team: {as: sagemaker-scikit-learn, python: no/python}", "no/python does not exist"),
        ("team: {command: [run], code: nowhere}", "nowhere is not a folder"),
        ("team: {comand: [run]}", "comand: Extra inputs are not permitted"),
        ("team: run", "team: Input should be a valid dictionary"),
    ],
)
def test_an_invalid_file_is_rejected_with_its_name(images_file: Any, text: str, words: str) -> None:
    file = images_file(text)
    with pytest.raises(ImageMapError) as error:
        read_image_map(file)
    assert str(file) in str(error.value)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("team/churn: {as: sagemaker-model-monitor-analyzer}", "training-job"),
        ("team/churn: {command: [serve]}", "model"),
        ("team/other: {command: [run]}", "processing-job"),
    ],
)
def test_an_unsupported_image_is_rejected_with_a_hint_to_the_image_map(images_file: Any, text: str, kind: str) -> None:
    with pytest.raises(UnsupportedImage) as error:
        Images(mapped=read_image_map(images_file(text))).find(OWN, kind)
    where = kind.replace("-", " ")
    assert f"image {OWN!r} cannot run on this machine in a {where}; supported images, in any version: " in str(
        error.value
    )
    assert "map it in images.yaml: team/churn: {as: sagemaker-scikit-learn, python: PATH}" in str(error.value)


def test_a_step_whose_image_is_mapped_runs(images_file: Any, make_machine: MakeMachine) -> None:
    machine = make_machine(Images(mapped=read_image_map(images_file("team/*: {as: sagemaker-scikit-learn}"))))
    assert machine.process(script="print('here')", image=OWN)["ProcessingJobStatus"] == "Completed"
    assert machine.log("job") == ["here"]


SCRIPT = """
import os, torch
code = os.environ["SM_MODEL_DIR"] + "/code"
os.mkdir(code)
open(f"{code}/inference.py", "w").write('''
import json, torch
def model_fn(model_dir):
    return torch.SLOPE
def input_fn(body, content_type):
    return json.loads(body)
def predict_fn(data, model):
    return [model * value for value in data]
def output_fn(prediction, accept):
    return json.dumps(prediction)
''')
"""


def test_scripts_of_another_framework_train_and_serve_on_an_environment_that_has_it(
    images_file: Any, make_machine: MakeMachine, tmp_path: Path
) -> None:
    venv.create(tmp_path / "torch", symlinks=True)
    (packages,) = (tmp_path / "torch").glob("lib/python*/site-packages")
    (packages / "torch.py").write_text("SLOPE = 3")
    text = "'*pytorch-*': {as: sagemaker-scikit-learn, python: torch/bin/python}"
    machine = make_machine(Images(mapped=read_image_map(images_file(text))))
    registry = "763104351884.dkr.ecr.us-east-1.amazonaws.com"
    request = machine.training("job", SCRIPT)
    request["AlgorithmSpecification"]["TrainingImage"] = f"{registry}/huggingface-pytorch-training:2.3-cpu-py311"
    machine.jobs.start("training-job", request)
    record = machine.jobs.wait("training-job", "job", TIMEOUT)
    assert record["TrainingJobStatus"] == "Completed", record

    container = {
        "Image": f"{registry}/pytorch-inference:2.3-cpu-py311",
        "ModelDataUrl": record["ModelArtifacts"]["S3ModelArtifacts"],
        "Environment": {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"},
    }
    machine.service.call("CreateModel", {"ModelName": "echo", "PrimaryContainer": container})
    assert create_endpoint(machine, create_config(machine, "config", variant()))["EndpointStatus"] == "InService"
    assert invoke(machine, "[1, 2]", ContentType="application/json").json == [3, 6]


TRAIN = """
import json, os, sys
hyperparameters = json.load(open("/opt/ml/input/config/hyperparameters.json"))
open("/opt/ml/model/model.txt", "w").write(" ".join([*sys.argv[1:], hyperparameters["depth"]]))
"""


def test_an_image_with_a_custom_entry_point_trains_and_processes(
    images_file: Any, make_machine: MakeMachine, tmp_path: Path
) -> None:
    code = tmp_path / "container"
    code.mkdir()
    (code / "train.py").write_text(TRAIN)
    (code / "process.py").write_text("import sys; open('/opt/ml/processing/output/out/a', 'w').write(sys.argv[-1])")
    programs = {"team/churn": "train.py", "team/process": "process.py"}
    lines = [f"{name}: {{command: [python, {program}], code: container}}" for name, program in programs.items()]
    machine = make_machine(Images(mapped=read_image_map(images_file("\n".join(lines)))))
    request = {**machine.training("job", ""), "HyperParameters": {"depth": "3"}}
    request["AlgorithmSpecification"] = {"TrainingImage": OWN, "TrainingInputMode": "File"}
    machine.jobs.start("training-job", request)
    record = machine.jobs.wait("training-job", "job", TIMEOUT)
    assert record["TrainingJobStatus"] == "Completed", record
    assert machine.archive(record["ModelArtifacts"]["S3ModelArtifacts"]) == {"model.txt": "train 3"}
    assert (code / "train.py").read_text() == TRAIN

    process = machine.processing("second", "", arguments=("word",))
    process["AppSpecification"] = {"ImageUri": "team/process:1", "ContainerArguments": ["word"]}
    machine.jobs.start("processing-job", process)
    assert machine.jobs.wait("processing-job", "second", TIMEOUT)["ProcessingJobStatus"] == "Completed"
    assert machine.read("s3://bucket/second/out/a") == "word"


# settings


def test_a_data_directory_keeps_its_settings_which_environment_variables_override(
    images_file: Any, tmp_path: Path
) -> None:
    data_dir, file = DataDir(tmp_path / "data"), images_file("team/x: {as: sagemaker-scikit-learn}")
    assert image_settings(data_dir, {}) == ImageSettings(None, False)
    remember(data_dir, file, True)
    remember(data_dir, None, None)
    assert image_settings(data_dir, {}) == ImageSettings(file, True)
    other = {"LOCAL_SAGEMAKER_IMAGES": "/other.yaml", "LOCAL_SAGEMAKER_ISOLATED": "0"}
    assert image_settings(data_dir, other) == ImageSettings(Path("/other.yaml"), False)
    remember(data_dir, None, False)
    assert image_settings(data_dir, {"LOCAL_SAGEMAKER_ISOLATED": ""}).isolated is False
    file.unlink()
    assert image_settings(data_dir, {}).file == file


def test_an_invalid_file_is_not_kept(images_file: Any, tmp_path: Path) -> None:
    data_dir = DataDir(tmp_path / "data")
    with pytest.raises(ImageMapError):
        remember(data_dir, images_file("- no"), None)
    assert image_settings(data_dir, {}).file is None


def test_the_command_starts_a_server_that_runs_mapped_images(images_file: Any, tmp_path: Path) -> None:
    file, data_dir = images_file("team/x: {as: sagemaker-scikit-learn}"), tmp_path / "data"
    command = [sys.executable, "-m", "local_sagemaker", "start", "--data-dir", str(data_dir)]
    try:
        subprocess.run([*command, "--images", str(file)], check=True, timeout=TIMEOUT)
        sagemaker = make_client(ensure_server(data_dir), "sagemaker")
        steps = [processing_step("team/x:1"), processing_step("team/y:1")]
        for step, words in zip(steps, (None, "step 'Split': image 'team/y:1' cannot run"), strict=True):
            definition = json.dumps({"Version": "2020-12-01", "Steps": [step]})
            with nullcontext() if words is None else pytest.raises(ClientError, match=words):
                sagemaker.create_pipeline(PipelineName=f"p{words is None}", RoleArn=ROLE, PipelineDefinition=definition)
        again = subprocess.run([*command, "--isolated"], capture_output=True, text=True, timeout=TIMEOUT)
        assert (again.returncode, "stop that server first" in again.stderr) == (1, True)
    finally:
        stop_server(data_dir)


def processing_step(image: str) -> dict[str, Any]:
    cluster = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
    arguments = {"AppSpecification": {"ImageUri": image}, "ProcessingResources": {"ClusterConfig": cluster}}
    return {"Name": "Split", "Type": "Processing", "Arguments": {**arguments, "RoleArn": ROLE}}


# isolated


@pytest.fixture
def isolated(tmp_path: Path, make_machine: MakeMachine) -> Machine:
    """A machine with isolated jobs; a small package takes the place of the image's packages."""
    package = wheel(tmp_path, "of_the_image", "words = 'image'")
    packages = {Image.SCIKIT_LEARN: f"{package}\n"}
    return make_machine(Images(environments=Environments(tmp_path / "environments", packages), isolated=True))


SHOW = "import brought, of_the_image, sys; print(brought.words, of_the_image.words, sys.prefix)"


@pytest.mark.slow
def test_a_job_runs_in_an_environment_of_its_image_and_requirements_which_is_reused(
    isolated: Machine, tmp_path: Path
) -> None:
    package = wheel(tmp_path, "brought", "words = 'brought'")
    files = {"requirements.txt": f"{package}\n"}
    for name in ("first", "second"):
        record = isolated.train(name, SHOW, files=files)
        assert record["TrainingJobStatus"] == "Completed", (record, isolated.log(name))
    [environment] = [path for path in (tmp_path / "environments").iterdir() if path.is_dir()]
    for name in ("first", "second"):
        assert f"brought image {environment}" in isolated.log(name)
    # packages of the server's interpreter are not visible
    record = isolated.train("third", "import of_the_image, typer", files=files)
    assert "No module named 'typer'" in record["FailureReason"]


def test_a_failed_installation_fails_the_job_and_is_retried_for_the_next_one(isolated: Machine, tmp_path: Path) -> None:
    files = {"requirements.txt": f"{tmp_path}/brought-1.0-py3-none-any.whl\n"}
    record = isolated.train("first", SHOW, files=files)
    assert record["FailureReason"].startswith("ClientError: cannot create the job's Python environment: ")
    assert "brought-1.0-py3-none-any.whl" in record["FailureReason"]
    wheel(tmp_path, "brought", "words = 'brought'")
    assert isolated.train("second", SHOW, files=files)["TrainingJobStatus"] == "Completed"


def test_model_monitors_images_run_on_the_servers_interpreter(isolated: Machine) -> None:
    assert isolated.process(script="import typer", image=ANALYZER)["ProcessingJobStatus"] == "Completed"
