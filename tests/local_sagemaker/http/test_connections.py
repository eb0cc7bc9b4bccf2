"""Connections of well-behaved clients, and of those that stall, hang up or send more than they should."""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from werkzeug.wrappers import Request, Response

from local_sagemaker.http import connections
from local_sagemaker.http.connections import ConnectionServer
from local_sagemaker.http.handler import RequestHandler
from tests.local_sagemaker.steps import until

SECONDS = 30
WORKERS = 4
MOST = 50
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Echo:
    """An application that answers with the request's path and body; /slow waits, /deaf leaves the body unread."""

    def __init__(self) -> None:
        self.resume = threading.Event()
        self.started: list[str] = []

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = Request(environ)
        self.started.append(request.path)
        if request.path.endswith("/slow"):
            assert self.resume.wait(SECONDS)
        body = b"" if request.path == "/deaf" else request.stream.read()
        if request.path == "/parts":
            return Response(iter([b"a", b"", b"bc"]))(environ, start_response)
        return Response(request.path.encode() + b" " + body)(environ, start_response)


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def port(echo: Echo) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0), backlog=1000) as listener:
        number = listener.getsockname()[1]
        handler = RequestHandler(echo, number, ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
        server = ConnectionServer(
            listener, handler.answer, lambda line: b"/lasting" in line, workers=WORKERS, most=MOST
        )
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield number
        echo.resume.set()
        server.shutdown()
        thread.join(SECONDS)
        assert not thread.is_alive()


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=SECONDS)


def ask(port: int, path: str = "/", body: bytes = b"") -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.request("POST", path, body)
        return connection.getresponse().read()
    finally:
        connection.close()


@pytest.fixture
def request_threads() -> Callable[[], int]:
    """Count the threads that the test's server has started for requests."""
    before = set(threading.enumerate())
    return lambda: sum(thread.name == "request" for thread in set(threading.enumerate()) - before)


def test_a_connection_serves_one_request_after_the_other(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    connection.request("POST", "/first", b"body")
    assert connection.getresponse().read() == b"/first body"
    first = connection.sock
    connection.request("POST", "/second", iter([b"bo", b"dy"]), encode_chunked=True)
    assert connection.getresponse().read() == b"/second body"
    connection.request("GET", "/parts")
    assert connection.getresponse().read() == b"abc"
    connection.request("HEAD", "/head")
    response = connection.getresponse()
    assert (response.headers["Content-Length"], response.read()) == ("6", b"")
    assert connection.sock is first is not None
    connection.close()


def test_requests_that_are_sent_at_once_are_answered_in_order(port: int) -> None:
    with connect(port) as client:
        client.sendall(
            b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1GET /b HTTP/1.1\r\nHost: x\r\n\r\nGET /c"
        )
        client.sendall(b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answers = client.makefile("rb").read()
    assert [line for line in answers.replace(b"HTTP", b"\nHTTP").splitlines() if line.startswith(b"/")] == [
        *(b"/a 1", b"/b ", b"/c ")
    ]


def test_a_client_that_waits_for_permission_to_send_its_body_gets_it_at_once(port: int) -> None:
    with connect(port) as client, client.makefile("rb") as answers:
        client.sendall(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n")
        assert (answers.readline(), answers.readline()) == (b"HTTP/1.1 100 Continue\r\n", b"\r\n")
        client.sendall(b"x")
        assert answers.readline() == b"HTTP/1.1 200 OK\r\n"


def test_a_head_may_arrive_byte_by_byte(port: int) -> None:
    with connect(port) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in GET:
            client.sendall(bytes([byte]))
        assert client.recv(100).startswith(b"HTTP/1.1 200 OK\r\n")


def test_clients_that_are_idle_or_send_half_a_request_take_no_thread(
    port: int, request_threads: Callable[[], int]
) -> None:
    with ExitStack() as stack:
        for number in range(MOST - 10):
            client = stack.enter_context(connect(port))
            client.sendall(GET[: number % 10])
        assert ask(port, "/", b"x") == b"/ x"
        assert request_threads() == 1


def test_the_longest_idle_connection_makes_room_for_a_new_one(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MIN_IDLE_SECONDS", 0)
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(port)) for _ in range(MOST + 20)]
        assert ask(port) == b"/ "
        assert clients[0].recv(1) == b""
        clients[-1].sendall(GET)
        assert clients[-1].recv(100).startswith(b"HTTP/1.1 200")


def test_an_idle_connection_is_closed_after_a_while(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "IDLE_SECONDS", 0.1)
    with connect(port) as client:
        client.sendall(GET[:20])
        assert client.recv(1) == b""


def test_as_many_requests_run_as_there_are_workers_and_the_others_wait(
    port: int, echo: Echo, request_threads: Callable[[], int]
) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(port)) for _ in range(3 * WORKERS)]
        for client in clients:
            client.sendall(GET.replace(b"/ ", b"/slow ", 1))
        until(lambda: len(echo.started) >= WORKERS)
        time.sleep(0.1)
        assert len(echo.started) == WORKERS == request_threads()
        echo.resume.set()
        assert all(client.recv(100).startswith(b"HTTP/1.1 200") for client in clients)


