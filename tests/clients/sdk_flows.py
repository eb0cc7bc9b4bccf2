"""Typical flows of SageMaker SDK users, as a program: `python sdk_flows.py FLOW ...`, in a folder of its own.

The program does not refer to the local SageMaker, which it only uses through environment variables. Each flow prints
one line of JSON with its name and what it has created.
"""

import contextlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import sdk_surroundings  # noqa: F401
from botocore.exceptions import ClientError, WaiterError
from sagemaker.core import image_uris
from sagemaker.core.helper.session_helper import Session, get_execution_role
from sagemaker.core.parameter import ContinuousParameter
from sagemaker.core.processing import FrameworkProcessor, ScriptProcessor
from sagemaker.core.resources import ModelPackage, TrainingJob
from sagemaker.core.shapes import ProcessingInput, ProcessingOutput, ProcessingS3Input, ProcessingS3Output
from sagemaker.core.transformer import Transformer
from sagemaker.core.workflow.parameters import ParameterString
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.mlops.workflow.emr_step import EMRStep, EMRStepConfig
from sagemaker.mlops.workflow.fail_step import FailStep
from sagemaker.mlops.workflow.model_step import ModelStep
from sagemaker.mlops.workflow.notebook_job_step import NotebookJobStep
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.steps import (
    CacheConfig,
    ProcessingStep,
    StepTypeEnum,
    TrainingStep,
    TransformStep,
    TuningStep,
)
from sagemaker.serve.model_builder import ModelBuilder
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, OutputDataConfig, SourceCode
from sagemaker.train.distributed import DistributedConfig
from sagemaker.train.tuner import HyperparameterTuner

session = Session()
role = get_execution_role()
bucket = session.default_bucket()
INSTANCE = "ml.m5.xlarge"
WAIT = {"poll": 1, "timeout": 60}

SPLIT = """
import argparse
import boto3
import pandas as pd

parser = argparse.ArgumentParser()
parser.add_argument("--input-data")
_, _, bucket, key = parser.parse_args().input_data.split("/", 3)
boto3.resource("s3").Bucket(bucket).download_file(key, "/opt/ml/processing/data.csv")
data = pd.read_csv("/opt/ml/processing/data.csv", header=None)
data[:70].to_csv("/opt/ml/processing/train/train.csv", header=False, index=False)
data[70:].to_csv("/opt/ml/processing/validation/validation.csv", header=False, index=False)
"""


# a model with a single slope, and the program that serves it
TUNED = """
import argparse, pathlib
parser = argparse.ArgumentParser()
parser.add_argument("--slope", type=float)
slope = parser.parse_args().slope
print(f"error: {abs(slope - 3)}")
code = pathlib.Path("/opt/ml/model/code")
code.mkdir(parents=True)
(code / "inference.py").write_text(f'''
def model_fn(model_dir):
    return {slope}
def input_fn(body, content_type):
    return [float(line) for line in body.splitlines()]
def predict_fn(values, slope):
    return [slope * value for value in values]
def output_fn(values, accept):
    return "\\\\n".join(map(str, values)), accept
''')
"""


def image(framework: str, version: str) -> str:
    return image_uris.retrieve(
        framework=framework, region=session.boto_region_name, version=version, py_version="py3", instance_type=INSTANCE
    )


def process() -> Any:
    """Run a script with literal /opt/ml paths on the scikit-learn image."""
    processor = _splitter(session)
    processor.run(**_split_arguments("sdk/process", _data()), wait=False)
    processor.latest_job.wait(**WAIT)
    return processor.latest_job.processing_job_name


