"""A real HTTP server on 127.0.0.1 that answers as a test says, and keeps what it was asked."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""


@dataclass
class Reply:
    """``cut_after`` bytes of the body are sent before the connection is closed; ``delay_s`` before any."""

    body: bytes | str | dict[str, Any] | list[Any] = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    delay_s: float = 0.0

    @property
    def data(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


Route = Callable[[Request], Reply | None]


class Server:
    """Answers a request with the first route that gives a reply; else 404."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.routes: list[Route] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: object) -> None:
                pass

            def answer(self) -> None:
                parts = urlsplit(self.path)
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                length = int(self.headers.get("Content-Length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(self.command, parts.path, query, headers, self.rfile.read(length))
                outer.requests.append(request)
                reply = next((r for r in (route(request) for route in outer.routes) if r is not None), None)
                self.give(reply or Reply("Resource not found.", 404, {"Content-Type": "text/plain"}))

            def give(self, reply: Reply) -> None:
                time.sleep(reply.delay_s)
                self.send_response(reply.status)
                for name, value in {"Content-Length": str(len(reply.data)), **reply.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                with contextlib.suppress(OSError):  # the client gives up on a slow answer, as it should
                    self.wfile.write(reply.data if reply.cut_after is None else reply.data[: reply.cut_after])
                if reply.cut_after is not None:
                    self.close_connection = True

            do_GET = do_PUT = answer  # noqa: N815

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def on(self, path: str, *replies: Reply, method: str = "GET", **query: str) -> None:
        """Answer a path with these replies one after the other, the last one for ever."""
        queue = list(replies)

        def route(request: Request) -> Reply | None:
            asked = request.method == method and request.path == path
            if not asked or any(request.query.get(name) != value for name, value in query.items()):
                return None
            return queue.pop(0) if len(queue) > 1 else queue[0]

        self.routes.append(route)

    def asked(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.path == path]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
