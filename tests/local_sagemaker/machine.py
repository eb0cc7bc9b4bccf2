"""A local SageMaker without a server, and requests for small jobs and pipelines."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local_sagemaker.app import build
from local_sagemaker.containers.images.images import Images
from local_sagemaker.data_dir import DataDir
from local_sagemaker.storage.records import Record
from local_sagemaker.storage.transfers import split_uri

REGISTRY = "683313688378.dkr.ecr.us-east-1.amazonaws.com"
SCIKIT_LEARN = f"{REGISTRY}/sagemaker-scikit-learn:1.9-0-cpu-py3"
XGBOOST = f"{REGISTRY}/sagemaker-xgboost:3.0-5"
CLARIFY = "205585389593.dkr.ecr.us-east-1.amazonaws.com/sagemaker-clarify-processing:1.0"
ANALYZER = "156813124566.dkr.ecr.us-east-1.amazonaws.com/sagemaker-model-monitor-analyzer"
ROLE = "arn:aws:iam::123456789012:role/SageMakerExecutionRole"
TIMEOUT = 30


class Machine:
    """A local SageMaker without a server. It stands in for CloudWatch, too.

    Attributes:
        metrics: What CloudWatch would get from monitoring executions, by namespace.
        alarms: States of alarms by name.
    """

    def __init__(
        self,
        data_dir: Path,
        environment: Mapping[str, str] | None = None,
        workers: int = 4,
        images: Images | None = None,
    ) -> None:
        self.data_dir = data_dir
        self.metrics: dict[str, list[Record]] = {}
        self.alarms: dict[str, str] = {}
        self._options: dict[str, Any] = {"environment": environment, "workers": workers, "images": images}
        self._build()
        self.objects.create_bucket("bucket")

    def _build(self, **options: Any) -> None:
        self.app = build(DataDir(self.data_dir), self, **self._options, **options)
        self.store, self.objects, self.jobs = self.app.store, self.app.objects, self.app.jobs
        self.endpoint_manager, self.functions = self.app.endpoint_manager, self.app.functions
        self.service, self.context = self.app.sagemaker, self.app.sagemaker.context
        self.executor, self.scheduler = self.context.executor, self.context.monitoring_scheduler

    def rebuild(self, **options: Any) -> None:
        """Replace all parts with ones that have these options of `app.build`, on the same data directory."""
        self.close()
        self._build(**options)

    def close(self) -> None:
        self.app.close()

    def put_metric_data(self, namespace: str, data: list[Record]) -> None:
        # endpoints put theirs to AWS/SageMaker whenever they like
        if not namespace.startswith("AWS/"):
            self.metrics[namespace] = data

    def alarm_states(self, names: list[str]) -> dict[str, str]:
        return self.alarms

    def put(self, uri: str, content: str | bytes) -> str:
        aside = self.data_dir / "aside"
        aside.write_bytes(content.encode() if isinstance(content, str) else content)
        self.objects.put_file(*split_uri(uri), aside)
        return uri

    def read(self, uri: str) -> str:
        return self.objects.read(*split_uri(uri)).decode()

    def keys(self, prefix: str = "") -> list[str]:
        return list(self.objects.list("bucket", prefix))

    def archive(self, uri: str) -> dict[str, str]:
        """Names and contents of an archive's members."""
        with tarfile.open(fileobj=io.BytesIO(self.objects.read(*split_uri(uri)))) as tar:
            return {member.name: tar.extractfile(member).read().decode() for member in tar}  # type: ignore[union-attr]

    def log(self, job: str) -> list[str]:
        """The messages of a job, of all its hosts."""
        files = sorted((self.data_dir / "logs").glob(f"*/{job}/*.log"))
        return [line.partition(" ")[2] for file in files for line in file.read_text().splitlines()]

    def function_log(self, name: str) -> list[str]:
        """The messages of a function."""
        files = sorted((self.data_dir / "logs" / "lambda" / name).rglob("*.log"))
        return [line.partition(" ")[2] for file in files for line in file.read_text().splitlines()]

    # jobs

    def process(self, name: str = "job", script: str = "", **more: Any) -> Record:
        """Run a processing job of a script to its end; its record."""
        self.jobs.start("processing-job", self.processing(name, script, **more))
        return self.jobs.wait("processing-job", name, TIMEOUT)

    def processing(self, name: str, script: str, **more: Any) -> Record:
        """A CreateProcessingJob request. See `processing_arguments`."""
        return {"ProcessingJobName": name, **self.processing_arguments(name, script, **more)}

    def processing_arguments(
        self,
        name: str,
        script: str,
        *,
        inputs: Mapping[str, Any] | None = None,
        outputs: tuple[str, ...] = ("out",),
        arguments: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
        instances: int = 1,
        seconds: int = TIMEOUT,
        image: str = SCIKIT_LEARN,
    ) -> Record:
        """What a Processing step has as Arguments: a Python script with inputs, and outputs below s3://bucket/<name>.

        inputs: S3 URIs, or whole S3Input members, by name; they appear in /opt/ml/processing/input/<name>.
        """
        code = self.put(f"s3://bucket/code/{name}/main.py", script)
        sources = {"code": code, **(inputs or {})}
        return {
            "AppSpecification": {
                "ImageUri": image,
                "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/code/main.py"],
                **({"ContainerArguments": list(arguments)} if arguments else {}),
            },
            **({"Environment": dict(environment)} if environment else {}),
            "ProcessingInputs": [
                {
                    "InputName": input_name,
                    "S3Input": {
                        "LocalPath": f"/opt/ml/processing/input/{input_name}",
                        "S3DataType": "S3Prefix",
                        "S3InputMode": "File",
                        **(source if isinstance(source, dict) and "S3Uri" in source else {"S3Uri": source}),
                    },
                }
                for input_name, source in sources.items()
            ],
            "ProcessingOutputConfig": {
                "Outputs": [
                    {
                        "OutputName": output,
                        "S3Output": {
                            "S3Uri": f"s3://bucket/{name}/{output}",
                            "LocalPath": f"/opt/ml/processing/output/{output}",
                            "S3UploadMode": "EndOfJob",
                        },
                    }
                    for output in outputs
                ]
            },
            "ProcessingResources": {
                "ClusterConfig": {"InstanceCount": instances, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 30}
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": seconds},
            "RoleArn": ROLE,
        }

    def train(self, name: str = "job", script: str = "", **more: Any) -> Record:
        """Run a training job of a script to its end; its record."""
        self.jobs.start("training-job", self.training(name, script, **more))
        return self.jobs.wait("training-job", name, TIMEOUT)

    def training(self, name: str, script: str, **more: Any) -> Record:
        """A CreateTrainingJob request. See `training_arguments`."""
        return {"TrainingJobName": name, **self.training_arguments(name, script, **more)}

    def training_arguments(
        self,
        name: str,
        script: str,
        *,
        files: Mapping[str, str] | None = None,
        channels: Mapping[str, Any] | None = None,
        hyperparameters: Mapping[str, str] | None = None,
        metrics: Mapping[str, str] | None = None,
        instances: int = 1,
        seconds: int = TIMEOUT,
    ) -> Record:
        """What a Training step has as Arguments: train.py in script mode, its results below s3://bucket/<name>.

        files: what else the source archive holds. channels: S3 URIs by name. metrics: regular expressions by name.
        """
        source = self.put(f"s3://bucket/code/{name}/sourcedir.tar.gz", tar_gz({"train.py": script, **(files or {})}))
        return {
            "AlgorithmSpecification": {
                "TrainingImage": SCIKIT_LEARN,
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": name, "Regex": regex} for name, regex in (metrics or {}).items()],
            },
            "HyperParameters": {
                **(hyperparameters or {}),
                "sagemaker_program": "train.py",
                "sagemaker_submit_directory": source,
            },
            "InputDataConfig": [
                {
                    "ChannelName": channel,
                    "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}},
                    "ContentType": "text/csv",
                }
                for channel, uri in (channels or {}).items()
            ],
            "OutputDataConfig": {"S3OutputPath": f"s3://bucket/{name}"},
            "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": instances, "VolumeSizeInGB": 30},
            "StoppingCondition": {"MaxRuntimeInSeconds": seconds},
            "RoleArn": ROLE,
        }

    # pipelines

    def run_pipeline(self, steps: list[Record], given: Mapping[str, str] | None = None, **more: Any) -> Record:
        """Upsert the pipeline `pipeline`, start it and wait for its end; DescribePipelineExecution's answer."""
        arn = self.start_pipeline(steps, given, **more)
        assert self.executor.wait(arn, TIMEOUT), f"still running: {self.steps(arn)}"
        return self.service.call("DescribePipelineExecution", {"PipelineExecutionArn": arn})

    def start_pipeline(
        self,
        steps: list[Record],
        given: Mapping[str, str] | None = None,
        *,
        parameters: list[Record] | None = None,
        parallel: int | None = None,
    ) -> str:
        """Upsert and start the pipeline `pipeline`; the ARN of the execution."""
        definition = json.dumps({"Version": "2020-12-01", "Parameters": parameters or [], "Steps": steps})
        exists = self.store.get("pipeline", "pipeline") is not None
        token = {} if exists else {"ClientRequestToken": "t" * 32}
        self.service.call(
            "UpdatePipeline" if exists else "CreatePipeline",
            {"PipelineName": "pipeline", "PipelineDefinition": definition, "RoleArn": ROLE, **token},
        )
        count = len(self.store.all("pipeline-execution"))
        request: Record = {"PipelineName": "pipeline", "ClientRequestToken": f"{count:032}"}
        if given:
            request["PipelineParameters"] = [{"Name": name, "Value": value} for name, value in given.items()]
        if parallel:
            request["ParallelismConfiguration"] = {"MaxParallelExecutionSteps": parallel}
        return self.service.call("StartPipelineExecution", request)["PipelineExecutionArn"]

    def steps(self, arn: str) -> dict[str, Record]:
        """ListPipelineExecutionSteps' answer by name."""
        answer = self.service.call("ListPipelineExecutionSteps", {"PipelineExecutionArn": arn, "MaxResults": 100})
        return {step["StepName"]: step for step in answer["PipelineExecutionSteps"]}


def tar_gz(files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content.encode())
            tar.addfile(member, io.BytesIO(content.encode()))
    return buffer.getvalue()
