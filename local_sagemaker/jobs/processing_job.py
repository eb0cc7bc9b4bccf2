"""Processing jobs: an entry point with arguments, and inputs and outputs below /opt/ml/processing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from local_sagemaker.containers.container import IN_CONTAINER, Command, Container
from local_sagemaker.containers.images.image import Image
from local_sagemaker.jobs.job import PROGRAM, Job, JobResult, end_changes, host_names, s3_input
from local_sagemaker.storage import log_files as logs
from local_sagemaker.storage.objects import ObjectStore
from local_sagemaker.storage.records import Record
from local_sagemaker.storage.transfers import ClientFault, Input, Output, copy_file, put_files

REPOSITORY = Path(__file__).resolve().parents[2]
ANALYZER = REPOSITORY / "analyzer" / "__main__.py"
# the programs that replace the entry points of Model Monitor's and Clarify's images
ANALYZERS = {
    Image.MODEL_MONITOR_ANALYZER: ANALYZER,
    Image.GROUND_TRUTH_MERGER: ANALYZER,
    Image.CLARIFY: REPOSITORY / "analyzer" / "clarify" / "__main__.py",
}


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
        # programs read the paths of their inputs, and as Model Monitor's do also their variables, from this file
        config = container.rewrite(json.dumps({"ProcessingJobArn": arn, **self.request}))
        container.write_json("config/processingjobconfig.json", json.loads(config))
        container.write_json("config/resourceconfig.json", {"current_host": container.host, "hosts": self.hosts})
        # a process may write its ExitMessage here
        container.path("output").mkdir(exist_ok=True)
        for output in self._outputs():
            container.path(output.path).mkdir(parents=True, exist_ok=True)
        command = self._command(container)
        container.rewrite_code(command, [source.path for source in self.inputs()])
        environment = {**self.environment(arn), **self.request.get("Environment", {})}
        if self.runtime.image is Image.SPARK:
            container.add_command("smspark-submit", IN_CONTAINER / "smspark_submit.py")
        if analyzer := self._analyzer():
            # only this script contains container paths to rewrite; the modules that it imports run from the repository
            container.path(PROGRAM).mkdir(exist_ok=True)
            copy_file(analyzer, container.path(f"{PROGRAM}/run_analyzer.py"))
            container.rewrite_scripts(PROGRAM)
            environment["PYTHONPATH"] = str(REPOSITORY)
        return [Command(command, environment, folder=self.working_folder)]

    def phase_changes(self, record: Record, phase: str, now: float) -> Record:
        if phase == "Running":
            return {"ProcessingStartTime": now, "LastModifiedTime": now}
        if phase == "Stopping":
            return {"ProcessingJobStatus": "Stopping", "LastModifiedTime": now}
        return {}

    def upload(self, objects: ObjectStore, containers: Sequence[Container], failed: bool) -> None:
        for output in self._outputs():
            for container in containers:
                put_files(objects, container.path(output.path), output.uri)

    def end_changes(self, record: Record, result: JobResult, containers: Sequence[Container], now: float) -> Record:
        if result.timed_out:
            reason = f"ClientError: The job was stopped: it exceeded MaxRuntimeInSeconds ({self.max_runtime:g})"
            result = replace(result, reason=reason)
        message = next(filter(None, (container.read_text("output/message") for container in containers)), None)
        return {
            **end_changes(self.kind, result, now),
            "ProcessingStartTime": record.get("ProcessingStartTime", now),
            **({"ExitMessage": message} if message else {}),
        }

    def _command(self, container: Container) -> list[str]:
        specification = self.request["AppSpecification"]
        entry_point = specification.get("ContainerEntrypoint") or self.entry_point(container)
        if not entry_point and self.runtime.image is Image.SPARK:
            entry_point = ["smspark-submit"]
        if self._analyzer():
            entry_point = ["python", f"{PROGRAM}/run_analyzer.py"]
        if not entry_point:
            raise ClientFault(f"image {self.image!r} has no entry point; set AppSpecification.ContainerEntrypoint")
        return [*entry_point, *specification.get("ContainerArguments", [])]

    def _analyzer(self) -> Path | None:
        """Return the program that replaces the entry point of the job's image, if one does."""
        if self.request["AppSpecification"].get("ContainerEntrypoint") or self.runtime.image is None:
            return None
        return ANALYZERS.get(self.runtime.image)

    def _outputs(self) -> list[Output]:
        items = self.request.get("ProcessingOutputConfig", {}).get("Outputs", [])
        # the application itself writes AppManaged outputs to their destination
        targets = [item["S3Output"] for item in items if "S3Output" in item and not item.get("AppManaged")]
        return [Output(target.get("LocalPath", "/opt/ml/processing/output"), target["S3Uri"]) for target in targets]


def _input(item: Record) -> Input:
    name, source = item["InputName"], item.get("S3Input")
    if source is None:
        raise ClientFault(f"input {name!r} has no S3Input; other sources are not supported on this machine")
    if source.get("S3InputMode") == "Pipe":
        raise ClientFault(f"input {name!r}: S3InputMode Pipe is not supported on this machine; use File")
    return s3_input(name, source.get("LocalPath", f"/opt/ml/processing/input/{name}"), source)
