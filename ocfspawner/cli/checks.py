"""What can be looked at in the Hub's own pod: configuration, policy, images, secrets, database."""

import asyncio
import binascii
import logging
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import date
from enum import Enum
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

from ocfspawner.database import names_taken_for_one, said
from ocfspawner.policy_file import load_policy

if TYPE_CHECKING:
    from ocfspawner.cli.hub import Hub

T = TypeVar("T")

_RANDOM = "openssl rand -hex 32"
_COOKIE_BYTES = 32
_TOKEN_CHARACTERS = 32
_DATABASE_SECONDS = 10

_NAME = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_IMAGE = re.compile(
    rf"(?P<host>[A-Za-z0-9.-]+(?::[0-9]+)?/)?{_NAME}(?:/{_NAME})*(?P<tag>:[\w][\w.-]{{0,127}})?(?P<digest>@sha256:[0-9a-f]{{64}})?"
)
"""The grammar of an image's name, as registries have it."""


class State(Enum):
    """How a check ended."""

    FINE = "ok"
    DOUBTFUL = "??"
    BAD = "BAD"


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the table."""

    name: str
    state: State
    detail: str
    cure: str = ""


async def apart(look: Callable[[], T]) -> T:
    """What *look*, which may block, answers; when the time is up nobody waits for it, not even at the end."""
    answer: Future[T] = Future()
    answer.set_running_or_notify_cancel()

    def run() -> None:
        try:
            answer.set_result(look())
        except BaseException as error:
            answer.set_exception(error)

    Thread(target=run, daemon=True).start()
    return await asyncio.wrap_future(answer)


def policy(hub: "Hub") -> Iterator[Result]:
    """Whether the policy file is valid, and does something."""
    from ocfspawner.cli.policy import remarks

    path = hub.config.OCFSpawner.get("policy_file", "")
    if not path:
        yield Result("policy", State.DOUBTFUL, "no file", "Set c.OCFSpawner.policy_file, if people are to differ.")
        return
    found = load_policy(path, logging.getLogger())
    yield Result("policy", State.FINE, f"{path}: {len(found.rules)} rules")
    for remark in remarks(found, date.today()):
        yield Result("policy", State.DOUBTFUL, remark, "Remove it, or move it.")


def images(hub: "Hub") -> Iterator[Result]:
    """Whether each image that is configured can be named."""
    from ocfspawner.spawner import OCFSpawner

    section = {**hub.config.KubeSpawner, **hub.config.OCFSpawner}
    named = [section.get("image", OCFSpawner.image.default_value), section.get("home_check_image")]
    profiles = section.get("profile_list") or []
    if not callable(profiles):
        named += [override.get("image") for override in _overrides(profiles)]
    for image in dict.fromkeys(image for image in named if image):
        yield _image(str(image))


def _overrides(profiles: Any) -> Iterator[Mapping[str, Any]]:
    """What the profiles, and the choices in them, set."""
    for profile in profiles.values() if isinstance(profiles, Mapping) else profiles:
        yield profile.get("kubespawner_override") or {}
        for option in (profile.get("profile_options") or {}).values():
            for choice in (option.get("choices") or {}).values():
                yield choice.get("kubespawner_override") or {}


def _image(image: str) -> Result:
    match = _IMAGE.fullmatch(image)
    if not match:
        return Result("image", State.BAD, f"{image!r} is no name of an image", "Write registry/name:tag.")
    if not match["digest"] and match["tag"] in (None, ":latest"):
        cure = "Name a tag or a digest, so that all servers run the same."
        return Result("image", State.DOUBTFUL, f"{image}: whatever is the latest", cure)
    return Result("image", State.FINE, image)


def cookie_secret(hub: "Hub") -> Iterator[Result]:
    """Whether the secret that signs log-ins is there and long enough; it is never shown."""
    name = "cookie secret"
    section = hub.config.JupyterHub
    file = Path(section.get("cookie_secret_file", "jupyterhub_cookie_secret"))
    try:
        secret, source = _cookie_secret(section, file)
    except (OSError, ValueError) as error:
        where = "c.JupyterHub.cookie_secret" if section.get("cookie_secret") else file
        yield Result(name, State.BAD, f"{where}: {error}", f"Put there what `{_RANDOM}` prints.")
        return
    if secret is None:
        cure = f"Put what `{_RANDOM}` prints into {file}, or all are logged out when the Hub starts anew."
        yield Result(name, State.BAD, "there is none, so the Hub makes one up", cure)
    elif len(secret) != _COOKIE_BYTES:
        yield Result(name, State.BAD, f"{len(secret)} bytes, from {source}", f"Use 32: `{_RANDOM}`.")
    else:
        yield Result(name, State.FINE, f"32 bytes, from {source}")


def _cookie_secret(section: Mapping[str, Any], file: Path) -> tuple[bytes | None, str]:
    """In JupyterHub's order (jupyterhub 6.1.1, app.py:1858): configuration, environment, file."""
    secret = section.get("cookie_secret")
    if secret:
        return binascii.a2b_hex(secret) if isinstance(secret, str) else bytes(secret), "the configuration"
    if os.environ.get("JPY_COOKIE_SECRET"):
        return binascii.a2b_hex(os.environ["JPY_COOKIE_SECRET"]), "JPY_COOKIE_SECRET"
    if not file.exists():
        return None, ""
    if file.stat().st_mode & stat.S_IRWXO:
        raise ValueError("anybody can read it, and the Hub refuses it")
    return binascii.a2b_hex(file.read_text(encoding="ascii").strip()), str(file)


