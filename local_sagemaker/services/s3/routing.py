"""Which operation a request to S3 is for, by botocore's model of S3."""

from __future__ import annotations

import functools
import re
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote_to_bytes

from werkzeug.wrappers import Request

from local_sagemaker.protocol.shapes import operation_model, service_model
from local_sagemaker.services.s3.errors import S3Error

# what to do instead of operations that are not implemented
INSTEAD = {
    "SelectObjectContent": (
        "SelectObjectContent, which AWS has closed to new customers; get the object and query it with DuckDB or pandas"
    ),
    "PutBucketReplication": "PutBucketReplication; copy new objects in a function that the bucket notifies",
    "PutBucketInventoryConfiguration": "PutBucketInventoryConfiguration; list the objects with ListObjectVersions",
    "PutObjectLockConfiguration": "PutObjectLockConfiguration; turn versioning on to keep what is deleted or replaced",
    "RestoreObject": "RestoreObject; every object has the storage class STANDARD and can be read at once",
}
SERVICE_HOST = re.compile(r"(?:(.+)\.)?s3(?:[.-][a-z0-9-]+)*\.(?:localhost|amazonaws\.com(?:\.cn)?)")


def address(request: Request) -> tuple[str, str]:
    """Return bucket and key of a request, either possibly empty. Raises S3Error."""
    raw_path = request.environ["RAW_URI"].partition("?")[0]
    # a request to a proxy has the host in its target
    if "://" in raw_path:
        raw_path = "/" + raw_path.split("/", 3)[3]
    try:
        path = unquote_to_bytes(raw_path.encode("latin-1")).decode("utf-8").removeprefix("/")
    except UnicodeDecodeError as error:
        raise S3Error("InvalidURI", 400, "the key is not valid UTF-8") from error
    host = request.host.rpartition(":")[0] or request.host
    if match := SERVICE_HOST.fullmatch(host):
        if match[1]:
            return match[1], path
    elif host.endswith(".localhost"):
        return host.removesuffix(".localhost"), path
    bucket, _, key = path.partition("/")
    return bucket, key


def find_operation(request: Request, bucket: str, key: str, implemented: Collection[str]) -> str:
    """Return the name of the operation that a request is for.

    Raises:
        S3Error: The operation is not implemented.
    """
    path = "/{Bucket}/{Key+}" if key else "/{Bucket}" if bucket else "/"
    routes = [route for route in _routes() if route.matches(request, path)]
    if not routes:
        raise S3Error("MethodNotAllowed", 405, "The specified method is not allowed against this resource.")
    route = max(routes, key=lambda route: (len(route.fixed) + len(route.required), route.operation in implemented))
    # a query parameter that selects another operation, such as ?acl, must not be taken for this one
    foreign = [name for name in request.args if name in selectors() and name not in route.query]
    if foreign or route.operation not in implemented:
        what = f"{request.method} with ?{foreign[0]}" if foreign else INSTEAD.get(route.operation, route.operation)
        raise S3Error("NotImplemented", 501, f"the local S3 does not implement {what}")
    return route.operation


@functools.cache
def selectors() -> frozenset[str]:
    """Return the query parameters that select an operation."""
    return frozenset({"uploadId", *(name for route in _routes() for name in route.fixed)})


@dataclass(frozen=True)
class _Route:
    """How a request for an operation looks.

    Attributes:
        fixed: Query parameters that select the operation, with their values, which are often empty.
        required: Names of other query parameters and of headers that every request has.
        query: Names of all query parameters.
    """

    operation: str
    method: str
    path: str
    fixed: dict[str, str]
    required: frozenset[str]
    query: frozenset[str]

    def matches(self, request: Request, path: str) -> bool:
        return (
            (self.method, self.path) == (request.method, path)
            and all(name in request.args and value in ("", request.args[name]) for name, value in self.fixed.items())
            and all(name in request.args or name in request.headers for name in self.required)
        )


@functools.cache
def _routes() -> list[_Route]:
    routes = []
    for operation in service_model("s3").operation_names:
        model = operation_model("s3", operation)
        path, _, query = model.http["requestUri"].partition("?")
        fixed = dict(parse_qsl(query, keep_blank_values=True))
        shape = model.input_shape
        members = shape.members if shape else {}
        locations = {
            name: member.serialization for name, member in members.items() if "location" in member.serialization
        }
        required = {
            locations[name]["name"]
            for name in (shape.required_members if shape else [])
            if locations.get(name, {}).get("location") in ("querystring", "header")
        }
        names = {place["name"] for place in locations.values() if place["location"] == "querystring"}
        routes.append(
            _Route(operation, model.http["method"], path, fixed, frozenset(required), frozenset({*fixed, *names}))
        )
    return routes
