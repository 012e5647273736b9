"""A Keycloak beside the Hub, over TLS and federated with the demo's directory, and a Hub that logs in through it."""

import base64
import html
import json
import re
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests

from . import cluster
from .cluster import NODE, kubectl, run
from .hub import SECONDS_TO_ANSWER, Browser
from .waiting import wait_for

HERE = Path(__file__).parents[1] / "data" / "keycloak"
CI = Path(__file__).parents[3] / "ci"
NAMESPACE = "keycloak"
PORT = 30443
AUTHORITY_AT_THE_HUB = "/srv/jupyterhub/directory-ca/keycloak.crt"
SECONDS_TO_START = 240


class Realm:
    """The realm ``ocf`` of that Keycloak; its administrator is the tests'."""

    def __init__(self, address: str, authority: Path, password: str) -> None:
        self._address = address
        self._password = password
        self.url = f"{address}/realms/ocf"
        self.authority = authority
        """The certificate file that a client must trust."""

    def forget_people(self) -> None:
        """Let Keycloak ask the directory again about everyone: it keeps what it was told for a day."""
        credentials = {"client_id": "admin-cli", "grant_type": "password"}
        credentials |= {"username": "administrator", "password": self._password}
        token = self._post(f"{self._address}/realms/master/protocol/openid-connect/token", data=credentials).json()
        headers = {"Authorization": f"Bearer {token['access_token']}"}
        self._post(f"{self._address}/admin/realms/ocf/clear-user-cache", headers=headers)

    def _post(self, url: str, **arguments: Any) -> requests.Response:
        answer = requests.post(url, verify=str(self.authority), timeout=SECONDS_TO_ANSWER, **arguments)
        assert answer.ok, f"{url}: {answer.status_code} {answer.text}"
        return answer


class RealmBrowser(Browser):
    """A browser whose person logs in at Keycloak's page."""

    def __init__(self, url: str, realm: Realm) -> None:
        super().__init__(url)
        self.realm = realm
        self._session.verify = str(realm.authority)
        self._session.trust_env = False  # or REQUESTS_CA_BUNDLE would go before it

    def log_in(self, username: str, password: str) -> requests.Response:
        """Press the Hub's button, fill in Keycloak's form, and follow to where it leads."""
        return self.follow(self.log_in_up_to_the_hub(username, password))

    def log_in_up_to_the_hub(self, username: str, password: str) -> requests.Response:
        """Keycloak's answer to its form: that leads to the Hub, which has not been asked yet."""
        answers = {"username": username, "password": password}
        action = _action(self.press_log_in(), "kc-form-login")
        return self._session.post(action, data=answers, timeout=SECONDS_TO_ANSWER, allow_redirects=False)

    def follow(self, answer: requests.Response) -> requests.Response:
        location = answer.headers.get("Location")
        return self._session.get(location, timeout=SECONDS_TO_ANSWER) if location else answer

    def press_log_in(self) -> requests.Response:
        """Press the Hub's button: to Keycloak's form, or back at once for somebody whom Keycloak knows."""
        page = self.get("/hub/login?next=%2Fhub%2Fhome").text
        button = re.search(r"href='([^']*oauth_login[^']*)'", page)
        assert button, f"no button on the log-in page:\n{page}"
        return self.get(html.unescape(button[1]))

    def log_out(self) -> requests.Response:
        """Press Logout, and answer Keycloak's question with yes."""
        page = self.get("/hub/logout")
        fields = dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', page.text))
        answers = {name: html.unescape(value) for name, value in fields.items()} | {"confirmLogout": "Logout"}
        action = re.search(r'<form[^>]*action="([^"]*logout-confirm[^"]*)"', page.text)
        assert action, f"Keycloak asks nothing:\n{page.text}"
        url = urljoin(page.url, html.unescape(action[1]))
        return self._session.post(url, data=answers, timeout=SECONDS_TO_ANSWER)

    def forget_the_hub(self) -> None:
        """Lose the Hub's cookies, and keep Keycloak's."""
        host = self.url.split("://")[1].split(":")[0]
        for cookie in [cookie for cookie in self._session.cookies if cookie.domain == host]:
            self._session.cookies.clear(cookie.domain, cookie.path, cookie.name)


@contextmanager
def running(hub_url: str) -> Iterator[Realm]:
    """Keycloak in a namespace of its own, which goes with it."""
    image = run(str(CI / "images"), "keycloak", timeout=1800).strip()
    run(str(CI / "cluster"), "load", cluster.CLUSTER, image, timeout=900)
    password, client_secret = secrets.token_hex(16), secrets.token_hex(16)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        host = run("docker", "inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", NODE).strip()
        _make_certificates(work, host)
        realm = Realm(f"https://{host}:{PORT}", work / "ca.crt", password)
        settings = {
            "KC_HOSTNAME": f"https://{host}:{PORT}",
            "KC_BOOTSTRAP_ADMIN_USERNAME": "administrator",
            "KC_BOOTSTRAP_ADMIN_PASSWORD": password,
            "CLIENT_SECRET": client_secret,
            "HUB_URL": hub_url,
        }
        (work / "settings").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        (work / "client_secret").write_text(client_secret)
        try:
            _apply(image, work)
            with _known_to_the_hub(work):
                yield realm
        finally:
            _remove()


