"""Resources to and from KubeSpawner's traits."""

from collections.abc import Mapping
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jupyterhub.traitlets import ByteSpecification
from kubespawner import KubeSpawner

from ocfspawner import traits
from ocfspawner.quantity import Bytes, Cores
from ocfspawner.resources import (
    CPU_GUARANTEE,
    CPU_LIMIT,
    MEMORY_GUARANTEE,
    MEMORY_LIMIT,
    SHARED_MEMORY,
    Decided,
    Resources,
    Value,
)
from ocfspawner.traits import RESOURCE_TRAITS

from .support import Traits

GPU = "extra nvidia.com/gpu"


def resources(values: Mapping[str, Value]) -> Resources:
    return Resources({name: Decided(value, "test") for name, value in values.items()})


def values(some: Resources) -> Mapping[str, Value]:
    return {name: decided.value for name, decided in some.decided.items()}


def test_what_is_configured_is_the_tier_below_every_rule() -> None:
    configured = traits.configured(
        Traits(
            cpu_guarantee=0.1, cpu_limit=2.0, mem_guarantee=2**28, mem_limit=2**30, extra_resource_limits={"a/b": "1"}
        )
    )
    assert configured.decided == {
        CPU_GUARANTEE: Decided(Cores("0.1"), "KubeSpawner.cpu_guarantee"),
        CPU_LIMIT: Decided(Cores("2.0"), "KubeSpawner.cpu_limit"),
        MEMORY_GUARANTEE: Decided(2**28, "KubeSpawner.mem_guarantee"),
        MEMORY_LIMIT: Decided(2**30, "KubeSpawner.mem_limit"),
        "extra a/b": Decided(1, "KubeSpawner.extra_resource_limits"),
    }
    assert next(configured.describe()) == "cpu guarantee 100m: KubeSpawner.cpu_guarantee"


def test_what_is_not_configured_is_left_to_the_cluster() -> None:
    some = Traits()
    assert traits.configured(some) == Resources()
    traits.write(some, Resources())
    assert some == Traits()


def test_amounts_are_written_as_plain_numbers() -> None:
    """The server's MEM_LIMIT is what str() makes of the trait."""
    some = Traits()
    traits.write(some, resources({CPU_LIMIT: Cores("1.5"), MEMORY_LIMIT: Bytes(2**30), GPU: 2}))
    assert (repr(some.cpu_limit), str(some.mem_limit)) == ("1.5", "1073741824")
    assert some.extra_resource_limits == some.extra_resource_guarantees == {"nvidia.com/gpu": "2"}


def test_a_profile_s_changes_are_read_back_with_its_name() -> None:
    before = resources({CPU_LIMIT: Cores(1), MEMORY_LIMIT: Bytes(2**30), GPU: 1, SHARED_MEMORY: Bytes(2**20)})
    some = Traits()
    traits.write(some, before)
    some.mem_limit = 2**33
    some.extra_resource_limits = some.extra_resource_guarantees = {}
    after = traits.rechosen(some, before, "profile “large”")
    assert values(after) == {CPU_LIMIT: 1, MEMORY_LIMIT: 2**33, SHARED_MEMORY: 2**20}
    assert after.decided[MEMORY_LIMIT] == Decided(2**33, "profile “large”", Decided(2**30, "test"))
    assert after.decided[CPU_LIMIT].origin == "test"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        pytest.param("ephemeral-storage", "10G", 10**10, id="what JupyterHub does not read is Kubernetes' G"),
        pytest.param("ephemeral-storage", "10Gi", 10 * 2**30, id="Gi"),
        pytest.param("ephemeral-storage", "1e9", "1e9", id="what we can't read goes through"),
        pytest.param("memory", "1G", 10**9, id="memory among the extras is the memory limit"),
        pytest.param("cpu", "1500m", Decimal("1.5"), id="and cpu the cpu limit"),
    ],
)
def test_extras_are_kubernetes_quantities(name: str, text: str, value: object) -> None:
    some = Traits(extra_resource_limits={name: text})
    configured = traits.configured(some)
    assert values(configured) == {f"{name} limit": value}
    traits.write(some, configured)
    assert values(traits.configured(some)) == values(configured)


def test_exactly_these_traits_are_decided() -> None:
    some = Traits()
    traits.write(some, Resources())
    assert set(vars(some)) == set(RESOURCE_TRAITS)
    assert all(KubeSpawner.class_traits()[name].metadata.get("config") for name in RESOURCE_TRAITS)


@pytest.mark.parametrize(
    ("written", "size"),
    [
        pytest.param("1G", 2**30, id="JupyterHub's G is a power of 1024"),
        pytest.param("512M", 2**29, id="and so is its M"),
        pytest.param(1000, 1000, id="bytes are bytes"),
    ],
)
def test_kubespawner_reads_suffixes_as_powers_of_1024(written: object, size: int) -> None:
    """What `ocfspawner.quantity` says of ``2G``."""
    assert ByteSpecification().validate(None, written) == size


AMOUNTS = st.none() | st.integers(1, 10**9)


@given(cpu=AMOUNTS, memory=AMOUNTS, cards=st.none() | st.integers(0, 9))
def test_there_and_back_is_where_it_was(cpu: int | None, memory: int | None, cards: int | None) -> None:
    given: dict[str, Value | None] = {
        CPU_LIMIT: cpu and Cores(Decimal(cpu) / 1000),
        MEMORY_GUARANTEE: memory and Bytes(memory),
        GPU: cards,
    }
    some = Traits()
    before = resources({name: value for name, value in given.items() if value is not None})
    traits.write(some, before)
    assert values(traits.configured(some)) == values(before)
    assert traits.rechosen(some, before, "nobody") == before
