"""What one server gets, each value with its history.

A `Resources` maps names such as ``memory limit`` to what was decided, by whom, and what that overrode.
Pure.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ocfspawner.quantity import Bytes, Cores

CPU_GUARANTEE, CPU_LIMIT = "cpu guarantee", "cpu limit"
MEMORY_GUARANTEE, MEMORY_LIMIT = "memory guarantee", "memory limit"
STORAGE_GUARANTEE, STORAGE_LIMIT = "ephemeral-storage guarantee", "ephemeral-storage limit"
SHARED_MEMORY = "shm"
"""The size of /dev/shm."""

EXTRA = "extra "
"""Begins the name of a count, such as ``extra nvidia.com/gpu``: guarantee and limit alike."""

NODE_LABEL = "node_selector "
"""Begins the name of a label that the node must have."""

TOLERATIONS = "tolerations"
"""Taints that are tolerated."""

BOUNDS = (
    (CPU_GUARANTEE, CPU_LIMIT),
    (MEMORY_GUARANTEE, MEMORY_LIMIT),
    (STORAGE_GUARANTEE, STORAGE_LIMIT),
)
"""Guarantees, each with its limit."""


@dataclass(frozen=True, slots=True)
class Toleration:
    """A taint that is tolerated, as Kubernetes has it."""

    key: str
    value: str = ""
    """Empty: whatever value the taint has."""

    effect: str = ""
    """Empty: every effect."""

    def __str__(self) -> str:
        return f"{self.key}={self.value or '*'}:{self.effect or '*'}"


Number = Cores | Bytes | int
Value = Number | str | tuple[Toleration, ...]
"""``str()`` of each but the last is Kubernetes' spelling."""


@dataclass(frozen=True, slots=True)
class Decided:
    """A value, who decided it, and what that overrode."""

    value: Value
    origin: str
    """Such as ``resources.yaml:7 rule “staff”`` or ``KubeSpawner.mem_limit``."""

    overrode: "Decided | None" = None

    def history(self) -> Iterator["Decided"]:
        """Every decision, the latest first."""
        decided: Decided | None = self
        while decided:
            yield decided
            decided = decided.overrode

    @property
    def text(self) -> str:
        """The value for people."""
        return ", ".join(map(str, self.value)) if isinstance(self.value, tuple) else str(self.value)

    def __str__(self) -> str:
        return f"{self.text}: {self.origin}"


@dataclass(frozen=True, slots=True)
class Resources:
    """What one server gets.  What is not there is left to the cluster."""

    decided: Mapping[str, Decided] = field(default_factory=dict)

    def number(self, name: str) -> Number | None:
        """The amount or count decided for *name*, or ``None``."""
        decided = self.decided.get(name)
        return decided.value if decided and isinstance(decided.value, Cores | int) else None

    def beginning(self, prefix: str) -> Mapping[str, str]:
        """All values whose names begin with *prefix*, as text, by the rest of their names."""
        return {
            name.removeprefix(prefix): str(decided.value)
            for name, decided in self.decided.items()
            if name.startswith(prefix)
        }

    @property
    def tolerations(self) -> tuple[Toleration, ...]:
        """The taints that are tolerated."""
        decided = self.decided.get(TOLERATIONS)
        return decided.value if decided and isinstance(decided.value, tuple) else ()

    def override(self, values: Mapping[str, Value], origin: str) -> "Resources":
        """The same with *values*, decided by *origin*."""
        changed = {name: Decided(value, origin, self.decided.get(name)) for name, value in values.items()}
        return Resources({**self.decided, **changed})

    def requests_and_limits(self) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """A container's requests and limits, in Kubernetes' spelling."""
        extra = self.beginning(EXTRA)
        requests, limits = dict(extra), dict(extra)
        for guarantee, limit in BOUNDS:
            for name, amounts in ((guarantee, requests), (limit, limits)):
                if name in self.decided:
                    amounts[name.split()[0]] = str(self.decided[name].value)
        return requests, limits

    def describe(self) -> Iterator[str]:
        """A line for each value: ``memory limit 2Gi: resources.yaml:7 rule “staff”``."""
        for name, decided in sorted(self.decided.items()):
            yield f"{name} {decided}"
