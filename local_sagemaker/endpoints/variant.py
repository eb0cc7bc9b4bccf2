"""A production variant: one container of a model, kept running, or started on demand if it is serverless."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping

from local_sagemaker.containers.inference_pipeline import ServedModel
from local_sagemaker.containers.model_server import ModelServerError, ServerResponse
from local_sagemaker.storage.records import Record

log = logging.getLogger(__name__)

# the startup timeouts of containers
STARTUP_SECONDS = 480
SERVERLESS_STARTUP_SECONDS = 180
# between a failed start and the next attempt
RETRY_SECONDS = 1


class Unavailable(Exception):
    """The variant has no running container; the message says why it did not start."""


class Throttled(Exception):
    """A serverless variant has MaxConcurrency requests in flight."""


class Variant:
    """A variant of an endpoint configuration.

    Args:
        config: A member of ProductionVariants.
        make_server: Returns a new container that is not started yet.
        idle_seconds: When a serverless variant without ProvisionedConcurrency stops its idle container; the next
            request starts another one.
    """

    def __init__(self, config: Record, make_server: Callable[[], ServedModel], idle_seconds: float) -> None:
        self.name: str = config["VariantName"]
        self.serverless = "ServerlessConfig" in config
        default = SERVERLESS_STARTUP_SECONDS if self.serverless else STARTUP_SECONDS
        self._startup_seconds = config.get("ContainerStartupHealthCheckTimeoutInSeconds", default)
        self.configure(config)
        self._make_server = make_server
        self._idle_seconds = idle_seconds
        # guards everything below, and is notified of each change
        self._changed = threading.Condition()
        self._server: ServedModel | None = None
        self._starting_server: ServedModel | None = None
        self._starting = self._closed = False
        self._failure, self._retry_at = "", 0.0
        self._requests = 0
        self._last_used = time.monotonic()

    def configure(self, config: Record) -> None:
        """Apply the weight and the concurrency of a configuration."""
        serverless: Record = config.get("ServerlessConfig", {})
        self.weight: float = config.get("InitialVariantWeight", 1.0)
        self.max_concurrency: float = serverless.get("MaxConcurrency", float("inf"))
        self.is_always_on = not self.serverless or "ProvisionedConcurrency" in serverless

    @property
    def closed(self) -> bool:
        return self._closed

    def start(self) -> None:
        """Start the container, unless it is started on demand.

        Raises:
            Unavailable: The container did not start.
        """
        if self.is_always_on:
            self._running_server()

    def begin_request(self) -> None:
        """Count a request as in flight; call `end_request` afterwards.

        Raises:
            Throttled: MaxConcurrency requests are in flight.
        """
        with self._changed:
            if self._requests >= self.max_concurrency:
                raise Throttled(f"{self.name} handles {self.max_concurrency:g} concurrent requests (MaxConcurrency)")
            self._requests += 1

    def end_request(self) -> None:
        """Count a request as finished."""
        with self._changed:
            self._requests -= 1
            self._last_used = time.monotonic()
            self._changed.notify_all()

    def invoke(self, body: bytes, headers: Mapping[str, str], timeout: float) -> ServerResponse:
        """Send a request to the container, and start it first if it is not running.

        After an error a new container is started for the next request.

        Args:
            body: The request's body.
            headers: The request's headers.
            timeout: The time for the response in seconds, without the time to start the container.

        Raises:
            Unavailable: The container did not start.
            ModelServerError: The container ended before it responded.
            TimeoutError: The container did not respond in time.
        """
        server = self._running_server()
        try:
            return server.invoke(body, headers, timeout)
        finally:
            if not server.alive:
                with self._changed:
                    self._start_in_background()

    def drain(self, timeout: float) -> None:
        """Wait until no requests are in flight, at most `timeout` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._requests == 0, timeout)

    def stop_if_idle(self) -> None:
        """Stop the container if it is started on demand and has been idle for `idle_seconds`."""
        with self._changed:
            is_idle = self._requests == 0 and time.monotonic() - self._last_used >= self._idle_seconds
            if self.is_always_on or not is_idle or self._server is None:
                return
            server, self._server = self._server, None
        server.close()

    def close(self) -> None:
        """Stop the container immediately; no other one is started."""
        with self._changed:
            self._closed = True
            servers = [self._server, self._starting_server]
            self._server = None
            self._changed.notify_all()
        for server in servers:
            if server is not None:
                server.close()

    def _running_server(self) -> ServedModel:
        with self._changed:
            while True:
                if self._closed:
                    raise Unavailable("the variant is being deleted")
                if self._server is not None and self._server.alive:
                    return self._server
                if not self._starting and time.monotonic() < self._retry_at:
                    raise Unavailable(self._failure)
                self._start_in_background()
                self._changed.wait(self._startup_seconds)

    def _start_in_background(self) -> None:
        if not (self._starting or self._closed):
            self._starting = True
            threading.Thread(target=self._start_server, name=f"start {self.name}", daemon=True).start()

    def _start_server(self) -> None:
        """Start a container, in place of one that has ended if there is one, and notify the waiting requests."""
        with self._changed:
            old, self._server = self._server, None
        server, failure = None, ""
        try:
            if old is not None:
                old.close()
            server = self._make_server()
            with self._changed:
                self._starting_server = server
            server.start(self._startup_seconds)
        except (ModelServerError, OSError) as error:
            failure = str(error)
        except Exception as error:
            log.exception("variant %s: internal error", self.name)
            failure = f"{type(error).__name__}: {error}"
        with self._changed:
            closed, self._starting_server, self._starting = self._closed, None, False
            if failure:
                self._failure, self._retry_at = failure, time.monotonic() + RETRY_SECONDS
            elif not closed:
                self._server, self._last_used = server, time.monotonic()
            self._changed.notify_all()
        if server is not None and (failure or closed):
            server.close()
