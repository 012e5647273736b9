"""Names that an administrator's REST client hands to the Hub, which no log-in would."""

from urllib.parse import quote

import pytest

from .conftest import OFC, Newcomers
from .support import cluster, directory
from .support.hub import Api, seen_in
from .support.refusals import counted
from .support.waiting import wait_for

DISABLED_GID, GID = "2390", "1000"


@pytest.mark.parametrize(
    ("username", "shown"),
    [
        pytest.param("nosuchuser", "“nosuchuser”", id="an unknown user"),
        pytest.param("GUSER", "“GUSER”", id="upper case, which LDAP takes for guser"),
        pytest.param("ｇuser", "“ｇuser”", id="a fullwidth letter, which LDAP takes for guser"),
        pytest.param("*", "“*”", id="a wildcard"),
        pytest.param("guser)(uid=*", "“guser)(uid=*”", id="a filter"),
    ],
)
def test_a_name_that_is_not_byte_for_byte_in_the_directory_gets_no_server(api: Api, username: str, shown: str) -> None:
    api.add_user(username)
    try:
        with counted(api, "spawn", "no-such-account"):
            refusal = seen_in(api.start(username))
        assert refusal.status == 403
        assert f"There is no account named {shown} in the user directory." in refusal.text
        assert refusal.seconds < 10
        assert not cluster.user_pods(username)
    finally:
        api.remove_user(username)


@pytest.mark.parametrize("username", ["guser ", " guser"])
def test_a_name_with_a_space_is_refused_by_the_hub_itself(api: Api, username: str) -> None:
    """LDAP would take it for guser.  The Hub lets nobody be called so, not even by an administrator."""
    refusal = seen_in(api.call("POST", f"/users/{quote(username)}"))
    assert refusal.status == 400
    assert refusal.text == f"Failed to create user: {username}"
    assert seen_in(api.start(username)).status == 404


def test_an_account_that_is_made_later_gets_its_server(api: Api, newcomers: Newcomers) -> None:
    later = newcomers("later")
    api.add_user(later.name)
    directory.remove(later)
    try:
        with counted(api, "spawn", "no-such-account"):
            assert seen_in(api.start(later.name)).status == 403
    finally:
        directory.add(later)
    api.started(later.name)
    assert cluster.in_pod(later.name, "id", "--user", "--name").strip() == later.name


def test_a_disabled_account_gets_a_server_when_it_is_enabled(api: Api) -> None:
    api.add_user(OFC.name)
    with counted(api, "spawn", "account-disabled"):
        refusal = seen_in(api.start(OFC.name))
    assert refusal.status == 403
    assert "The account “ofc” is disabled." in refusal.text
    assert not cluster.user_pods(OFC.name)
    try:
        directory.replace(OFC.dn, "loginShell", "/bin/bash")
        with counted(api, "spawn", "account-disabled"):  # still in the group
            assert seen_in(api.start(OFC.name)).status == 403
        directory.replace(OFC.dn, "gidNumber", GID)
        cluster.make_home(OFC.home, OFC.uid, int(GID))
        api.started(OFC.name)
        assert cluster.in_pod(OFC.name, "id", "--user", "--name").strip() == "ofc"
    finally:
        directory.replace(OFC.dn, "loginShell", OFC.shell)
        directory.replace(OFC.dn, "gidNumber", DISABLED_GID)
        api.remove_user(OFC.name)
        wait_for("ofc's pod to go", lambda: not cluster.user_pods(OFC.name))
        cluster.remove_home(OFC.home)
