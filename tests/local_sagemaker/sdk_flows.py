"""What users of the SageMaker SDK do, as a program of theirs: `python sdk_flows.py FLOW ...`, in a folder of its own.

Nothing in it knows of the local SageMaker; it is run with other environment variables, and that is all. Each flow
prints one line of JSON: its name, and what it has made.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from sagemaker.core import image_uris
from sagemaker.core.helper.session_helper import Session, get_execution_role
from sagemaker.core.processing import FrameworkProcessor, ScriptProcessor
from sagemaker.core.resources import ModelPackage, TrainingJob
from sagemaker.core.shapes import ProcessingInput, ProcessingOutput, ProcessingS3Input, ProcessingS3Output
from sagemaker.core.workflow.parameters import ParameterString
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.mlops.workflow.model_step import ModelStep
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.steps import CacheConfig, ProcessingStep, TrainingStep
from sagemaker.serve.model_builder import ModelBuilder
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, SourceCode
from sagemaker.train.distributed import DistributedConfig

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


def image(framework: str, version: str) -> str:
    return image_uris.retrieve(
        framework=framework, region=session.boto_region_name, version=version, py_version="py3", instance_type=INSTANCE
    )


def process() -> Any:
    """A script on the scikit-learn image, which spells out /opt/ml."""
    processor = _splitter(session)
    processor.run(**_split_arguments("sdk/process", _data()), wait=False)
    processor.latest_job.wait(**WAIT)
    return processor.latest_job.processing_job_name


def framework() -> Any:
    """A folder of code with requirements, packed by FrameworkProcessor."""
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
    """ModelTrainer with a folder of code; its drivers come in a channel of their own."""
    return _trained({"depth": 3, "name": "a b"}, None)


def driver() -> Any:
    """ModelTrainer with a driver of the user's own, for distributed training."""
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


def registry(arn: str) -> None:
    """Approve a version, register its model once more, and delete that."""
    sagemaker = boto3.client("sagemaker")
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    package = ModelPackage.get(model_package_name=arn)
    assert package.model_approval_status == "Approved"
    container = package.inference_specification.containers[0]
    again = ModelBuilder(
        image_uri=container.image, s3_model_data_url=container.model_data_url, role_arn=role, sagemaker_session=session
    ).register(model_package_group_name="sdk-models", content_types=["text/csv"], response_types=["text/csv"])
    sagemaker.delete_model_package(ModelPackageName=again)


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


FLOWS: dict[str, Callable[[], Any]] = {flow.__name__: flow for flow in (process, framework, trainer, driver, pipeline)}

if __name__ == "__main__":
    for flow in sys.argv[1:]:
        print(json.dumps({"flow": flow, "made": FLOWS[flow]()}), flush=True)