def framework() -> Any:
    """Run a folder of code with requirements, packed by FrameworkProcessor."""
    source = Path("source")
    source.mkdir()
    (source / "shared.py").write_text("FOLDER = '/opt/ml/processing/output'\n")
    (source / "requirements.txt").write_text("numpy\n")
    (source / "main.py").write_text(
        "import sys, shared\nopen(shared.FOLDER + '/words.txt', 'w').write(' '.join(sys.argv[1:]))\n"
    )
    processor = FrameworkProcessor(
        image_uri=image("sklearn", "1.2-1"),
        role=role,
        instance_type=INSTANCE,
        instance_count=1,
        base_job_name="framework",
        sagemaker_session=session,
    )
    processor.run(
        code="main.py",
        source_dir=str(source),
        arguments=["two", "words"],
        outputs=[_output("words", "/opt/ml/processing/output", f"s3://{bucket}/sdk/framework")],
        wait=False,
    )
    processor.latest_job.wait(**WAIT)
    return processor.latest_job.processing_job_name


def trainer() -> Any:
    """Run ModelTrainer with a folder of code; the SDK passes its drivers in a separate channel."""
    return _trained({"depth": 3, "name": "a b"}, None)


def driver() -> Any:
    """Run ModelTrainer with a custom driver for distributed training."""
    drivers = Path("drivers")
    drivers.mkdir()
    (drivers / "own.py").write_text(
        "import os, subprocess, sys\n"
        "print('driver of', os.environ['SM_DISTRIBUTED_CONFIG'])\n"
        "subprocess.run([sys.executable, os.environ['SM_ENTRY_SCRIPT'], '--depth', '1', '--name', 'x'], check=True)\n"
    )

    class Own(DistributedConfig):
        processes: int = 1

        @property
        def driver_dir(self) -> str:
            return str(drivers)

        @property
        def driver_script(self) -> str:
            return "own.py"

    return _trained({}, Own(processes=1))


def pipeline() -> Any:
    """Process, train with the built-in XGBoost algorithm, create a model and register it."""
    steps_session = PipelineSession()
    input_data = ParameterString(name="InputDataUrl", default_value=_data())
    cached = CacheConfig(enable_caching=True, expire_after="30d")
    split = ProcessingStep(
        name="Split",
        step_args=_splitter(steps_session).run(**_split_arguments("sdk/pipeline", input_data)),
        cache_config=cached,
    )
    outputs = split.properties.ProcessingOutputConfig.Outputs
    xgboost = image("xgboost", "1.0-1")
    train = TrainingStep(
        name="Train",
        step_args=ModelTrainer(
            training_image=xgboost,
            compute=Compute(instance_type=INSTANCE, instance_count=1),
            base_job_name="xgboost",
            sagemaker_session=steps_session,
            role=role,
            hyperparameters={"objective": "reg:linear", "num_round": 5, "max_depth": 3, "eta": 0.3, "silent": 0},
            input_data_config=[
                InputData(channel_name=name, data_source=outputs[name].S3Output.S3Uri, content_type="text/csv")
                for name in ("train", "validation")
            ],
        ).train(),
        cache_config=cached,
    )
    builder = ModelBuilder(
        s3_model_data_url=train.properties.ModelArtifacts.S3ModelArtifacts,
        image_uri=xgboost,
        sagemaker_session=steps_session,
        role_arn=role,
    )
    create = ModelStep(name="Create", step_args=builder.build())
    register = ModelStep(
        name="Register",
        step_args=builder.register(
            model_package_group_name="sdk-models",
            content_types=["text/csv"],
            response_types=["text/csv"],
            inference_instances=[INSTANCE],
            approval_status="PendingManualApproval",
        ),
    )
    made = Pipeline(
        name="SdkPipeline",
        parameters=[input_data],
        steps=[split, train, create, register],
        sagemaker_session=steps_session,
    )
    made.upsert(role_arn=role)
    execution = made.start()
    execution.wait(delay=1, max_attempts=60)
    registry(
        next(
            step["Metadata"]["RegisterModel"]["Arn"]
            for step in execution.list_steps()
            if step["StepName"] == "Register"
        )
    )
    return execution.arn


