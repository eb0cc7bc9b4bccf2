"""Jobs of every kind. `local_sagemaker.jobs.manager` runs them, and writes their records."""

from collections.abc import Callable
from functools import partial

from local_sagemaker.jobs.job import NOUNS
from local_sagemaker.jobs.tuning.results import TRAINING, TUNING, described, ranked, training_jobs
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.paging import page
from local_sagemaker.services.sagemaker.context import Context
from local_sagemaker.services.sagemaker.models import serving_container
from local_sagemaker.services.sagemaker.resource import list_page
from local_sagemaker.services.sagemaker.tags import put_tags
from local_sagemaker.storage.record_kinds import KINDS, PROCESSING_JOB, TAGS, TRAINING_JOB
from local_sagemaker.storage.records import Record

# Defaults of SortBy and SortOrder as the API reference has them. Programs that take the first job for the newest, as
# consoles show it, must ask for SortOrder=Descending here.
DEFAULT_ORDERS = {
    PROCESSING_JOB.kind: ("CreationTime", "Ascending"),
    TRAINING: ("CreationTime", "Ascending"),
    TUNING: ("Name", "Ascending"),
}


def create_job(kind: str, context: Context, request: Record) -> Record:
    arn = context.jobs.start(kind, request)
    put_tags(context, arn, request.get("Tags", []))
    return {f"{NOUNS[kind]}Arn": arn}


def create_transform_job(context: Context, request: Record) -> Record:
    # the model as it is now, so that the job may outlive it
    container = serving_container(context, request["ModelName"])
    return create_job("transform-job", context, {**request, "Container": container})


def describe_job(kind: str, context: Context, request: Record) -> Record:
    return _shown(kind, context, _job(kind, context, request))


def stop_job(kind: str, context: Context, request: Record) -> Record:
    noun = NOUNS[kind]
    job = _job(kind, context, request)
    if job[f"{noun}Status"] not in ("InProgress", "Stopping"):
        raise ServiceError(
            "ValidationException",
            f"The request was rejected because the {kind.replace('-', ' ')} {job[f'{noun}Name']} is in status "
            f"{job[f'{noun}Status']}.",
        )
    context.jobs.stop(kind, job[f"{noun}Name"])
    return {}


def list_jobs(kind: str, context: Context, request: Record) -> Record:
    sort_by, order = DEFAULT_ORDERS.get(kind, ("CreationTime", "Descending"))
    jobs, next_token = list_page(context, KINDS[kind], request, sort_by=sort_by, order=order)
    return {f"{NOUNS[kind]}Summaries": [_shown(kind, context, job) for job in jobs], **next_token}


def list_training_jobs(context: Context, request: Record) -> Record:
    status = request.get("StatusEquals")
    if status is None or "MaxResults" not in request:
        return list_jobs(TRAINING, context, request)
    # documented: with both, MaxResults jobs of any status are taken first, and those of the status returned
    page = list_jobs(TRAINING, context, {name: value for name, value in request.items() if name != "StatusEquals"})
    return {
        **page,
        "TrainingJobSummaries": [job for job in page["TrainingJobSummaries"] if job["TrainingJobStatus"] == status],
    }


def delete_job(kind: str, context: Context, request: Record) -> Record:
    """Delete the record of a job that has ended, but not its artifacts and, of a tuning job, its training jobs."""
    noun = NOUNS[kind]
    job = _job(kind, context, request)
    if job[f"{noun}Status"] in ("InProgress", "Stopping"):
        raise ServiceError(
            "ValidationException" if kind == TUNING else "ResourceInUse",
            f"The request was rejected because the {kind.replace('-', ' ')} {job[f'{noun}Name']} is in status "
            f"{job[f'{noun}Status']}; stop it first.",
        )
    with context.store.transaction():
        context.store.delete(TAGS, job[f"{noun}Arn"])
        context.store.delete(kind, job[f"{noun}Name"])
    return {}


def list_training_jobs_of_tuning(context: Context, request: Record) -> Record:
    record = _job(TUNING, context, request)
    jobs, by = training_jobs(context.store, record), request.get("SortBy", "Name")
    if by == "FinalObjectiveMetricValue":
        # jobs without a final value are not listed
        jobs = ranked(jobs, record)
    status = request.get("StatusEquals")
    member = {"Name": "TrainingJobName", "Status": "TrainingJobStatus"}.get(by, "CreationTime")
    summaries, next_token = page(
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
    return {"TrainingJobSummaries": summaries, **next_token}


def _job(kind: str, context: Context, request: Record) -> Record:
    name = request[f"{NOUNS[kind]}Name"]
    record = context.jobs.find(kind, name)
    if record is None:
        # SageMaker answers these, not the ResourceNotFound of its service model
        is_training = kind == TRAINING_JOB.kind
        message = "Requested resource not found." if is_training else f"Could not find requested job with name: {name}"
        raise ServiceError("ValidationException", message)
    return record


def _shown(kind: str, context: Context, record: Record) -> Record:
    return described(context.store, record) if kind == TUNING else record


OPERATIONS: dict[str, Callable[[Context, Record], Record]] = {
    f"{verb}{NOUNS[kind]}{plural}": partial(operation, kind)
    for kind in NOUNS
    for verb, operation, plural in (
        ("Create", create_job, ""),
        ("Describe", describe_job, ""),
        ("Stop", stop_job, ""),
        ("List", list_jobs, "s"),
    )
} | {
    "ListTrainingJobs": list_training_jobs,
    "CreateTransformJob": create_transform_job,
    **{f"Delete{NOUNS[kind]}": partial(delete_job, kind) for kind in (PROCESSING_JOB.kind, TRAINING, TUNING)},
    "ListTrainingJobsForHyperParameterTuningJob": list_training_jobs_of_tuning,
}
