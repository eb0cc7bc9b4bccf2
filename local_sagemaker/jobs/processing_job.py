"""A processing job: an entry point and arguments, as given, on inputs and outputs below /opt/ml/processing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from local_sagemaker.account import REGION
from local_sagemaker.containers.container import CONTAINER_ROOT, Command, Container
from local_sagemaker.containers.images.image import Image
from local_sagemaker.jobs.job import PROGRAM, Job, JobResult, end_of_record, host_names
from local_sagemaker.storage import log_files as logs
from local_sagemaker.storage.objects import ObjectStore
from local_sagemaker.storage.records import Record
from local_sagemaker.storage.transfers import ClientFault, Input, Output, copy_file, put_files

REPOSITORY = Path(__file__).resolve().parents[2]
ANALYZER = REPOSITORY / "analyzer" / "__main__.py"


class ProcessingJob(Job):
    kind = "processing-job"
    log_group = logs.PROCESSING_JOBS
    grace = 30

    def __init__(self, request: Record) -> None:
        super().__init__(request)
        self.image = request["AppSpecification"]["ImageUri"]
        self.hosts = host_names(request["ProcessingResources"]["ClusterConfig"].get("InstanceCount", 1))

    def inputs(self) -> list[Input]:
        return [_input(item) for item in self.request.get("ProcessingInputs", [])]

    def prepare(self, container: Container, arn: str) -> list[Command]:
        container.write_json("config/processingjobconfig.json", {"ProcessingJobArn": arn, **self.request})
        container.write_json("config/resourceconfig.json", {"current_host": container.host, "hosts": self.hosts})
        container.path("output").mkdir(exist_ok=True)  # where a process may leave its message
        for output in self._outputs():
            container.path(output.path).mkdir(parents=True, exist_ok=True)
        command = self._command(container)
        container.rewrite_code(command, [source.path for source in self.inputs()])
        environment = {
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "PROCESSING_JOB_NAME": self.name,
            "PROCESSING_JOB_ARN": arn,
            **self.request.get("Environment", {}),
        }
        if self._is_analyzer():
            # a copy, since it spells out where a container's message is left; the modules it imports do not
            container.path(PROGRAM).mkdir(exist_ok=True)
            copy_file(ANALYZER, container.path(f"{PROGRAM}/run_analyzer.py"))
            container.rewrite_scripts(PROGRAM)
            environment["PYTHONPATH"] = str(REPOSITORY)
        return [Command(command, environment, folder=PROGRAM if self.runtime.code else CONTAINER_ROOT)]

    def phase(self, record: Record, phase: str, now: float) -> Record:
        if phase == "Running":
            return {"ProcessingStartTime": now, "LastModifiedTime": now}
        if phase == "Stopping":
            return {"ProcessingJobStatus": "Stopping", "LastModifiedTime": now}
        return {}

    def upload(self, objects: ObjectStore, containers: Sequence[Container], failed: bool) -> None:
        for output in self._outputs():
            for container in containers:
                put_files(objects, container.path(output.path), output.uri)

    def ended(self, record: Record, ending: JobResult, containers: Sequence[Container], now: float) -> Record:
        if ending.timed_out:
            reason = f"ClientError: The job was stopped: it exceeded MaxRuntimeInSeconds ({self.max_runtime:g})"
            ending = replace(ending, reason=reason)
        message = next(filter(None, (container.read_text("output/message") for container in containers)), None)
        return {
            **end_of_record(self.kind, ending, now),
            "ProcessingStartTime": record.get("ProcessingStartTime", now),
            **({"ExitMessage": message} if message else {}),
        }

    def _command(self, container: Container) -> list[str]:
        specification = self.request["AppSpecification"]
        entry_point = specification.get("ContainerEntrypoint") or self.entry_point(container)
        if self._is_analyzer():
            entry_point = ["python", f"{PROGRAM}/run_analyzer.py"]
        if not entry_point:
            raise ClientFault(f"image {self.image!r} has no entry point of its own; give AppSpecification one")
        return [*entry_point, *specification.get("ContainerArguments", [])]

    def _is_analyzer(self) -> bool:
        """Whether the image's own program is to run, for which `python -m analyzer` stands in."""
        own_entry_point = self.request["AppSpecification"].get("ContainerEntrypoint")
        return not own_entry_point and self.runtime.image in (
            Image.MODEL_MONITOR_ANALYZER,
            Image.GROUND_TRUTH_MERGER,
        )

    def _outputs(self) -> list[Output]:
        items = self.request.get("ProcessingOutputConfig", {}).get("Outputs", [])
        # what an application manages itself it also uploads itself
        targets = [item["S3Output"] for item in items if "S3Output" in item and not item.get("AppManaged")]
        return [Output(target.get("LocalPath", "/opt/ml/processing/output"), target["S3Uri"]) for target in targets]


def _input(item: Record) -> Input:
    name, source = item["InputName"], item.get("S3Input")
    if source is None:
        raise ClientFault(f"input {name!r} has no S3Input; other sources cannot be had on this machine")
    if source.get("S3InputMode") == "Pipe":
        raise ClientFault(f"input {name!r}: S3InputMode Pipe is not supported on this machine; use File")
    return Input(
        name=name,
        path=source.get("LocalPath", f"/opt/ml/processing/input/{name}"),
        uri=source["S3Uri"],
        data_type=source["S3DataType"],
        sharded=source.get("S3DataDistributionType") == "ShardedByS3Key",
    )
