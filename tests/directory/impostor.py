"""Servers with a good certificate that say something else than LDAP, or LDAP that no real one says on demand."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Mapping
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


SUCCESS, TIME_LIMIT, SIZE_LIMIT, REFERRAL, NO_SUCH_OBJECT, BUSY, UNAVAILABLE, UNWILLING = 0, 3, 4, 10, 32, 51, 52, 53
"""Result codes (RFC 4511, appendix A.1)."""

_BIND, _BIND_ANSWER, _SEARCH, _ENTRY, _DONE, _EXTENDED, _EXTENDED_ANSWER = 0x60, 0x61, 0x63, 0x64, 0x65, 0x77, 0x78

PERSON: Mapping[str, str | bytes] = {
    "uid": "guser",
    "uidNumber": "35712",
    "gidNumber": "1000",
    "homeDirectory": "/home/g/gu/guser",
    "loginShell": "/bin/bash",
}


class Speaker:
    """Speaks LDAP, knows one person in one group, and ends each query with the result that it is told.

    *codes* names queries: ``person``, ``groups``, ``bind`` and ``starttls``; what is not named succeeds.  It may be
    changed at any time.  Entries are sent before the result, as by a server that reaches a limit.
    """

    def __init__(self, certificate: Path, codes: dict[str, int] | None = None, tls: bool = True) -> None:
        self.codes = codes or {}
        self.person = dict(PERSON)
        self.referral = "ldap://127.0.0.1:1/"
        self.asked: list[str] = []
        """The queries that came, by name."""
        self.mute = False
        """Whether it hears and does not answer."""
        self.heard = b""
        """Every byte that came, after TLS."""
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(certificate / "tls.crt", certificate / "tls.key")
        self._tls = tls
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._threads = [threading.Thread(target=self._serve, name="speaker")]
        self._open: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        for connection in self._open:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._socket.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                plain, _ = self._socket.accept()
                thread = threading.Thread(target=self._talk, args=(plain,), name="speaker")
                self._threads.append(thread)
                thread.start()

    def _talk(self, plain: socket.socket) -> None:
        plain.settimeout(10)
        with plain, contextlib.suppress(OSError):
            if not self._tls:
                self._open.append(plain)
                self._answer_all(plain)
                return
            with self._context.wrap_socket(plain, server_side=True) as encrypted:
                self._open.append(encrypted)
                self._answer_all(encrypted)

    def _answer_all(self, connection: socket.socket) -> None:
        while question := connection.recv(65536):
            self.heard += question
            if not self.mute:
                connection.sendall(self._answer(question))

    def _answer(self, question: bytes) -> bytes:
        """To one message that came in one piece and is shorter than 64 KiB."""
        body = question[2 + (question[1] & 0x7F if question[1] & 0x80 else 0) :]
        number, operation = body[: 2 + body[1]], body[2 + body[1]]
        if operation == _SEARCH:
            query, end = ("groups" if b"ou=Group" in body else "person"), _DONE
            attributes = {"cn": "ocf", "gidNumber": "1000"} if query == "groups" else self.person
            dn = "uid=guser,ou=People" if query == "person" else "cn=ocf,ou=Group"
            # Nobody, when the person has been cleared.
            entries = [_entry(dn, attributes)] if attributes else []
        elif operation in (_BIND, _EXTENDED):
            query, end = ("bind", _BIND_ANSWER) if operation == _BIND else ("starttls", _EXTENDED_ANSWER)
            entries = []
        else:
            return b""
        self.asked.append(query)
        answers = [*entries, self._result(end, self.codes.get(query, SUCCESS))]
        return b"".join(_tlv(0x30, number, answer) for answer in answers)

    def _result(self, tag: int, code: int) -> bytes:
        referral = [_tlv(0xA3, _tlv(4, self.referral.encode()))] if code == REFERRAL else []
        return _tlv(tag, _tlv(0x0A, bytes([code])), _tlv(4), _tlv(4, b"as it was told"), *referral)


def _entry(dn: str, attributes: Mapping[str, str | bytes]) -> bytes:
    values = (
        _tlv(0x30, _tlv(4, name.encode()), _tlv(0x31, _tlv(4, value if isinstance(value, bytes) else value.encode())))
        for name, value in attributes.items()
    )
    return _tlv(_ENTRY, _tlv(4, dn.encode()), _tlv(0x30, *values))


def _tlv(tag: int, *parts: bytes) -> bytes:
    """Tag, length and value, as BER has them."""
    value = b"".join(parts)
    if len(value) < 0x80:
        return bytes([tag, len(value)]) + value
    length = len(value).to_bytes(4, "big")
    return bytes([tag, 0x80 | len(length)]) + length + value