def transform() -> Any:
    """Tune with six training jobs, create a model from the best one, and transform 1,000 lines."""
    tuner = _tuner(session, "tuner", jobs=6)
    tuner.tune(wait=False)
    tuner.latest_tuning_job.wait(**WAIT)
    best = tuner.best_training_job()
    model_data = TrainingJob.get(training_job_name=best).model_artifacts.s3_model_artifacts
    container = {"Image": image("sklearn", "1.2-1"), "ModelDataUrl": model_data}
    boto3.client("sagemaker").create_model(ModelName="sdk-best", ExecutionRoleArn=role, PrimaryContainer=container)
    made = _transformer(session, "sdk-best", "sdk/transform")
    made.transform(**_transform_arguments(), wait=False)
    made.latest_transform_job.wait(**WAIT, logs=True)
    tuning_job = tuner.latest_tuning_job.hyper_parameter_tuning_job_name
    return {"tuning": tuning_job, "best": best, "transform": made.latest_transform_job.transform_job_name}


def tuning() -> Any:
    """Run the same as a pipeline, with the second best model."""
    steps_session = PipelineSession()
    tune = TuningStep(name="Tune", step_args=_tuner(steps_session, "tuning", jobs=3).tune())
    second = tune.get_top_model_s3_uri(top_k=1, s3_bucket=bucket, prefix="sdk/tuning")
    builder = ModelBuilder(
        s3_model_data_url=second,
        image_uri=image("sklearn", "1.2-1"),
        sagemaker_session=steps_session,
        role_arn=role,
    )
    create = ModelStep(name="Create", step_args=builder.build())
    transformer = _transformer(steps_session, create.properties.ModelName, "sdk/scored")
    score = TransformStep(name="Score", step_args=transformer.transform(**_transform_arguments()))
    made = Pipeline(name="SdkTuning", steps=[tune, create, score], sagemaker_session=steps_session)
    made.upsert(role_arn=role)
    execution = made.start()
    execution.wait(delay=1, max_attempts=60)
    return execution.arn


def registry(arn: str) -> None:
    """Approve a version, register its model again, and delete the new version."""
    sagemaker = boto3.client("sagemaker")
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    package = ModelPackage.get(model_package_name=arn)
    assert package.model_approval_status == "Approved"
    container = package.inference_specification.containers[0]
    again = ModelBuilder(
        image_uri=container.image, s3_model_data_url=container.model_data_url, role_arn=role, sagemaker_session=session
    ).register(model_package_group_name="sdk-models", content_types=["text/csv"], response_types=["text/csv"])
    sagemaker.delete_model_package(ModelPackageName=again)


def deploy() -> Any:
    """Train with the built-in algorithm, deploy the model, and invoke the endpoint."""
    trainer = ModelTrainer(
        training_image=image("xgboost", "3.0-5"),
        compute=Compute(instance_type=INSTANCE, instance_count=1),
        base_job_name="deployed",
        sagemaker_session=session,
        role=role,
        hyperparameters={"objective": "reg:squarederror", "num_round": 5},
        input_data_config=[InputData(channel_name="train", data_source=_data(), content_type="text/csv")],
    )
    trainer.train(wait=False)
    job: TrainingJob = trainer._latest_training_job
    job.wait(**WAIT, logs=False)
    builder = ModelBuilder(
        s3_model_data_url=job.refresh().model_artifacts.s3_model_artifacts,
        image_uri=image("xgboost", "3.0-5"),
        sagemaker_session=session,
        role_arn=role,
    )
    builder.build(model_name="sdk-deployed")
    deployment = {"initial_instance_count": 1, "instance_type": INSTANCE, "wait": False}
    endpoint = builder.deploy(endpoint_name="sdk-endpoint", **deployment)
    endpoint.wait_for_status("InService", **WAIT)
    answer = endpoint.invoke(body="3,1", content_type="text/csv")
    return answer.body.read().decode()


