"""Distributed training: the hosts of a job with several instances, for LightGBM's data-parallel learning."""

from __future__ import annotations

import json
import socket
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.data import Split
from training.errors import TrainingError

LISTEN_PORT = 12400
RESOLVE_SECONDS = 300
CONNECT_MINUTES = 10


@dataclass(frozen=True)
class Cluster:
    """The hosts that train one model together.

    Attributes:
        machines: ``address:port`` of each host, in an order on which all of them agree; empty for a single host.
        rank: The position of this host among them.
        is_sharded: Whether SageMaker has divided the train channel among the hosts already.
    """

    machines: tuple[str, ...] = ()
    rank: int = 0
    is_sharded: bool = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Cluster:
        """Read SageMaker's SM_HOSTS variables and wait until the names of all hosts resolve.

        Raises:
            TrainingError: A host name does not resolve, or a channel other than train is sharded.
        """
        hosts = sorted(json.loads(environment.get("SM_HOSTS", "[]")))
        if len(hosts) < 2:
            return cls()
        channels = json.loads(environment.get("SM_INPUT_DATA_CONFIG", "{}"))
        sharded = {name for name, channel in channels.items() if channel.get("S3DistributionType") == "ShardedByS3Key"}
        if not sharded <= {"train"}:
            channel = min(sharded - {"train"})
            raise TrainingError(
                f"channel {channel!r} is ShardedByS3Key, but every host needs all of it; "
                "set its S3DataDistributionType to FullyReplicated"
            )
        # Each job has ports of its own, because the hosts of two jobs may be processes of one machine.
        port = LISTEN_PORT + zlib.crc32(environment.get("TRAINING_JOB_NAME", "").encode()) % 10000
        machines = tuple(f"{resolve(host)}:{port + rank}" for rank, host in enumerate(hosts))
        return cls(machines, hosts.index(environment["SM_CURRENT_HOST"]), "train" in sharded)

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def share_of(self, split: Split) -> Split:
        """Select the rows that this host trains on: every n-th row, or all rows of a sharded channel.

        Raises:
            TrainingError: There are fewer rows than hosts.
        """
        if len(self.machines) < 2 or self.is_sharded:
            return split
        if len(split) < len(self.machines):
            raise TrainingError(
                f"{len(split)} training rows are too few for {len(self.machines)} hosts; use fewer instances"
            )
        return split.take(np.arange(self.rank, len(split), len(self.machines)))

    def parameters(self) -> dict[str, Any]:
        """Return LightGBM's network parameters, none for a single host."""
        if len(self.machines) < 2:
            return {}
        return {
            "tree_learner": "data",
            "machines": ",".join(self.machines),
            "num_machines": len(self.machines),
            "local_listen_port": int(self.machines[self.rank].rpartition(":")[2]),
            "time_out": CONNECT_MINUTES,
            "pre_partition": True,
        }


def resolve(host: str) -> str:
    """Resolve a host name to an IPv4 address, with retries, as a name resolves only when its host is up.

    Raises:
        TrainingError: The name does not resolve within RESOLVE_SECONDS.
    """
    deadline = time.monotonic() + RESOLVE_SECONDS
    while True:
        try:
            return socket.gethostbyname(host)
        except OSError as error:
            if time.monotonic() > deadline:
                raise TrainingError(
                    f"host {host!r} of SM_HOSTS did not resolve within {RESOLVE_SECONDS} s ({error}); "
                    "check the log of that host"
                ) from error
            time.sleep(1)
