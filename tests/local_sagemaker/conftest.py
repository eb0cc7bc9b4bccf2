"""One local SageMaker server for the tests that talk to it over HTTP, and one without HTTP for each of the others."""

import functools
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest

from local_sagemaker.http.background import RunningServer, ensure_server, stop_server
from tests.local_sagemaker.machine import Machine

Client = Any
MakeClient = Callable[..., Client]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("local-sagemaker")


@pytest.fixture(scope="session")
def server(data_dir: Path) -> Iterator[RunningServer]:
    yield ensure_server(data_dir)
    stop_server(data_dir)


_making = threading.Lock()


@functools.cache
def _session() -> boto3.session.Session:
    """One for all clients: each session reads the services' models again, which takes longer than most tests.

    It knows of no profile, whatever AWS_PROFILE is when a client is made.
    """
    return boto3.session.Session(botocore_session=botocore.session.Session({"profile": (None, None, None, None)}))


def make_client(server: RunningServer, service: str, **more: Any) -> Client:
    """A boto3 client of the server, whatever the environment of the tests."""
    keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    with _making:
        return _session().client(service, endpoint_url=server.url, **{"region_name": "us-east-1", **keys, **more})


@pytest.fixture
def client(server: RunningServer) -> MakeClient:
    return lambda service, **more: make_client(server, service, **more)


@pytest.fixture
def s3(client: MakeClient) -> Client:
    return client("s3")


@pytest.fixture
def bucket(s3: Client) -> str:
    """A bucket of the test's own."""
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name)
    return name
