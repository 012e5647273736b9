"""TLS as the directory's connections use it."""

import ssl
from typing import Any

import ldap3
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes

from ocfspawner.directory.settings import CertificateBind, DirectorySettings


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
        self._context = ssl.create_default_context(cafile=settings.ca_file)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        if isinstance(settings.credential, CertificateBind):
            self._context.load_cert_chain(settings.credential.certificate_file, settings.credential.key_file)

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
