"""Whatever is sent to the server, it responds soon, and not with a 5xx."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local_sagemaker.http.background import RunningServer, ensure_server, stop_server
from local_sagemaker.protocol.shapes import operation_model, service_model
from local_sagemaker.services.s3.routing import selectors
from local_sagemaker.services.s3.service import OPERATIONS as S3_OPERATIONS
from local_sagemaker.services.sagemaker.service import OPERATIONS
from tests.local_sagemaker.conftest import make_client
from tests.local_sagemaker.http.test_requests import ANYTHING, values
from tests.local_sagemaker.machine import Machine
from tests.local_sagemaker.models import create_config, create_model
from tests.local_sagemaker.steps import until

pytestmark = pytest.mark.slow

SECONDS = 20
fuzzed = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))

# header values as the wire has them, and those that mean something
VALUES = st.sampled_from(
    [
        *(
            "",
            "0",
            "-1",
            "99999999999999999999",
            "bytes=0-",
            "bytes=5-1",
            "bytes=-0",
            "bytes=-5",
            "*",
            '"',
            "aws-chunked",
        ),
        *("STREAMING-UNSIGNED-PAYLOAD-TRAILER", "UNSIGNED-PAYLOAD", "x-amz-checksum-crc32", "AAAAAA==", "/bucket/key"),
        *("bucket/%ff", "/bucket/key?versionId=1", "application/json", "text/csv", "a=b&a=c", "REPLACE", "ENABLED"),
        *("Sat, 21 Nov 2026 10:00:00 GMT", "Mon, 99 Nov 0000 99:00:00 GMT", "chunked", "x" * 5000),
    ]
) | st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=20)
BODIES = st.binary(max_size=50) | st.sampled_from(
    [b"{", b"[" * 10_000, b"<a/>", b"5\r\nhello\r\n0\r\n\r\n", b"\xff" * 100]
)
PIECES = st.sampled_from([*"ab/%.", "..", "//", "%2F", "%00", "%ff", "é", "bucket", "key", "x" * 300])
PATHS = st.lists(PIECES, max_size=5).map("".join)


def headers(*names: str) -> st.SearchStrategy[dict[str, str]]:
    return st.dictionaries(st.sampled_from(names), VALUES, max_size=4)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """With an object, and an endpoint of a model that answers anything."""
    folder = tmp_path_factory.mktemp("fuzzed")
    machine = Machine(folder)
    machine.put("s3://bucket/key", "content")
    create_model(machine)
    create_config(machine, "config")
    server = ensure_server(folder)
    sagemaker = make_client(server, "sagemaker")
    sagemaker.create_endpoint(EndpointName="endpoint", EndpointConfigName="config")
    until(lambda: sagemaker.describe_endpoint(EndpointName="endpoint")["EndpointStatus"] == "InService")
    yield server
    assert make_client(server, "s3").get_object(Bucket="bucket", Key="key")["Body"].read() == b"content"
    stop_server(folder)


def status(server: RunningServer, method: str, target: str, sent: dict[str, str], body: bytes) -> int:
    """Send a request as it is and return the status of its response."""
    lines = {"Host": "localhost", "Content-Length": str(len(body)), **sent}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    with socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS) as connection:
        connection.sendall(f"{method} {quote(target, safe='/%?&=.')} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.makefile("rb").readline().split()
    assert answer[0].startswith(b"HTTP/1."), answer
    return int(answer[1])


def signed_for(service: str) -> str:
    return f"AWS4-HMAC-SHA256 Credential=local/20261121/us-east-1/{service}/aws4_request"


@fuzzed
@given(operation=st.sampled_from(sorted(OPERATIONS)), data=st.data())
def test_no_request_to_sagemaker_is_a_5xx(server: RunningServer, operation: str, data: st.DataObject) -> None:
    body = json.dumps(data.draw(values(operation_model("sagemaker", operation).input_shape) | ANYTHING)).encode()
    cut = data.draw(st.none() | st.integers(0, len(body)))
    sent = {"X-Amz-Target": f"SageMaker.{operation}", **data.draw(headers("Content-Type", "Content-Length", "Expect"))}
    assert status(server, "POST", "/", sent, body[:cut]) < 500


@fuzzed
@given(
    path=st.just("/endpoints/endpoint/invocations") | PATHS.map(lambda path: f"/endpoints/{path}/invocations"),
    sent=headers(
        *("Content-Type", "Accept", "Content-Length", "Transfer-Encoding", "X-Amzn-SageMaker-Custom-Attributes"),
        *("X-Amzn-SageMaker-Inference-Id", "X-Amzn-SageMaker-Target-Variant", "X-Amzn-SageMaker-Target-Model"),
    ),
    body=BODIES,
)
def test_no_invocation_is_a_5xx(server: RunningServer, path: str, sent: dict[str, str], body: bytes) -> None:
    assert status(server, "POST", path, {"Authorization": signed_for("sagemaker"), **sent}, body) < 500


@fuzzed
@given(
    operation=st.sampled_from(sorted(service_model("lambda").operation_names)),
    data=st.data(),
    sent=headers("Content-Type", "Content-Length", "X-Amz-Invocation-Type", "X-Amz-Client-Context", "X-Amz-Log-Type"),
)
def test_no_request_to_lambda_is_a_5xx(
    server: RunningServer, operation: str, data: st.DataObject, sent: dict[str, str]
) -> None:
    model = operation_model("lambda", operation)
    path = str(model.http["requestUri"])
    for name in model.input_shape.members if model.input_shape else ():
        path = path.replace(f"{{{name}}}", quote(data.draw(st.sampled_from(["f", "..", "a" * 300, "é"]) | PATHS), ""))
    query = data.draw(st.just("") | st.sampled_from(["?Qualifier=1", "?MaxItems=x", "?MaxItems=-1", "?Marker=%ff"]))
    request: Any = data.draw(values(model.input_shape)) if model.input_shape else {}
    body = json.dumps(request, default=repr).encode()
    sent = {"Authorization": signed_for("lambda"), **sent}
    assert status(server, model.http["method"], path + query, sent, data.draw(st.just(body) | BODIES)) < 500


def members_of_s3(location: str) -> list[str]:
    """Return the names of all members of the requests of the operations that exist here, in one location."""
    shapes = [operation_model("s3", operation).input_shape for operation in S3_OPERATIONS]
    places = [member.serialization for shape in shapes if shape for member in shape.members.values()]
    return sorted({place["name"] for place in places if place.get("location") == location})


@fuzzed
@given(
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD"]),
    path=PATHS.map(lambda path: f"/bucket/{path}") | PATHS.map(lambda path: f"/{path}"),
    query=st.dictionaries(
        st.sampled_from(
            [
                *sorted(selectors()),
                *members_of_s3("querystring"),
                *("list-type", "X-Amz-Credential"),
            ]
        ),
        st.sampled_from(["", "0", "-1", "2", "x", "%00", "%ff", "9" * 30, "key", "url"]),
        max_size=3,
    ),
    sent=headers(
        *members_of_s3("header"),
        *("Content-Encoding", "Content-Length", "Transfer-Encoding", "x-amz-content-sha256", "x-amz-trailer"),
        *("x-amz-decoded-content-length", "x-amz-meta-a", "Host", "Origin", "Authorization"),
    ),
    body=BODIES,
)
def test_no_request_to_s3_is_an_internal_error(
    server: RunningServer, method: str, path: str, query: dict[str, str], sent: dict[str, str], body: bytes
) -> None:
    if (method, path) in (("PUT", "/bucket/key"), ("DELETE", "/bucket/key")):
        path = "/bucket/other"  # what the other tests count on stays
    target = path + "?" + "&".join(f"{name}={value}" for name, value in query.items())
    # 501 is S3's status for what is not implemented
    assert (found := status(server, method, target, sent, body)) < 500 or found == 501
