import io
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import ClientDisconnected

from local_sagemaker.http.background import RunningServer, find_server
from local_sagemaker.http.chunked import ChunkedBody

CHUNKS = st.lists(st.binary(min_size=1, max_size=50), max_size=5)


def coded(chunks: list[bytes], trailers: bytes = b"") -> bytes:
    return b"".join(b"%X;ext=1\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n" + trailers + b"\r\n"


def decoded(body: bytes) -> bytes:
    return io.BufferedReader(ChunkedBody(io.BytesIO(body)), 7).read()


@given(chunks=CHUNKS, behind=st.binary(max_size=10))
def test_chunks_are_joined_and_the_rest_of_the_stream_is_not_read(chunks: list[bytes], behind: bytes) -> None:
    stream = io.BytesIO(coded(chunks, b"x-trailer: 1\r\n") + behind)
    assert io.BufferedReader(ChunkedBody(stream)).read() == b"".join(chunks)
    assert stream.read() == behind


@given(chunks=CHUNKS, data=st.data())
def test_a_truncated_body_is_an_error(chunks: list[bytes], data: st.DataObject) -> None:
    body = coded(chunks)
    cut = data.draw(st.integers(0, len(body) - 1))
    with pytest.raises(ClientDisconnected):
        decoded(body[:cut])


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"-5\r\nhello\r\n0\r\n\r\n", id="negative"),
        pytest.param(b"zz\r\n", id="no number"),
        pytest.param(b"5\r\nhello!\r\n0\r\n\r\n", id="longer than it says"),
        pytest.param(b"f" * 20 + b"\r\n", id="absurd size"),
        pytest.param(b"\r\n", id="no size"),
        pytest.param(b"5" * 20_000, id="endless line"),
        pytest.param(b"0\r\n" + b"a: b\r\n" * 1000 + b"\r\n", id="endless trailers"),
    ],
)
def test_a_malformed_body_is_an_error(body: bytes) -> None:
    with pytest.raises(ClientDisconnected):
        decoded(body)


def test_a_client_that_disconnects_within_a_chunk_does_not_crash_the_server(
    server: RunningServer, data_dir: Path
) -> None:
    for target, expected in (("X-Amz-Target: SageMaker.ListPipelines", b" 400 "), ("x: y", b" 404 ")):
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
            head = f"PUT /bucket/key HTTP/1.1\r\nHost: localhost\r\n{target}\r\nTransfer-Encoding: chunked\r\n\r\n"
            connection.sendall(head.encode() + b"fffffffffffff\r\nonly so much")
            connection.shutdown(socket.SHUT_WR)
            assert expected in connection.makefile("rb").readline()
    assert find_server(data_dir) == server