def refused() -> dict[str, str]:
    """Create a pipeline with one step for each step type and for some of the SDK's classes.

    Returns:
        The error message by name of the step, "" if the pipeline is created.
    """
    image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/sagemaker-distribution:latest"
    Path("notebook.ipynb").write_text('{"cells": []}')
    notebook = {"input_notebook": "notebook.ipynb", "image_uri": image, "kernel_name": "python3", "role": role}
    empty = {"display_name": None, "description": None}
    steps = [
        EMRStep(name="Cluster", cluster_id="j-1", step_config=EMRStepConfig(jar="s3://b/a.jar"), **empty),
        NotebookJobStep(name="Notebook", **notebook),
    ]
    words = {}
    steps_session = PipelineSession()
    for step in steps:
        made = Pipeline(name="Refused", steps=[step], sagemaker_session=steps_session)
        words[step.name] = _refusal(lambda made=made: made.create(role_arn=role))
    sagemaker = boto3.client("sagemaker")
    for step_type in StepTypeEnum:
        step = {"Name": f"Own{step_type.value}", "Type": step_type.value, "Arguments": {}}
        definition = json.dumps({"Version": "2020-12-01", "Steps": [step]})
        words[step["Name"]] = _refusal(
            lambda definition=definition: sagemaker.create_pipeline(
                PipelineName="Refused", PipelineDefinition=definition, RoleArn=role
            )
        )
        with contextlib.suppress(ClientError):
            sagemaker.delete_pipeline(PipelineName="Refused")
    return words


def _refusal(create: Callable[[], Any]) -> str:
    try:
        create()
    except ClientError as error:
        return str(error)
    return ""


def _splitter(of: Any) -> Any:
    return ScriptProcessor(
        image_uri=image("sklearn", "1.2-1"),
        instance_type=INSTANCE,
        instance_count=1,
        base_job_name="split",
        sagemaker_session=of,
        role=role,
    )


def _split_arguments(prefix: str, data: Any) -> dict[str, Any]:
    script = Path("split.py")
    script.write_text(SPLIT)
    folder = "/opt/ml/processing"
    return {
        "inputs": [
            ProcessingInput(
                input_name="input-1",
                s3_input=ProcessingS3Input(
                    s3_uri=data, local_path=f"{folder}/input", s3_data_type="S3Prefix", s3_input_mode="File"
                ),
            )
        ],
        "outputs": [
            _output(name, f"{folder}/{name}", f"s3://{bucket}/{prefix}/{name}") for name in ("train", "validation")
        ],
        "code": str(script),
        "arguments": ["--input-data", data],
    }


def _output(name: str, path: str, uri: str) -> ProcessingOutput:
    return ProcessingOutput(
        output_name=name, s3_output=ProcessingS3Output(s3_uri=uri, local_path=path, s3_upload_mode="EndOfJob")
    )


def _data() -> str:
    rows = [f"{(n % 10) + (n % 3)},{n % 10},{n % 3}\n" for n in range(100)]
    boto3.client("s3").put_object(Bucket=bucket, Key="sdk/data.csv", Body="".join(rows).encode())
    return f"s3://{bucket}/sdk/data.csv"


