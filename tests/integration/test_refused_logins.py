"""Who does not get past the log-in page, and what they read there."""

import pytest

from .conftest import GUSER, OFC
from .support.hub import Api, Browser
from .support.refusals import counted, log_in_refused


@pytest.mark.parametrize(
    ("username", "password"),
    [
        pytest.param("nosuchuser", "nosuchuser-demo", id="an unknown user"),
        pytest.param("guser", "gstaff-demo", id="another's password"),
        pytest.param("guser", "", id="no password, which LDAP takes for a bind as nobody"),
        pytest.param("GUSER", "guser-demo", id="upper case, which LDAP takes for the same"),
        pytest.param("ｇuser", "guser-demo", id="a fullwidth letter, which LDAP takes for the same"),
        pytest.param("*", "guser-demo", id="a wildcard"),
        pytest.param("gu*", "guser-demo", id="a prefix"),
        pytest.param("guser)(uid=*", "guser-demo", id="a filter"),
        pytest.param("ofc", "guser-demo", id="a disabled account with a wrong password"),
    ],
)
def test_a_wrong_name_or_password_is_called_just_that(url: str, api: Api, username: str, password: str) -> None:
    """The same words for all, so that nobody learns which accounts there are."""
    with counted(api, "login", "login-refused"):
        refusal = log_in_refused(url, username, password)
    assert refusal.status == 403
    assert "Wrong user name or password." in refusal.text
    assert refusal.seconds < 10


def test_a_disabled_account_is_told_so_after_the_right_password(url: str, api: Api) -> None:
    with counted(api, "login", "account-disabled"):
        refusal = log_in_refused(url, OFC.name, OFC.password)
    assert refusal.status == 403
    assert "The account “ofc” is disabled." in refusal.text


def test_spaces_around_the_name_are_the_forms_to_remove(url: str) -> None:
    """The Hub strips them, so this is guser; a name that keeps its space comes only by REST."""
    browser = Browser(url)
    assert browser.log_in(" guser ", GUSER.password).ok
    assert ">guser<" in "".join(browser.get("/hub/home").text.split())
