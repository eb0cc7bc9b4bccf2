"""The connections of all clients: one thread waits for their requests, a bounded number of others answers.

A connection occupies a worker from the complete head of a request to the end of the response, and neither before nor
between requests: clients that are idle, send half a request or hang up cost a file descriptor, not a thread. Bodies are
read by the worker. Requests that may last have workers of their own: the others are never stuck behind slow models and
functions, which themselves call the server.

A client that has closed its end, at least for writing, has most likely gone. Its request waits for one of a few threads
of their own, and is dropped if many are waiting, so that a thousand such requests do not delay those of clients that
are still there.
"""

from __future__ import annotations

import collections
import contextlib
import logging
import resource
import selectors
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from local_sagemaker.http.workers import WorkerPool

WORKERS = 64
# for requests that wait for a model or a function
LASTING_WORKERS = 128
ABANDONED_WORKERS = 2
MAX_ABANDONED = 100
MAX_CONNECTIONS = 1000
# a connection that has been idle for less is not closed in favour of another one
MIN_IDLE_SECONDS = 1
# after which an idle connection, or one with half a head, is closed
IDLE_SECONDS = 120
# http.server's limit for one line, which the worker reports
LONGEST_HEAD = (64 << 10) + 1
PIECE = 64 << 10
MAX_UNREAD_PIECES = 16

log = logging.getLogger(__name__)


@dataclass(eq=False)
class Connection:
    """A connection of a client.

    Attributes:
        sock: Its socket, in TLS after the handshake.
        received: Bytes of the next request that have been received.
        proxied: Whether the client has connected through the proxy, to one of AWS's hosts.
        idle_since: Since when it has been waiting for a request's head.
    """

    sock: socket.socket
    received: bytearray = field(default_factory=bytearray)
    proxied: bool = False
    idle_since: float = 0.0

    def has_head(self, start: int = 0) -> bool:
        """Return whether the head of a request is complete, or too long, looking from an offset on."""
        start = max(0, start - 3)
        ends = (b"\r\n\r\n", b"\n\n")
        return len(self.received) >= LONGEST_HEAD or any(self.received.find(end, start) >= 0 for end in ends)

    def is_abandoned(self) -> bool:
        """Return whether the client has closed its end and everything that it has sent is received."""
        if isinstance(self.sock, ssl.SSLSocket):
            return False
        try:
            self.sock.setblocking(False)
            return not self.sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def close(self) -> None:
        # bytes that are left unread would make the kernel reset the connection, and the client lose the response
        with contextlib.suppress(OSError):
            self.sock.setblocking(False)
            for _ in range(MAX_UNREAD_PIECES):
                if not self.sock.recv(PIECE):
                    break
        self.sock.close()


