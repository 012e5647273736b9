"""Log-in by directory password."""

from typing import Any

from jupyterhub.auth import Authenticator
from traitlets import Set, Unicode, default

from ocfspawner.account import Account
from ocfspawner.directory.config import the_directory
from ocfspawner.errors import AccountDisabled, LoginRefused, NoSuchAccount, NotAllowed, Refusal
from ocfspawner.refusals import login_refused


class DirectoryAuthenticator(Authenticator):  # type: ignore[misc]  # JupyterHub has no types
    """Asks the directory of ``c.LDAPDirectory`` to accept the password, as a bind.

    The Hub's user name is the entry's user name, byte for byte.  The account's groups become the Hub's.
    """

    admin_groups = Set(Unicode(), help="Directory groups whose members administer the Hub.  Default: none.").tag(
        config=True
    )
    allowed_groups = Set(
        Unicode(),
        help="""Directory groups whose members may log in.  Default: none; set this, allowed_users or allow_all.""",
    ).tag(config=True)

    @default("manage_groups")
    def _manage_groups(self) -> bool:
        return True

    def normalize_username(self, username: str) -> str:
        """The name as it is: lower-casing would let one person have several names, or another's."""
        return str(self.username_map.get(username, username))

    async def authenticate(self, handler: Any, data: dict[str, str]) -> dict[str, Any]:
        """The Hub's picture of the person; a refusal is an HTTP error with a text for them."""
        username, password = data.get("username", ""), data.get("password", "")
        try:
            account = await self._account(username, password)
        except Refusal as refused:
            raise login_refused(refused, self.log) from None
        return {"name": account.username, "groups": sorted(account.group_names), "admin": self._admin(account)}

    def check_allowed(self, username: str, authentication: dict[str, Any] | None = None) -> bool:
        """Whether a person whom the directory knows may use this Hub; says so to one who may not."""
        model = authentication or {}
        if model.get("admin") or username in self.admin_users or self.allowed_groups & set(model.get("groups", ())):
            return True
        if super().check_allowed(username, authentication):
            return True
        # JupyterHub would say that the password is wrong.
        raise login_refused(NotAllowed(username), self.log)

    async def _account(self, username: str, password: str) -> Account:
        if not username or not password:
            raise LoginRefused(username, "user name or password is empty")
        try:
            account = await the_directory(self).directory().authenticate(username, password)
        except NoSuchAccount as error:
            # Who may not log in is not told which names exist.
            raise LoginRefused(username, error.admin_text) from None
        if account.disabled:
            raise AccountDisabled(username, account.disabled)
        return account

    def _admin(self, account: Account) -> bool | None:
        """``None`` leaves it to ``admin_users``."""
        return True if self.admin_groups & account.group_names else None
