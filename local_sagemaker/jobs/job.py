"""The interface of the kinds of container jobs, through which the job manager runs a job of any kind."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from local_sagemaker.account import REGION, sagemaker_arn
from local_sagemaker.containers.container import CONTAINER_ROOT, Command, Container
from local_sagemaker.containers.images.image import Runtime
from local_sagemaker.containers.images.remote_function import RemoteFunction
from local_sagemaker.jobs.training_metrics import PutMetricData
from local_sagemaker.storage.objects import ObjectStore
from local_sagemaker.storage.record_kinds import RESOURCES
from local_sagemaker.storage.records import Record
from local_sagemaker.storage.transfers import Input, Output

# the API's names of the kinds of jobs, from which it forms the names of operations and members
NOUNS = {kind.kind: kind.noun for kind in RESOURCES if kind.is_job and kind.noun is not None}

# the service's default of MaxRuntimeInSeconds: one day
DEFAULT_RUNTIME = 24 * 3600
# maximum length of FailureReason and ExitMessage
LONGEST_REASON = 1024
# folder of the image's own program within the container
PROGRAM = "/opt/ml/program"


@dataclass(frozen=True)
class JobResult:
    """The result of a job.

    Attributes:
        status: Completed, Failed or Stopped.
        reason: The FailureReason, if any.
        timed_out: Whether the job was stopped because it exceeded MaxRuntimeInSeconds.
    """

    status: str
    reason: str | None = None
    timed_out: bool = False


class Job(ABC):
    """A container job, described by its Create request.

    Its record has the members of the Describe response, with times in epoch seconds.

    Attributes:
        kind: Kind of the record.
        log_group: Log group in CloudWatch Logs.
        grace: Seconds between SIGTERM and SIGKILL when the job is stopped.
        image: URI of the image.
        hosts: Names of the containers.
        runtime: What runs the image; set before `prepare`.
        on_metric: Called with the name and value of each metric in the log.
        put_metric_data: Publishes metrics in CloudWatch.
        collect: Called with each container of a completed job before its files are removed.
        concurrent: The number of jobs that share the CPUs: this one, and others of its tuning job.
    """

    kind: str
    log_group: str
    grace: float
    image: str
    hosts: list[str]
    runtime: Runtime
    on_metric: Callable[[str, float], None] | None = None
    put_metric_data: PutMetricData = staticmethod(lambda namespace, data: None)
    collect: Callable[[Container], None] | None = None
    concurrent: int = 1

    def __init__(self, request: Record) -> None:
        self.request = request
        self.name: str = request[f"{NOUNS[self.kind]}Name"]
        self.max_runtime: float = request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", DEFAULT_RUNTIME)

    def new_record(self, now: float) -> Record:
        """Return the record of the new job."""
        return job_record(self.kind, self.request, now)

    def remote_function(self) -> RemoteFunction | None:
        """Return the function of a client that the job runs, None if it runs something else."""
        return None

    def entry_point(self, container: Container) -> list[str]:
        """Return the entry point of a user's own image, after copying its code into the container."""
        if self.runtime.code is not None:
            shutil.copytree(self.runtime.code, container.path(PROGRAM))
            container.rewrite_scripts(PROGRAM)
        return list(self.runtime.command)

    @property
    def working_folder(self) -> str:
        """The working folder of the image's entry point."""
        return PROGRAM if self.runtime.code else CONTAINER_ROOT

    def environment(self, arn: str) -> dict[str, str]:
        """Return the variables of every container of the job, such as TRAINING_JOB_NAME."""
        prefix = self.kind.replace("-", "_").upper()
        return {
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            f"{prefix}_NAME": self.name,
            f"{prefix}_ARN": arn,
        }

    @abstractmethod
    def inputs(self) -> list[Input]:
        """Return the inputs to download before the containers start.

        Raises:
            ClientFault: An input is not supported on this machine.
        """

    @abstractmethod
    def prepare(self, container: Container, arn: str) -> list[Command]:
        """Write the container's configuration, with its inputs in place, and return the commands to run."""

    def checkpoint_output(self) -> Output | None:
        """Return the folder to upload while the containers run, or None."""
        return None

    def on_log_line(self, line: str, now: float) -> None:  # noqa: B027
        """Handle a line of a container's output."""

    def on_log_end(self) -> None:  # noqa: B027
        """Handle the end of the containers' output."""

    @abstractmethod
    def phase_changes(self, record: Record, phase: str, now: float) -> Record:
        """Return the changes of the record at the start of Downloading, Running, Uploading or Stopping."""

    @abstractmethod
    def upload(self, objects: ObjectStore, containers: Sequence[Container], failed: bool) -> None:
        """Upload the outputs.

        Raises:
            ClientFault: An output cannot be uploaded because of the request.
            OSError: The disk refuses an output.
        """

    @abstractmethod
    def end_changes(self, record: Record, result: JobResult, containers: Sequence[Container], now: float) -> Record:
        """Return the changes of the record at the end of the job."""


def job_record(kind: str, request: Record, now: float) -> Record:
    """Return the record of a new job of any kind: its request and the members that all kinds have."""
    noun = NOUNS[kind]
    return {
        **{member: value for member, value in request.items() if member != "Tags"},
        f"{noun}Arn": sagemaker_arn(kind, request[f"{noun}Name"]),
        f"{noun}Status": "InProgress",
        "CreationTime": now,
        "LastModifiedTime": now,
    }


def end_changes(kind: str, result: JobResult, now: float) -> Record:
    """Return the changes of the record that all kinds of jobs have at their end."""
    noun = NOUNS[kind]
    return {
        f"{noun}Status": result.status,
        f"{noun.removesuffix('Job')}EndTime": now,
        "LastModifiedTime": now,
        **({"FailureReason": result.reason[:LONGEST_REASON]} if result.reason else {}),
    }


def host_names(count: int) -> list[str]:
    return [f"algo-{number}" for number in range(1, count + 1)]


def s3_input(name: str, path: str, source: Record) -> Input:
    """Return the input of an S3Input or S3DataSource."""
    return Input(
        name=name,
        path=path,
        uri=source["S3Uri"],
        data_type=source["S3DataType"],
        sharded=source.get("S3DataDistributionType") == "ShardedByS3Key",
    )
