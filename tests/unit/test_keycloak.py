"""Log-in through Keycloak, without Hub and Keycloak: what is asked, and what becomes of each answer."""

import json
import ssl
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs

import pytest
from oauthenticator.oauth2 import _serialize_state
from prometheus_client import REGISTRY
from tornado.httpclient import HTTPClientError, HTTPRequest, HTTPResponse
from tornado.web import HTTPError
from traitlets.config import Config

from ocfspawner.keycloak import KeycloakAuthenticator

REALM = "https://idm.example.edu/realms/ocf"
TOKEN = "the-token"
GSTAFF = {"sub": "0c1f", "preferred_username": "gstaff", "groups": ["ocfstaff", "ocfhpc"], "email": "g@example.edu"}


class Keycloak:
    """Answers a log-in's two requests."""

    def __init__(self, userinfo: Any = GSTAFF, failure: Exception | None = None) -> None:
        self.userinfo = userinfo
        self.failure = failure
        self.requests: list[HTTPRequest] = []

    async def fetch(self, request: HTTPRequest, **options: Any) -> HTTPResponse:
        self.requests.append(request)
        if self.failure:
            raise self.failure
        token = {"access_token": TOKEN, "token_type": "Bearer", "id_token": "x"}
        answer = token if request.url.endswith("/token") else self.userinfo
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        return HTTPResponse(request, 200, buffer=BytesIO(body))


class Handler:
    """What came back from the browser."""

    def get_argument(self, name: str) -> str:
        return {"code": "the-code"}[name]

    def get_state_cookie(self) -> str:
        return str(_serialize_state({"state_id": "1", "code_verifier": "the-verifier"}))


def authenticator(keycloak: Keycloak, **config: Any) -> KeycloakAuthenticator:
    settings = {
        "realm": REALM,
        "client_id": "jupyterhub",
        "client_secret": "the-secret",
        "oauth_callback_url": "https://hub.example.edu/hub/oauth_callback",
        **config,
    }
    made = KeycloakAuthenticator(config=Config(KeycloakAuthenticator=settings))
    made.http_client = keycloak
    return made


async def log_in(keycloak: Keycloak, **config: Any) -> Any:
    config = config or {"allow_all": True}
    return await authenticator(keycloak, **config).get_authenticated_user(Handler(), None)


async def refused(keycloak: Keycloak, reason: str, **config: Any) -> HTTPError:
    before = counted(reason)
    with pytest.raises(HTTPError) as caught:
        await log_in(keycloak, **config)
    assert counted(reason) == before + 1
    return caught.value


def counted(reason: str) -> float:
    return REGISTRY.get_sample_value("ocfspawner_refusals_total", {"path": "login", "reason": reason}) or 0


def text(error: HTTPError) -> str:
    """What the page says."""
    return str(error.log_message) % error.args


async def test_name_and_groups_are_the_claims() -> None:
    found = await log_in(Keycloak())
    assert (found["name"], found["groups"]) == ("gstaff", ["ocfhpc", "ocfstaff"])


@pytest.mark.parametrize("name", ["GStaff", "ｇstaff", "Jos\u0065\u0301", "straße"])
async def test_no_name_is_changed(name: str) -> None:
    """Two people's names must never become one; whether there is such an account is the directory's to say."""
    assert (await log_in(Keycloak({"preferred_username": name})))["name"] == name


async def test_outer_spaces_are_no_part_of_a_name_of_the_hubs() -> None:
    """JupyterHub's own rule; the name is refused, not cut."""
    assert await log_in(Keycloak({"preferred_username": "gstaff "})) is None


async def test_what_is_asked_and_within_which_time() -> None:
    keycloak = Keycloak()
    await log_in(keycloak, allow_all=True, ca_file="/etc/authorities.pem")
    token, userinfo = keycloak.requests
    assert token.url == f"{REALM}/protocol/openid-connect/token"
    assert userinfo.url == f"{REALM}/protocol/openid-connect/userinfo"
    assert userinfo.headers["Authorization"] == f"Bearer {TOKEN}"
    sent = parse_qs((token.body or b"").decode())
    assert (sent["code"], sent["code_verifier"], sent["client_secret"]) == (
        ["the-code"],
        ["the-verifier"],
        ["the-secret"],
    )
    for request in keycloak.requests:
        assert (request.connect_timeout, request.request_timeout) == (5, 10)
        assert request.ca_certs == "/etc/authorities.pem"
        assert request.validate_cert is not False


