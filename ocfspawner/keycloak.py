"""Log-in through a realm of Keycloak whose people come from the same directory."""

from json import JSONDecodeError
from typing import Any

from oauthenticator.generic import GenericOAuthenticator
from oauthenticator.oauth2 import OAuthLogoutHandler
from tornado.httpclient import HTTPClientError
from tornado.httputil import url_concat
from traitlets import Unicode, default

from ocfspawner.errors import ConfigurationError, LoginServiceFailed, LoginServiceUnreachable, NotAllowed, Refusal
from ocfspawner.refusals import login_refused

CONNECT_SECONDS = 5
REQUEST_SECONDS = 10
"""For each of a log-in's two requests to Keycloak; tornado's own limits are 20 seconds each."""

_SERVER_ERRORS = 500
_NO_ANSWER = 599
"""tornado's code for a request that was not answered."""


class KeycloakLogoutHandler(OAuthLogoutHandler):  # type: ignore[misc]  # oauthenticator has no types
    """Ends the log-in at the Hub, then leads to where Keycloak ends its own, and from there back."""

    async def render_logout_page(self) -> None:
        """Keycloak asks once more: only a token, which the Hub does not keep, would spare that question."""
        back = self.authenticator.get_callback_url(self).removesuffix("oauth_callback") + "login"
        query = {"client_id": self.authenticator.client_id, "post_logout_redirect_uri": back}
        self.redirect(url_concat(self.authenticator.endpoint("logout"), query))


class KeycloakAuthenticator(GenericOAuthenticator):  # type: ignore[misc]
    """OpenID Connect with a Keycloak realm: code flow with PKCE, confidential client.

    The Hub's user name is the claim ``preferred_username`` as it is, the Hub's groups are the claim ``groups``.
    Tokens serve the log-in and are then forgotten (as long as ``enable_auth_state`` is off, its default).
    Whoever can make or rename people in the realm decides who a person is at the Hub.
    """

    logout_handler = KeycloakLogoutHandler

    realm = Unicode(help="URL of the realm, such as https://idm.ocf.berkeley.edu/realms/ocf.").tag(config=True)
    ca_file = Unicode(
        help="""PEM file with the authorities that may sign Keycloak's certificate.  Default: those of the system."""
    ).tag(config=True)

    def endpoint(self, name: str) -> str:
        """The realm's URL for one part of the protocol."""
        if not self.realm:
            raise ConfigurationError("KeycloakAuthenticator.realm is not set")
        return f"{self.realm.rstrip('/')}/protocol/openid-connect/{name}"

    @default("authorize_url")
    def _authorize_url(self) -> str:
        return self.endpoint("auth")

    @default("token_url")
    def _token_url(self) -> str:
        return self.endpoint("token")

    @default("userdata_url")
    def _userdata_url(self) -> str:
        return self.endpoint("userinfo")

    @default("http_request_kwargs")
    def _http_request_kwargs(self) -> dict[str, Any]:
        limits = {"connect_timeout": CONNECT_SECONDS, "request_timeout": REQUEST_SECONDS}
        return {**limits, "ca_certs": self.ca_file} if self.ca_file else limits

    @default("scope")
    def _scope(self) -> list[str]:
        return ["openid"]

    @default("username_claim")
    def _username_claim(self) -> str:
        return "preferred_username"

    @default("manage_groups")
    def _manage_groups(self) -> bool:
        return True

    @default("login_service")
    def _login_service(self) -> str:
        return "Keycloak"

    def normalize_username(self, username: str) -> str:
        """The name as it is: lower-casing could make two accounts one."""
        return str(self.username_map.get(username, username))

    async def authenticate(self, handler: Any, data: Any = None, **options: Any) -> dict[str, Any]:
        """The Hub's picture of the person; a refusal is an HTTP error with a text for them."""
        try:
            model: dict[str, Any] = await super().authenticate(handler, data, **options)
        except Refusal as refused:
            raise login_refused(refused, self.log) from None
        except (HTTPClientError, OSError, JSONDecodeError) as error:
            raise login_refused(_refusal_of(error), self.log) from None
        return model

    def user_info_to_username(self, user_info: dict[str, Any]) -> str:
        """The claim that names the person."""
        name = user_info.get(self.username_claim)
        if not isinstance(name, str) or not name:
            raise ConfigurationError(f"Keycloak's userinfo has no text under {self.username_claim!r}")
        return name

    async def get_user_groups(self, auth_state: dict[str, Any]) -> set[str]:
        """The claim ``groups``; who has none is in no group."""
        groups = auth_state[self.user_auth_state_key].get("groups", [])
        if not isinstance(groups, list) or not all(isinstance(group, str) for group in groups):
            raise ConfigurationError("Keycloak's claim 'groups' is not a list of names")
        return set(groups)

    async def check_allowed(self, username: str, auth_model: dict[str, Any] | None) -> bool:
        """Whether a person whom Keycloak knows may use this Hub; says so to one who may not."""
        if not await super().check_allowed(username, auth_model):
            raise login_refused(NotAllowed(username), self.log)
        return True


def _refusal_of(error: HTTPClientError | OSError | JSONDecodeError) -> Refusal:
    """*error* is an HTTP status, a connection that failed, or an answer that is no JSON."""
    answered = isinstance(error, JSONDecodeError) or getattr(error, "code", _NO_ANSWER) < _SERVER_ERRORS
    return LoginServiceFailed(str(error)) if answered else LoginServiceUnreachable(str(error))
