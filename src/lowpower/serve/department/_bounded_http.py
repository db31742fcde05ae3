"""HTTP by llhttp (httptools), which is quick but would keep the head of a request however long it is."""

from __future__ import annotations

from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["BoundedHttp"]

_MOST: Final = 64 << 10
"""Bytes of a request's line and headers; browsers and proxies stop at less."""


class BoundedHttp(HttpToolsProtocol):
    """Uvicorn's protocol; a request whose head does not end in time is refused, and its connection closed."""

    _in_head = False
    _head = 0

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        super().data_received(data)
        if self._in_head and not self.transport.is_closing():
            self._head += len(data)
            if self._head > _MOST:
                self.send_400_response("The head of this request is too long.")

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._in_head, self._head = True, 0

    def on_headers_complete(self) -> None:
        """Its head is at its end."""
        self._in_head = False
        super().on_headers_complete()
