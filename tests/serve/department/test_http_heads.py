"""What comes before a request is understood: heads that never end, and what is no HTTP."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest
import uvicorn

from lowpower.serve.department._bounded_http import BoundedHttp


async def answers_its_query(scope, receive, send) -> None:
    await receive()
    headers = [(b"content-length", b"%d" % len(scope["query_string"]))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": scope["query_string"]})


@pytest.fixture
def connect():
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(answers_its_query, http=BoundedHttp, log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    opened = []

    def connection() -> socket.socket:
        opened.append(socket.create_connection(listening.getsockname(), timeout=20))
        return opened[-1]

    yield connection
    for one in opened:
        one.close()
    server.should_exit = True
    thread.join(20)
    listening.close()


def said(connection: socket.socket) -> bytes:
    """Everything until the other side closes."""
    told = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            told += piece
    return told


@pytest.mark.parametrize("line", [b"GET /?", b"GET / HTTP/1.1\r\nX-Long: ", b"GET / HTTP/1.1\r\n"])
def test_a_head_without_end_is_refused_and_the_next_one_served(connect, line):
    endless = connect()
    endless.sendall(line)
    piece = b"X: y\r\n" * 700 if line.endswith(b"\r\n") else b"a" * 4096
    sent = 0
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        while sent < 1 << 22:
            sent += endless.send(piece)
    assert sent < 1 << 22  # it was not all taken
    again = connect()
    again.sendall(b"GET /?a=" + b"b" * 8000 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert said(again).endswith(b"a=" + b"b" * 8000)


def test_a_long_body_and_requests_in_a_row_are_no_long_head(connect):
    one = connect()
    one.sendall(b"POST /?first HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n" + b"a" * 300_000)
    one.sendall(b"GET /?second HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    told = said(one)
    assert b"first" in told
    assert told.endswith(b"second")


def test_what_is_no_http_is_refused(connect):
    for wrong in (
        b"\x16\x03\x01\x02\x00\x01\x00\xfc",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\r\n\0\0\0\r\n\r\n",
    ):
        one = connect()
        one.sendall(wrong)
        assert said(one).startswith(b"HTTP/1.1 400"), wrong
