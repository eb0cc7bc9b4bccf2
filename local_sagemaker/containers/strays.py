"""Processes of jobs, endpoints and functions that outlive their server, recognized by an environment variable."""

import os

from local_sagemaker.data_dir import DataDir


def job_mark(data_dir: DataDir) -> dict[str, str]:
    """Return the environment variable that marks the processes of a data directory's jobs."""
    return {"LOCAL_SAGEMAKER_JOB_OF": str(data_dir.root.resolve())}


def end_strays(data_dir: DataDir) -> None:
    """Kill all processes with the data directory's `job_mark`, whatever session they are in."""
    # imported only where it is needed: connecting has to be quick
    import psutil

    mark = job_mark(data_dir)
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and mark.items() <= process.environ().items():
                process.kill()
        except psutil.Error:
            continue
