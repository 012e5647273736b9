"""The Hub's settings, on a page.

No logic beyond reading the environment (deploy/base/settings.env) and the mounted files; the order is that of the
original README.  Anything else a site wants goes into a file of its own, see the end.
"""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ocfspawner.home import ClaimHomes, NFSHomes

if TYPE_CHECKING:
    from traitlets.config import Config

    c: Config

here = Path("/srv/jupyterhub")


def text(name: str, default: str = "") -> str:
    """A setting; one that is set to nothing counts as not set."""
    return os.environ.get(name) or default


def value(name: str, default: str = "null") -> Any:
    """A setting that is a number, a list or a mapping, written as JSON."""
    return json.loads(text(name, default))


# -- Storage ----------------------------------------------------------------------------------------------------------
# Where Jupyter starts: ~ is the person's home. A missing directory is made by their own server.
c.Spawner.notebook_dir = text("NOTEBOOK_DIR", "~/notebooks")

# The Hub's database: mysql+pymysql://USER:PASSWORD@HOST:PORT/NAME, from a mounted Secret; SQLite when there is none.
db_url = here / "database" / "url"
if db_url.exists():
    c.JupyterHub.db_url = db_url.read_text().strip()
    # The Hub does nothing else while it waits for its database: without these, for ever. JupyterHub itself tries a
    # connection before it uses it, and takes a new one each minute; so no wait_timeout of the server's is noticed.
    c.JupyterHub.db_kwargs = {
        "connect_args": {"connect_timeout": 3, "read_timeout": 10, "write_timeout": 10},  # seconds
        "pool_recycle": 60,  # seconds
    }
else:
    c.JupyterHub.db_url = f"sqlite:///{here}/data/jupyterhub.sqlite"
c.JupyterHub.upgrade_db = True  # a newer JupyterHub brings the tables up to date when it starts

# Where homes lie: behind one claim (whose top stands for HOMES_ROOT), or each on an NFS server by its own path.
if text("HOMES_CLAIM"):
    c.OCFSpawner.homes = ClaimHomes(claim=text("HOMES_CLAIM"), root=text("HOMES_ROOT", "/home"))
else:
    c.OCFSpawner.homes = NFSHomes(server=text("HOMES_SERVER", "homes.ocf.berkeley.edu"), prefix=text("HOMES_PREFIX"))

# -- Security ---------------------------------------------------------------------------------------------------------
# 32 random bytes in hex, which sign everyone's log-in: if they change, all are logged out. JPY_COOKIE_SECRET goes
# before it.
c.JupyterHub.cookie_secret_file = str(here / "jupyterhub_cookie_secret")

# With this the Hub speaks to the proxy, which has the same. With none, here or in CONFIGPROXY_AUTH_TOKEN, the Hub does
# not start: the proxy is a pod of its own, and could not know one that the Hub made up.
proxy_auth_token = here / "proxy_auth_token"
if proxy_auth_token.exists():
    c.ConfigurableHTTPProxy.auth_token = proxy_auth_token.read_text().strip()

# Who people are: the directory, asked at each start of a server.
c.LDAPDirectory.urls = value("LDAP_URLS", "[]")
c.LDAPDirectory.ca_file = text("LDAP_CA_FILE")  # who signs its certificate; the system's authorities when not set
c.LDAPDirectory.people_base = text("LDAP_PEOPLE_BASE", "ou=People,dc=OCF,dc=Berkeley,dc=EDU")
c.LDAPDirectory.group_base = text("LDAP_GROUP_BASE", "ou=Group,dc=OCF,dc=Berkeley,dc=EDU")
c.LDAPDirectory.schema_preset = text("LDAP_SCHEMA", "rfc2307")  # or rfc2307bis
c.LDAPDirectory.cache_ttl = value("LDAP_CACHE_TTL", "30")  # seconds until a change there counts here
c.LDAPDirectory.negative_cache_ttl = value("LDAP_NEGATIVE_CACHE_TTL", "3")  # the same for "no account" and "disabled"

# How they log in: by their directory password (ldap), through a Keycloak realm whose people come from that directory
# (keycloak: docs/keycloak.md), or by any other authenticator class that the image has.
authenticator = text("AUTHENTICATOR", "ldap")
ours = {"ldap": "ocfspawner.DirectoryAuthenticator", "keycloak": "ocfspawner.keycloak.KeycloakAuthenticator"}
c.JupyterHub.authenticator_class = ours.get(authenticator, authenticator)
c.KeycloakAuthenticator.realm = text("KEYCLOAK_REALM", "https://idm.ocf.berkeley.edu/realms/ocf")
c.KeycloakAuthenticator.ca_file = text("KEYCLOAK_CA_FILE")  # who signs its certificate, as LDAP_CA_FILE
c.KeycloakAuthenticator.client_id = text("OAUTH_CLIENT_ID", "jupyterhub")
c.KeycloakAuthenticator.login_service = text("LOGIN_SERVICE", "OCF")  # on the button: Sign in with ...
if authenticator == "keycloak":
    c.KeycloakAuthenticator.client_secret = (here / "keycloak" / "client_secret").read_text().strip()

