"""Distributed training of XGBoost by a script, whose hosts are processes on this machine."""

import json
import os
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from xgboost import collective
from xgboost.tracker import RabitTracker

ADDRESS = "127.0.0.1"


def rabit_run(
    exec_fun: Callable[..., Any],
    args: Mapping[str, Any],
    include_in_training: bool,
    hosts: Sequence[str],
    current_host: str,
    **options: Any,
) -> None:
    """Run a training function on every host, connected to the others; `is_master` is true on one of them.

    Raises:
        RuntimeError: The host does not have data.
    """
    if not include_in_training:
        raise RuntimeError(f"host {current_host} does not have training data; give each host a share or all of it")
    tracker = None
    port = _port(json.loads(os.environ["SM_TRAINING_ENV"])["job_name"])
    if current_host == hosts[0]:
        tracker = RabitTracker(n_workers=len(hosts), host_ip=ADDRESS, port=port)
        tracker.start()
    with collective.CommunicatorContext(
        dmlc_communicator="rabit", dmlc_tracker_uri=ADDRESS, dmlc_tracker_port=port, dmlc_task_id=current_host
    ):
        exec_fun(**{**args, "is_master": collective.get_rank() == 0})
    if tracker is not None:
        tracker.wait_for()


def _port(job: str) -> int:
    """Return a port that all hosts of a job, and probably no other job, choose."""
    return 20_000 + zlib.crc32(job.encode()) % 10_000
