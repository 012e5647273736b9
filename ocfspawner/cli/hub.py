"""The Hub's configuration, and the decisions that its spawner would take."""

import asyncio
import logging
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ocfspawner.cli.detached import decide, hub_settings, make_spawner
from ocfspawner.cli.output import note
from ocfspawner.directory.client import Accounts, Answer
from ocfspawner.errors import ConfigurationError

if TYPE_CHECKING:
    from traitlets.config import Config

    from ocfspawner.directory.config import LDAPDirectory
    from ocfspawner.plan import ServerPlan
    from ocfspawner.spawner import OCFSpawner

_PLACES = (Path("jupyterhub_config.py"), Path("/srv/jupyterhub/jupyterhub_config.py"))
"""Where the Hub's own default is, and where its pod has it."""


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
    from_file: bool = False
    """Whether the directory is a file."""

    exact: bool = False
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
            hub_settings(config, exact)
        return cls(config, path, _directory(config, ldif), from_file=ldif is not None, exact=exact)

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
    """The last line of a configuration, of *path* or one that it loads, before whatever raised."""
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).exists():
        return f"{error.filename}:{error.lineno}"
    where, step = str(path), error.__traceback__
    while step:
        # What traitlets gives to each file of a configuration, and to nothing else.
        if "load_subconfig" in step.tb_frame.f_globals:
            where = f"{step.tb_frame.f_code.co_filename}:{step.tb_lineno}"
        step = step.tb_next
    return where


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


def show_log(level: int) -> None:
    """Let what the spawner and the directory log from *level* on appear on standard error."""
    logging.basicConfig(stream=sys.stderr, level=level, format="%(levelname)s: %(message)s", force=True)
    logging.getLogger("asyncio").setLevel(logging.ERROR)


def run(coroutine: Any) -> Any:
    """Run one command's work."""
    show_log(logging.WARNING)
    return asyncio.run(coroutine)
