"""A line to a server that is cut in mid-upload, or that changes what goes over it."""

from __future__ import annotations

import contextlib
import socket
import threading

from config.s3_server import S3Server


class Line:
    """A way to the server that ends in the middle of an upload, the nth and each one after it."""

    def __init__(self, server: S3Server, *, upload: int = 0, meanwhile=lambda: None) -> None:
        self.server, self.meanwhile = server, meanwhile
        self.upload = self.left = upload
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.listening.getsockname()[1]}"

    def changed(self, data: bytes) -> bytes:
        """What arrives of what was sent."""
        return data

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listening.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            server = socket.create_connection(("127.0.0.1", self.server.port))
            with server:
                threading.Thread(target=_copy, args=(server, client), daemon=True).start()
                is_to_be_cut = False
                while data := client.recv(65536):
                    if data.startswith(b"PUT /"):
                        self.left -= 1
                        is_to_be_cut = self.left <= 0 < self.upload
                    elif is_to_be_cut:
                        server.sendall(data[: len(data) // 2])
                        self.cuts += 1
                        self.meanwhile()
                        return
                    server.sendall(self.changed(data))


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
