"""The examples of a page of docs/: commands, and what they print.

Commands run as they stand.  What may differ from run to run is in `VARIABLE`; an example that ends with ``…`` shows
the beginning of what is printed, one without any output shows nothing of it.
"""

import difflib
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import cluster

ROOT = Path(__file__).parents[3]
DEMO = "ocfspawner-demo"
"""The cluster that the pages speak of."""

VARIABLE = (
    (re.compile(r"\d+\.\d\d s\b"), "N s"),
    (re.compile(r"\b\d+ (ms|MiB|days)\b"), r"N \1"),
    (re.compile(r"\b(ocf-debug-[a-z0-9-]+)-[0-9a-f]{6}\b"), r"\1-N"),
    (re.compile(r"\b(ocfspawner-[a-z]+):[0-9a-f]{12}\b"), r"\1:N"),
    (re.compile(r" is made at the first start$"), ""),
    (re.compile(r"─+"), "─"),
    (re.compile(r" +"), " "),
)
"""Times, free space, days that a certificate lasts, ends of names, tags of images, whether somebody has had a server,
and widths of columns."""

_REPORTS = re.compile(r" *(event|log) ")
"""Begins what the cluster and the server say while they start: how much, and when, is theirs."""

_BESIDE = ("Unable to use a TTY", "Reading the configuration, asking the directory …")
"""What `kubectl exec -it` says where there is no terminal, and ocfspawner after two seconds on a busy machine."""

_SECONDS = 300


@dataclass(frozen=True)
class Example:
    """A command and what the page says it prints."""

    command: str
    printed: tuple[str, ...]


@dataclass(frozen=True)
class Block:
    """Examples that belong together; *line* is where the first one stands."""

    page: str
    line: int
    examples: tuple[Example, ...]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Printed:
    """What a command printed."""

    status: int
    out: Sequence[str]
    err: Sequence[str]

    def in_the_order_of(self, expected: Sequence[str]) -> list[str]:
        """Both streams in one, as a terminal shows them; which line comes first is chance, so as in *expected*."""
        found, err = [], list(self.err)
        wanted = iter([plain(line) for line in expected])
        for line in self.out:
            want = next(wanted, None)
            while err and plain(err[0]) == want:
                found.append(err.pop(0))
                want = next(wanted, None)
            found.append(line)
        return [*found, *err]


def blocks(page: str) -> Iterator[Block]:
    """The blocks of the page *page* below docs/ that are a console."""
    lines = iter(enumerate(path_of(page).read_text(encoding="utf-8").splitlines(), start=1))
    for number, line in lines:
        if line == "```console":
            inner = []
            for _, text in lines:
                if text == "```":
                    break
                inner.append(text)
            yield Block(page, number + 1, tuple(_examples(inner)))


def _examples(lines: Sequence[str]) -> Iterator[Example]:
    starts = [index for index, line in enumerate(lines) if line.startswith("$ ")]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        yield Example(lines[start].removeprefix("$ "), tuple(lines[start + 1 : end]))


def run(example: Example) -> Printed:
    """Run the command in the checkout, with this cluster's name for the demo's."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", example.command.replace(DEMO, cluster.CLUSTER)],
        cwd=ROOT,
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    out, err = (text.replace(cluster.CLUSTER, DEMO).splitlines() for text in (done.stdout, done.stderr))
    return Printed(done.returncode, out, [line for line in err if not line.startswith(_BESIDE)])


def plain(line: str) -> str:
    """*line* without what may differ."""
    for pattern, same in VARIABLE:
        line = pattern.sub(same, line)
    return line.strip()


def difference(example: Example, printed: Printed) -> list[str]:
    """What differs, as a unified diff; nothing when the page is right."""
    written, found = _comparable(example.printed), _comparable(printed.in_the_order_of(example.printed))
    if not written:
        return []
    if written[-1] == "…":
        written.pop()
        del found[len(written) :]
    return list(difflib.unified_diff(written, found, "as written", "as printed", lineterm="", n=1))


def _comparable(lines: Sequence[str]) -> list[str]:
    return [plain(line) for line in lines if not _REPORTS.match(line)]


# -- writing the page anew -------------------------------------------------------------------


def rewritten(text: str, block: Block, ended: Sequence[Printed]) -> str:
    """The page's *text* with what the commands of *block* have printed, as much of it as is shown now."""
    old = _as_text(block.examples)
    new = _as_text(
        Example(example.command, tuple(_as_much(example.printed, printed)))
        for example, printed in zip(block.examples, ended, strict=True)
    )
    assert text.count(old) == 1, f"{block} is there twice, or holds more than examples"
    return text.replace(old, new)


def _as_text(examples: Iterable[Example]) -> str:
    lines = (line for example in examples for line in (f"$ {example.command}", *example.printed))
    return "\n".join(("```console", *lines, "```"))


def path_of(page: str) -> Path:
    return ROOT / "docs" / page


def _as_much(before: Sequence[str], printed: Printed) -> list[str]:
    if not before:
        return []
    lines = printed.in_the_order_of(before)
    if before[-1] == "…":
        return [*lines[: len(before) - 1], "…"]
    if not any(line.endswith("log           …") for line in before):
        return lines
    log = [index for index, line in enumerate(lines) if line.startswith(f"{'':12}log ")]
    shown, hidden = log[:2], set(log[2:])
    kept = [line for index, line in enumerate(lines[: shown[-1] + 1] if shown else []) if index not in hidden]
    rest = [line for index, line in enumerate(lines) if index > (shown[-1] if shown else -1) and index not in hidden]
    return [*kept, f"{'':12}log           …", *rest] if hidden else lines
