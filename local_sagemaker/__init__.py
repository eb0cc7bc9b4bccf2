"""SageMaker on this machine: an AWS-compatible endpoint that executes pipelines and jobs as processes.

    import os
    import local_sagemaker

    os.environ |= local_sagemaker.connect()  # boto3 and the SageMaker SDK now talk to it

For a shell, see `python -m local_sagemaker --help`.
"""

from pathlib import Path

from local_sagemaker.errors import LocalSageMakerError

__all__ = ["LocalSageMakerError", "connect"]


def connect(data_dir: Path | None = None) -> dict[str, str]:
    """Return the environment variables that send AWS clients to the local SageMaker of a data directory.

    Its server is started in the background if it is not running. The variables are not set; add them to `os.environ`
    or to the environment of a child process.

    Args:
        data_dir: By default $LOCAL_SAGEMAKER_DIR, else `.local_sagemaker` in the current folder.

    Raises:
        LocalSageMakerError: The server does not start.
    """
    from local_sagemaker.client_environment import client_environment
    from local_sagemaker.data_dir import default_data_dir
    from local_sagemaker.http.background import ensure_server

    folder = (data_dir or default_data_dir()).absolute()
    return client_environment(folder, ensure_server(folder).port)
