"""The settings of servers, time and load, as ``jupyterhub_config.py`` has them.

Each help says what the setting is, its default, when to change it, and what breaks.
"""

from traitlets import Bool, Float, Int, List, Unicode
from traitlets.config import Configurable


class ServerOptions(Configurable):
    """Values and help; `ocfspawner.directory.config.LDAPDirectory` makes something of them."""

    # -- servers -----------------------------------------------------------------------------

    urls: List[str] = List(
        Unicode(),
        help="""Directory servers, asked in this order: ldaps://host[:port], or ldap://host[:port] for StartTLS.

        Default: none, which means no directory: OCFSpawner then behaves as KubeSpawner does.  With a server that is
        not there, each look-up is answered by the next one, or ends at the deadline.
        """,
    ).tag(config=True)
    send_passwords_over_the_network_in_clear_text = Bool(
        False,
        help="""Whether ldap:// means no protection at all instead of StartTLS.  Default: no.

        Set it only where the network itself is protected, such as a socket of the same pod: anybody on the way
        reads passwords, and can answer with any uid.
        """,
    ).tag(config=True)
    ca_file = Unicode(
        help="""PEM file with the certificate authorities to trust.  Default: those of the system.

        Set it when the directory's certificate is signed by an authority of your own.  Servers are always
        verified; a certificate that is not trusted, or is for another name, counts as an outage.  A file that is
        changed counts from the next connection on.
        """,
    ).tag(config=True)
    bind_dn = Unicode(
        help="""Distinguished name to ask as.  Default: anonymous, as OCF's directory allows over TLS.

        Set it where the directory shows nothing to strangers; goes with bind_password_file.  The account needs to
        read people and groups, and nothing else.  With one that is refused, every look-up is an outage.
        """,
    ).tag(config=True)
    bind_password_file = Unicode(
        help="""File with the password of bind_dn; its outer white space does not count.  Default: none.

        Read at each bind, so a changed password needs no restart.  Keep it readable for the Hub alone.
        """,
    ).tag(config=True)
    client_certificate_file = Unicode(
        help="""PEM file with a certificate to ask as (SASL EXTERNAL).  Default: none.

        Set it, with client_key_file and instead of bind_dn, where the directory knows the Hub by its certificate.
        When it has expired, every look-up is an outage; a new file counts from the next connection on.
        """,
    ).tag(config=True)
    client_key_file = Unicode(
        help="""PEM file with the key of client_certificate_file, without a passphrase.  Default: none.

        Keep it readable for the Hub alone.
        """
    ).tag(config=True)
    kerberos_keytab_file = Unicode(
        help="""Keytab to ask with by Kerberos (SASL GSSAPI), instead of bind_dn.  Default: none.

        Tickets are got with it when they are needed; nobody has to run kinit.  Needs the package gssapi
        (pip install 'ocfspawner[gssapi]'), Kerberos' own configuration (/etc/krb5.conf), and urls with host names
        of which the KDC has a principal ldap/HOST.  With a key that was changed, every look-up is an outage.
        """,
    ).tag(config=True)
    kerberos_principal = Unicode(
        help="""Principal to ask as.  Default: the first one in kerberos_keytab_file.

        Set it for a keytab with several.  One that the keytab does not have is an outage.
        """
    ).tag(config=True)

    # -- time --------------------------------------------------------------------------------

    connect_timeout = Float(
        3.0,
        help="""Seconds for a connection to one server, after which the next one is asked.  Default: 3.

        Raise it for a server that is far away.  Above the deadline, the next server is never asked.
        """,
    ).tag(config=True)
    receive_timeout = Int(
        5,
        help="""Whole seconds without a byte from a server, after which the next one is asked.  Default: 5.

        It is also the time limit that the server is given for a search, and what Kerberos may take for a step.
        Raise it for a directory that searches long; above the deadline, the next server is never asked.
        """,
    ).tag(config=True)
    deadline = Float(
        10.0,
        help="""Seconds for a whole look-up or log-in: every server, every retry, waiting for a free thread.
        Default: 10.

        Keep it below Spawner.start_timeout, or people read of a slow server instead of the directory.  Too short,
        and a restart of the directory fails log-ins that could have waited.
        """,
    ).tag(config=True)
    retry_failed_server_after = Float(
        30.0,
        help="""Seconds for which a server that failed is passed over while another one answers.  Default: 30.

        Lower it when the first server is much better than the others; each retry may cost one look-up
        connect_timeout.
        """,
    ).tag(config=True)

    # -- load and outage ---------------------------------------------------------------------

    threads = Int(
        4,
        help="""Look-ups at the same time, and so the connections kept open.  Default: 4.

        A look-up takes a few milliseconds: raise it only for a slow directory.  Each log-in makes one more
        connection, for its own time.
        """,
    ).tag(config=True)
    cache_ttl = Float(
        30.0,
        help="""Seconds for which an account is answered from memory; 0 for never.  Default: 30.

        A change in the directory counts after this time at the latest: lower it if that is too late, raise it for
        a slow directory.  Log-in never uses it.
        """,
    ).tag(config=True)
    negative_cache_ttl = Float(
        3.0,
        help="""Seconds for which "no such account" and "disabled" are answered from memory; 0 for never.  Default: 3.

        People ask again right after a repair: too long, and they read that nothing was repaired.
        """,
    ).tag(config=True)
    cache_size = Int(
        10_000,
        help="""Names remembered; the oldest goes first.  Default: 10000.

        Raise it only for more people than that within cache_ttl; lower, and the
        directory is asked more often.
        """,
    ).tag(config=True)
    last_known_good_file = Unicode(
        help="""File in which good answers are kept for an outage, mode 0600.  Default: none, no server starts then.

        With it, people who started a server before can start one while no directory server is to be reached.
        It is never used against the directory's word: "no such account" and "disabled" delete what is kept.
        Who reads the file learns names, uids, groups and homes; who writes it decides them.
        """,
    ).tag(config=True)
    last_known_good_age = Float(
        7 * 24 * 3600.0,
        help="""Seconds for which a kept answer may be used.  Default: seven days.

        Longer helps in longer outages; an account disabled in one keeps its old rights for so long.
        """,
    ).tag(config=True)
