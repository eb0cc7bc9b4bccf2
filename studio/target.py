"""The account or local SageMaker that the pages of an application show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.config import Config
from flask import current_app

from project.target import Target

TARGET_KEY = "studio.target"
RUNTIME_KEY = "studio.runtime"
# a page that is throttled says so instead of waiting for minutes
PAGE_CONFIG = Config(
    retries={"mode": "standard", "max_attempts": 3}, connect_timeout=3, read_timeout=30, max_pool_connections=40
)
# the clients of a target that pages use
SERVICES = ("sagemaker", "s3", "logs", "cloudwatch", "autoscaling", "scheduler", "events")
# calls of one page at the same time; more would be throttled by AWS
_AT_ONCE = 8
_threads = ThreadPoolExecutor(max_workers=4 * _AT_ONCE, thread_name_prefix="studio")


def current_target() -> Target:
    """Return the target of the application that answers the present request."""
    target: Target = current_app.extensions[TARGET_KEY]
    return target


def current_runtime() -> Any:
    """Return the client that invokes endpoints of the application that answers the present request."""
    return current_app.extensions[RUNTIME_KEY]


def call_all(*calls: Callable[[], Any]) -> list[Any]:
    """Return the results of calls of the API that are made at the same time, in order.

    Raises:
        Exception: The first error of a call.
    """
    results: list[Any] = []
    for start in range(0, len(calls), _AT_ONCE):
        batch = [(call, _threads.submit(call)) for call in calls[start : start + _AT_ONCE]]
        # calls make calls: if all threads waited for a free one, none would ever be free
        results += [call() if future.cancel() else future.result() for call, future in batch]
    return results


def call_each(function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    """Return the results of a function for each item, as `call_all` does."""
    return call_all(*(lambda item=item: function(item) for item in items))


def call_pages(operation: Callable[..., Any], member: str, *, max_pages: int = 10, **request: Any) -> Iterator[Any]:
    """Yield the items of the first pages of an operation with NextToken; EventBridge's have no paginators.

    Args:
        operation: The method of a client.
        member: The member of the response that has the items.
        max_pages: After how many pages to stop.
        request: The arguments of the operation.
    """
    for _ in range(max_pages):
        response = operation(**request)
        yield from response[member]
        if not (token := response.get("NextToken")):
            return
        request["NextToken"] = token
