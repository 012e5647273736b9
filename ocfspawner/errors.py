"""Everything that can be refused, as one tree.

* Refusal
  x DirectoryError             the directory gave no usable answer; says nothing of the person
    + DirectoryUnreachable       no answer: down, too slow, wrong address
      - DirectoryUntrusted         an answer, from somebody whose certificate is not trusted
    + DirectoryFailed            an answer that is an error: busy, size limit, referral, ...
  x AccountError               the directory answered, and this person gets no server
    + NoSuchAccount
    + LoginRefused               wrong password; never says whether the account exists
    + AccountDisabled
    + EntryMalformed
  x LoginError                 the log-in itself; nothing is wrong with the account
    + NotAllowed
    + LoginServiceUnreachable
    + LoginServiceFailed
  x HomeError                  the account is fine, its home is not
    + HomeMissing
    + HomeNotOwned
    + HomeUnusable
  x OptionsRefused             a choice that is not offered
  x ConfigurationError         the administrator's part
    + PolicyInvalid
    + PodRefused
    + ClusterRefused           the API server does not admit the pod

A refusal is addressed to three readers: ``user_text`` is for the person at the browser,
``admin_text`` for the log, ``reason`` is the label in the metrics.  The three never mix: no
directory text reaches the user, no name reaches a label.

``status`` is the HTTP status that fits: 503 where trying again later can help, 500 where an
administrator must act first, otherwise the 400 and 403 of a request that was understood.
"""

from typing import ClassVar

_SHOWN = 64
"""Characters of a name that are shown: the Hub accepts longer ones, and logs are read by people."""


def shown(name: str) -> str:
    """*name* quoted for people: escapes made visible, cut to 64 characters."""
    text = name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…"
    return ascii(text) if not text.isprintable() else f"“{text}”"


class Refusal(Exception):
    """A spawn or a log-in that is refused for a reason we can name."""

    reason: ClassVar[str] = "refused"
    status: ClassVar[int] = 400

    def __init__(self, user_text: str, admin_text: str) -> None:
        super().__init__(admin_text)
        self.user_text = user_text
        self.admin_text = admin_text


# -- the directory ---------------------------------------------------------------------------


class DirectoryError(Refusal):
    """The directory gave no usable answer."""

    reason = "directory-failed"
    status = 503

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(
            "The user directory can't be reached at the moment, so your account can't be looked up. "
            "This is not a problem with your account. Please try again in a few minutes.",
            f"{self._what}: {detail}",
        )

    _what: ClassVar[str] = "the directory failed"


class DirectoryUnreachable(DirectoryError):
    """No server answered before the deadline."""

    reason = "directory-unreachable"
    _what = "the directory can't be reached"


class DirectoryUntrusted(DirectoryUnreachable):
    """A server answered with a certificate that is not trusted, or is for another name."""

    reason = "directory-untrusted"
    _what = "the directory's certificate is not trusted"


class DirectoryFailed(DirectoryError):
    """A server answered with a result other than success (RFC 4511, appendix A)."""

    _what = "the directory answered with an error"


# -- the account -----------------------------------------------------------------------------


class AccountError(Refusal):
    """The directory answered, and this person gets no server."""

    status = 403


class NoSuchAccount(AccountError):
    """No entry whose uid is, byte for byte, this user name."""

    reason = "no-such-account"

    def __init__(self, username: str, detail: str = "no entry") -> None:
        self.detail = detail
        super().__init__(
            f"There is no account named {shown(username)} in the user directory. "
            "User names are spelled exactly as in the directory: upper and lower case differ, "
            "and spaces count.",
            f"no account {shown(username)}: {detail}",
        )


class LoginRefused(AccountError):
    """The directory did not accept this user name with this password."""

    reason = "login-refused"

    def __init__(self, username: str, detail: str) -> None:
        super().__init__(
            "Wrong user name or password. User names are spelled exactly as in the directory: "
            "upper and lower case differ.",
            f"log-in of {shown(username)} refused: {detail}",
        )


class AccountDisabled(AccountError):
    """The account exists and has been disabled by the directory's administrators."""

    reason = "account-disabled"

    def __init__(self, username: str, detail: str) -> None:
        super().__init__(
            f"The account {shown(username)} is disabled. "
            "Please contact the people who run this service to have it enabled again.",
            f"account {shown(username)} is disabled: {detail}",
        )


