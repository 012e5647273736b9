"""`Resources` to and from KubeSpawner's traits.

Rules are put on the traits before a profile is chosen, and what the profile made of them is read back: so a
profile sees what rules gave, its choice has an origin too, and the server's MEM_LIMIT agrees with the pod.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from ocfspawner.quantity import Bytes, Cores, parse_cpu, parse_memory
from ocfspawner.resources import (
    CPU_GUARANTEE,
    CPU_LIMIT,
    EXTRA,
    MEMORY_GUARANTEE,
    MEMORY_LIMIT,
    STORAGE_GUARANTEE,
    STORAGE_LIMIT,
    Decided,
    Resources,
    Value,
)

_AMOUNTS = {
    "cpu_guarantee": CPU_GUARANTEE,
    "cpu_limit": CPU_LIMIT,
    "mem_guarantee": MEMORY_GUARANTEE,
    "mem_limit": MEMORY_LIMIT,
}
_EXTRAS = {
    "extra_resource_guarantees": {
        "ephemeral-storage": STORAGE_GUARANTEE,
        "cpu": CPU_GUARANTEE,
        "memory": MEMORY_GUARANTEE,
    },
    "extra_resource_limits": {"ephemeral-storage": STORAGE_LIMIT, "cpu": CPU_LIMIT, "memory": MEMORY_LIMIT},
}
"""Names with which these traits mean amounts; under all others they have counts."""

_STORAGE = "ephemeral-storage"

_DECIMAL = re.compile(r"(?P<number>[0-9]{1,15})(?P<suffix>[kMGTP])")

RESOURCE_TRAITS = (*_AMOUNTS, *_EXTRAS)


def configured(spawner: Any) -> Resources:
    """What *spawner*'s traits say, as the tier below every rule."""
    return Resources({name: Decided(value, f"KubeSpawner.{trait}") for trait, name, value in _read(spawner)})


def rechosen(spawner: Any, before: Resources, origin: str) -> Resources:
    """*before*, and what *spawner*'s traits say otherwise since `write`, decided by *origin*; itself if nothing."""
    now = {name: value for _, name, value in _read(spawner)}
    kept = {name: decided for name, decided in before.decided.items() if name in now or not _on_traits(name)}
    changed = {name: value for name, value in now.items() if name not in kept or kept[name].value != value}
    return Resources(kept).override(changed, origin) if changed or len(kept) < len(before.decided) else before


def write(spawner: Any, resources: Resources) -> None:
    """Make *spawner*'s traits say *resources*: cores as float, bytes as int, None for what is not there."""
    for trait, name in _AMOUNTS.items():
        amount = resources.number(name)
        # Plain numbers: the server's MEM_LIMIT is what str() makes of the trait.
        plain = float if trait.startswith("cpu") else int
        _set(spawner, trait, None if amount is None else plain(amount))
    for trait, names in _EXTRAS.items():
        extra: dict[str, str] = dict(resources.beginning(EXTRA))
        if names[_STORAGE] in resources.decided:
            extra[_STORAGE] = str(resources.decided[names[_STORAGE]].value)
        _set(spawner, trait, extra)


def _set(spawner: Any, trait: str, value: object) -> None:
    # Traits are validated and announced at each assignment, which is most of the work for 10,000 accounts.
    if getattr(spawner, trait) != value:
        setattr(spawner, trait, value)


def _read(spawner: Any) -> list[tuple[str, str, Value]]:
    """Trait, name and value of all that the traits say."""
    found: list[tuple[str, str, Value]] = []
    for trait, name in _AMOUNTS.items():
        amount = getattr(spawner, trait)
        if amount:
            found.append((trait, name, _exact(trait, amount)))
    for trait, names in _EXTRAS.items():
        extra: Mapping[str, object] = getattr(spawner, trait)
        for name, value in extra.items():
            found.append((trait, names.get(name, f"{EXTRA}{name}"), _as_kubernetes_reads(name, str(value))))
    return found


@lru_cache(maxsize=256)
def _exact(trait: str, amount: float) -> Value:
    """An amount as the rules have it.  Most people's are a few, and for 10,000 accounts this is called often."""
    return Cores(str(amount)) if trait.startswith("cpu") else Bytes(amount)


def _as_kubernetes_reads(name: str, text: str) -> Value:
    """A quantity of the traits that KubeSpawner hands on as they are, so 1G is 10^9 here; text when it is none."""
    if name not in _EXTRAS["extra_resource_limits"]:
        return int(text) if text.isdecimal() else text
    decimal = _DECIMAL.fullmatch(text)
    try:
        if decimal and name != "cpu":
            return Bytes(int(decimal["number"]) * 1000 ** " kMGTP".index(decimal["suffix"]))
        return parse_cpu(text) if name == "cpu" else parse_memory(text)
    except ValueError:
        return text


def _on_traits(name: str) -> bool:
    amounts = (*_AMOUNTS.values(), *_EXTRAS["extra_resource_guarantees"].values())
    return name in (*amounts, STORAGE_LIMIT) or name.startswith(EXTRA)
