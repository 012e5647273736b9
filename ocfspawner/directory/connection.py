"""One connection to one directory server: the only place that speaks LDAP.

Everything here blocks, and is called from the client's own threads.  Every result code is looked at:
ldap3's ``raise_exceptions`` is off by default, and even on, it lets sizeLimitExceeded, timeLimitExceeded
and referral pass.
"""

import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import ldap3
from ldap3.core.exceptions import LDAPExceptionError

from ocfspawner.account import Entry
from ocfspawner.directory.settings import DirectorySettings, ServerAddress
from ocfspawner.errors import DirectoryFailed, DirectoryUnreachable, DirectoryUntrusted

_SUCCESS = 0
_INVALID_CREDENTIALS = 49
"""RFC 4511, appendix A.1."""

Found = tuple[str, Entry]
"""A distinguished name and its entry."""


class ConnectionLost(Exception):
    """The connection broke in use; on a kept connection, worth one more try on a new one."""


class _VerifyingTls(ldap3.Tls):  # type: ignore[misc]  # ldap3 has no types
    """TLS that Python's ssl module verifies whole: chain, dates, host name and IP addresses.

    ldap3 verifies nothing by default, and on Python 3.12 and newer matches host names with code of its own
    that knows no IP addresses (tls.py:58).  The socket is handed over before the handshake, so that
    `ServerConnection.abort` can end a handshake that drips.
    """

    def __init__(self, host: str, settings: DirectorySettings) -> None:
        super().__init__(validate=ssl.CERT_REQUIRED)
        self.aborted = False
        self._host = host
        self._context = ssl.create_default_context(cafile=settings.ca_file)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2

    def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:
        connection.socket = self._context.wrap_socket(
            connection.socket, server_hostname=self._host, do_handshake_on_connect=False
        )
        if self.aborted:
            raise TimeoutError("the deadline has passed")
        if do_handshake:
            connection.socket.do_handshake()


class ServerConnection:
    """A connection that is opened, verified and bound, or does not exist.

    Raises `DirectoryUnreachable` or `DirectoryUntrusted` when it can't be had, `DirectoryFailed` when the
    server does not let us in, `ConnectionLost` when it breaks later.
    """

    def __init__(self, address: ServerAddress, settings: DirectorySettings) -> None:
        self._address = address
        self._receive_timeout = settings.receive_timeout
        with self._unreachable_without_answer():
            self._tls = _VerifyingTls(address.host, settings)
            self._ldap = ldap3.Connection(
                ldap3.Server(
                    address.host,
                    port=address.port,
                    use_ssl=True,
                    tls=self._tls,
                    get_info=ldap3.NONE,
                    connect_timeout=settings.connect_timeout,
                    allowed_referral_hosts=[],
                ),
                client_strategy=ldap3.SYNC,
                receive_timeout=settings.receive_timeout,
                # Following a referral would take our credential to a host that the referral names.
                auto_referrals=False,
                check_names=False,
                read_only=True,
            )

    def open(self) -> None:
        """Connect, and verify the server."""
        with self._unreachable_without_answer():
            self._ldap.open(read_server_info=False)

    def bind(self, dn: str, password: str) -> bool:
        """Whether the server accepts *dn* with *password*.

        Neither may be empty: RFC 4513, 5.1.2, would make that a bind as nobody, which succeeds.
        """
        if not dn or not password:
            return False
        try:
            # Bytes are sent as they are.  Text would be prepared (RFC 4013): changed, or refused by an exception.
            secret = password.encode()
        except UnicodeEncodeError:
            return False
        with self._lost_when_broken():
            self._ldap.rebind(user=dn, password=secret, read_server_info=False)
        result = self._ldap.result
        if result["result"] == _INVALID_CREDENTIALS:
            return False
        self._check_result("bind")
        return True

    def search(self, base: str, search_filter: str, attributes: list[str]) -> list[Found]:
        """All entries below *base* that match; `DirectoryFailed` for any answer that is not all of them."""
        with self._lost_when_broken():
            self._ldap.search(
                base,
                search_filter,
                search_scope=ldap3.SUBTREE,
                dereference_aliases=ldap3.DEREF_NEVER,
                attributes=attributes,
                time_limit=self._receive_timeout,
            )
        self._check_result(f"search below {base}")
        return [_found(item) for item in self._ldap.response if self._is_entry(item, base)]

    def abort(self) -> None:
        """End whatever this connection is waiting for; callable from another thread, and never blocks."""
        # For a name that is being resolved there is no socket yet: it ends before the handshake.
        self._tls.aborted = True
        connection = self._ldap.socket
        if connection is not None:
            with contextlib.suppress(OSError):
                # The plain socket's own method: SSLSocket.shutdown would pull its state from under the reader.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def close(self) -> None:
        """Close without ceremony; an unbind request could block."""
        connection = self._ldap.socket
        if connection is not None:
            self.abort()
            with contextlib.suppress(OSError):
                connection.close()

    def _is_entry(self, item: dict[str, Any], base: str) -> bool:
        if item["type"] == "searchResRef":
            raise DirectoryFailed(f"{self._address}: search below {base}: part of it lies on another server")
        return bool(item["type"] == "searchResEntry")

    def _check_result(self, operation: str) -> None:
        result = self._ldap.result
        if result["result"] != _SUCCESS:
            detail = f"{result['description']} ({result['result']}) {result['message'][:200]}".strip()
            raise DirectoryFailed(f"{self._address}: {operation}: {detail}")

    @contextlib.contextmanager
    def _unreachable_without_answer(self) -> Iterator[None]:
        try:
            yield
        except (LDAPExceptionError, OSError) as error:
            self_signed = "CERTIFICATE_VERIFY_FAILED" in str(error)
            kind = DirectoryUntrusted if self_signed else DirectoryUnreachable
            raise kind(f"{self._address}: {str(error)[:300]}") from error

    @contextlib.contextmanager
    def _lost_when_broken(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            # ldap3 decodes without looking: what is not LDAP ends in an IndexError, a KeyError, ...; and on a
            # connection that broke its socket is None.
            raise ConnectionLost(f"{self._address}: {type(error).__name__}: {str(error)[:300]}") from error


def _found(item: dict[str, Any]) -> Found:
    return item["dn"], {name.lower(): tuple(values) for name, values in item["raw_attributes"].items()}
