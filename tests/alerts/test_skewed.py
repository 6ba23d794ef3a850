"""The door in front of a server whose clock shall seem wrong."""

from __future__ import annotations

import http.server
import threading
import urllib.request
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from typing_extensions import override

from tests.support.skewed import skewed


class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def test_the_date_of_an_answer_is_moved_and_the_rest_is_not() -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), Hello) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            with skewed(server.server_port, timedelta(hours=1)) as port:
                url = f"http://127.0.0.1:{port}/"
                with urllib.request.urlopen(url, timeout=10) as reply:
                    body, date = reply.read(), reply.headers["Date"]
        finally:
            server.shutdown()
    ahead = parsedate_to_datetime(date) - datetime.now(UTC)
    assert body == b"hello"
    assert timedelta(minutes=59) < ahead < timedelta(minutes=61)
