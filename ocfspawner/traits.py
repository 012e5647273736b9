"""`Resources` to and from KubeSpawner's traits.

Rules are put on the traits before a profile is chosen, and what the profile made of them is read back: so a
profile sees what rules gave, its choice has an origin too, and the server's MEM_LIMIT agrees with the pod.
"""

from collections.abc import Mapping
from typing import Any

from ocfspawner.quantity import Bytes, Cores, parse_memory
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
_EXTRAS = {"extra_resource_guarantees": STORAGE_GUARANTEE, "extra_resource_limits": STORAGE_LIMIT}
_STORAGE = "ephemeral-storage"

RESOURCE_TRAITS = (*_AMOUNTS, *_EXTRAS)


def configured(spawner: Any) -> Resources:
    """What *spawner*'s traits say, as the tier below every rule."""
    return Resources({name: Decided(value, f"KubeSpawner.{trait}") for trait, name, value in _read(spawner)})


def rechosen(spawner: Any, before: Resources, origin: str) -> Resources:
    """*before*, and what *spawner*'s traits say otherwise since `write`, decided by *origin*."""
    now = {name: value for _, name, value in _read(spawner)}
    kept = {name: decided for name, decided in before.decided.items() if name in now or not _on_traits(name)}
    changed = {name: value for name, value in now.items() if name not in kept or kept[name].value != value}
    return Resources(kept).override(changed, origin)


def write(spawner: Any, resources: Resources) -> None:
    """Make *spawner*'s traits say *resources*: cores as float, bytes as int, None for what is not there."""
    for trait, name in _AMOUNTS.items():
        amount = resources.number(name)
        # Plain numbers: the server's MEM_LIMIT is what str() makes of the trait.
        plain = float if trait.startswith("cpu") else int
        setattr(spawner, trait, None if amount is None else plain(amount))
    for trait, storage in _EXTRAS.items():
        extra: dict[str, str] = dict(resources.beginning(EXTRA))
        if storage in resources.decided:
            extra[_STORAGE] = str(resources.decided[storage].value)
        setattr(spawner, trait, extra)


def _read(spawner: Any) -> list[tuple[str, str, Value]]:
    """Trait, name and value of all that the traits say."""
    found: list[tuple[str, str, Value]] = []
    for trait, name in _AMOUNTS.items():
        amount = getattr(spawner, trait)
        if amount:
            found.append((trait, name, Cores(str(amount)) if trait.startswith("cpu") else Bytes(amount)))
    for trait, storage in _EXTRAS.items():
        extra: Mapping[str, object] = getattr(spawner, trait)
        for name, value in extra.items():
            if name == _STORAGE:
                found.append((trait, storage, _as_written(str(value))))
            else:
                found.append((trait, f"{EXTRA}{name}", int(text) if (text := str(value)).isdecimal() else text))
    return found


def _as_written(text: str) -> Value:
    """Storage in KubeSpawner's configuration may be spelled in any way that Kubernetes takes."""
    try:
        return parse_memory(text)
    except ValueError:
        return text


def _on_traits(name: str) -> bool:
    return name in (*_AMOUNTS.values(), *_EXTRAS.values()) or name.startswith(EXTRA)
