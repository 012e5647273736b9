"""The settings of what is asked of the directory, and of who has an account; see `ocfspawner.directory.options`."""

from traitlets import Enum, Int, List, Set, Unicode
from traitlets.config import Configurable

from ocfspawner.account import AccountRules, Attributes
from ocfspawner.directory.schema import PRESETS, GroupStyle, Schema

_RULES = AccountRules()
_NAMES = Attributes()
_SCHEMA = Schema()


class SchemaOptions(Configurable):
    """Values and help; `ocfspawner.directory.config.LDAPDirectory` makes something of them."""

    # -- schema ------------------------------------------------------------------------------

    schema_preset = Enum(
        list(PRESETS),
        "rfc2307",
        help="""rfc2307 (the default): groups hold user names (memberUid), as OCF's do.  rfc2307bis: groups hold
        distinguished names (member).

        group_style and the names below override it.  With the wrong one, everybody is in their primary group alone.
        """,
    ).tag(config=True)
    group_style = Enum(
        [style.value for style in GroupStyle],
        None,
        allow_none=True,
        help="""How membership is held: memberUid, member, or memberOf in the person's own entry.

        Default: the preset's.  Set memberOf for Active Directory or OpenLDAP's memberof overlay.  With the wrong
        one, everybody is in their primary group alone.
        """,
    ).tag(config=True)
    people_base = Unicode(
        _SCHEMA.people_base,
        help="""Base below which people's entries lie.  Default: OCF's.

        Always change it.  One that does not exist is an error, not an empty answer; one that is too wide may find
        two entries of one name, which are refused.
        """,
    ).tag(config=True)
    group_base = Unicode(
        _SCHEMA.group_base,
        help="""Base below which groups lie.  Default: OCF's.

        Always change it.  One that does not exist is an error; what lies outside does not count as a group.
        """,
    ).tag(config=True)
    person_class = Unicode(
        _SCHEMA.person_class,
        help="""Object class of people's entries.  Default: posixAccount.

        Change it where people have another one (user, in Active Directory).  With the wrong one, nobody is found.
        """,
    ).tag(config=True)
    people_filter = Unicode(
        _SCHEMA.people_filter,
        help="""Filter (RFC 4515) that people's entries must match besides.  Default: none.

        Set it to let in a part of them, "(accountStatus=active)" say, or to leave accounts of machines out.  Who
        does not match has no such account: a running server of theirs is stopped.
        """,
    ).tag(config=True)
    group_class = Unicode(
        _SCHEMA.group_class,
        help="""Object class of groups.  Default: posixGroup.

        Change it where groups have another one (group, in Active Directory).  With the wrong one, everybody is in
        a primary group without a name alone.
        """,
    ).tag(config=True)
    member_attribute = Unicode(
        help="""Attribute that holds membership.  Default: as group_style is named.

        Set it when it has another name, such as uniqueMember.  With the wrong one, everybody is in their primary
        group alone.
        """,
    ).tag(config=True)
    username_attribute = Unicode(
        _NAMES.username,
        help="""Attribute with the user name; it must equal the Hub's, byte for byte.  Default: uid.

        Change it where it has another name (sAMAccountName, in Active Directory).  With the wrong one, nobody is
        found; with one that is not unique, people with the same value are refused.
        """,
    ).tag(config=True)
    uid_attribute = Unicode(
        _NAMES.uid,
        help="""Attribute with the numeric user id.  Default: uidNumber.

        Change it where it has another name; a file server trusts the number.  Without it, an entry is refused.
        """,
    ).tag(config=True)
    gid_attribute = Unicode(
        _NAMES.gid,
        help="""Attribute with the primary group's numeric id.  Default: gidNumber.

        Change it where it has another name.  Without it, an entry is refused.
        """,
    ).tag(config=True)
    home_attribute = Unicode(
        _NAMES.home,
        help="""Attribute with the home directory's path.  Default: homeDirectory.

        Change it where it has another name (unixHomeDirectory, in Active Directory).  Without it, an entry is
        refused.
        """,
    ).tag(config=True)
    shell_attribute = Unicode(
        _NAMES.shell,
        help="""Attribute with the log-in shell.  Default: loginShell.

        Change it where it has another name.  With the wrong one, nobody is disabled by disabled_shells.
        """,
    ).tag(config=True)
    group_name_attribute = Unicode(
        _NAMES.group_name,
        help="""Attribute with a group's name, one value.  Default: cn.

        Change it where it has another name.  Members of a group without it are refused.
        """,
    ).tag(config=True)
    group_gid_attribute = Unicode(
        _NAMES.group_gid,
        help="""Attribute with a group's numeric id.  Default: gidNumber.

        Change it where it has another name.  Members of a group without it are refused.
        """,
    ).tag(config=True)

    # -- rules -------------------------------------------------------------------------------

    uid_floor = Int(
        _RULES.uid_floor,
        help="""Lowest uid that is a person's.  Default: 1000.

        Lower it only if people have lower ones, and never to 0: a file server trusts the uid it is told.
        """,
    ).tag(config=True)
    uid_ceiling = Int(
        _RULES.uid_ceiling,
        help="""Highest uid that is a person's.  Default: 2147483647, above which Kubernetes takes none.

        Lower it when higher ones are of containers or machines.
        """,
    ).tag(config=True)
    denied_uids = Set(
        Int(),
        _RULES.denied_uids,
        help="""uids between floor and ceiling that are nobody's.  Default: 65534, as NFS shows strangers' files.

        Add those of services; an account with one of them is refused.
        """,
    ).tag(config=True)
    denied_gids = Set(
        Int(),
        _RULES.denied_gids,
        help="""gids that no server runs with.  Default: root, adm, disk, kmem, sudo, shadow and nogroup.

        Add those that mean more on the file server than they should in a notebook.  An account with one of them as
        its primary group is refused; as a supplementary group it is left out.
        """,
    ).tag(config=True)
    denied_groups = Set(
        Unicode(),
        _RULES.denied_groups,
        help="""The same by name.  Default: none.

        What has such a name in the directory counts, with its gid, as if that were in denied_gids.
        """,
    ).tag(config=True)
    home_prefixes: List[str] = List(
        Unicode(),
        list(_RULES.home_prefixes),
        help="""Directories below which homes lie.  Default: /home.

        Change it where homes lie elsewhere.  An account with a home elsewhere is refused.
        """,
    ).tag(config=True)
    disabled_shells = Set(
        Unicode(),
        _RULES.disabled_shells,
        help="""Log-in shells that mark a disabled account.  Default: OCF's "sorried".

        Add /sbin/nologin or /bin/false where they mean that.  Who has one can't log in, and a running server of
        theirs is stopped.
        """,
    ).tag(config=True)
    disabled_groups = Set(
        Unicode(),
        _RULES.disabled_groups,
        help="""Groups, primary or not, that mark a disabled account.  Default: OCF's "sorry".

        Who is in one can't log in, and a running server of theirs is stopped.
        """,
    ).tag(config=True)
