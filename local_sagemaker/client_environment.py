"""The environment variables with which AWS clients, unmodified, talk to a local SageMaker and to nothing else.

Some settings have no variable; they are in files in the data directory that variables point to: the defaults file of
the SageMaker SDK (no telemetry; a default bucket, so that its name is not derived from an account id) and an AWS
configuration that no profile of the user's shell overrides.

The SDK makes some clients with the explicit URL `https://sts.<region>.amazonaws.com`, which no endpoint variable
overrides. HTTPS to AWS therefore goes through the server as a proxy, which answers in place of AWS with a certificate
of its own; HTTPS to any other host passes through unchanged.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from local_sagemaker.account import DEFAULT_BUCKET, REGION
from local_sagemaker.data_dir import DataDir
from local_sagemaker.storage.files import replace_file

LOOPBACK = ("127.0.0.1", "localhost", ".localhost")

AWS_CONFIG = f"""\
[default]
region = {REGION}
output = json
cli_pager =
"""

# Studio tells the SDK the image of its kernel, which is the default image of `@remote` and `@step`. Elsewhere, the SDK
# has one for Python 3.8 and 3.10 only.
STUDIO_IMAGE = f"885854791233.dkr.ecr.{REGION}.amazonaws.com/sagemaker-distribution-prod:latest-cpu"

SDK_DEFAULTS = f"""\
SchemaVersion: "1.0"
SageMaker:
  PythonSDK:
    Modules:
      TelemetryOptOut: true
      Session:
        DefaultS3Bucket: {DEFAULT_BUCKET}
"""


def write_client_files(data_dir: Path) -> None:
    """Write the files that the variables point to."""
    folder = DataDir(data_dir).client
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (("aws-config", AWS_CONFIG), ("aws-credentials", ""), ("sagemaker-defaults.yaml", SDK_DEFAULTS)):
        file = folder / name
        # unchanged files are not written: a server has to start on a full disk, too
        if not file.is_file() or file.read_bytes() != text.encode():
            replace_file(file, text)


def client_environment(data_dir: Path, port: int, current: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment variables for clients of a server.

    Args:
        data_dir: Of the server.
        port: Where the server listens.
        current: The environment that the variables will be added to. Those in it that would send a client elsewhere
            (an endpoint of one service, a profile, a session token) are overridden.
    """
    url = f"http://127.0.0.1:{port}"
    folder = DataDir(data_dir).client
    own_endpoints = {name: url for name in current if name.startswith("AWS_ENDPOINT_URL_")}
    without_proxy = ",".join(_listed(current.get("NO_PROXY") or current.get("no_proxy") or ""))
    return {
        "AWS_ENDPOINT_URL": url,
        **own_endpoints,
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
        "AWS_USE_FIPS_ENDPOINT": "false",
        "AWS_USE_DUALSTACK_ENDPOINT": "false",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_SESSION_TOKEN": "local",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_PROFILE": "default",
        "AWS_DEFAULT_PROFILE": "default",
        "AWS_CONFIG_FILE": str(folder / "aws-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "aws-credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CA_BUNDLE": str(DataDir(data_dir).certificate),
        "SAGEMAKER_VALIDATE_ROLE": "false",
        # where the plugin sagemaker-mlflow finds the MLflow server of an ARN
        "SAGEMAKER_MLFLOW_CUSTOM_ENDPOINT": url,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "SAGEMAKER_INTERNAL_IMAGE_URI": STUDIO_IMAGE,
        "SAGEMAKER_ADMIN_CONFIG_OVERRIDE": str(folder / "sagemaker-defaults.yaml"),
        "SAGEMAKER_USER_CONFIG_OVERRIDE": str(folder / "sagemaker-defaults.yaml"),
        # both spellings: a program may read the one that the user's shell has set
        "HTTPS_PROXY": url,
        "https_proxy": url,
        "NO_PROXY": without_proxy,
        "no_proxy": without_proxy,
    }


def _listed(no_proxy: str) -> list[str]:
    hosts = [host for part in no_proxy.split(",") if (host := part.strip())]
    return [*hosts, *(host for host in LOOPBACK if host not in hosts)]
