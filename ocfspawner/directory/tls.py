"""TLS as the directory's connections use it."""

import ssl
import threading
from pathlib import Path
from typing import Any

import ldap3
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes

from ocfspawner.directory.settings import CertificateBind, DirectorySettings

_Pair = tuple[Path, Path]


class _Contexts:
    """What connections verify by; made anew when its files change.

    To read the system's authorities takes 40 ms of a processor, and each log-in makes a connection.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._contexts: dict[tuple[Path | None, _Pair | None], tuple[object, ssl.SSLContext]] = {}

    def get(self, ca_file: Path | None, ours: _Pair | None) -> ssl.SSLContext:
        """Trusting *ca_file*, or the system's authorities; with *ours*, certificate and key, to be shown."""
        # One thread at a time, so that they don't all read the same.
        with self._lock:
            versions = [_version(file) for file in (ca_file or _SYSTEM_S, *(ours or ()))]
            known = self._contexts.get((ca_file, ours))
            if known and known[0] == versions:
                return known[1]
            context = ssl.create_default_context(cafile=ca_file)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            if ours:
                context.load_cert_chain(*ours)
            self._contexts[ca_file, ours] = versions, context
            return context


_CONTEXTS = _Contexts()
_PATHS = ssl.get_default_verify_paths()
_SYSTEM_S = Path(_PATHS.cafile or _PATHS.openssl_cafile)


def _version(file: Path) -> object:
    """What differs when *file* was changed or replaced; ``None`` for one that is not there."""
    try:
        stat = file.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns


class VerifyingTls(ldap3.Tls):  # type: ignore[misc]  # ldap3 has no types
    """TLS that Python's ssl module verifies whole: chain, dates, host name and IP addresses.

    ldap3 verifies nothing by default, and on Python 3.12 and newer matches host names with code of its own
    that knows no IP addresses (tls.py:58).  The socket is handed over before the handshake, so that
    `ocfspawner.directory.connection.ServerConnection.abort` can end a handshake that drips.
    """

    def __init__(self, host: str, settings: DirectorySettings) -> None:
        super().__init__(validate=ssl.CERT_REQUIRED)
        self.aborted = False
        self._host = host
        credential = settings.credential
        ours = (credential.certificate_file, credential.key_file) if isinstance(credential, CertificateBind) else None
        self._context = _CONTEXTS.get(settings.ca_file, ours)

    def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:
        """As ldap3 calls it for LDAPS and for StartTLS."""
        connection.socket = self._context.wrap_socket(
            connection.socket, server_hostname=self._host, do_handshake_on_connect=False
        )
        if self.aborted:
            raise TimeoutError("the deadline has passed")
        if do_handshake:
            connection.socket.do_handshake()


def channel_bindings(connection: object) -> bytes:
    """What ties a bind to a TLS *connection*: the server's certificate, by tls-server-end-point (RFC 5929, 4).

    Empty without TLS, and for a certificate whose signature names no hash, of which RFC 5929 says nothing.
    """
    certificate = connection.getpeercert(True) if isinstance(connection, ssl.SSLSocket) else None
    if certificate is None:
        return b""
    try:
        algorithm = x509.load_der_x509_certificate(certificate).signature_hash_algorithm
    except UnsupportedAlgorithm:
        algorithm = None
    if algorithm is None:
        return b""
    digest = hashes.Hash(hashes.SHA256() if algorithm.name in ("md5", "sha1") else algorithm)
    digest.update(certificate)
    return b"tls-server-end-point:" + digest.finalize()
