"""A production variant: one container of a model, kept running, or started and stopped as requests come."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping

from local_sagemaker.containers.model_server import ModelServer, ModelServerError, ServerResponse
from local_sagemaker.storage.records import Record

log = logging.getLogger(__name__)


# how long a container may take to come up
STARTUP_SECONDS = 480
SERVERLESS_STARTUP_SECONDS = 180
# a container that has just failed to start is not tried again at once
RETRY_SECONDS = 1


class Unavailable(Exception):
    """There is no container to ask: it does not come up, for the reason that the message gives."""


class Throttled(Exception):
    """A serverless variant has as many requests at work as its MaxConcurrency."""


class Variant:
    """One variant of an endpoint configuration.

    config: of the ProductionVariants. make_server: makes a container that is not started yet. idle_seconds: after which
    a serverless variant without ProvisionedConcurrency stops its container; the next request starts it again.
    """

    def __init__(self, config: Record, make_server: Callable[[], ModelServer], idle_seconds: float) -> None:
        self.name: str = config["VariantName"]
        self.serverless = "ServerlessConfig" in config
        default = SERVERLESS_STARTUP_SECONDS if self.serverless else STARTUP_SECONDS
        self._startup_seconds = config.get("ContainerStartupHealthCheckTimeoutInSeconds", default)
        self.configure(config)
        self._make_server = make_server
        self._idle_seconds = idle_seconds
        # guards all below, and is notified of each change
        self._changed = threading.Condition()
        self._server: ModelServer | None = None
        self._coming: ModelServer | None = None
        self._starting = self._closed = False
        self._failure, self._retry_at = "", 0.0
        self._requests = 0
        self._last_used = time.monotonic()

    def configure(self, config: Record) -> None:
        """Take over the weight and the concurrency."""
        serverless: Record = config.get("ServerlessConfig", {})
        self.weight: float = config.get("InitialVariantWeight", 1.0)
        self.max_concurrency: float = serverless.get("MaxConcurrency", float("inf"))
        self.stays_up = not self.serverless or "ProvisionedConcurrency" in serverless

    @property
    def closed(self) -> bool:
        return self._closed

    def start(self) -> None:
        """Bring the container up, if it is to be up before the first request. Raises Unavailable."""
        if self.stays_up:
            self._running_server()

    def enter(self) -> None:
        """Count a request that is about to be invoked; `leave` follows. Raises Throttled."""
        with self._changed:
            if self._requests >= self.max_concurrency:
                raise Throttled(f"{self.name} takes {self.max_concurrency:g} requests at a time (MaxConcurrency)")
            self._requests += 1

    def leave(self) -> None:
        with self._changed:
            self._requests -= 1
            self._last_used = time.monotonic()
            self._changed.notify_all()

    def invoke(self, body: bytes, headers: Mapping[str, str], timeout: float) -> ServerResponse:
        """The container's answer; it is started first if it is not running. timeout: seconds for the answer alone.

        Raises Unavailable where it does not start, ModelServerError where it ends before it answers, TimeoutError where
        it takes too long for that. Whichever it was, the next request finds another one.
        """
        server = self._running_server()
        try:
            return server.invoke(body, headers, timeout)
        finally:
            if not server.alive:
                with self._changed:
                    self._start_soon()

    def drain(self, timeout: float) -> None:
        """Wait, so many seconds at most, until no request is at work."""
        with self._changed:
            self._changed.wait_for(lambda: self._requests == 0, timeout)

    def stop_if_idle(self) -> None:
        """Stop the container of a serverless variant that nobody has used for a while."""
        with self._changed:
            unused = self._requests == 0 and time.monotonic() - self._last_used >= self._idle_seconds
            if self.stays_up or not unused or self._server is None:
                return
            server, self._server = self._server, None
        server.close()

    def close(self) -> None:
        """End the container, whatever it is doing; no other one is started."""
        with self._changed:
            self._closed = True
            servers = [self._server, self._coming]
            self._server = None
            self._changed.notify_all()
        for server in servers:
            if server is not None:
                server.close()

    def _running_server(self) -> ModelServer:
        with self._changed:
            while True:
                if self._closed:
                    raise Unavailable("the variant is being removed")
                if self._server is not None and self._server.alive:
                    return self._server
                if not self._starting and time.monotonic() < self._retry_at:
                    raise Unavailable(self._failure)
                self._start_soon()
                self._changed.wait(self._startup_seconds)

    def _start_soon(self) -> None:
        if not (self._starting or self._closed):
            self._starting = True
            threading.Thread(target=self._bring_up, name=f"start {self.name}", daemon=True).start()

    def _bring_up(self) -> None:
        """Start a container in place of the one that has ended, if any; who waits for it is told how that went."""
        with self._changed:
            old, self._server = self._server, None
        server, failure = None, ""
        try:
            if old is not None:
                old.close()
            server = self._make_server()
            with self._changed:
                self._coming = server
            server.start(self._startup_seconds)
        except (ModelServerError, OSError) as error:
            failure = str(error)
        except Exception as error:
            log.exception("variant %s: internal error", self.name)
            failure = f"{type(error).__name__}: {error}"
        with self._changed:
            closed, self._coming, self._starting = self._closed, None, False
            if failure:
                self._failure, self._retry_at = failure, time.monotonic() + RETRY_SECONDS
            elif not closed:
                self._server, self._last_used = server, time.monotonic()
            self._changed.notify_all()
        if server is not None and (failure or closed):
            server.close()