def _trained(hyperparameters: dict[str, Any], distributed: DistributedConfig | None) -> str:
    name = "distributed" if distributed else "trainer"
    source = Path(name)
    source.mkdir()
    (source / "shared.py").write_text("FOLDER = '/opt/ml/model'\n")
    (source / "requirements.txt").write_text("numpy\n")
    (source / "train.py").write_text(
        "import argparse, os, shared\n"
        "parser = argparse.ArgumentParser()\n"
        "parser.add_argument('--depth', type=int)\n"
        "parser.add_argument('--name')\n"
        "given = parser.parse_args()\n"
        "rows = len(open(os.environ['SM_CHANNEL_TRAIN'] + '/data.csv').readlines())\n"
        "open(shared.FOLDER + '/model.txt', 'w').write(f'{given.depth} {given.name} {rows}')\n"
    )
    trainer = ModelTrainer(
        training_image=image("sklearn", "1.2-1"),
        source_code=SourceCode(source_dir=str(source), entry_script="train.py", requirements="requirements.txt"),
        distributed=distributed,
        compute=Compute(instance_type=INSTANCE, instance_count=1),
        base_job_name=name,
        sagemaker_session=session,
        role=role,
        hyperparameters=hyperparameters,
        input_data_config=[InputData(channel_name="train", data_source=_data())],
    )
    trainer.train(wait=False)
    job: TrainingJob = trainer._latest_training_job
    job.wait(**WAIT, logs=False)
    return job.training_job_name


def _tuner(of: Any, name: str, jobs: int) -> HyperparameterTuner:
    source = Path(name)
    source.mkdir()
    (source / "train.py").write_text(TUNED)
    trainer = ModelTrainer(
        training_image=image("sklearn", "1.2-1"),
        source_code=SourceCode(source_dir=str(source), entry_script="train.py"),
        compute=Compute(instance_type=INSTANCE, instance_count=1),
        base_job_name=name,
        output_data_config=OutputDataConfig(s3_output_path=f"s3://{bucket}/sdk/{name}"),
        sagemaker_session=of,
        role=role,
    )
    return HyperparameterTuner(
        model_trainer=trainer,
        objective_metric_name="error",
        objective_type="Minimize",
        metric_definitions=[{"Name": "error", "Regex": "error: ([0-9.]+)"}],
        hyperparameter_ranges={"slope": ContinuousParameter(1, 5)},
        max_jobs=jobs,
        max_parallel_jobs=2,
        base_tuning_job_name=name,
    )


def _transformer(of: Any, model: Any, prefix: str) -> Transformer:
    return Transformer(
        model_name=model,
        instance_count=1,
        instance_type=INSTANCE,
        accept="text/csv",
        assemble_with="Line",
        output_path=f"s3://{bucket}/{prefix}",
        sagemaker_session=of,
    )


def _transform_arguments() -> dict[str, Any]:
    lines = "".join(f"id-{number},{number}\n" for number in range(1000))
    boto3.client("s3").put_object(Bucket=bucket, Key="sdk/lines.csv", Body=lines.encode())
    return {
        "data": f"s3://{bucket}/sdk/lines.csv",
        "content_type": "text/csv",
        "split_type": "Line",
        "input_filter": "$[1:]",
        "join_source": "Input",
    }


def failing() -> list[Any]:
    """Create a pipeline, update it, run it until it fails, and delete it."""
    message = ParameterString("Message", default_value="enough")
    step = FailStep("Stop", error_message=message)
    made = Pipeline("sdk-failing", parameters=[message], steps=[step], sagemaker_session=PipelineSession())
    made.upsert(role_arn=role, tags=[{"Key": "a", "Value": "b"}])
    made.upsert(role_arn=role, description="again", tags=[{"Key": "c", "Value": "d"}])
    execution = made.start(parameters={"Message": "no more"})
    with contextlib.suppress(WaiterError):
        execution.wait(delay=0.1, max_attempts=100)
    status = execution.describe()["PipelineExecutionStatus"]
    messages = [step["Metadata"]["Fail"]["ErrorMessage"] for step in execution.list_steps()]
    description = made.describe()["PipelineDescription"]
    made.delete()
    return [session.account_id(), bucket, role, status, messages, description]


FLOWS: dict[str, Callable[[], Any]] = {
    flow.__name__: flow
    for flow in (process, framework, trainer, driver, pipeline, transform, tuning, deploy, refused, failing)
}

if __name__ == "__main__":
    for flow in sys.argv[1:]:
        print(json.dumps({"flow": flow, "made": FLOWS[flow]()}), flush=True)
