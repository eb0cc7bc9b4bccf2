"""No acknowledged change of moto's state is lost when the server is killed."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from local_sagemaker.http.background import ensure_server, stop_server
from tests.local_sagemaker.conftest import make_client

pytestmark = pytest.mark.slow

KILLS = 3


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    stop_server(tmp_path)


def test_parameters_and_stacks_that_were_acknowledged_outlive_kills(folder: Path) -> None:
    parameters: list[str] = []
    groups: list[str] = []

    def put_parameter(name: str) -> None:
        ssm.put_parameter(Name=name, Value="x", Type="String")
        parameters.append(name)

    def create_stack(name: str) -> None:
        resource = (
            f'{{"Type": "AWS::SageMaker::ModelPackageGroup", "Properties": {{"ModelPackageGroupName": "{name}"}}}}'
        )
        cloudformation.create_stack(StackName=name, TemplateBody=f'{{"Resources": {{"Group": {resource}}}}}')
        groups.append(name)

    def repeat(call: object, prefix: str, ended: threading.Event) -> None:
        number = 0
        while not ended.is_set():
            try:
                call(f"{prefix}-{number}")  # type: ignore[operator]
            except (BotoCoreError, ClientError):
                return
            number += 1

    for kill in range(KILLS):
        server = ensure_server(folder)
        config = Config(retries={"max_attempts": 1})
        ssm = make_client(server, "ssm", config=config)
        cloudformation = make_client(server, "cloudformation", config=config)
        # moto starts on the first request
        put_parameter(f"first-{kill}")
        ended = threading.Event()
        threads = [
            threading.Thread(target=repeat, args=(call, f"{call.__name__.replace('_', '-')}-{kill}", ended))
            for call in (put_parameter, create_stack)
        ]
        for thread in threads:
            thread.start()
        ended.wait(0.7)
        os.kill(server.pid, signal.SIGKILL)
        ended.set()
        for thread in threads:
            thread.join()

    server = ensure_server(folder)
    ssm, cloudformation = make_client(server, "ssm"), make_client(server, "cloudformation")
    pages = ssm.get_paginator("describe_parameters").paginate()
    assert {item["Name"] for page in pages for item in page["Parameters"]} >= set(parameters)
    pages = cloudformation.get_paginator("describe_stacks").paginate()
    stacks = {stack["StackName"]: stack["StackStatus"] for page in pages for stack in page["Stacks"]}
    assert stacks.keys() >= set(groups)
    # a request that was interrupted has been carried on
    assert set(stacks.values()) == {"CREATE_COMPLETE"}
    sagemaker = make_client(server, "sagemaker")
    pages = sagemaker.get_paginator("list_model_package_groups").paginate()
    found = {item["ModelPackageGroupName"] for page in pages for item in page["ModelPackageGroupSummaryList"]}
    assert found == stacks.keys()
    assert len(parameters) > KILLS and len(groups) > KILLS
