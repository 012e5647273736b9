"""The directory's settings as ``jupyterhub_config.py`` has them, each with its help."""

from traitlets import Bool, Enum, Float, Int, List, Set, Unicode
from traitlets.config import Configurable

from ocfspawner.account import AccountRules, Attributes
from ocfspawner.directory.schema import PRESETS, GroupStyle, Schema

_RULES = AccountRules()
_NAMES = Attributes()
_SCHEMA = Schema()


class DirectoryOptions(Configurable):
    """Values and help; `ocfspawner.directory.config.LDAPDirectory` makes something of them."""

    # -- servers -----------------------------------------------------------------------------

    urls: List[str] = List(
        Unicode(),
        help="""Directory servers, asked in this order: ldaps://host[:port], or ldap://host[:port] for StartTLS.

        Empty, the default, means no directory: OCFSpawner then behaves as KubeSpawner does.
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
        verified; a certificate that is not trusted, or is for another name, counts as an outage.
        """,
    ).tag(config=True)
    bind_dn = Unicode(
        help="""Distinguished name to ask as.  Default: anonymous, as OCF's directory allows over TLS.

        Goes with bind_password_file.  The account needs to read, and nothing else.
        """,
    ).tag(config=True)
    bind_password_file = Unicode(
        help="""File with the password of bind_dn; its outer white space does not count.

        Read at each bind, so a changed password needs no restart.
        """,
    ).tag(config=True)
    client_certificate_file = Unicode(
        help="""PEM file with a certificate to ask as (SASL EXTERNAL).  Default: none.

        Goes with client_key_file, instead of bind_dn.
        """,
    ).tag(config=True)
    client_key_file = Unicode(help="""PEM file with the key of client_certificate_file.""").tag(config=True)

    kerberos_keytab_file = Unicode(
        help="""Keytab to ask with by Kerberos (SASL GSSAPI), instead of bind_dn.  Default: none.

        Tickets are got with it when they are needed; nobody has to run kinit.  Needs the package gssapi
        (pip install 'ocfspawner[gssapi]'), Kerberos' own configuration (/etc/krb5.conf), and urls with host names
        of which the KDC has a principal ldap/HOST.
        """,
    ).tag(config=True)
    kerberos_principal = Unicode(help="""Principal to ask as.  Default: the first one in kerberos_keytab_file.""").tag(
        config=True
    )

    # -- time --------------------------------------------------------------------------------

    connect_timeout = Float(
        3.0, help="""Seconds for a connection to one server, after which the next one is asked."""
    ).tag(config=True)
    receive_timeout = Int(
        5, help="""Whole seconds without a byte from a server, after which the next one is asked."""
    ).tag(config=True)
    deadline = Float(
        10.0,
        help="""Seconds for a whole look-up or log-in: every server, every retry, waiting for a free thread.

        Keep it below Spawner.start_timeout, or people read of a slow server instead of the directory.
        """,
    ).tag(config=True)
    retry_failed_server_after = Float(
        30.0,
        help="""Seconds for which a server that failed is passed over while another one answers.

        Lower it when the first server is much better than the others; each retry may cost one look-up
        connect_timeout.
        """,
    ).tag(config=True)

    # -- load and outage ---------------------------------------------------------------------

    threads = Int(
        4,
        help="""Look-ups at the same time, and so the connections kept open.

        A look-up takes a few milliseconds: raise it only for a slow directory.
        """,
    ).tag(config=True)
    cache_ttl = Float(
        30.0,
        help="""Seconds for which an account is answered from memory; 0 for never.

        A change in the directory counts after this time at the latest.  Log-in never uses it.
        """,
    ).tag(config=True)
    negative_cache_ttl = Float(
        3.0,
        help="""Seconds for which "no such account" and "disabled" are answered from memory; 0 for never.""",
    ).tag(config=True)
    cache_size = Int(10_000, help="""Names remembered; the oldest goes first.""").tag(config=True)
    last_known_good_file = Unicode(
        help="""File in which good answers are kept for an outage, mode 0600.  Default: none, no server starts then.

        With it, people who started a server before can start one while no directory server is to be reached.
        It is never used against the directory's word: "no such account" and "disabled" delete what is kept.
        Who reads the file learns names, uids, groups and homes; who writes it decides them.
        """,
    ).tag(config=True)
    last_known_good_age = Float(
        7 * 24 * 3600.0,
        help="""Seconds for which a kept answer may be used.

        Longer helps in longer outages; an account disabled in one keeps its old rights for so long.
        """,
    ).tag(config=True)

    # -- schema ------------------------------------------------------------------------------

    schema_preset = Enum(
        list(PRESETS),
        "rfc2307",
        help="""rfc2307: groups hold user names (memberUid), as OCF's do.  rfc2307bis: groups hold distinguished
        names (member).  group_style and the names below override it.""",
    ).tag(config=True)
    group_style = Enum(
        [style.value for style in GroupStyle],
        None,
        allow_none=True,
        help="""How membership is held: memberUid, member, or memberOf in the person's own entry.

        Default: the preset's.
        """,
    ).tag(config=True)
    people_base = Unicode(_SCHEMA.people_base, help="""Base below which people's entries lie.""").tag(config=True)
    group_base = Unicode(_SCHEMA.group_base, help="""Base below which groups lie.""").tag(config=True)
    person_class = Unicode(_SCHEMA.person_class, help="""Object class of people's entries.""").tag(config=True)
    group_class = Unicode(_SCHEMA.group_class, help="""Object class of groups.""").tag(config=True)
    member_attribute = Unicode(
        help="""Attribute that holds membership, when it is not named as group_style is (uniqueMember, say)."""
    ).tag(config=True)
    username_attribute = Unicode(
        _NAMES.username, help="""Attribute with the user name; it must equal the Hub's, byte for byte."""
    ).tag(config=True)
    uid_attribute = Unicode(_NAMES.uid, help="""Attribute with the numeric user id.""").tag(config=True)
    gid_attribute = Unicode(_NAMES.gid, help="""Attribute with the primary group's numeric id.""").tag(config=True)
    home_attribute = Unicode(_NAMES.home, help="""Attribute with the home directory's path.""").tag(config=True)
    shell_attribute = Unicode(_NAMES.shell, help="""Attribute with the log-in shell.""").tag(config=True)

    # -- rules -------------------------------------------------------------------------------

    uid_floor = Int(
        _RULES.uid_floor,
        help="""Lowest uid that is a person's.

        Lower it only if people have lower ones, and never to 0: a file server trusts the uid it is told.
        """,
    ).tag(config=True)
    uid_ceiling = Int(
        _RULES.uid_ceiling, help="""Highest uid that is a person's; Kubernetes takes none above 2147483647."""
    ).tag(config=True)
    denied_uids = Set(Int(), _RULES.denied_uids, help="""uids between floor and ceiling that are nobody's.""").tag(
        config=True
    )
    denied_gids = Set(
        Int(),
        _RULES.denied_gids,
        help="""gids that no server runs with.  An account with one of them as its primary group is refused; as
        a supplementary group it is left out.""",
    ).tag(config=True)
    home_prefixes: List[str] = List(
        Unicode(),
        list(_RULES.home_prefixes),
        help="""Directories below which homes lie.  An account with a home elsewhere is refused.""",
    ).tag(config=True)
    disabled_shells = Set(
        Unicode(), _RULES.disabled_shells, help="""Log-in shells that mark a disabled account (OCF: sorried)."""
    ).tag(config=True)
    disabled_groups = Set(
        Unicode(), _RULES.disabled_groups, help="""Groups, primary or not, that mark a disabled account."""
    ).tag(config=True)
