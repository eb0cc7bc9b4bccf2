"""AWS's REST-JSON protocol: members of a request are in its path, query, headers and body."""

from __future__ import annotations

import base64
import binascii
import functools
import json
import re
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from botocore.model import ListShape, MapShape, Shape, StructureShape
from werkzeug.wrappers import Request, Response

from local_sagemaker.protocol.bodies import json_structure
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.shapes import operation_model, service_model


def read_request(service: str, request: Request, body: bytes) -> tuple[str, dict[str, Any]]:
    """Return the operation of an HTTP request, and its members. Raises ServiceError if there is no such operation."""
    path = request.path.rstrip("/")
    for method, pattern, query, operation in _routes(service):
        has_query = all(request.args.get(name) == value for name, value in query.items())
        if has_query and method == request.method and (match := pattern.fullmatch(path)):
            return operation, _members(
                operation_model(service, operation).input_shape, request, match.groupdict(), body
            )
    raise ServiceError("UnknownOperationException", f"{service} has no operation {request.method} {path[:200]}")


def write_response(service: str, operation: str, content: Mapping[str, Any]) -> Response:
    """Return the HTTP response with the members of an operation's response."""
    model = operation_model(service, operation)
    shape = model.output_shape
    status, headers, members = model.http.get("responseCode", 200), {"x-amzn-RequestId": str(uuid.uuid4())}, {}
    payload = shape.serialization.get("payload") if shape else None
    for name, value in content.items():
        place = shape.members[name].serialization if shape else {}
        if place.get("location") == "statusCode":
            status = value
        elif place.get("location") == "header":
            headers[place["name"]] = str(value)
        elif name != payload:
            members[place.get("name", name)] = value
    if payload is not None:
        return Response(content.get(payload, b""), status, headers, content_type="application/json")
    return Response(json.dumps(members) if shape else b"", status, headers, content_type="application/json")


def write_error(service: str, error: ServiceError) -> Response:
    """Return the HTTP response for an error, with its status in the service's model."""
    model = service_model(service)
    shape = model.shape_for(error.code) if error.code in model.shape_names else None
    status = shape.metadata.get("error", {}).get("httpStatusCode", 400) if shape else 400
    headers = {"x-amzn-ErrorType": error.code, "x-amzn-RequestId": str(uuid.uuid4())}
    content = json.dumps({"Type": "Server" if status >= 500 else "User", "message": error.message})
    return Response(content, status, headers, content_type="application/json")


def head_members(shape: Any, request: Request) -> dict[str, Any]:
    """Return the members of an input shape that a request has in its headers and its query."""
    members: dict[str, Any] = {}
    for name, member in shape.members.items():
        location, wire_name = member.serialization.get("location"), member.serialization.get("name", name)
        if location == "header" and wire_name in request.headers:
            members[name] = _read_text(member, request.headers[wire_name], name)
        elif location == "querystring" and wire_name in request.args:
            given = request.args.getlist(wire_name)
            members[name] = given if isinstance(member, ListShape) else _read_text(member, given[0], name)
    return members


@functools.cache
def _routes(service: str) -> list[tuple[str, re.Pattern[str], dict[str, str], str]]:
    """Return method, path, query and name of each operation; of several with one path, the longest query is first."""
    routes = []
    for operation in service_model(service).operation_names:
        http = operation_model(service, operation).http
        path, _, query = http["requestUri"].partition("?")
        path = path.rstrip("/")
        pattern = "".join(
            f"(?P<{part[1:-1].rstrip('+')}>{'.+' if part.endswith('+}') else '[^/]+'})"
            if part.startswith("{")
            else re.escape(part)
            for part in re.split(r"(\{[^}]+\})", path)
        )
        routes.append((http["method"], re.compile(pattern), dict(parse_qsl(query, keep_blank_values=True)), operation))
    return sorted(routes, key=lambda route: -len(route[2]))


def _members(shape: Any, request: Request, in_path: Mapping[str, str], body: bytes) -> dict[str, Any]:
    if shape is None:
        return {}
    payload = shape.serialization.get("payload")
    content = {} if payload else json_structure(body)
    members: dict[str, Any] = {payload: body} if payload and body else {}
    for name, member in shape.members.items():
        location, wire_name = member.serialization.get("location"), member.serialization.get("name", name)
        if location == "uri":
            members[name] = in_path[wire_name]
        elif location is None and name != payload and wire_name in content:
            members[name] = _with_bytes(member, content.pop(wire_name), name)
    # members that the shape does not have are left for the validation of the request to refuse
    return {**content, **members, **head_members(shape, request)}


def _read_text(shape: Shape, text: str, name: str) -> Any:
    if shape.type_name in ("integer", "long"):
        if not re.fullmatch(r"-?\d{1,18}", text):
            raise ServiceError("SerializationException", f"{name} must be an integer, not {text[:200]!r}")
        return int(text)
    return text == "true" if shape.type_name == "boolean" else text


def _with_bytes(shape: Shape, value: Any, name: str) -> Any:
    """Decode the blobs in a value, which are base64 in JSON."""
    if shape.type_name == "blob" and isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError) as error:
            raise ServiceError("SerializationException", f"{name} is not base64: {error}") from error
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        return {
            key: _with_bytes(shape.members[key], item, key) if key in shape.members else item
            for key, item in value.items()
        }
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_with_bytes(shape.member, item, name) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: _with_bytes(shape.value, item, name) for key, item in value.items()}
    return value
