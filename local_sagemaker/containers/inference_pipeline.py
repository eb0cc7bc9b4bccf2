"""An inference pipeline: the containers of one model, each of which gets the response of the one before it.

The first container gets the client's request, each later one the body and the content type of the response before it.
Only the last one gets the client's Accept header; the others respond with the default type of their image, which
SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT sets. A response that is an error ends the request. AWS documents the order
("Inference pipelines in Amazon SageMaker AI" in the developer guide); how headers are passed on is assumed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from local_sagemaker.containers.model_server import ModelServer, ModelServerError, ServerResponse
from local_sagemaker.containers.output import LogStream
from local_sagemaker.storage.records import Record

MakeServer = Callable[[Record, Path, LogStream], ModelServer]


class InferencePipeline:
    """Containers that are started, invoked and stopped as one; it has the methods of a `ModelServer`.

    Args:
        servers: The containers by name, in the order in which they are invoked.
    """

    def __init__(self, servers: Mapping[str, ModelServer]) -> None:
        self._servers = servers

    @property
    def alive(self) -> bool:
        """Whether all containers are running."""
        return all(server.alive for server in self._servers.values())

    def start(self, timeout: float) -> None:
        """Start the containers one after the other. Raises ModelServerError if one of them does not start."""
        deadline = time.monotonic() + timeout
        for name, server in self._servers.items():
            try:
                server.start(deadline - time.monotonic())
            except ModelServerError as error:
                raise ModelServerError(f"{name}: {error}") from error

    def invoke(self, body: bytes, headers: Mapping[str, str], timeout: float) -> ServerResponse:
        """Return the response of the last container, or the first response that is an error.

        Raises:
            TimeoutError: The timeout, in seconds, has passed.
            ModelServerError: A container has ended.
        """
        deadline = time.monotonic() + timeout
        *first, last = self._servers
        sent = {name: value for name, value in headers.items() if name != "Accept"}
        for name in first:
            response = self._invoke(name, body, sent, deadline)
            if not 200 <= response.status < 300:
                return response
            body = response.body
            sent = {**sent, "Content-Type": response.headers.get("content-type", "application/octet-stream")}
        accept = {"Accept": headers["Accept"]} if "Accept" in headers else {}
        return self._invoke(last, body, {**sent, **accept}, deadline)

    def close(self) -> None:
        """Stop the containers and delete their folders."""
        for server in self._servers.values():
            server.close()

    def _invoke(self, name: str, body: bytes, headers: Mapping[str, str], deadline: float) -> ServerResponse:
        try:
            response = self._servers[name].invoke(body, headers, max(0.001, deadline - time.monotonic()))
        except ModelServerError as error:
            raise ModelServerError(f"{name}: {error}") from error
        return replace(response, container=name)


# what runs a model
ServedModel = ModelServer | InferencePipeline


def containers_of(description: Record) -> list[Record]:
    """Return the containers of a model, as `services.sagemaker.models.serving_container` describes it."""
    return description.get("Containers", [description])


def served_model(
    description: Record, folder: Path, log_stream: Callable[[str], LogStream], make_server: MakeServer
) -> ServedModel:
    """Return what runs a model, not started yet.

    Args:
        description: As `services.sagemaker.models.serving_container` returns it.
        folder: The folder of the container; several have folders beside it.
        log_stream: Returns a log stream. Its argument is empty for a single container; the streams of several have the
            names of the containers at their end.
        make_server: Returns one container.
    """
    if "Containers" not in description:
        return make_server(description, folder, log_stream(""))
    servers = {}
    for number, container in enumerate(description["Containers"], start=1):
        name = container.get("ContainerHostname") or f"container-{number}"
        servers[name] = make_server(container, folder.with_name(f"{folder.name}-{name}"), log_stream(f"/{name}"))
    return InferencePipeline(servers)
