"""A small HTTP server in a thread, for what tests and benchmarks play themselves."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from http.server import HTTPServer

# Seconds between two looks at whether to stop: the default of half a second is felt in each test.
_POLL_SECONDS = 0.02


class Quiet:
    """Makes a handler of requests log nothing; it comes before the handler's own base."""

    def log_message(self, *_: object) -> None:
        """Say nothing of a request."""


class Listening:
    """Serves while a ``with`` block lasts; give it the server from the constructor."""

    scheme = "http"

    def __init__(self, server: HTTPServer) -> None:
        """Take a server that is bound already; nothing is answered yet."""
        self._server = server
        self._thread = threading.Thread(
            target=server.serve_forever, args=(_POLL_SECONDS,), daemon=True
        )

    def __enter__(self) -> Self:
        """Answer."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def address(self) -> str:
        """Where it listens, ``host:port``."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"{self.scheme}://{self.address}"
