import pytest

from tests.local_sagemaker.conftest import MakeClient
from tests.local_sagemaker.events.recorder import Recorder


@pytest.fixture
def recorder(client: MakeClient, bucket: str) -> Recorder:
    return Recorder(client, bucket)
