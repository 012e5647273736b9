"""Log-in by directory password, without a Hub."""

from typing import Any

import pytest
from prometheus_client import REGISTRY
from tornado.web import HTTPError
from traitlets.config import Config

from ocfspawner import DirectoryAuthenticator
from ocfspawner.directory.config import LDAPDirectory
from ocfspawner.errors import DirectoryUnreachable, EntryMalformed

from .support import FakeDirectory

WRONG = "Wrong user name or password."


def authenticator(directory: FakeDirectory, **config: Any) -> DirectoryAuthenticator:
    settings = Config(DirectoryAuthenticator=config, LDAPDirectory={"urls": ["ldaps://ldap.example"]})
    LDAPDirectory.clear_instance()
    LDAPDirectory.instance(config=settings)._directory = directory
    return DirectoryAuthenticator(config=settings)


async def log_in(directory: FakeDirectory, username: str = "gstaff", password: str = "right", **config: Any) -> Any:
    """What the Hub makes of it: a dictionary, or None for somebody who is blocked."""
    data = {"username": username, "password": password}
    return await authenticator(directory, **config).get_authenticated_user(None, data)


async def refused(directory: FakeDirectory, username: str, password: str) -> HTTPError:
    with pytest.raises(HTTPError) as caught:
        await log_in(directory, username, password, allow_all=True)
    return caught.value


def text(error: HTTPError) -> str:
    """What the page says."""
    return str(error.log_message) % error.args


def counted(reason: str) -> float:
    return REGISTRY.get_sample_value("ocfspawner_refusals_total", {"path": "login", "reason": reason}) or 0


async def test_the_hubs_name_is_the_entry_s_and_groups_are_the_account_s(directory: FakeDirectory) -> None:
    found = await log_in(directory, allow_all=True)
    assert (found["name"], found["groups"], found["admin"]) == ("gstaff", ["ocf", "ocfstaff"], None)
    assert authenticator(directory).manage_groups


@pytest.mark.parametrize(
    ("username", "password"),
    [
        pytest.param("gstaff", "wrong", id="a wrong password"),
        pytest.param("gstaff", "Right", id="a password in other case"),
        pytest.param("gstaff", "right ", id="a space behind the password"),
        pytest.param("gstaff", "", id="no password"),
        pytest.param("", "right", id="no name"),
        pytest.param("nobody", "right", id="a name that does not exist"),
        pytest.param("GSTAFF", "right", id="a name in other case"),
        pytest.param("gstaff ", "right", id="a space behind the name"),
        pytest.param("ｇstaff", "right", id="a fullwidth letter"),
        pytest.param("%s{}", "right", id="a name that is a template"),
        pytest.param("ofc", "wrong", id="a disabled account, which is not told to strangers"),
    ],
)
async def test_a_log_in_that_is_refused_says_the_same_to_all(
    directory: FakeDirectory, username: str, password: str
) -> None:
    before = counted("login-refused")
    error = await refused(directory, username, password)
    assert error.status_code == 403
    assert text(error).startswith(WRONG)
    assert text(error) == text(await refused(directory, "gstaff", "wrong"))
    assert counted("login-refused") == before + 2
    assert await log_in(directory, "gstaff", "right", allow_all=True)


@pytest.mark.parametrize(("username", "password"), [("gstaff", ""), ("", "right"), ("", "")])
async def test_nothing_empty_reaches_the_directory(directory: FakeDirectory, username: str, password: str) -> None:
    directory.failure = DirectoryUnreachable("asked")
    assert (await refused(directory, username, password)).status_code == 403


async def test_a_disabled_account_is_told_so_after_the_right_password(directory: FakeDirectory) -> None:
    before = counted("account-disabled")
    error = await refused(directory, "ofc", "right")
    assert (error.status_code, counted("account-disabled")) == (403, before + 1)
    assert "is disabled" in text(error)
    assert "sorry" not in text(error)


@pytest.mark.parametrize(
    ("failure", "status", "said"),
    [
        pytest.param(DirectoryUnreachable("ldap.example:636"), 503, "can't be reached", id="an outage"),
        pytest.param(EntryMalformed("gstaff", "uidNumber 0"), 403, "not valid", id="a malformed entry"),
    ],
)
async def test_what_is_not_the_person_s_fault_is_told_apart(
    directory: FakeDirectory, failure: Any, status: int, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    directory.failure = failure
    error = await refused(directory, "gstaff", "right")
    assert error.status_code == status
    assert said in text(error)
    assert failure.admin_text in caplog.text
    assert failure.admin_text not in text(error)
    directory.failure = None
    assert await log_in(directory, allow_all=True)


@pytest.mark.parametrize(
    ("config", "allowed"),
    [
        pytest.param({}, False, id="nobody by default"),
        pytest.param({"allow_all": True}, True, id="everybody"),
        pytest.param({"allowed_users": {"gstaff"}}, True, id="a user"),
        pytest.param({"allowed_users": {"guser"}}, False, id="another user"),
        pytest.param({"allowed_groups": {"ocfstaff"}}, True, id="a group"),
        pytest.param({"allowed_groups": {"ocfroot"}}, False, id="another group"),
        pytest.param({"allowed_users": {"guser"}, "allowed_groups": {"ocf"}}, True, id="a user or a group"),
        pytest.param({"allowed_groups": {"ocfroot"}, "admin_users": {"gstaff"}}, True, id="administrators by name"),
        pytest.param(
            {"allowed_groups": {"ocfroot"}, "admin_groups": {"ocfstaff"}}, True, id="administrators by group"
        ),
    ],
)
async def test_who_may_use_the_hub(directory: FakeDirectory, config: dict[str, Any], allowed: bool) -> None:
    if allowed:
        assert await log_in(directory, **config)
        return
    with pytest.raises(HTTPError) as caught:
        await log_in(directory, **config)
    assert caught.value.status_code == 403
    assert "“gstaff” is not among the accounts that may use this service." in text(caught.value)


async def test_a_blocked_person_is_not_let_in_with_all_others(directory: FakeDirectory) -> None:
    assert await log_in(directory, allow_all=True, blocked_users={"gstaff"}) is None


@pytest.mark.parametrize(
    ("config", "admin"),
    [
        pytest.param({}, False, id="nobody by default"),
        pytest.param({"admin_groups": {"ocfstaff"}}, True, id="by group"),
        pytest.param({"admin_groups": {"ocfroot"}}, False, id="not by another group"),
        pytest.param({"admin_users": {"gstaff"}}, True, id="by name"),
        pytest.param({"admin_users": {"gstaff"}, "admin_groups": {"ocfroot"}}, True, id="by name, not by group"),
    ],
)
async def test_who_administers_the_hub(directory: FakeDirectory, config: dict[str, Any], admin: bool) -> None:
    assert bool((await log_in(directory, allow_all=True, **config))["admin"]) is admin


def test_a_name_is_kept_as_it_is(directory: FakeDirectory) -> None:
    assert authenticator(directory).normalize_username("GStaff ") == "GStaff "
    assert authenticator(directory, username_map={"old": "new"}).normalize_username("old") == "new"
