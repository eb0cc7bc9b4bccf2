"""SageMaker on this machine: an AWS-compatible endpoint that really executes pipelines and jobs, as processes.

    import os
    import local_sagemaker

    os.environ |= local_sagemaker.connect()  # from here on, boto3 and the SageMaker SDK talk to it

`python -m local_sagemaker --help` has the same for a shell.
"""

from pathlib import Path


def connect(data_dir: Path | None = None) -> dict[str, str]:
    """The environment variables that send any AWS client of a process to the local SageMaker of `data_dir`.

    data_dir: default $LOCAL_SAGEMAKER_DIR, else `.local_sagemaker` in the current folder. Its server is started in the
    background unless it runs. The variables are not set here; add them to `os.environ` or a child's environment.
    Raises `background.ServerError` where no server can be had.
    """
    from local_sagemaker.client_environment import client_environment
    from local_sagemaker.http.background import default_data_dir, ensure_server

    folder = (data_dir or default_data_dir()).absolute()
    return client_environment(folder, ensure_server(folder).port)
