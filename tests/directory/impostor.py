"""A server that speaks TLS with a good certificate, and then says something else than LDAP."""

import contextlib
import socket
import ssl
import threading
from pathlib import Path
from types import TracebackType
from typing import Self


class Impostor:
    """Answers whatever it is asked with *answer*, and closes the connection."""

    def __init__(self, certificate: Path, answer: bytes, tls: bool = True) -> None:
        self._answer = answer
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if tls else None
        if self._context:
            self._context.load_cert_chain(certificate / "tls.crt", certificate / "tls.key")
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, name="impostor")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                plain, _ = self._socket.accept()
                plain.settimeout(10)
                with plain, contextlib.suppress(OSError):
                    self._talk(plain)

    def _talk(self, plain: socket.socket) -> None:
        if not self._context:
            plain.recv(65536)
            plain.sendall(self._answer)
            return
        with self._context.wrap_socket(plain, server_side=True) as encrypted:
            encrypted.recv(65536)
            encrypted.sendall(self._answer)
