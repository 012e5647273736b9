"""`Resources` to and from KubeSpawner's traits."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ocfspawner.policy import Amount, Resources

RESOURCE_TRAITS = (
    "cpu_guarantee",
    "cpu_limit",
    "mem_guarantee",
    "mem_limit",
    "extra_resource_guarantees",
    "extra_resource_limits",
)


def configured_resources(spawner: Any) -> Resources:
    """What *spawner*'s traits say, as the tier below every rule."""

    def amount(name: str) -> Amount | None:
        value = getattr(spawner, name)
        exact = Decimal(str(value)) if isinstance(value, float) else value
        return Amount(exact, f"KubeSpawner.{name}") if value else None

    return Resources(
        cpu_guarantee=amount("cpu_guarantee"),
        cpu_limit=amount("cpu_limit"),
        memory_guarantee=amount("mem_guarantee"),
        memory_limit=amount("mem_limit"),
    )


def resource_traits(resources: Resources, spawner: Any) -> Mapping[str, Any]:
    """The traits that say *resources*: cores as float, bytes as int, None for what is not there.

    Extra resources come on top of those that *spawner* has from its configuration.
    """
    extra = {name: str(amount.value) for name, amount in resources.extra.items()}
    return {
        "cpu_guarantee": _cores(resources.cpu_guarantee),
        "cpu_limit": _cores(resources.cpu_limit),
        "mem_guarantee": _bytes(resources.memory_guarantee),
        "mem_limit": _bytes(resources.memory_limit),
        "extra_resource_guarantees": {**spawner.extra_resource_guarantees, **extra},
        "extra_resource_limits": {**spawner.extra_resource_limits, **extra},
    }


def _cores(amount: Amount | None) -> float | None:
    return float(amount.value) if amount else None


def _bytes(amount: Amount | None) -> int | None:
    return int(amount.value) if amount else None
