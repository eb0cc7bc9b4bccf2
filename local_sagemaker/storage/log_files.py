"""Logs of jobs, endpoints and functions as CloudWatch Logs streams.

Each stream is a text file, such as `<data_dir>/logs/<group>/<job>/algo-1-<epoch>.log`, and each of its lines an event:
`2026-11-21T10:42:01.123Z message`. A line that does not begin with a time is an event at the time of the line before
it (at the top: of the stream's start), so that a process may write to the file directly.
"""

from pathlib import Path

from local_sagemaker.data_dir import DataDir

PROCESSING_JOBS = "/aws/sagemaker/ProcessingJobs"
TRAINING_JOBS = "/aws/sagemaker/TrainingJobs"
TRANSFORM_JOBS = "/aws/sagemaker/TransformJobs"
GROUPS = (PROCESSING_JOBS, TRAINING_JOBS, TRANSFORM_JOBS)


def lambda_group(function: str) -> str:
    """Return the log group of a function."""
    return f"/aws/lambda/{function}"


def endpoint_group(endpoint: str) -> str:
    """Return the log group of an endpoint's containers; a stream is `<variant>/i-<epoch>`."""
    return f"/aws/sagemaker/Endpoints/{endpoint}"


def groups(data_dir: DataDir) -> list[str]:
    """Return all log groups: those of jobs, and those of endpoints and functions that have run."""
    endpoints, functions = _names(data_dir.logs / "Endpoints"), _names(data_dir.logs / "lambda")
    return [*GROUPS, *map(endpoint_group, endpoints), *map(lambda_group, functions)]


def group_folder(data_dir: DataDir, group: str) -> Path:
    """Return the folder of a log group's streams."""
    return data_dir.logs / group.removeprefix("/aws/").removeprefix("sagemaker/")


def log_file(data_dir: DataDir, group: str, stream: str) -> Path:
    """Return the file of a stream such as `my-job/algo-1-1763720521`; its folder may not exist."""
    return group_folder(data_dir, group) / f"{stream}.log"


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