class ConnectionServer:
    """Waits for requests on a listening socket and its connections.

    Args:
        listener: The listening socket.
        answer: Answers the request of a connection; returns whether the connection stays open for another one.
            It is called in many threads.
        may_last: Returns whether the answer to a request may take long, by the first line of the request.
        workers: How many requests are answered at once.
        most: How many connections are open at once; beyond that, the one that has been idle longest is closed.
    """

    def __init__(
        self,
        listener: socket.socket,
        answer: Callable[[Connection], bool],
        may_last: Callable[[bytes], bool],
        *,
        workers: int = WORKERS,
        most: int = MAX_CONNECTIONS,
    ) -> None:
        self._listener, self._answer, self._may_last = listener, answer, may_last
        self._workers = WorkerPool("request", workers)
        self._lasting = WorkerPool("lasting request", LASTING_WORKERS)
        self._abandoned = WorkerPool("abandoned request", ABANDONED_WORKERS)
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        # the rest of the file descriptors are for files and processes
        self._most = most if files == resource.RLIM_INFINITY else min(most, files // 2)
        # the one that has been idle longest first
        self._idle: dict[Connection, None] = {}
        self._open: set[Connection] = set()
        # connections that workers have given back
        self._answered: collections.deque[Connection] = collections.deque()
        self._selector = selectors.DefaultSelector()
        self._wake, self._waker = socket.socketpair()
        self._is_accepting = False
        self._is_ending = False

    def serve_forever(self) -> None:
        """Serve until `shutdown` is called."""
        self._listener.setblocking(False)
        self._wake.setblocking(False)
        self._waker.setblocking(False)
        self._selector.register(self._wake, selectors.EVENT_READ)
        while not self._is_ending:
            self._pause_or_resume()
            for key, _ in self._selector.select(1):
                if key.data is not None:
                    self._receive(key.data)
                elif key.fileobj is self._listener:
                    self._accept()
                else:
                    with contextlib.suppress(BlockingIOError):
                        self._wake.recv(PIECE)
            while self._answered:
                self._wait_for_request(self._answered.popleft())
            self._close_idle(before=time.monotonic() - IDLE_SECONDS)
        for connection in [*self._idle]:
            self._close(connection)

    def shutdown(self) -> None:
        """End `serve_forever`; may be called from a signal handler. Requests in progress go on."""
        self._is_ending = True
        self._wake_up()

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError as error:
            if not isinstance(error, BlockingIOError):
                log.warning("cannot accept a connection: %s", error)
            return
        # a response may be sent in several pieces
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(sock)
        self._open.add(connection)
        self._wait_for_request(connection)

    def _pause_or_resume(self) -> None:
        """Accept connections unless all of the allowed number are in use."""
        if len(self._open) >= self._most:
            self._close_idle(before=time.monotonic() - MIN_IDLE_SECONDS, most=1)
        accepts = len(self._open) < self._most
        if accepts and not self._is_accepting:
            self._selector.register(self._listener, selectors.EVENT_READ)
        elif self._is_accepting and not accepts:
            self._selector.unregister(self._listener)
        self._is_accepting = accepts

    def _wait_for_request(self, connection: Connection) -> None:
        connection.sock.setblocking(False)
        connection.idle_since = time.monotonic()
        self._idle[connection] = None
        self._selector.register(connection.sock, selectors.EVENT_READ, connection)

    def _receive(self, connection: Connection) -> None:
        if connection not in self._idle:
            # closed in this round, in favour of a new one
            return
        before = len(connection.received)
        try:
            piece = connection.sock.recv(PIECE)
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        except OSError:
            piece = b""
        if not piece:
            self._close(connection)
            return
        connection.received += piece
        if connection.has_head(before):
            self._forget(connection)
            self._submit(connection)

    def _submit(self, connection: Connection) -> None:
        lasts = self._may_last(bytes(connection.received.partition(b"\n")[0]))
        (self._lasting if lasts else self._workers).submit(lambda: self._work(connection))

    def _work(self, connection: Connection) -> None:
        if not connection.is_abandoned():
            self._respond(connection)
        elif self._abandoned.waiting < MAX_ABANDONED:
            self._abandoned.submit(lambda: self._respond(connection))
        else:
            self._drop(connection)

    def _respond(self, connection: Connection) -> None:
        stays_open = False
        try:
            stays_open = self._answer(connection)
        finally:
            if stays_open and connection.has_head():
                # the client has not waited for the response
                self._submit(connection)
            elif stays_open:
                self._answered.append(connection)
                self._wake_up()
            else:
                self._drop(connection)

    def _drop(self, connection: Connection) -> None:
        connection.close()
        self._open.discard(connection)
        if not self._is_accepting:
            self._wake_up()

    def _close_idle(self, before: float, most: int | None = None) -> None:
        """Close connections, at most so many, that have been idle since before a point in time."""
        while most != 0 and self._idle and (first := next(iter(self._idle))).idle_since < before:
            self._close(first)
            most = most and most - 1

    def _close(self, connection: Connection) -> None:
        self._forget(connection)
        self._open.discard(connection)
        connection.close()

    def _forget(self, connection: Connection) -> None:
        del self._idle[connection]
        self._selector.unregister(connection.sock)

    def _wake_up(self) -> None:
        # if its buffer is full, the other end is about to wake up anyway
        with contextlib.suppress(OSError):
            self._waker.send(b"x")
