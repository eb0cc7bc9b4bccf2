"""What every kind of job has, for `local_sagemaker.jobs.manager` to run it without knowing which kind it is."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from local_sagemaker.account import sagemaker_arn
from local_sagemaker.containers.container import Command, Container
from local_sagemaker.containers.images.image import Runtime
from local_sagemaker.storage.objects import ObjectStore
from local_sagemaker.storage.record_kinds import RESOURCES
from local_sagemaker.storage.records import Record
from local_sagemaker.storage.transfers import Input, Output

# what the API calls the kinds of jobs, in the names of its operations and members
NOUNS = {kind.kind: kind.noun for kind in RESOURCES if kind.is_job and kind.noun is not None}

# the service's default of MaxRuntimeInSeconds: a day
DEFAULT_RUNTIME = 24 * 3600
# the longest FailureReason and ExitMessage of the API
LONGEST_REASON = 1024
# where a container has the program of its image
PROGRAM = "/opt/ml/program"


@dataclass(frozen=True)
class JobResult:
    """How a job ended. status: Completed, Failed or Stopped. timed_out: stopped by its MaxRuntimeInSeconds."""

    status: str
    reason: str | None = None
    timed_out: bool = False


class Job(ABC):
    """A job by its Create request. Its record is in the shape of the Describe response, times in epoch seconds.

    kind: of the record. log_group: of CloudWatch Logs. grace: seconds from SIGTERM to SIGKILL.
    """

    kind: str
    log_group: str
    grace: float

    image: str
    hosts: list[str]
    # what runs its image; set before it is prepared
    runtime: Runtime

    # is told each value of a metric as it comes, and the metric's name
    watch: Callable[[str, float], None] | None = None
    # is given each container once all have ended well, while their folders are there
    collect: Callable[[Container], None] | None = None

    def __init__(self, request: Record) -> None:
        self.request = request
        self.name: str = request[f"{NOUNS[self.kind]}Name"]
        self.max_runtime: float = request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", DEFAULT_RUNTIME)

    def new_record(self, now: float) -> Record:
        """The record of the job as it is created."""
        return job_record(self.kind, self.request, now)

    def entry_point(self, container: Container) -> list[str]:
        """The entry point of an image of the user's own, whose code is put into the container."""
        if self.runtime.code is not None:
            shutil.copytree(self.runtime.code, container.path(PROGRAM))
            container.rewrite_scripts(PROGRAM)
        return list(self.runtime.command)

    @abstractmethod
    def inputs(self) -> list[Input]:
        """What the containers find when they start. Raises ClientFault for one that can't be had here."""

    @abstractmethod
    def prepare(self, container: Container, arn: str) -> list[Command]:
        """Write what the container finds beside its inputs, which are there already; what it is to run."""

    def kept_in_step(self) -> Output | None:
        """The folder whose files are put while the containers run, None where there is none."""
        return None

    def observe(self, line: str, now: float) -> None:  # noqa: B027 - most kinds have nothing to note
        """Take note of a line of a container's output."""

    @abstractmethod
    def phase(self, record: Record, phase: str, now: float) -> Record:
        """What of the record changes as Downloading, Running, Uploading or Stopping begins."""

    @abstractmethod
    def upload(self, objects: ObjectStore, containers: Sequence[Container], failed: bool) -> None:
        """Put what the containers have left. Raises ClientFault, OSError."""

    @abstractmethod
    def ended(self, record: Record, ending: JobResult, containers: Sequence[Container], now: float) -> Record:
        """What of the record changes as the job ends."""


def job_record(kind: str, request: Record, now: float) -> Record:
    """The record of a job of any kind as it is created: what its request says, and what all kinds have."""
    noun = NOUNS[kind]
    return {
        **{member: value for member, value in request.items() if member != "Tags"},
        f"{noun}Arn": sagemaker_arn(kind, request[f"{noun}Name"]),
        f"{noun}Status": "InProgress",
        "CreationTime": now,
        "LastModifiedTime": now,
    }


def end_of_record(kind: str, ending: JobResult, now: float) -> Record:
    """What of the record of a job of any kind changes as it ends."""
    noun = NOUNS[kind]
    return {
        f"{noun}Status": ending.status,
        f"{noun.removesuffix('Job')}EndTime": now,
        "LastModifiedTime": now,
        **({"FailureReason": ending.reason[:LONGEST_REASON]} if ending.reason else {}),
    }


def host_names(count: int) -> list[str]:
    return [f"algo-{number}" for number in range(1, count + 1)]
