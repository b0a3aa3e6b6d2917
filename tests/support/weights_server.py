"""A server on this machine that serves one file, well or badly."""

from __future__ import annotations

import http.server
import re

NAME = "drawn"


class Server(http.server.ThreadingHTTPServer):
    """Serves ``content`` at any path. ``plan`` says how, request by request; then, or without a plan, as it should."""

    daemon_threads = True

    def __init__(self, content: bytes):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content, self.etag, self.plan, self.asked = content, '"one"', [], []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{NAME}.pt"

    def ranges(self) -> list[str | None]:
        return [headers.get("Range") for headers in self.asked]

    def handle_error(self, request, address):
        """A client that goes away is nothing to speak of."""


class _Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        server: Server = self.server
        server.asked.append(self.headers)
        step = server.plan.pop(0) if server.plan else serve
        step(self, server)

    def answer(self, status, body, **headers):
        self.send_response(status)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        for name, value in {"Content-Length": len(body), **named}.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def serve(handler, server, *, only=None, after=None):
    """As a good server does, honouring Range and If-Range; with ``only``, it breaks off after as many bytes."""
    asked, match = handler.headers.get("Range"), handler.headers.get("If-Range")
    start, size = 0, len(server.content)
    headers = {"ETag": server.etag, "Content-Type": "application/octet-stream"}
    if asked and match in (None, server.etag):
        start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
        if start >= size:
            handler.answer(416, b"", Content_Range=f"bytes */{size}")
            return
        headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
    body = server.content[start:]
    handler.answer(206 if start else 200, body[:only], Content_Length=len(body), **headers)
    if after:
        after()


def breaks_off(after: int):
    return lambda handler, server: serve(handler, server, only=after)
