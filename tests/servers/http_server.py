"""A real HTTP server on the loopback interface that serves well or misbehaves, as each test says."""

import re
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR, SO_LINGER, SOL_SOCKET

_ZEROS = bytes(2**16)


@dataclass(frozen=True)
class Reply:
    """How one request is answered."""

    body: bytes = b""
    status: int = 200
    ranges: bool = True  # whether Range is honoured
    etag: str | None = None
    modified: str | None = None
    if_range: bool = True  # whether If-Range is honoured
    content_type: str = "application/octet-stream"
    cut: int | None = None  # close the connection after so many bytes of the answer's body
    stall: int | None = None  # send so many bytes of it, then nothing until the server ends
    length: int | None = None  # a Content-Length that lies
    content_range: str | None = None  # a Content-Range that lies
    chunked: bool = False  # no length at all
    location: str | None = None
    retry_after: str | None = None
    hold: float = 0  # wait so many seconds before the answer
    drip: float | None = None  # after the head, a byte every so many seconds until the server ends
    drip_head: bool = False  # already within the head
    reset: bool = False  # with `cut`: by a reset of the connection, not by its end
    zeros: int = 0  # so many zero bytes after the body, made as they are sent


@dataclass(frozen=True)
class Request:
    """What a client asked for."""

    path: str
    range: str | None
    if_range: str | None
    body: bytes = b""
    authorization: str | None = None
    time: float = field(default_factory=time.monotonic)


@dataclass
class Server:
    """Replies by path, in the order of the requests; the last one of a path is used from then on."""

    url: str
    replies: dict[str, list[Reply]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    ending: threading.Event = field(default_factory=threading.Event)
    sent: Counter[str] = field(default_factory=Counter)  # bytes of bodies, by path
    active: Counter[str] = field(default_factory=Counter)  # requests without an answer, by name of the host
    peak: Counter[str] = field(default_factory=Counter)  # the most at a time
    lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, path: str, *replies: Reply) -> str:
        """Say how a path is answered; returns its address."""
        self.replies[path] = list(replies)
        return self.url + path

    def ranges(self, path: str = "/file") -> list[str | None]:
        """The Range of each request for a path."""
        return [request.range for request in self.requests if request.path == path]


@contextmanager
def running() -> Iterator[Server]:
    """Run a server in a thread, on a free port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = re.sub(r"^http://[^/]*", "", self.path)  # a proxy is asked for whole addresses
            asked = self.path, self.headers["Range"], self.headers["If-Range"]
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            server.requests.append(Request(*asked, body, self.headers["Authorization"]))
            replies = server.replies.get(path, [Reply(status=404)])
            with server.lock:
                host = self.headers["Host"].partition(":")[0]
                server.active[host] += 1
                server.peak[host] = max(server.peak[host], server.active[host])
                reply = replies.pop(0) if len(replies) > 1 else replies[0]
            server.ending.wait(reply.hold)
            with server.lock:  # before the first byte goes out: its end may make the client ask anew at once
                server.active[host] -= 1
            _answer(self, reply, server, path)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        http.block_on_close = False
        server = Server(f"http://127.0.0.1:{http.server_port}")
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.ending.set()
            http.shutdown()
            thread.join()


def _answer(handler: BaseHTTPRequestHandler, reply: Reply, server: Server, path: str) -> None:
    status, body, total = reply.status, reply.body, len(reply.body)
    headers = {"Content-Type": reply.content_type, "Connection": "close"}
    asked = re.fullmatch(r"bytes=(\d+)-", handler.headers["Range"] or "")
    version = handler.headers["If-Range"]
    stale = reply.if_range and version is not None and version not in (reply.etag, reply.modified)
    if asked and reply.ranges and status == 200 and not stale:
        start = int(asked[1])
        body = body[start:]
        status = 206 if body else 416
        headers["Content-Range"] = f"bytes {start}-{total - 1}/{total}" if body else f"bytes */{total}"
        headers["Content-Range"] = reply.content_range or headers["Content-Range"]
    if reply.chunked:
        headers["Transfer-Encoding"] = "chunked"
    else:
        headers["Content-Length"] = str(len(body) + reply.zeros if reply.length is None else reply.length)
    optional = {"ETag": reply.etag, "Last-Modified": reply.modified, "Location": reply.location}
    optional["Retry-After"] = reply.retry_after
    headers |= {key: value for key, value in optional.items() if value}
    handler.send_response(status)
    for key, value in headers.items():
        handler.send_header(key, value)
    if not reply.drip_head:
        handler.end_headers()
    else:
        handler.flush_headers()
        handler.wfile.write(b"X-Slow: ")
    end = reply.cut if reply.cut is not None else reply.stall
    try:
        while reply.drip is not None and not server.ending.wait(reply.drip):
            handler.wfile.write(b"0")
        for start in range(0, len(body[:end]), 2**16):
            piece = body[:end][start : start + 2**16]
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if reply.chunked else piece)
            server.sent[path] += len(piece)
        for _ in range(reply.zeros // len(_ZEROS)):
            piece = _ZEROS
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if reply.chunked else piece)
            server.sent[path] += len(piece)
        if reply.stall is not None:
            server.ending.wait(60)
        elif reply.cut is None and reply.chunked:
            handler.wfile.write(b"0\r\n\r\n")
        if reply.reset:  # a close that does not linger is a reset
            handler.connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
            handler.connection.close()
        elif reply.cut is not None:
            handler.connection.shutdown(SHUT_RDWR)
    except OSError:
        pass  # the client has gone
    handler.close_connection = True
