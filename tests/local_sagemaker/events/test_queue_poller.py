"""The thread that reads queues for event source mappings."""

import threading
import time
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from local_sagemaker.data_dir import DataDir
from local_sagemaker.events import queue_poller
from local_sagemaker.events.queue_poller import QueuePoller
from local_sagemaker.services.moto import state
from local_sagemaker.storage.database import Database
from local_sagemaker.storage.record_kinds import LAMBDA_EVENT_SOURCE
from local_sagemaker.storage.records import RecordStore
from tests.local_sagemaker.steps import until

ARN = "arn:aws:sqs:us-east-1:123456789012:absent"


def test_a_mapping_of_a_queue_that_is_missing_is_logged_once_and_the_thread_ends_with_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    polls: list[str] = []
    receive = state.receive_messages
    monkeypatch.setattr(queue_poller, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(state, "receive_messages", lambda arn, count: polls.append(arn) or receive(arn, count))
    database = Database(DataDir(tmp_path).database)
    store = RecordStore(DataDir(tmp_path), database)
    mapping = {"UUID": "u", "EventSourceArn": ARN, "FunctionArn": "f", "State": "Enabled", "BatchSize": 1}
    store.put(LAMBDA_EVENT_SOURCE, "u", {**mapping, "LastModified": time.time()})
    others = set(threading.enumerate())
    QueuePoller(store, MagicMock()).start()
    (thread,) = (thread for thread in threading.enumerate() if thread not in others)
    until(lambda: len(polls) > 3)
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == ["event source mapping u"]
    database.close()
    thread.join(10)
    assert not thread.is_alive()
    assert len(caplog.records) == 1
