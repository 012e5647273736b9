"""What commands print: text for people, JSON for programs.  rich is imported when a table is drawn.

JSON goes to standard output, alone; whatever else there is to say goes to standard error.
"""

import json
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ocfspawner.cli.exits import Unhealthy
from ocfspawner.errors import Refusal

if TYPE_CHECKING:
    from rich.console import Console

F = TypeVar("F", bound=Callable[..., Any])

_WIDTH_OF_A_FILE = 160
"""Columns where the output goes to a file or a pipe, so that lines there are not broken early."""


def output_option(function: F) -> F:
    """``--output text|json``."""
    return click.option(
        "--output",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="For people, or for programs; docs/cli.md has the shape.",
    )(function)


def config_option(function: F) -> F:
    """``-f/--config``."""
    return click.option(
        "-f",
        "--config",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        help="The Hub's configuration.  Default: jupyterhub_config.py here, else in /srv/jupyterhub.",
    )(function)


def ldif_option(function: F) -> F:
    """``--ldif``."""
    return click.option(
        "--ldif",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        help="Take people and groups from this file instead of the directory.",
    )(function)


def policy_option(function: F) -> F:
    """``--policy``."""
    return click.option(
        "--policy",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        help="Try this policy file instead of the configured one.",
    )(function)


def server_option(function: F) -> F:
    """``--server``."""
    return click.option("--server", default="", metavar="NAME", help="A named server.  Default: the default server.")(
        function
    )


def print_json(value: object) -> None:
    """*value* on standard output."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def console(stderr: bool = False) -> "Console":
    """Where to print: with colours on a terminal, plain and unbroken otherwise."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(
        file=stream,
        highlight=False,
        emoji=False,
        markup=False,
        soft_wrap=not stream.isatty(),
        width=None if stream.isatty() else _WIDTH_OF_A_FILE,
    )


def print_rows(rows: Mapping[str, object]) -> None:
    """Names and values, one below the other."""
    width = max(len(name) for name in rows)
    for name, value in rows.items():
        for index, line in enumerate(str(value).splitlines() or [""]):
            click.echo(f"{name if not index else '':<{width}}  {line}".rstrip())


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], right: Sequence[str] = (), title: str = ""
) -> None:
    """A table; the columns named in *right* are aligned to the right."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE, title=title or None, title_justify="left", title_style="bold", pad_edge=False)
    for column in columns:
        # Folded, not cut: what was decided by whom is the very point.
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    if title:
        click.echo()
    terminal = console()
    with terminal.capture() as captured:
        terminal.print(table)
    # rich fills lines with spaces, which a file needs not.
    for line in captured.get().rstrip().splitlines():
        click.echo(line.rstrip())


class Patience:
    """A word after two seconds for whoever waits; nothing when the command shows its own progress."""

    _timer: threading.Timer | None = None

    @classmethod
    @contextmanager
    def asked(cls) -> Iterator[None]:
        """Around a whole command."""
        cls._timer = threading.Timer(2.0, note, ("Reading the configuration, asking the directory …",))
        cls._timer.daemon = True
        cls._timer.start()
        try:
            yield
        finally:
            cls.not_needed()

    @classmethod
    def not_needed(cls) -> None:
        """Progress is shown in another way, or all is over."""
        if cls._timer:
            cls._timer.cancel()


def note(text: str) -> None:
    """Something to know, beside the answer."""
    click.echo(text, err=True)


@contextmanager
def answering(output: str) -> Iterator[None]:
    """With JSON asked for, a refusal is an answer too: ``{"refused": {"reason", "detail", "user_text"}}``."""
    try:
        yield
    except Refusal as refused:
        if output != "json":
            raise
        print_json({"refused": as_json(refused)})
        raise Unhealthy from None


def as_json(refused: Refusal) -> dict[str, str]:
    """A refusal, in the documented shape."""
    return {"reason": refused.reason, "detail": refused.admin_text, "user_text": refused.user_text}
