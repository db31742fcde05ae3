"""The server of `lowpower view`: on this machine's loopback address, on a free port."""

from __future__ import annotations

import secrets
import socket
import threading
from pathlib import Path
from typing import Self

import uvicorn

from lowpower.errors import ConfigError
from lowpower.serve._app import view_app
from lowpower.serve._page_files import require_page
from lowpower.serve._shelf import Shelf
from lowpower.serve.folder import FolderScoring

__all__ = ["ViewServer"]

_LOOPBACK = "127.0.0.1"


class ViewServer:
    """Serves the page over a folder of results, until it is closed.

    Attributes:
        address: What a browser opens; the random token in it is the key.
    """

    def __init__(
        self,
        shelf: Shelf,
        *,
        port: int = 0,
        blind: bool = False,
        framed: bool = False,
        reviews: bool = True,
        model: str | None = None,
        laboratory: Path | None = None,
    ) -> None:
        """Take the port; browsers may connect from now on and are answered once it runs.

        Args:
            shelf: The results.
            port: 0: a free one.
            blind: Keep each answer back until the reader has scored the slide.
            framed: Whether a notebook on this machine may show the page in a frame.
            reviews: Whether reviews and regions may be given.
            model: What scores slides, those without a result for the first time; None: nothing does.
            laboratory: The laboratory's cut-offs that count then.

        Raises:
            ConfigError: the page is not there, or the port is taken.
        """
        require_page()
        token = secrets.token_urlsafe(24)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            self._socket.bind((_LOOPBACK, port))
        except OSError as error:
            self._socket.close()
            raise ConfigError(f"Port {port} cannot be used ({error.strerror}); leave out --port.") from error
        self._socket.listen(128)
        self.address = f"http://{_LOOPBACK}:{self._socket.getsockname()[1]}/{token}/"
        self._scoring = None if model is None else FolderScoring(shelf, model, laboratory)
        app = view_app(shelf, token, blind=blind, framed=framed, reviews=reviews, scoring=self._scoring)
        # The token stands in every address, so no address is logged.
        config = uvicorn.Config(
            app,
            log_level="error",
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=2,  # Ctrl-C ends it, whatever a browser still waits for
        )
        self._server = uvicorn.Server(config)
        self._thread: threading.Thread | None = None

    def run(self) -> None:
        """Serve until interrupted."""
        self._server.run(sockets=[self._socket])

    def start(self) -> Self:
        """Serve beside the caller, until `close` or the end of the process."""
        self._thread = threading.Thread(target=self.run, name="lowpower-view", daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop serving; calling it twice does no harm."""
        self._server.should_exit = True
        if self._scoring is not None:
            self._scoring.close()
        if self._thread is not None:
            self._thread.join(timeout=5)
        self._socket.close()