@contextmanager
def hub_that_uses(realm: Realm, **settings: str) -> Iterator[None]:
    """The Hub with these settings and log-in through *realm*; afterwards as it was."""
    settings |= {
        "AUTHENTICATOR": "keycloak",
        "KEYCLOAK_REALM": realm.url,
        "KEYCLOAK_CA_FILE": AUTHORITY_AT_THE_HUB,
    }
    _set_hub([f"{name}={value}" for name, value in settings.items()])
    try:
        yield
    finally:
        _set_hub([f"{name}-" for name in settings])


@contextmanager
def hub_that_trusts(authorities: str) -> Iterator[None]:
    """Within `hub_that_uses`: the Hub trusts these authorities instead of Keycloak's."""
    _set_hub([f"KEYCLOAK_CA_FILE={authorities}"])
    try:
        yield
    finally:
        _set_hub([f"KEYCLOAK_CA_FILE={AUTHORITY_AT_THE_HUB}"])


@contextmanager
def cut_off() -> Iterator[None]:
    """Keycloak can't be reached meanwhile, and forgets nothing."""
    _select("nothing")
    try:
        yield
    finally:
        _select("keycloak")


def _select(name: str) -> None:
    patch = json.dumps({"spec": {"selector": {"app.kubernetes.io/name": name}}})
    run("kubectl", "--namespace", NAMESPACE, "patch", "service", "keycloak", "--patch", patch)
    wait_for(
        f"the service to lead to {name}",
        lambda: _answers() is (name == "keycloak"),
    )


def _answers() -> bool:
    """Whether something listens, seen from the node."""
    probe = "exec 3<>/dev/tcp/127.0.0.1/30443"
    return cluster.on_node("timeout", "2", "bash", "-c", f"{probe} && echo yes", check=False).strip() == "yes"


def _set_hub(changes: list[str]) -> None:
    kubectl("set", "env", "deployment/hub", *changes)
    kubectl("rollout", "status", "deployment/hub", "--timeout=180s", timeout=200)
    url = cluster.address()
    wait_for("the Hub to answer through the proxy", lambda: requests.get(f"{url}/hub/health", timeout=5).ok)


def _make_certificates(work: Path, host: str) -> None:
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "7"]
    authority = [*curve, "-subj", "/CN=authority of the tests", "-keyout", f"{work}/ca.key", "-out", f"{work}/ca.crt"]
    run("openssl", "req", "-x509", *authority, "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    server = [*curve, "-subj", "/CN=keycloak", "-keyout", f"{work}/tls.key", "-out", f"{work}/tls.crt"]
    signed = ["-CA", f"{work}/ca.crt", "-CAkey", f"{work}/ca.key"]
    extensions = ["-addext", f"subjectAltName=IP:{host}", "-addext", "basicConstraints=critical,CA:false"]
    run("openssl", "req", "-x509", *server, *signed, *extensions)


def _apply(image: str, work: Path) -> None:
    authority = cluster.get("configmap", "directory-ca")["data"]["ca.crt"]
    (work / "directory.crt").write_text(authority)
    _remove()
    kube = ("kubectl", "--namespace", NAMESPACE)
    run("kubectl", "create", "namespace", NAMESPACE)
    run(*kube, "create", "secret", "generic", "keycloak", f"--from-env-file={work}/settings")
    run(*kube, "create", "secret", "tls", "keycloak-tls", f"--cert={work}/tls.crt", f"--key={work}/tls.key")
    run(*kube, "create", "configmap", "directory-ca", f"--from-file=ca.crt={work}/directory.crt")
    run(*kube, "create", "configmap", "realm", f"--from-file={HERE}/realm.json")
    manifest = (HERE / "keycloak.yaml").read_text().replace("IMAGE", image)
    run("kubectl", "apply", "--filename=-", stdin=manifest)
    rollout = ("rollout", "status", "deployment/keycloak", f"--timeout={SECONDS_TO_START}s")
    try:
        run(*kube, *rollout, timeout=SECONDS_TO_START + 20)
    except AssertionError as error:
        log = run(*kube, "logs", "deployment/keycloak", "--tail=40", check=False)
        raise AssertionError(f"{error}\n{run(*kube, 'describe', 'pods', check=False)}\n{log}") from None


@contextmanager
def _known_to_the_hub(work: Path) -> Iterator[None]:
    """The client's secret and Keycloak's authority where the Hub reads them."""
    secret = base64.b64encode((work / "client_secret").read_bytes()).decode()
    _patch("secret", "hub", {"data": {"oauth_client_secret": secret}}, work)
    _patch("configmap", "directory-ca", {"data": {"keycloak.crt": (work / "ca.crt").read_text()}}, work)
    yield
    _patch("secret", "hub", {"data": {"oauth_client_secret": None}}, work)
    _patch("configmap", "directory-ca", {"data": {"keycloak.crt": None}}, work)


def _patch(kind: str, name: str, change: dict[str, Any], work: Path) -> None:
    (work / "patch").write_text(json.dumps(change))
    kubectl("patch", kind, name, "--type=merge", f"--patch-file={work}/patch")


def _remove() -> None:
    run("kubectl", "delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=120s", timeout=130)
    kubectl("delete", "networkpolicy", "ldap-from-keycloak", "--ignore-not-found")


def _action(page: requests.Response, form: str) -> str:
    found = re.search(rf'<form[^>]*id="{form}"[^>]*action="([^"]*)"', page.text)
    assert found, f"no form {form} at {page.url}: {page.status_code}\n{page.text}"
    return html.unescape(found[1])
