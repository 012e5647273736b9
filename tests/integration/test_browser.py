"""What a person sees in a browser, from the log-in to the log-out; and when something is refused."""

import re

from playwright.sync_api import Page, expect

from .conftest import GGROUP, OFC, Newcomers, Pictures
from .support import cluster, screen
from .support.people import Person
from .support.waiting import wait_for


def test_a_person_works_from_log_in_to_log_out(page: Page, picture: Pictures, url: str, ggroup: Person) -> None:
    home = cluster.stored(GGROUP.home)
    page.goto(url)
    picture("log-in")
    screen.log_in(page, url, GGROUP.name, GGROUP.password)

    log = page.locator("#progress-log")
    expect(log).to_contain_text(re.compile(r"memory limit 1Gi: .* rule “everyone”"))
    page.locator("#progress-details summary").click()
    picture("start")

    screen.see_jupyterlab(page)
    try:
        screen.run_in_notebook(page, "open('greeting.txt', 'w').write('hello'); print('written')", "written")
        picture("notebook")
        assert cluster.on_files("cat", f"{home}/notebooks/greeting.txt") == "hello"
        assert cluster.owner(f"{home}/notebooks/greeting.txt") == f"{GGROUP.uid}:{GGROUP.gid}"

        screen.run_in_terminal(page, "id | tee ~/id.txt")
        expected = f"uid={GGROUP.uid}(ggroup) gid=1000(ocf) groups=1000(ocf),1005(ocfapphost)"
        wait_for("id to answer", lambda: cluster.on_files("cat", f"{home}/id.txt", check=False).strip() == expected)
        picture("terminal")
    finally:
        cluster.on_files("sh", "-c", 'rm -rf "$1"/id.txt "$1"/notebooks/*', "sh", home)

    screen.stop_server(page, url)
    assert not cluster.user_pods(GGROUP.name)
    picture("home")
    screen.log_out(page)
    expect(page.get_by_label("Username:")).to_be_visible()
    page.goto(f"{url}/hub/home")
    expect(page.get_by_label("Username:")).to_be_visible()


def test_a_disabled_account_reads_so_on_the_log_in_page(page: Page, picture: Pictures, url: str) -> None:
    screen.log_in(page, url, OFC.name, OFC.password)
    expect(page.locator(".login_error")).to_contain_text("The account “ofc” is disabled.")
    expect(page.get_by_label("Username:")).to_have_value(OFC.name)
    picture("account-disabled")


def test_a_missing_home_is_read_where_the_start_is_watched(
    page: Page, picture: Pictures, url: str, newcomers: Newcomers
) -> None:
    account = newcomers("walter", home=False)
    screen.log_in(page, url, account.name, account.password)
    text = f"The home directory of “{account.name}” does not exist on the file server."
    expect(page.get_by_text(text).first).to_be_visible()
    expect(page.get_by_role("heading", name="Your server did not start")).to_be_visible()
    expect(page.get_by_text("Your server is starting up.")).to_be_hidden()
    picture("home-missing")
    cluster.make_home(account.home, account.uid, account.gid)
    page.get_by_role("button", name="Try again").click()
    screen.see_jupyterlab(page)
