"""Collective operations of the hosts of a job, for what LightGBM's own network does not exchange.

Every host has one TCP connection to the first one. Messages are bytes, with their length before them.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.cluster import WAIT_MINUTES, Cluster
from training.errors import TrainingError

NUMBER = struct.Struct("!Q")


class Communicator:
    """The connections of this host to the others. All hosts call the same methods in the same order.

    A single host has no connections, and exchanges with itself.

    Attributes:
        rank: The position of this host among all.
    """

    def __init__(self, rank: int = 0, peers: Sequence[Peer] = ()) -> None:
        """Take over the first host's connections to the others, by rank, or another host's to the first."""
        self.rank = rank
        self._peers = peers

    @classmethod
    def connect(cls, cluster: Cluster) -> Communicator:
        """Connect the hosts.

        Raises:
            TrainingError: A host does not connect within WAIT_MINUTES.
        """
        if not cluster.is_distributed:
            return cls()
        if cluster.is_first:
            return cls(0, _accept(cluster.rendezvous, len(cluster.machines) - 1))
        return cls(cluster.rank, [_connect(cluster.rendezvous, cluster.rank)])

    def __enter__(self) -> Communicator:
        return self

    def __exit__(self, *error: object) -> None:
        for peer in self._peers:
            peer.connection.close()

    @property
    def is_alone(self) -> bool:
        return not self._peers

    def gather(self, own: bytes) -> list[bytes]:
        """Return the messages of all hosts, by rank, on the first host, and nothing on the others.

        Raises:
            TrainingError: The connection to a host is lost.
        """
        if self.rank:
            self._peers[0].send(own)
            return []
        return [own, *(peer.receive() for peer in self._peers)]

    def all_gather(self, own: bytes) -> list[bytes]:
        """Return the messages of all hosts, by rank, on all of them. Raises TrainingError."""
        messages = self.gather(own)
        if self.rank:
            count = NUMBER.unpack(self._peers[0].receive())[0]
            return [self._peers[0].receive() for _ in range(count)]
        for peer in self._peers:
            for message in (NUMBER.pack(len(messages)), *messages):
                peer.send(message)
        return messages

    def sum(self, own: np.ndarray) -> np.ndarray:
        """Return the sum of all hosts' arrays of doubles, the same to the bit on all hosts. Raises TrainingError."""
        return np.sum([np.frombuffer(message) for message in self.all_gather(own.tobytes())], axis=0)


@dataclass(frozen=True)
class Peer:
    """Another host: its number, from 1, and the connection to it."""

    number: int
    connection: socket.socket

    def __post_init__(self) -> None:
        self.connection.settimeout(60 * WAIT_MINUTES)
        # the hosts exchange a few bytes after each iteration, which would wait for each other's acknowledgements
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, message: bytes) -> None:
        try:
            self.connection.sendall(NUMBER.pack(len(message)))
            self.connection.sendall(message)
        except OSError as error:
            raise self._lost(error) from error

    def receive(self) -> bytes:
        try:
            length = NUMBER.unpack(_read(self.connection, NUMBER.size))[0]
            return _read(self.connection, length)
        except OSError as error:
            raise self._lost(error) from error

    def _lost(self, error: OSError) -> TrainingError:
        return TrainingError(f"lost the connection to host {self.number} ({error}); see the log of that host")


def _accept(address: tuple[str, int], others: int) -> list[Peer]:
    """Accept a connection of each other host; each sends its rank first."""
    deadline = time.monotonic() + 60 * WAIT_MINUTES
    peers: dict[int, Peer] = {}
    with socket.create_server(address) as server:
        while len(peers) < others:
            server.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                connection, _ = server.accept()
                connection.settimeout(server.gettimeout())
                rank = NUMBER.unpack(_read(connection, NUMBER.size))[0]
            except OSError as error:
                missing = min(set(range(1, others + 1)) - peers.keys())
                raise TrainingError(
                    f"host {missing + 1} of {others + 1} did not connect ({error}); see the log of that host"
                ) from error
            peers[rank] = Peer(rank + 1, connection)
    return [peers[rank] for rank in sorted(peers)]


def _connect(address: tuple[str, int], rank: int) -> Peer:
    """Connect to the first host, with retries, as it may start later."""
    deadline = time.monotonic() + 60 * WAIT_MINUTES
    while True:
        try:
            connection = socket.create_connection(address, timeout=10)
            connection.sendall(NUMBER.pack(rank))
            return Peer(1, connection)
        except OSError as error:
            if time.monotonic() > deadline:
                raise TrainingError(
                    f"host 1 did not accept a connection on {address[0]}:{address[1]} within {WAIT_MINUTES} minutes "
                    f"({error}); see the log of that host"
                ) from error
            time.sleep(0.2)


def _read(connection: socket.socket, length: int) -> bytes:
    message = bytearray(length)
    rest = memoryview(message)
    while rest:
        received = connection.recv_into(rest)
        if not received:
            raise ConnectionError("it was closed")
        rest = rest[received:]
    return bytes(message)
