"""Logs of jobs and functions as CloudWatch Logs streams: one text file a stream, such as
`<data_dir>/logs/<group>/<job>/algo-1-<epoch>.log`.

A line of the file is one event: `2026-11-21T10:42:01.123Z message`. A line that does not begin with a time is an
event at the time of the line before it (of the stream's start, at the top), so that a process may as well write to
the file directly.
"""

from pathlib import Path

PROCESSING_JOBS = "/aws/sagemaker/ProcessingJobs"
TRAINING_JOBS = "/aws/sagemaker/TrainingJobs"
TRANSFORM_JOBS = "/aws/sagemaker/TransformJobs"
GROUPS = (PROCESSING_JOBS, TRAINING_JOBS, TRANSFORM_JOBS)


def lambda_group(function: str) -> str:
    """The log group of a function."""
    return f"/aws/lambda/{function}"


def groups(data_dir: Path) -> list[str]:
    """The log groups that there are: those of jobs always, that of a function once it has been invoked."""
    functions = data_dir / "logs" / "lambda"
    names = [folder.name for folder in functions.iterdir()] if functions.is_dir() else []
    return [*GROUPS, *map(lambda_group, sorted(names))]


def group_folder(data_dir: Path, group: str) -> Path:
    """The folder of one log group's streams."""
    return data_dir / "logs" / group.removeprefix("/aws/").removeprefix("sagemaker/")


def log_file(data_dir: Path, group: str, stream: str) -> Path:
    """The file of one stream, e.g. of ProcessingJobs and `my-job/algo-1-1763720521`; its folder may not exist yet."""
    return group_folder(data_dir, group) / f"{stream}.log"
