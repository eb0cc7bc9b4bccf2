"""Logs of jobs, endpoints and functions as CloudWatch Logs streams: one text file a stream, such as
`<data_dir>/logs/<group>/<job>/algo-1-<epoch>.log`.

A line of the file is one event: `2026-11-21T10:42:01.123Z message`. A line that does not begin with a time is an
event at the time of the line before it (of the stream's start, at the top), so that a process may as well write to
the file directly.
"""

from pathlib import Path

from local_sagemaker.data_dir import DataDir

PROCESSING_JOBS = "/aws/sagemaker/ProcessingJobs"
TRAINING_JOBS = "/aws/sagemaker/TrainingJobs"
TRANSFORM_JOBS = "/aws/sagemaker/TransformJobs"
GROUPS = (PROCESSING_JOBS, TRAINING_JOBS, TRANSFORM_JOBS)


def lambda_group(function: str) -> str:
    """The log group of a function."""
    return f"/aws/lambda/{function}"


def endpoint_group(endpoint: str) -> str:
    """The log group of an endpoint's containers; a stream is `<variant>/i-<epoch>`."""
    return f"/aws/sagemaker/Endpoints/{endpoint}"


def groups(data_dir: DataDir) -> list[str]:
    """The log groups that there are: those of jobs always, that of an endpoint or a function once it has run."""
    endpoints, functions = _names(data_dir.logs / "Endpoints"), _names(data_dir.logs / "lambda")
    return [*GROUPS, *map(endpoint_group, endpoints), *map(lambda_group, functions)]


def group_folder(data_dir: DataDir, group: str) -> Path:
    """The folder of one log group's streams."""
    return data_dir.logs / group.removeprefix("/aws/").removeprefix("sagemaker/")


def log_file(data_dir: DataDir, group: str, stream: str) -> Path:
    """The file of one stream, e.g. of ProcessingJobs and `my-job/algo-1-1763720521`; its folder may not exist yet."""
    return group_folder(data_dir, group) / f"{stream}.log"


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