def proxy_token(hub: "Hub") -> Iterator[Result]:
    """Whether Hub and proxy have a token; it is never shown."""
    token = hub.config.ConfigurableHTTPProxy.get("auth_token") or os.environ.get("CONFIGPROXY_AUTH_TOKEN") or ""
    name, cure = "proxy token", f"Give proxy and Hub what `{_RANDOM}` prints."
    if not token:
        managed = hub.config.ConfigurableHTTPProxy.get("should_start", True)
        state = State.DOUBTFUL if managed else State.BAD
        yield Result(name, state, "there is none", cure)
    elif len(str(token)) < _TOKEN_CHARACTERS:
        yield Result(name, State.BAD, f"{len(str(token))} characters", cure)
    else:
        yield Result(name, State.FINE, f"{len(str(token))} characters")


def database(hub: "Hub") -> Iterator[Result]:
    """Whether the Hub's database can be reached, has the tables of this JupyterHub, and tells all names apart."""
    from jupyterhub.orm import DatabaseSchemaMismatch, check_db_revision
    from sqlalchemy import create_engine, make_url
    from sqlalchemy.exc import SQLAlchemyError

    name = "database"
    configured = str(hub.config.JupyterHub.get("db_url") or "jupyterhub.sqlite")
    try:
        # JupyterHub takes what is no URL for the name of a file (jupyterhub 6.1.1, app.py:1561).
        url = make_url(configured if "://" in configured else f"sqlite:///{configured}")
    except SQLAlchemyError:
        yield Result(
            name, State.BAD, "c.JupyterHub.db_url is no URL", "Write DIALECT+DRIVER://USER:PASSWORD@HOST/NAME."
        )
        return
    shown = url.render_as_string(hide_password=True)
    if url.drivername.startswith("sqlite") and url.database and not Path(url.database).exists():
        yield Result(name, State.DOUBTFUL, f"{shown} is not there yet", "The Hub makes it at its first start.")
        return
    try:
        engine = create_engine(url, **_engine_arguments(hub, url.drivername))
        with engine.connect() as connection:
            same = names_taken_for_one(connection)
        check_db_revision(engine)
    except DatabaseSchemaMismatch as error:
        yield Result(name, State.BAD, f"{shown}: {' '.join(str(error).split())}", "c.JupyterHub.upgrade_db = True")
    except (SQLAlchemyError, OSError, ImportError) as error:
        yield Result(name, State.BAD, f"{shown}: {said(error)}", _database_cure(said(error)))
    else:
        yield Result(name, State.FINE, shown)
        yield _names(same)


def _engine_arguments(hub: "Hub", driver: str) -> dict[str, Any]:
    """What the Hub itself uses, and a deadline in any case."""
    arguments = dict(hub.config.JupyterHub.get("db_kwargs") or {})
    if driver.startswith("mysql"):
        limits = {"connect_timeout": _DATABASE_SECONDS, "read_timeout": _DATABASE_SECONDS}
        arguments["connect_args"] = {**limits, **arguments.get("connect_args", {})}
    return arguments


def _database_cure(words: str) -> str:
    if "Access denied" in words:
        return "The Secret hub-database and the server have different passwords: docs/secrets.md."
    return "Does the server run? Look at it, and at c.JupyterHub.db_url (Secret hub-database)."


def _names(same: Sequence[str]) -> Result:
    name = "user names"
    if not same:
        return Result(name, State.FINE, "the database tells accents, case and trailing spaces apart")
    finding = f"the database takes {' and '.join(same)}, so one person could get another's servers and tokens"
    return Result(name, State.BAD, finding, "Use the collation utf8mb4_nopad_bin: docs/database.md.")


LOOKS: Sequence[tuple[str, Callable[["Hub"], Iterator[Result]]]] = (
    ("policy", policy),
    ("image", images),
    ("cookie secret", cookie_secret),
    ("proxy token", proxy_token),
    ("database", database),
)
"""Each may block."""
