"""jupyterhub_config.py, with the settings that overlays give it."""

from pathlib import Path
from typing import Any

import pytest
from traitlets.config.loader import PyFileConfigLoader

ROOT = Path(__file__).parents[2]
OVERLAYS = ("deploy/overlays/demo", "deploy/overlays/ocf", "deploy/examples/site")


@pytest.fixture
def mounted(tmp_path: Path) -> Path:
    """What stands for /srv/jupyterhub, with the files that are always mounted."""
    (tmp_path / "proxy_auth_token").write_text("secret-of-the-proxy\n")
    return tmp_path


def load(mounted: Path) -> Any:
    source = (ROOT / "jupyterhub_config.py").read_text(encoding="utf-8")
    assert source.count('"/srv/jupyterhub"') == 1
    (mounted / "config.py").write_text(source.replace('"/srv/jupyterhub"', repr(str(mounted))), encoding="utf-8")
    return PyFileConfigLoader("config.py", path=str(mounted)).load_config()


def put(mounted: Path, name: str, text: str) -> None:
    (mounted / name).parent.mkdir(exist_ok=True)
    (mounted / name).write_text(text)


@pytest.mark.parametrize("url", ["https://jupyter.example.edu", "https://jupyter.example.edu/"])
def test_one_address_is_the_hubs_and_where_keycloak_leads_back_to(
    url: str, mounted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUBLIC_URL", url)
    c = load(mounted)
    assert c.JupyterHub.public_url == "https://jupyter.example.edu/"
    assert c.OAuthenticator.oauth_callback_url == "https://jupyter.example.edu/hub/oauth_callback"


def test_without_an_address_each_request_tells_it(mounted: Path) -> None:
    c = load(mounted)
    assert c.JupyterHub.public_url == c.OAuthenticator.oauth_callback_url == ""


def test_prometheus_is_a_service_with_one_right_once_it_has_a_token(mounted: Path) -> None:
    assert "services" not in load(mounted).JupyterHub
    put(mounted, "metrics/token", "token-of-prometheus\n")
    c = load(mounted)
    assert c.JupyterHub.services.get_value([]) == [{"name": "prometheus", "api_token": "token-of-prometheus"}]
    (role,) = c.JupyterHub.load_roles.get_value([])
    assert role == {"name": "prometheus", "services": ["prometheus"], "scopes": ["read:metrics"]}


@pytest.mark.parametrize(("said", "seconds"), [({}, "3600"), ({"CULL_TIMEOUT": "14400"}, "14400")])
def test_the_idle_culler_is_one_more_service(
    said: dict[str, str], seconds: str, mounted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    file = ROOT / "deploy/components/idle-culler/50-idle-culler.py"
    put(mounted, "jupyterhub_config.d/50-idle-culler.py", file.read_text(encoding="utf-8"))
    put(mounted, "metrics/token", "token-of-prometheus\n")
    c = load(mounted)
    prometheus, culler = c.JupyterHub.services.get_value([])
    assert (prometheus["name"], culler["name"]) == ("prometheus", "idle-culler")
    assert f"--timeout={seconds}" in culler["command"]
    assert "--max-age=0" in culler["command"]
    assert len(c.JupyterHub.load_roles.get_value([])) == 2


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_it_takes_the_settings_of_each_overlay(overlay: str, mounted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in ("deploy/base/settings.env", f"{overlay}/settings.env"):
        for line in (ROOT / file).read_text(encoding="utf-8").splitlines():
            if line and not line.startswith("#"):
                monkeypatch.setenv(*line.split("=", 1))
    put(mounted, "keycloak/client_secret", "secret-of-the-client\n")
    c = load(mounted)
    assert c.LDAPDirectory.urls
    assert c.OCFSpawner.homes.claim == "homes"