class EntryMalformed(AccountError):
    """The entry exists and can't be used as it stands."""

    reason = "entry-malformed"

    def __init__(self, username: str, detail: str) -> None:
        super().__init__(
            f"The directory entry of {shown(username)} is incomplete or not valid, so no server can "
            "be started. Please tell the people who run this service; trying again will not help.",
            f"the entry of {shown(username)} is malformed: {detail}",
        )


# -- the log-in ------------------------------------------------------------------------------


class LoginError(Refusal):
    """The log-in does not succeed, and nothing is wrong with the account."""


class NotAllowed(LoginError):
    """The account is fine, and not among those that may use this Hub."""

    reason = "not-allowed"
    status = 403

    def __init__(self, username: str) -> None:
        super().__init__(
            f"{shown(username)} is not among the accounts that may use this service. "
            "Your user name and password are right; please ask the people who run it for access.",
            f"{shown(username)} may not use this Hub: see allow_all, allowed_users, allowed_groups",
        )


class LoginServiceUnreachable(LoginError):
    """No answer in time, or one that says that it is unwell; or its certificate is not trusted."""

    reason = "login-service-unreachable"
    status = 503

    def __init__(self, detail: str) -> None:
        super().__init__(
            "The log-in service can't be reached at the moment. This is not a problem with your account, and "
            "servers that run go on. Please try again in a few minutes.",
            f"the log-in service can't be reached: {detail}",
        )


class LoginServiceFailed(LoginError):
    """It does not accept what the Hub asks: the code of this log-in, or the Hub itself."""

    reason = "login-service-failed"
    status = 500

    def __init__(self, detail: str) -> None:
        super().__init__(
            "The log-in service did not confirm this log-in. Please log in once more; "
            "if that fails too, tell the people who run this service.",
            f"the log-in service refuses the Hub or the code: {detail}",
        )


# -- the home --------------------------------------------------------------------------------


class HomeError(Refusal):
    """The account is fine, its home directory is not."""

    status = 403


class HomeMissing(HomeError):
    """The home directory does not exist on the file server."""

    reason = "home-missing"

    def __init__(self, username: str, path: str) -> None:
        super().__init__(
            f"The home directory of {shown(username)} does not exist on the file server. "
            "Please tell the people who run this service; it is not made here.",
            f"home {path} of {shown(username)} does not exist",
        )


class HomeNotOwned(HomeError):
    """The home directory belongs to somebody else."""

    reason = "home-not-owned"

    def __init__(self, username: str, path: str) -> None:
        super().__init__(
            f"The home directory of {shown(username)} belongs to somebody else. "
            "Please tell the people who run this service.",
            f"home {path} of {shown(username)} is not owned by its uid",
        )


class HomeUnusable(HomeError):
    """The home path is something other than a directory that the account can enter."""

    reason = "home-unusable"

    def __init__(self, username: str, path: str, detail: str) -> None:
        super().__init__(
            f"The home directory of {shown(username)} can't be used. Please tell the people who run this service.",
            f"home {path} of {shown(username)} can't be used: {detail}",
        )


class OptionsRefused(Refusal):
    """The start was asked for with a choice that is not offered."""

    reason = "options-refused"

    def __init__(self, detail: str) -> None:
        super().__init__(
            "The server was asked for with options that are not offered. Please choose again on the start page.",
            f"options refused: {detail}",
        )


# -- the administrator's part ----------------------------------------------------------------


class ConfigurationError(Refusal):
    """Something that only an administrator can put right."""

    reason = "misconfigured"
    status = 500

    def __init__(self, detail: str) -> None:
        super().__init__("This service is not set up correctly. Please tell the people who run it.", detail)


class PolicyInvalid(ConfigurationError):
    """The resource policy can't be read; *detail* names file, line and field."""

    reason = "policy-invalid"


class PodRefused(ConfigurationError):
    """Configuration or a profile would give the pod something that it must not have."""

    reason = "pod-refused"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.user_text = (
            "This server would have rights that no server here may have, so it is not started. "
            "Please choose another one if you have the choice, or tell the people who run this service."
        )


class ClusterRefused(ConfigurationError):
    """The API server does not admit the pod: a quota, Pod Security, another policy, or a pod that is not valid."""

    reason = "cluster-refused"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.user_text = (
            "The cluster does not admit your server: there is no room for it, or it breaks a rule. "
            "Please choose a smaller one if you have the choice, or tell the people who run this service."
        )
