"""Jobs of every kind. What runs them, and writes their records, is `local_sagemaker.jobs.manager`."""

from functools import partial
from typing import TYPE_CHECKING

from local_sagemaker.jobs.job import NOUNS
from local_sagemaker.jobs.tuning.results import TUNING, described, ranked, training_jobs
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.sagemaker.common import Record, listed, page
from local_sagemaker.services.sagemaker.models import serving_container
from local_sagemaker.services.sagemaker.tags import put_tags

if TYPE_CHECKING:
    from local_sagemaker.services.sagemaker.service import SageMakerService


def create_job(kind: str, sagemaker: "SageMakerService", request: Record) -> Record:
    arn = sagemaker.jobs.start(kind, request)
    put_tags(sagemaker, arn, request.get("Tags", []))
    return {f"{NOUNS[kind]}Arn": arn}


def create_transform_job(sagemaker: "SageMakerService", request: Record) -> Record:
    # the model as it is now: a job goes on where it is deleted
    container = serving_container(sagemaker, request["ModelName"])
    return create_job("transform-job", sagemaker, {**request, "Container": container})


def describe_job(kind: str, sagemaker: "SageMakerService", request: Record) -> Record:
    return _shown(kind, sagemaker, _job(kind, sagemaker, request))


def stop_job(kind: str, sagemaker: "SageMakerService", request: Record) -> Record:
    noun = NOUNS[kind]
    job = _job(kind, sagemaker, request)
    if job[f"{noun}Status"] not in ("InProgress", "Stopping"):
        raise ServiceError(
            "ValidationException",
            f"The request was rejected because the {kind.replace('-', ' ')} {job[f'{noun}Name']} is in status "
            f"{job[f'{noun}Status']}.",
        )
    sagemaker.jobs.stop(kind, job[f"{noun}Name"])
    return {}


def list_jobs(kind: str, sagemaker: "SageMakerService", request: Record) -> Record:
    summaries, following = listed(sagemaker.store.all(kind), request, NOUNS[kind])
    return {f"{NOUNS[kind]}Summaries": [_shown(kind, sagemaker, job) for job in summaries], **following}


def delete_tuning_job(sagemaker: "SageMakerService", request: Record) -> Record:
    """Delete the tuning job alone: its training jobs, and what they have left, stay."""
    job = _job(TUNING, sagemaker, request)
    if job["HyperParameterTuningJobStatus"] in ("InProgress", "Stopping"):
        raise ServiceError(
            "ValidationException",
            f"The request was rejected because the hyper parameter tuning job {job['HyperParameterTuningJobName']} is "
            f"in status {job['HyperParameterTuningJobStatus']}; stop it first.",
        )
    sagemaker.store.delete("tags", job["HyperParameterTuningJobArn"])
    sagemaker.store.delete(TUNING, job["HyperParameterTuningJobName"])
    return {}


def list_training_jobs_of_tuning(sagemaker: "SageMakerService", request: Record) -> Record:
    record = _job(TUNING, sagemaker, request)
    jobs, by = training_jobs(sagemaker.store, record), request.get("SortBy", "Name")
    if by == "FinalObjectiveMetricValue":
        jobs = ranked(jobs, record)  # those without one are not listed
    status = request.get("StatusEquals")
    member = {"Name": "TrainingJobName", "Status": "TrainingJobStatus"}.get(by, "CreationTime")
    summaries, following = page(
        [job for job in jobs if status in (None, job["TrainingJobStatus"])],
        request,
        key=lambda job: (
            job["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
            if by == "FinalObjectiveMetricValue"
            else job[member]
        ),
        name=lambda job: job["TrainingJobName"],
        order="Ascending",
    )
    return {"TrainingJobSummaries": summaries, **following}


def _job(kind: str, sagemaker: "SageMakerService", request: Record) -> Record:
    name = request[f"{NOUNS[kind]}Name"]
    record = sagemaker.jobs.find(kind, name)
    if record is None:
        # not the ResourceNotFound of its model: this is what SageMaker answers
        raise ServiceError("ValidationException", f"Could not find requested job with name: {name}")
    return record


def _shown(kind: str, sagemaker: "SageMakerService", record: Record) -> Record:
    return described(sagemaker.store, record) if kind == TUNING else record


OPERATIONS = {
    f"{verb}{NOUNS[kind]}{plural}": partial(operation, kind)
    for kind in NOUNS
    for verb, operation, plural in (
        ("Create", create_job, ""),
        ("Describe", describe_job, ""),
        ("Stop", stop_job, ""),
        ("List", list_jobs, "s"),
    )
} | {
    "CreateTransformJob": create_transform_job,
    "DeleteHyperParameterTuningJob": delete_tuning_job,
    "ListTrainingJobsForHyperParameterTuningJob": list_training_jobs_of_tuning,
}
