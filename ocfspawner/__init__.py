"""JupyterHub servers for people whose accounts are in LDAP and whose homes are on a file server.

user name → `account.Account` → `home.Home` and `policy.Resources` → `plan.ServerPlan` → pod.

The two classes that a Hub names are imported when they are asked for: the pure core and the command line
do without JupyterHub's second of imports.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ocfspawner.authenticator import DirectoryAuthenticator
    from ocfspawner.spawner import OCFSpawner

__all__ = ["DirectoryAuthenticator", "OCFSpawner"]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name == "OCFSpawner":
        from ocfspawner.spawner import OCFSpawner

        return OCFSpawner
    if name == "DirectoryAuthenticator":
        from ocfspawner.authenticator import DirectoryAuthenticator

        return DirectoryAuthenticator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
