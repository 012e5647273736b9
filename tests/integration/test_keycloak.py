"""Log-in through Keycloak, which has its people from the same directory as the Hub."""

from collections.abc import Iterator

import pytest
import requests
from playwright.sync_api import Page, expect

from .conftest import GSTAFF, GUSER, Newcomers, Pictures
from .support import cluster, directory, keycloak, screen
from .support.directory import Account
from .support.hub import SECONDS_TO_ANSWER, Api, seen_in
from .support.keycloak import Realm, RealmBrowser
from .support.people import Person
from .support.refusals import counted, start_refused

ALLOWED, STAFF = "ocfhpc", "ocfstaff"


@pytest.fixture(scope="module")
def realm(url: str, api: Api, guser: Person, gstaff: Person) -> Iterator[Realm]:
    """Keycloak, and the Hub restarted to use it while two people work."""
    settings = {"ADMIN_USERS": "[]", "ADMIN_GROUPS": f'["{STAFF}"]', "ALLOWED_GROUPS": f'["{ALLOWED}"]'}
    with keycloak.running(url) as realm, keycloak.hub_that_uses(realm, **settings):
        yield realm


@pytest.fixture
def browser(url: str, realm: Realm) -> RealmBrowser:
    return RealmBrowser(url, realm)


@pytest.fixture
def members(realm: Realm) -> Iterator[directory.Members]:
    """Puts accounts into groups for one test."""
    with directory.members() as add:
        yield add


@pytest.fixture
def member(newcomers: Newcomers, members: directory.Members) -> Account:
    """Somebody new who may use the Hub."""
    account = newcomers("clara")
    members(ALLOWED, account)
    return account


def test_the_hubs_user_is_the_directorys_account(browser: RealmBrowser, api: Api) -> None:
    """And the one that the Hub has known by password: the server that runs is theirs."""
    assert browser.log_in(GUSER.name, GUSER.password).url.endswith("/hub/home")
    user = api.user(GUSER.name)
    assert (user["groups"], user["admin"]) == ([ALLOWED], False)
    assert user["servers"][""]["ready"]
    assert browser.get(f"/user/{GUSER.name}/lab").ok


def test_who_was_logged_in_before_still_is(realm: Realm, guser: Person, gstaff: Person) -> None:
    for person in (guser, gstaff):
        assert person.browser.get("/hub/home").url.endswith("/hub/home")
        assert person.server().answer("GET", "/api/status")


def test_a_server_starts_with_uid_and_groups_from_the_directory(browser: RealmBrowser, member: Account) -> None:
    assert browser.log_in(member.name, member.password).ok
    browser.start_server(member.name)
    assert browser.wait_for_server(member.name).get("ready")
    seen = cluster.in_pod(member.name, "id").strip()
    assert seen == f"uid={member.uid}({member.name}) gid=1000(ocf) groups=1000(ocf),1006({ALLOWED})"


def test_who_administers_the_hub_is_a_matter_of_groups(
    browser: RealmBrowser, api: Api, newcomers: Newcomers, members: directory.Members
) -> None:
    account = newcomers("boss")
    members(STAFF, account)
    assert browser.log_in(account.name, account.password).ok
    assert api.user(account.name)["admin"]
    assert browser.get("/hub/admin").ok


def test_who_is_in_no_allowed_group_is_told_so_until_they_are(
    browser: RealmBrowser, api: Api, realm: Realm, newcomers: Newcomers, members: directory.Members
) -> None:
    account = newcomers("outsider")
    with counted(api, "login", "not-allowed"):
        refusal = seen_in(browser.log_in(account.name, account.password))
    assert refusal.status == 403
    assert f"“{account.name}” is not among the accounts that may use this service." in refusal.text
    members(ALLOWED, account)
    realm.forget_people()
    assert browser.press_log_in().url.endswith("/hub/home")


def test_a_wrong_password_does_not_get_past_keycloak(browser: RealmBrowser) -> None:
    page = browser.log_in(GUSER.name, GSTAFF.password)
    assert page.url.startswith("https://")
    assert "Invalid username or password." in seen_in(page).text
    assert browser.log_in(GUSER.name, GUSER.password).url.endswith("/hub/home")


def test_somebody_whom_only_keycloak_knows_gets_no_server(browser: RealmBrowser, api: Api) -> None:
    account = Account("keycloakonly", 49001)
    assert browser.log_in(account.name, account.password).url.endswith("/hub/home")
    try:
        with counted(api, "spawn", "no-such-account"):
            refusal = start_refused(browser, account.name)
        assert "There is no account named “keycloakonly” in the user directory." in refusal.text
        directory.add(account)
        cluster.make_home(account.home, account.uid, account.gid)
        api.started(account.name)
    finally:
        api.remove_user(account.name)
        directory.remove(account)
        cluster.remove_home(account.home)


