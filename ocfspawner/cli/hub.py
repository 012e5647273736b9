"""The Hub's configuration and its spawner, without a Hub.

A spawner made here is of the class and with the settings that the Hub would use, for a user who is in no
database: its id is 0, it has no token, and its groups are the directory's.
"""

import asyncio
import logging
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ocfspawner.cli.output import note
from ocfspawner.directory.client import Accounts, Answer
from ocfspawner.errors import ConfigurationError, Refusal

if TYPE_CHECKING:
    from traitlets.config import Config

    from ocfspawner.directory.config import LDAPDirectory
    from ocfspawner.plan import ServerPlan
    from ocfspawner.spawner import OCFSpawner

_PLACES = (Path("jupyterhub_config.py"), Path("/srv/jupyterhub/jupyterhub_config.py"))
"""Where the Hub's own default is, and where its pod has it."""


class NotStarted(Refusal):
    """What the Hub would refuse a start for, in the Hub's own words."""

    def __init__(self, reason: str, user_text: str, admin_text: str) -> None:
        super().__init__(user_text, admin_text)
        self.reason = reason  # type: ignore[misc]  # each refusal of the spawner has its own


@dataclass(frozen=True, slots=True)
class Decision:
    """What the spawner decided for one server, and how long it took."""

    answer: Answer
    plan: "ServerPlan"
    spawner: "OCFSpawner"
    directory_seconds: float
    policy_seconds: float


@dataclass
class Hub:
    """A configuration that was read, and a directory to ask."""

    config: "Config"
    path: Path | None
    directory: "LDAPDirectory"
    exact: bool = field(default=False)
    """Whether spawners know the Hub's URLs, which costs the import of the whole JupyterHub."""

    @classmethod
    def load(
        cls, path: Path | None, ldif: Path | None = None, policy: Path | None = None, exact: bool = False
    ) -> "Hub":
        """Read *path*, or the first of the usual places; with *ldif*, it may be that there is none.

        Raises `ConfigurationError`.
        """
        path = path or next((place for place in _PLACES if place.exists()), None)
        if path is None and ldif is None:
            raise ConfigurationError(f"no {' and no '.join(map(str, _PLACES))}: name the Hub's configuration with -f")
        if path is None:
            note("No jupyterhub_config.py was found: this is with ocfspawner's defaults.")
        config = read_config(path)
        if policy is not None:
            config.OCFSpawner.policy_file = str(policy)
        if exact:
            # Now, so that the imports are not counted as a phase of a spawn.
            _hub_settings(config, exact)
        return cls(config, path, _directory(config, ldif), exact)

    @property
    def accounts(self) -> Accounts:
        """Whom to ask.  Raises `ConfigurationError` when there is no directory."""
        if not self.directory.configured:
            raise ConfigurationError(f"{self.path} names no directory: set c.LDAPDirectory.urls, or give --ldif FILE")
        return self.directory.directory()

    async def decide(self, username: str, server: str = "") -> Decision:
        """Everything that a start would decide, up to the pod.

        Raises the refusal that the start would end with.
        """
        began = time.monotonic()
        answer = await self.accounts.lookup(username)
        answered = time.monotonic()
        spawner = self.spawner(username, server, answer)
        made = time.monotonic()
        plan = await decide(spawner)
        return Decision(answer, plan, spawner, answered - began, time.monotonic() - made)

    def spawner(self, username: str, server: str = "", answer: Answer | None = None) -> "OCFSpawner":
        """The spawner that the Hub would make for this server.  Needs a running loop, and no cluster."""
        return make_spawner(self.config, username, server, answer, self.exact)

    async def __aenter__(self) -> "Hub":
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.directory.configured:
            self.directory.directory().close()


def read_config(path: Path | None) -> "Config":
    """The configuration in *path*; an empty one for ``None``.

    Raises `ConfigurationError` with file and line for whatever the file itself raises.
    """
    from traitlets.config.loader import Config, PyFileConfigLoader

    if path is None:
        return Config()
    loader = PyFileConfigLoader(path.name, path=str(path.resolve().parent))
    try:
        return loader.load_config()
    except (Exception, SystemExit) as error:
        raise ConfigurationError(f"{_where(error, path)}: {type(error).__name__}: {error}") from None


def _where(error: BaseException, path: Path) -> str:
    """The line of the configuration that raised, also when it called something that did."""
    frame, line = error.__traceback__, None
    while frame:
        if Path(frame.tb_frame.f_code.co_filename).name == path.name:
            line = frame.tb_lineno
        frame = frame.tb_next
    if isinstance(error, SyntaxError):
        line = error.lineno
    return f"{path}:{line}" if line else str(path)


def _directory(config: "Config", ldif: Path | None) -> "LDAPDirectory":
    from traitlets import TraitError

    from ocfspawner.directory.config import LDAPDirectory

    # One for each process, which here is one for each command.
    LDAPDirectory.clear_instance()
    try:
        directory = LDAPDirectory.instance(config=config)
    except TraitError as error:
        raise ConfigurationError(f"LDAPDirectory: {error}") from None
    if ldif:
        from ocfspawner.directory.ldif import LDIFDirectory

        directory.answer_from(LDIFDirectory(ldif, directory.schema()))
    return directory


def make_spawner(
    config: "Config", username: str, server: str, answer: Answer | None, exact: bool = False
) -> "OCFSpawner":
    """The spawner that the Hub of *config* would make; see `Hub.spawner`."""
    from traitlets import TraitError

    groups = sorted(answer.account.group_names) if answer else []
    try:
        settings = _hub_settings(config, exact)
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
    """The pod of *spawner*, which has decided, as the API server would be sent it.  Raises `NotStarted`."""
    from jupyterhub.spawner import SpawnException
    from jupyterhub.utils import maybe_future
    from kubernetes_asyncio.client import ApiClient

    try:
        pod = await spawner.get_pod_manifest()
    except SpawnException as refused:
        raise _refusal(refused) from None
    if spawner.modify_pod_hook:
        pod = await maybe_future(spawner.modify_pod_hook(spawner, pod))
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


def _hub_settings(config: "Config", exact: bool) -> Mapping[str, Any]:
    from jupyterhub.objects import Hub as HubAddress

    if not exact:
        return {"hub": HubAddress(), "base_url": "/", "cookie_options": {}, "cookie_host_prefix_enabled": False}
    from jupyterhub.app import JupyterHub

    app = JupyterHub(config=config)
    app.init_hub()
    return {
        "hub": app.hub,
        "base_url": app.base_url,
        "cookie_options": app.tornado_settings.get("cookie_options", {}),
        "cookie_host_prefix_enabled": app.cookie_host_prefix_enabled,
    }


def user(username: str, groups: list[str], base_url: str = "/") -> SimpleNamespace:
    """What a spawner asks of jupyterhub.user.User."""
    from jupyterhub.utils import url_escape_path, url_path_join

    escaped = url_escape_path(username)
    url = url_path_join(base_url, "user", escaped) + "/"
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


def show_log(level: int) -> None:
    """Let what the spawner and the directory log from *level* on appear on standard error."""
    logging.basicConfig(stream=sys.stderr, level=level, format="%(levelname)s: %(message)s", force=True)
    logging.getLogger("asyncio").setLevel(logging.ERROR)


def run(coroutine: Any) -> Any:
    """Run one command's work."""
    show_log(logging.WARNING)
    return asyncio.run(coroutine)
