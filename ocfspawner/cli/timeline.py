"""What a debug spawn shows while it goes on: phases with their times, events, log.  And what it has shown."""

import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ocfspawner.cli.output import Patience, console

if TYPE_CHECKING:
    from rich.status import Status

PHASES = (
    *("configuration", "directory", "policy", "created", "scheduled", "mounted"),
    *("home check", "image", "started", "answering"),
)


class Timeline:
    """Phases in their order, each with the seconds since the one before; printed as they pass.

    With *quiet* nothing is printed.  A spinner runs on a terminal only.
    """

    def __init__(self, quiet: bool) -> None:
        Patience.not_needed()
        self._console = console()
        self._quiet = quiet
        self._last = time.monotonic()
        self._seen: set[str] = set()
        self._status: Status | None = None
        if not quiet and sys.stdout.isatty():
            self._status = self._console.status("reading the configuration")
            self._status.start()
        self.phases: list[dict[str, Any]] = []
        self.events: list[dict[str, str]] = []
        self.log: list[str] = []

    @property
    def next(self) -> str:
        """The phase that is waited for."""
        done = {phase["name"] for phase in self.phases}
        return next((name for name in PHASES if name not in done), "the end")

    def passed(self, name: str, detail: str = "", seconds: float | None = None) -> None:
        """The phase *name* is over; nothing when it was already."""
        if any(phase["name"] == name for phase in self.phases):
            return
        now = time.monotonic()
        took = now - self._last if seconds is None else seconds
        self._last = now
        self.phases.append({"name": name, "seconds": round(took, 3), "detail": detail})
        self._print(f"{took:8.2f} s  {name:<13} {detail}".rstrip(), "green")
        if self._status:
            self._status.update(f"waiting for: {self.next}")

    def happened(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Show what is new among *events*."""
        for event in events:
            key = f"{event['metadata']['uid']} {event.get('count')}"
            if key not in self._seen:
                self._seen.add(key)
                said = {
                    "type": str(event.get("type", "")),
                    "reason": str(event.get("reason", "")),
                    "message": " ".join(str(event.get("message", "")).split()),
                }
                self.events.append(said)
                style = "yellow" if said["type"] == "Warning" else "dim"
                self._print(f"{'':10}  event         {said['reason']}: {said['message']}", style)

    def wrote(self, lines: Sequence[str]) -> None:
        """Show what is new in the log *lines*."""
        for line in lines[len(self.log) :]:
            self.log.append(line)
            self._print(f"{'':10}  log           {line}", "dim")

    def say(self, text: str, style: str = "") -> None:
        """A line of its own."""
        self._print(text, style)

    def stop(self) -> None:
        """Nothing is waited for any more."""
        if self._status:
            self._status.stop()

    def _print(self, text: str, style: str) -> None:
        if not self._quiet:
            self._console.print(text, style=style or None)
            self._console.file.flush()