def test_pkce_is_on_and_no_token_is_kept() -> None:
    made = authenticator(Keycloak())
    assert made.enable_pkce
    assert not made.enable_auth_state
    assert made.scope == ["openid"]
    assert made.authorize_url == f"{REALM}/protocol/openid-connect/auth"


async def test_there_is_nothing_to_refresh() -> None:
    assert await authenticator(Keycloak()).refresh_user(None) is True


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
async def test_who_administers_the_hub(config: dict[str, Any], admin: bool) -> None:
    assert bool((await log_in(Keycloak(), allow_all=True, **config))["admin"]) is admin


@pytest.mark.parametrize(
    "config",
    [
        pytest.param({"allowed_users": {"gstaff"}}, id="a user"),
        pytest.param({"allowed_groups": {"ocfstaff"}}, id="a group"),
        pytest.param({"allowed_groups": {"ocfroot"}, "admin_groups": {"ocfstaff"}}, id="an administrator"),
    ],
)
async def test_who_is_allowed(config: dict[str, Any]) -> None:
    assert await log_in(Keycloak(), **config)


@pytest.mark.parametrize("config", [{"allowed_users": {"GSTAFF"}}, {"allowed_groups": {"ocfroot"}}])
async def test_who_is_not_allowed_is_told_so(config: dict[str, Any]) -> None:
    error = await refused(Keycloak(), "not-allowed", **config)
    assert error.status_code == 403
    assert "“gstaff” is not among the accounts that may use this service." in text(error)


async def test_who_has_no_groups_is_in_none() -> None:
    keycloak = Keycloak({"preferred_username": "gstaff"})
    assert (await log_in(keycloak))["groups"] == []
    await refused(keycloak, "not-allowed", allowed_groups={"ocfstaff"})


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(HTTPClientError(599, "Timeout while connecting"), id="no answer in time"),
        pytest.param(HTTPClientError(503), id="it is unwell"),
        pytest.param(ConnectionRefusedError("refused"), id="nobody listens"),
        pytest.param(ssl.SSLCertVerificationError("self-signed"), id="its certificate is not trusted"),
    ],
)
async def test_an_outage_is_called_that(failure: Exception, caplog: pytest.LogCaptureFixture) -> None:
    keycloak = Keycloak(failure=failure)
    error = await refused(keycloak, "login-service-unreachable")
    assert error.status_code == 503
    assert "can't be reached at the moment" in text(error)
    assert str(failure) in caplog.text
    keycloak.failure = None
    assert await log_in(keycloak)


@pytest.mark.parametrize("code", [400, 401])
async def test_a_hub_that_keycloak_refuses_is_the_administrators(code: int) -> None:
    error = await refused(Keycloak(failure=HTTPClientError(code)), "login-service-failed")
    assert error.status_code == 500
    assert "did not confirm this log-in" in text(error)


@pytest.mark.parametrize(
    ("userinfo", "reason"),
    [
        pytest.param({"sub": "0c1f", "email": "g@example.edu"}, "misconfigured", id="no name"),
        pytest.param({"preferred_username": "", "email": "g@example.edu"}, "misconfigured", id="an empty name"),
        pytest.param({"preferred_username": 7, "email": "g@example.edu"}, "misconfigured", id="a number"),
        pytest.param({**GSTAFF, "groups": "ocfstaff"}, "misconfigured", id="groups that are a text"),
        pytest.param({**GSTAFF, "groups": [["ocfstaff"]]}, "misconfigured", id="groups that are lists"),
        pytest.param(b"<html>g@example.edu", "login-service-failed", id="a page"),
    ],
)
async def test_an_answer_that_makes_no_sense_is_refused(
    userinfo: Any, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    error = await refused(Keycloak(userinfo), reason)
    assert error.status_code == 500
    assert TOKEN not in caplog.text
    assert "g@example.edu" not in caplog.text, "what Keycloak tells of a person is not the log's"
