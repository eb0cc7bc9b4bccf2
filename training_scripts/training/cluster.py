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
# How long a host waits for another one. A host that has failed ends the job at once, as SageMaker does, and not after
# this time: it is for hosts whose shares take long to read.
WAIT_MINUTES = 30
# The channels of rows. Of the others, every host needs all files.
SPLITS = {"train", "validation"}


@dataclass(frozen=True)
class Cluster:
    """The hosts that train one model together.

    Attributes:
        machines: ``address:port`` of each host, in an order on which all of them agree; empty for a single host.
        rank: The position of this host among them.
        sharded: The channels whose files SageMaker has divided among the hosts already.
    """

    machines: tuple[str, ...] = ()
    rank: int = 0
    sharded: frozenset[str] = frozenset()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Cluster:
        """Read SageMaker's SM_HOSTS variables and wait until the names of all hosts resolve.

        Raises:
            TrainingError: A host name does not resolve, or a channel is sharded of which every host needs all files.
        """
        hosts = sorted(json.loads(environment.get("SM_HOSTS", "[]")))
        if len(hosts) < 2:
            return cls()
        channels = json.loads(environment.get("SM_INPUT_DATA_CONFIG", "{}"))
        sharded = {name for name, channel in channels.items() if channel.get("S3DistributionType") == "ShardedByS3Key"}
        if not sharded <= SPLITS:
            channel = min(sharded - SPLITS)
            raise TrainingError(
                f"channel {channel!r} is ShardedByS3Key, but every host needs all of it; "
                "set its S3DataDistributionType to FullyReplicated"
            )
        # Each job has ports of its own, because the hosts of two jobs may be processes of one machine.
        port = LISTEN_PORT + zlib.crc32(environment.get("TRAINING_JOB_NAME", "").encode()) % 10000
        machines = tuple(f"{resolve(host)}:{port + rank}" for rank, host in enumerate(hosts))
        return cls(machines, hosts.index(environment["SM_CURRENT_HOST"]), frozenset(sharded))

    @property
    def is_distributed(self) -> bool:
        return len(self.machines) > 1

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    @property
    def rendezvous(self) -> tuple[str, int]:
        """Address and port at which the first host waits for the others, beside LightGBM's own."""
        address, _, port = self.machines[0].rpartition(":")
        return address, int(port) + len(self.machines)

    def share_of(self, channel: str, split: Split) -> Split:
        """Select this host's rows of a channel: every n-th row, or all rows of a sharded channel."""
        if not self.is_distributed or channel in self.sharded:
            return split
        return split.take(np.arange(self.rank, len(split), len(self.machines)))

    def parameters(self) -> dict[str, Any]:
        """Return LightGBM's network parameters, none for a single host."""
        if not self.is_distributed:
            return {}
        return {
            "tree_learner": "data",
            "machines": ",".join(self.machines),
            "num_machines": len(self.machines),
            "local_listen_port": int(self.machines[self.rank].rpartition(":")[2]),
            "time_out": WAIT_MINUTES,
            "pre_partition": True,
            # by the bins of a sample, LightGBM would leave out features that are rare in it, but not in all rows
            "feature_pre_filter": False,
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