# Who may use the Hub and who administers it, by name and by group, whichever way they log in. With no ALLOWED_GROUPS,
# everyone who has an account.
allowed_groups = set(value("ALLOWED_GROUPS", "[]"))
c.Authenticator.allow_all = value("ALLOW_ALL", "false" if allowed_groups else "true")
c.DirectoryAuthenticator.allowed_groups = c.KeycloakAuthenticator.allowed_groups = allowed_groups
c.Authenticator.admin_users = set(value("ADMIN_USERS", "[]"))
c.DirectoryAuthenticator.admin_groups = c.KeycloakAuthenticator.admin_groups = set(value("ADMIN_GROUPS", "[]"))

# -- Processes: Hub, proxy and servers are pods, and each lives on while another restarts -----------------------------
c.JupyterHub.hub_bind_url = "http://:8081"
c.JupyterHub.hub_connect_url = text("HUB_URL", "http://hub:8081")
c.ConfigurableHTTPProxy.should_start = False
c.ConfigurableHTTPProxy.api_url = text("PROXY_API_URL", "http://proxy-api:8001")
c.JupyterHub.cleanup_servers = False
c.JupyterHub.last_activity_interval = 30  # seconds until a proxy that lost its routes by a restart has them again
# As people's browsers have it; taken from each request when not set, which behind an ingress says http.
public_url = text("PUBLIC_URL").rstrip("/")
c.JupyterHub.public_url = f"{public_url}/" if public_url else ""
c.OAuthenticator.oauth_callback_url = f"{public_url}/hub/oauth_callback" if public_url else ""
c.JupyterHub.template_paths = [str(here / "templates")]  # the pages that differ from JupyterHub's own
c.JupyterHub.allow_named_servers = True
c.JupyterHub.named_server_limit_per_user = value("NAMED_SERVER_LIMIT", "3")

# /hub/metrics is for tokens with the scope read:metrics. Prometheus has one that may do nothing else.
c.JupyterHub.authenticate_prometheus = True
metrics_token = here / "metrics" / "token"
if metrics_token.exists():
    c.JupyterHub.services.append({"name": "prometheus", "api_token": metrics_token.read_text().strip()})
    c.JupyterHub.load_roles.append({"name": "prometheus", "services": ["prometheus"], "scopes": ["read:metrics"]})

# -- KubeSpawner ------------------------------------------------------------------------------------------------------
c.JupyterHub.spawner_class = "ocfspawner.OCFSpawner"
c.KubeSpawner.namespace = text("POD_NAMESPACE", "default")  # where people's pods run: beside the Hub
c.KubeSpawner.image_pull_policy = text("IMAGE_PULL_POLICY", "IfNotPresent")
c.KubeSpawner.events_enabled = value("EVENTS_ENABLED", "true")  # for the progress page
c.KubeSpawner.service_account = text("SERVICE_ACCOUNT") or None  # people's pods run as it ...
c.KubeSpawner.automount_service_account_token = False  # ... and don't get its token
# On claims that KubeSpawner itself makes (storage_pvc_ensure; the Role then needs `create` of persistentvolumeclaims).
c.KubeSpawner.storage_extra_labels = value("STORAGE_EXTRA_LABELS", "{}")
# Guaranteed to each server, and its limit: bytes (K, M, G, T) and cores. The policy file's rules go before them.
c.KubeSpawner.mem_limit = text("MEM_LIMIT") or None
c.KubeSpawner.mem_guarantee = text("MEM_GUARANTEE") or None
c.KubeSpawner.cpu_limit = value("CPU_LIMIT")
c.KubeSpawner.cpu_guarantee = value("CPU_GUARANTEE")
c.KubeSpawner.extra_resource_limits = value("EXTRA_RESOURCE_LIMITS", "{}")  # such as {"nvidia.com/gpu": "1"}
c.KubeSpawner.extra_resource_guarantees = value("EXTRA_RESOURCE_GUARANTEES", "{}")
c.OCFSpawner.policy_file = text("POLICY_FILE", f"{here}/policy/resources.yaml")
c.KubeSpawner.environment = value("EXTRA_ENV", "{}")  # more variables for every server
c.KubeSpawner.image = text("SINGLEUSER_IMAGE", "ocfspawner-singleuser")

# -- A site's own, and components': every *.py in this folder, in the order of their names ----------------------------
for file in sorted((here / "jupyterhub_config.d").glob("*.py")):
    load_subconfig(str(file))  # type: ignore[name-defined]  # JupyterHub's
