"""The client's side of one SASL GSSAPI bind (RFC 4752), as a process of its own.

Kerberos' C library blocks, for many seconds for each KDC or name server that does not answer, and nothing can
break it off; a process can be ended.  It is run by its path, alone, and imports nothing of ours:

    → {"host": …, "keytab": …, "principal": …, "bindings": …, "ticket": …, "seconds": …}
    ← {"token": …}                      for the server
    → {"token": …}                      from the server, and so on; then, with the last one:
    ← {"token": …, "ticket": …}         what the next bind may use again
    ← {"error": …, "passing": …}        instead of any of them

One line each, bytes in Base64.
"""

import base64
import importlib
import json
import signal
import sys
from typing import Any

_WORTHWHILE = 30
"""Seconds for which a ticket must still be good to be used again."""

_PASSING = {2**32 - 1765328355, 2**32 - 1765328230, 2**32 - 1765328228, 2**32 - 1765328164}
"""Errors that may be gone at the next try: KRB5KDC_ERR_SVC_UNAVAILABLE, KRB5_REALM_UNKNOWN, KRB5_KDC_UNREACH and
KRB5_REALM_CANT_RESOLVE (krb5.h)."""

_NO_LAYER = b"\x01\x00\x00\x00"
"""The answer to the server's offer of protection: none on top of TLS (RFC 4752, 3.3)."""


def _main() -> None:
    asked = _hear()
    # Its own end, wherever it waits for a KDC; SIGALRM ends a process that does not handle it.
    seconds = asked["seconds"]
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        gssapi: Any = importlib.import_module("gssapi")
    except ImportError as error:
        _say(error=str(error), passing=False)
        return
    try:
        _bind(gssapi, asked, seconds)
    except gssapi.exceptions.GSSError as error:
        told = error.get_all_statuses(error.min_code, False) or [str(error)]
        _say(error="; ".join(told), passing=error.min_code in _PASSING)
    except ValueError as error:
        _say(error=str(error), passing=False)


def _bind(gssapi: Any, asked: dict[str, Any], seconds: float) -> None:
    ticket = _bytes(asked["ticket"])
    credential = (ticket and _remembered(gssapi, ticket)) or _acquired(gssapi, asked)
    # As a principal, and not as a service of a host: that would be looked up in DNS, which anybody can forge.  The
    # realm is left to Kerberos' own configuration and to referrals by the KDC.
    service = gssapi.Name(f"ldap/{asked['host']}@", gssapi.NameType.kerberos_principal)
    bindings = _bytes(asked["bindings"])
    context = gssapi.SecurityContext(
        name=service,
        creds=credential,
        mech=gssapi.MechType.kerberos,
        flags=[gssapi.RequirementFlag.mutual_authentication, gssapi.RequirementFlag.integrity],
        channel_bindings=gssapi.raw.ChannelBindings(application_data=bindings) if bindings else None,
        usage="initiate",
    )
    answer = None
    while not context.complete:
        _say(token=_text(context.step(answer) or b""))
        signal.setitimer(signal.ITIMER_REAL, 0)
        answer = _bytes(_hear()["token"])
        signal.setitimer(signal.ITIMER_REAL, seconds)
    if not context.actual_flags & gssapi.RequirementFlag.mutual_authentication:
        raise ValueError("the server did not show who it is")
    offer = context.unwrap(answer).message
    if len(offer) != 4 or not offer[0] & _NO_LAYER[0]:
        raise ValueError("the server wants protection besides TLS (sasl-secprops minssf, say)")
    _say(token=_text(context.wrap(_NO_LAYER, False).message), ticket=_text(credential.export()))


def _remembered(gssapi: Any, ticket: bytes) -> Any:
    try:
        credential = gssapi.Credentials(token=ticket)
        return credential if credential.lifetime > _WORTHWHILE else None
    except gssapi.exceptions.GSSError:
        return None


def _acquired(gssapi: Any, asked: dict[str, Any]) -> Any:
    keytab, mechanisms = f"FILE:{asked['keytab']}", [gssapi.MechType.kerberos]
    principal = asked["principal"]
    name = gssapi.Name(principal, gssapi.NameType.kerberos_principal) if principal else None
    # Only who accepts tickets is told what is wrong with a keytab; who wants one reads of a missing cache.
    gssapi.Credentials(name=name, usage="accept", mechs=mechanisms, store={"keytab": keytab})
    # In memory, so that nothing is left on a disk, and nobody else's cache is used.
    store = {"client_keytab": keytab, "ccache": "MEMORY:ocfspawner"}
    return gssapi.Credentials(name=name, usage="initiate", mechs=mechanisms, store=store)


def _hear() -> dict[str, Any]:
    line = sys.stdin.readline()
    if not line:
        sys.exit(1)
    heard: dict[str, Any] = json.loads(line)
    return heard


def _say(**what: object) -> None:
    print(json.dumps(what), flush=True)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)


if __name__ == "__main__":
    _main()