def test_requests_that_may_last_do_not_hold_up_the_others(port: int, echo: Echo) -> None:
    with ExitStack() as stack:
        for _ in range(3 * WORKERS):
            stack.enter_context(connect(port)).sendall(GET.replace(b"/ ", b"/lasting/slow ", 1))
        until(lambda: len(echo.started) == 3 * WORKERS)
        assert ask(port) == b"/ "
        echo.resume.set()


def test_requests_of_clients_that_have_hung_up_leave_the_workers_to_the_others(
    port: int, echo: Echo, request_threads: Callable[[], int]
) -> None:
    for _ in range(10 * MOST):
        with connect(port) as client:
            client.sendall(GET.replace(b"/ ", b"/slow ", 1))
    # those that a worker has begun before the client hung up, and those for which there are threads of their own
    echo.resume.set()
    assert ask(port, "/", b"x") == b"/ x"
    assert request_threads() <= WORKERS


def test_a_client_that_only_stops_sending_gets_its_answer(port: int) -> None:
    with connect(port) as client:
        client.sendall(GET)
        client.shutdown(socket.SHUT_WR)
        assert client.makefile("rb").read().endswith(b"\r\n\r\n/ ")


def test_a_body_that_is_not_read_is_discarded_before_the_next_request(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    for _ in range(2):
        connection.request("POST", "/deaf", b"x" * (8 << 20))
        assert connection.getresponse().read() == b"/deaf "
    connection.close()


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: x",
        b"Content-Length: -1",
        b"Content-Length: 1\r\nContent-Length: 2",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Connection: close",
    ],
)
def test_a_connection_is_closed_if_the_next_request_has_no_certain_beginning(headers: bytes, port: int) -> None:
    with connect(port) as client:
        client.sendall(b"POST /deaf HTTP/1.1\r\nHost: x\r\n%b\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n" % headers)
        answer = client.makefile("rb").read()
    assert answer.count(b"HTTP/1.1") == 1 and b"/smuggled" not in answer


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n", b"431"),
        (b"GET / HTTP/3.0\r\n\r\n", b"505"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"CONNECT nowhere HTTP/1.1\r\n\r\n", b"400"),
        # a body of unknown length must not be taken for an empty one
        (b"PUT / HTTP/1.1\r\nContent-Length: -3\r\n\r\n", b"400"),
        (b"PUT / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", b"400"),
        (b"CONNECT 127.0.0.1:1 HTTP/1.1\r\n\r\n", b"502"),
    ],
)
def test_what_is_no_http_is_refused_with_a_status(request_: bytes, status: bytes, port: int) -> None:
    with connect(port) as client:
        client.sendall(request_)
        assert client.recv(100).split()[1] == status
