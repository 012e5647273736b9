"""A spawner without a Hub.

It is of the class and with the settings that the Hub would use, for a user who is in no database: their id is
0, they have no token, and their groups are the directory's.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ocfspawner.cli.redact import HIDDEN
from ocfspawner.directory.client import Answer
from ocfspawner.errors import ConfigurationError, Refusal

if TYPE_CHECKING:
    from traitlets.config import Config

    from ocfspawner.plan import ServerPlan
    from ocfspawner.spawner import OCFSpawner


class NotStarted(Refusal):
    """What the Hub would refuse a start for, in the Hub's own words."""

    def __init__(self, reason: str, user_text: str, admin_text: str) -> None:
        super().__init__(user_text, admin_text)
        self.reason = reason  # type: ignore[misc]  # each refusal of the spawner has its own


def make_spawner(
    config: "Config", username: str, server: str, answer: Answer | None, exact: bool = False
) -> "OCFSpawner":
    """The spawner that the Hub of *config* would make; see `ocfspawner.cli.hub.Hub.spawner`."""
    from traitlets import TraitError

    groups = sorted(answer.account.group_names) if answer else []
    try:
        settings = hub_settings(config, exact)
        person = user(username, groups, settings["base_url"])
        prefix = f"{person.url}{server}/" if server else person.url
        with _no_cluster():
            return spawner_class(config)(  # type: ignore[no-any-return]
                config=config,
                user=person,
                hub=settings["hub"],
                orm_spawner=_row(server, prefix),
                oauth_client_id=f"jupyterhub-user-{person.escaped_name}{'-' if server else ''}{server}",
                cookie_options=settings["cookie_options"],
                cookie_host_prefix_enabled=settings["cookie_host_prefix_enabled"],
                # In the place of a token: only the Hub can make one.
                api_token=HIDDEN,
            )
    except TraitError as error:
        raise ConfigurationError(f"the spawner's settings: {error}") from None


async def decide(spawner: "OCFSpawner") -> "ServerPlan":
    """What *spawner* decides at the start of its server.  Raises `NotStarted`."""
    from jupyterhub.spawner import SpawnException

    try:
        await spawner.apply_group_overrides()
        await spawner.load_user_options()
    except SpawnException as refused:
        raise _refusal(refused) from None
    if spawner.plan is None:
        raise ConfigurationError("no directory is configured: the server would be KubeSpawner's alone")
    return spawner.plan


async def manifest(spawner: "OCFSpawner") -> Mapping[str, Any]:
    """The pod of *spawner*, which has decided, as the API server would be sent it.

    Raises `NotStarted`, and `ConfigurationError` for a hook that fails.
    """
    from jupyterhub.spawner import SpawnException
    from jupyterhub.utils import maybe_future
    from kubernetes_asyncio.client import ApiClient

    try:
        pod = await spawner.get_pod_manifest()
    except SpawnException as refused:
        raise _refusal(refused) from None
    if spawner.modify_pod_hook:
        try:
            pod = await maybe_future(spawner.modify_pod_hook(spawner, pod))
        except Exception as error:  # whatever it is, it is the administrator's own
            raise ConfigurationError(f"modify_pod_hook: {type(error).__name__}: {error}") from None
    async with ApiClient() as client:
        return {"apiVersion": "v1", "kind": "Pod", **client.sanitize_for_serialization(pod)}


def _refusal(refused: Any) -> NotStarted:
    return NotStarted(refused.reason, str(refused.message), refused.log_message)


def spawner_class(config: "Config") -> type:
    """The class that ``c.JupyterHub.spawner_class`` names.  Raises `ConfigurationError` for a foreign one."""
    from jupyterhub.spawner import Spawner
    from jupyterhub.traitlets import EntryPointType
    from traitlets import HasTraits, TraitError

    from ocfspawner.spawner import OCFSpawner

    class Choice(HasTraits):
        """One setting of the Hub's, read without the second that importing the Hub takes."""

        spawner_class = EntryPointType(OCFSpawner, klass=Spawner, entry_point_group="jupyterhub.spawners")

    named = config.JupyterHub.get("spawner_class", OCFSpawner)
    try:
        found = Choice(spawner_class=named).spawner_class
    except (TraitError, ImportError) as error:
        raise ConfigurationError(f"c.JupyterHub.spawner_class: {error}") from None
    if not issubclass(found, OCFSpawner):
        raise ConfigurationError(f"c.JupyterHub.spawner_class is {found.__name__}, and no OCFSpawner")
    return found  # type: ignore[no-any-return]


def hub_settings(config: "Config", exact: bool) -> Mapping[str, Any]:
    """What the Hub tells its spawners of itself; unless *exact*, without the second that importing it takes.

    Raises `ConfigurationError`.
    """
    from jupyterhub.objects import Hub as HubAddress

    if not exact:
        return {"hub": HubAddress(), "base_url": "/", "cookie_options": {}, "cookie_host_prefix_enabled": False}
    from jupyterhub.app import JupyterHub
    from traitlets import TraitError

    try:
        app = JupyterHub(config=config)
        app.init_hub()
    except (TraitError, ValueError) as error:
        raise ConfigurationError(f"JupyterHub's settings: {error}") from None
    return {
        "hub": app.hub,
        "base_url": app.base_url,
        "cookie_options": app.tornado_settings.get("cookie_options", {}),
        "cookie_host_prefix_enabled": app.cookie_host_prefix_enabled,
    }


def user(username: str, groups: list[str], base_url: str = "/") -> SimpleNamespace:
    """What a spawner asks of a `jupyterhub.user.User`."""
    from jupyterhub.utils import url_escape_path

    escaped = url_escape_path(username)
    url = f"{base_url}user/{escaped}/"
    return SimpleNamespace(
        name=username,
        escaped_name=escaped,
        id=0,
        url=url,
        base_url=url,
        admin=False,
        settings={},
        state=None,
        groups=[SimpleNamespace(name=name) for name in groups],
    )


def _row(server: str, prefix: str) -> SimpleNamespace:
    """What a spawner asks of its row in the Hub's database."""
    from jupyterhub.orm import Server

    # All columns: their defaults would come from the database.
    address = Server(proto="http", ip="", port=0, base_url=prefix, cookie_name="")
    return SimpleNamespace(name=server, display_name=server, server=address, state=None, user_options={})


@contextmanager
def _no_cluster() -> Iterator[None]:
    """KubeSpawner looks for a cluster when it is made (kubespawner 7.1.0, spawner.py:235), not only when it starts."""
    from kubespawner import spawner as kubespawner

    load_config, shared_client = kubespawner.load_config, kubespawner.shared_client
    kubespawner.load_config = kubespawner.shared_client = lambda *_, **__: None
    try:
        yield
    finally:
        kubespawner.load_config, kubespawner.shared_client = load_config, shared_client