def test_an_account_that_keycloak_lets_in_although_it_is_disabled_gets_no_server(
    browser: RealmBrowser, api: Api, member: Account
) -> None:
    assert browser.log_in(member.name, member.password).ok
    directory.replace(member.dn, "loginShell", "/opt/share/utils/bin/sorried")
    browser.forget_the_hub()
    assert browser.press_log_in().url.endswith("/hub/home"), "Keycloak knows the person, and asks the directory daily"
    with counted(api, "spawn", "account-disabled"):
        refusal = start_refused(browser, member.name)
    assert f"The account “{member.name}” is disabled." in refusal.text
    directory.replace(member.dn, "loginShell", member.shell)
    api.started(member.name)


def test_a_name_that_keycloak_has_lowered_is_nobodys(
    browser: RealmBrowser, api: Api, newcomers: Newcomers, members: directory.Members
) -> None:
    """Keycloak keeps names in lower case; the Hub's name must be the directory's, byte for byte."""
    account = newcomers("MixedCase")
    members(ALLOWED, account)
    assert browser.log_in(account.name, account.password).ok
    lowered = account.name.lower()
    try:
        with counted(api, "spawn", "no-such-account"):
            refusal = start_refused(browser, lowered)
        assert f"There is no account named “{lowered}” in the user directory." in refusal.text
    finally:
        api.remove_user(lowered)
    small = newcomers("mixedcase")
    members(ALLOWED, small)
    browser.forget_the_hub()
    other = RealmBrowser(browser.url, browser.realm)
    assert other.log_in(small.name, small.password).ok
    api.started(small.name)


def test_an_outage_of_keycloak_is_called_that(browser: RealmBrowser, api: Api, realm: Realm, guser: Person) -> None:
    """Between the form and the Hub's questions, which is the worst moment."""
    callback = browser.log_in_up_to_the_hub(GUSER.name, GUSER.password)
    with counted(api, "login", "login-service-unreachable"), keycloak.cut_off():
        refusal = seen_in(browser.follow(callback))
    assert refusal.status == 503
    assert "The log-in service can't be reached at the moment." in refusal.text
    assert refusal.seconds < SECONDS_TO_ANSWER / 2
    assert guser.server().answer("GET", "/api/status")
    assert browser.press_log_in().url.endswith("/hub/home")


def test_log_out_ends_the_log_in_at_keycloak_too(browser: RealmBrowser) -> None:
    assert browser.log_in(GUSER.name, GUSER.password).ok
    browser.forget_the_hub()
    assert browser.press_log_in().url.endswith("/hub/home"), "Keycloak knows the person still"
    assert "/hub/login" in browser.log_out().url
    assert "/hub/login" in browser.get("/hub/home").url
    assert 'id="kc-form-login"' in browser.press_log_in().text, "Keycloak asks for the password again"


def _log_in_at_keycloak(page: Page, account: Account) -> None:
    page.get_by_role("button", name="Sign in with OCF").click()
    page.get_by_label("Username").fill(account.name)
    page.get_by_label("Password", exact=True).fill(account.password)
    page.get_by_role("button", name="Sign In").click()


@pytest.mark.usefixtures("realm")
def test_a_person_at_a_browser(page: Page, picture: Pictures, url: str, member: Account) -> None:
    page.goto(url)
    picture("keycloak-button")
    _log_in_at_keycloak(page, member)
    screen.see_jupyterlab(page)
    screen.stop_server(page, url)
    screen.log_out(page)
    expect(page.get_by_text("Do you want to log out?")).to_be_visible()
    picture("keycloak-log-out")
    page.get_by_role("button", name="Logout").click()
    expect(page.get_by_role("button", name="Sign in with OCF")).to_be_visible()
    page.goto(f"{url}/hub/home")
    expect(page.get_by_role("button", name="Sign in with OCF")).to_be_visible()


@pytest.mark.usefixtures("realm")
def test_somebody_who_is_not_allowed_reads_it_in_the_browser(
    page: Page, picture: Pictures, url: str, newcomers: Newcomers
) -> None:
    page.goto(url)
    _log_in_at_keycloak(page, newcomers("ernst"))
    expect(page.get_by_text("is not among the accounts that may use this service")).to_be_visible()
    picture("not-allowed")


def test_a_keycloak_whose_certificate_is_not_trusted_is_not_believed(
    browser: RealmBrowser, api: Api, realm: Realm
) -> None:
    with keycloak.hub_that_trusts("/etc/ssl/certs/ca-certificates.crt"):
        with counted(api, "login", "login-service-unreachable"):
            refusal = seen_in(browser.log_in(GUSER.name, GUSER.password))
        assert refusal.status == 503
    assert requests.get(realm.url, verify=str(realm.authority), timeout=SECONDS_TO_ANSWER).ok
    assert browser.press_log_in().url.endswith("/hub/home")
