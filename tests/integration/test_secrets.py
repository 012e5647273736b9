"""Cookie secret, proxy token and database password are replaced, each with one command, and people notice what
docs/secrets.md says."""

from collections.abc import Iterator

import pytest

from .support import cluster, parts
from .support.command import FINE, REFUSED, Ended, in_hub, ocfspawner
from .support.hub import Api
from .support.lasting import routed, same_process
from .support.notebook import Kernel
from .support.people import Person
from .support.waiting import wait_for

ASK_THE_HUB = """
import os, urllib.request
request = urllib.request.Request(os.environ['JUPYTERHUB_API_URL'] + '/user',
    headers={'Authorization': 'token ' + os.environ['JUPYTERHUB_API_TOKEN']})
print(urllib.request.urlopen(request, timeout=10).status)
"""


@pytest.fixture
def cookie_secret(api: Api) -> Iterator[str]:
    """Put back at the end, so that those who are logged in for the whole session stay so."""
    with parts.kept("hub", "jupyterhub_cookie_secret") as value:
        yield value
    parts.restart(parts.HUB)
    wait_for("the Hub to answer", lambda: api.call("GET", "/user").ok)


def test_what_is_there_is_left_as_it_is() -> None:
    before = _everything()
    said = parts.deploy_secrets("--mariadb", "--demo-directory")
    assert _everything() == before
    assert _secrets_in(said) == []


def _everything() -> dict[str, dict[str, str]]:
    return {name: cluster.get("secret", name)["data"] for name in ("hub", "mariadb", "hub-database", "ldap-tls")}


def _secrets_in(said: str) -> list[str]:
    keys = [("hub", "jupyterhub_cookie_secret"), ("hub", "proxy_auth_token"), ("mariadb", "password")]
    return [key for name, key in keys if parts.secret(name, key) in said]


def test_with_another_cookie_secret_everyone_is_logged_out_and_servers_go_on(
    api: Api, guser: Person, kernel: Kernel, cookie_secret: str
) -> None:
    visitor = Person.logged_in(api.url, guser.account)
    lab = f"/user/{guser.name}/lab"
    assert visitor.browser.get(lab).url == api.url + lab
    with same_process(kernel, guser):
        said = parts.deploy_secrets("--rotate", "cookie-secret")
        assert parts.secret("hub", "jupyterhub_cookie_secret") != cookie_secret
        assert _secrets_in(said) == []
        routed(api, guser)
        assert api.call("GET", "/user").ok, "a token that was made on the Hub's page is as good as before"
        assert cluster.in_pod(guser.name, "python3", "-c", ASK_THE_HUB).strip() == "200", "and so is a server's own"
        assert visitor.browser.get(lab).url == api.url + lab, "who has a notebook open stays in it"
    home = visitor.browser.get("/hub/home")
    assert "/hub/login" in home.url, "but the Hub does not know them any more"
    assert visitor.browser.log_in(guser.name, guser.account.password).url == f"{api.url}/hub/home"
    assert visitor.browser.get(lab).url == api.url + lab


def test_a_proxy_with_another_token_is_named(api: Api, guser: Person, kernel: Kernel) -> None:
    with same_process(kernel, guser):
        with parts.kept("hub", "proxy_auth_token"):
            parts.set_secret("hub", "proxy_auth_token", "f" * 64)
            parts.restart(parts.PROXY)
            words = "refuses the Hub's token: they have different ones"
            wait_for("the Hub's word on it", lambda: words in parts.log(parts.HUB, "2m"), timeout=90)
            assert parts.secret("hub", "proxy_auth_token") not in parts.log(parts.HUB)
            ended = ocfspawner("check", "--output", "json")
            assert ended.status == REFUSED
            (bad,) = [one for one in ended.json["checks"] if one["state"] == "BAD"]
            assert bad["name"] == "proxy"
            assert "refuses the Hub's token (403)" in bad["detail"]
            assert bad["cure"].startswith("Restart the proxy and then the Hub")
        parts.restart(parts.PROXY)
        routed(api, guser)
    assert ocfspawner("check").status == FINE


def test_the_proxys_token_is_replaced_under_running_servers(api: Api, guser: Person, kernel: Kernel) -> None:
    before = parts.secret("hub", "proxy_auth_token")
    with same_process(kernel, guser):
        said = parts.deploy_secrets("--rotate", "proxy-token")
        routed(api, guser)
    assert _secrets_in(said) == []
    assert _routes_with(before) == 403
    assert _routes_with(parts.secret("hub", "proxy_auth_token")) == 200


def _routes_with(token: str) -> int:
    """What the proxy's API answers to who has this token."""
    program = """
import sys, urllib.error, urllib.request
token = {'Authorization': 'token ' + sys.stdin.read()}
request = urllib.request.Request('http://proxy-api:8001/api/routes', headers=token)
try:
    print(urllib.request.urlopen(request, timeout=10).status)
except urllib.error.HTTPError as error:
    print(error.code)
"""
    return int(in_hub("python3", "-c", program, stdin=token).out)


def test_the_databases_password_is_replaced_under_running_servers(api: Api, guser: Person, kernel: Kernel) -> None:
    """Once cut off half-way, when MariaDB has a new one and the Hub has not; then again."""
    before = parts.secret("mariadb", "password")
    with same_process(kernel, guser):
        parts.set_secret("mariadb", "password", "cut off half-way")
        parts.restart(parts.MARIADB)
        checks = {one["name"]: one for one in ocfspawner("check", "--output", "json").json["checks"]}
        assert "Access denied" in checks["database"]["detail"]
        assert "different passwords" in checks["database"]["cure"]
        assert api.call("GET", "/user").status_code == 503
        said = parts.deploy_secrets("--rotate=database-password")
        routed(api, guser)
    now = parts.secret("mariadb", "password")
    assert _secrets_in(said) == []
    assert now != before
    assert now in parts.secret("hub-database", "url")
    assert "Access denied" in _connected_with(before).err
    assert _connected_with(now).status == 0
    assert guser.browser.get("/hub/home").url == f"{api.url}/hub/home", "still logged in"
    assert api.user(guser.name)["servers"][""]["ready"]


def _connected_with(password: str) -> Ended:
    program = """
import sys, pymysql
pymysql.connect(host='mariadb', user='jupyterhub', password=sys.stdin.read(), database='jupyterhub', connect_timeout=5)
"""
    return in_hub("python3", "-c", program, stdin=password)


def test_secrets_from_the_environment_do_too() -> None:
    """In a process of its own beside the Hub, for the Hub's own has them as files."""
    script = """
        JPY_COOKIE_SECRET=$(printf 'ab%.0s' $(seq 32)) CONFIGPROXY_AUTH_TOKEN=wrong ocfspawner check --output json
    """
    checks = in_hub("sh", "-c", script).json["checks"]
    found = {check["name"]: check["detail"] for check in checks}
    assert found["cookie secret"] == "32 bytes, from JPY_COOKIE_SECRET"
    assert found["proxy token"] == "64 characters", "the file goes before it"
