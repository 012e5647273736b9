"""Resources to and from KubeSpawner's traits."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jupyterhub.traitlets import ByteSpecification
from kubespawner import KubeSpawner

from ocfspawner.policy import Amount, Resources
from ocfspawner.traits import RESOURCE_TRAITS, configured_resources, resource_traits

from .support import Traits


def test_what_is_configured_is_the_tier_below_every_rule() -> None:
    configured = Traits(cpu_guarantee=0.1, cpu_limit=2.0, mem_guarantee=2**28, mem_limit=2**30)
    assert configured_resources(configured) == Resources(
        cpu_guarantee=Amount(Decimal("0.1"), "KubeSpawner.cpu_guarantee"),
        cpu_limit=Amount(Decimal("2.0"), "KubeSpawner.cpu_limit"),
        memory_guarantee=Amount(2**28, "KubeSpawner.mem_guarantee"),
        memory_limit=Amount(2**30, "KubeSpawner.mem_limit"),
    )
    assert next(configured_resources(configured).describe()) == "cpu guarantee 100m (KubeSpawner.cpu_guarantee)"


def test_what_is_not_configured_is_left_to_the_cluster() -> None:
    nothing = configured_resources(Traits())
    assert nothing == Resources()
    assert resource_traits(nothing, Traits()) == {
        **dict.fromkeys(RESOURCE_TRAITS[:4]),
        "extra_resource_guarantees": {},
        "extra_resource_limits": {},
    }


def test_extra_resources_come_on_top_of_the_configured_ones() -> None:
    configured = Traits(extra_resource_limits={"a/b": "1", "c/d": "1"}, extra_resource_guarantees={"e/f": "2"})
    decided = resource_traits(Resources(extra={"a/b": Amount(3, "rule")}), configured)
    assert decided["extra_resource_limits"] == {"a/b": "3", "c/d": "1"}
    assert decided["extra_resource_guarantees"] == {"a/b": "3", "e/f": "2"}
    assert configured.extra_resource_limits == {"a/b": "1", "c/d": "1"}, "the configuration is not touched"


def test_exactly_these_traits_are_decided() -> None:
    assert set(resource_traits(Resources(), Traits())) == set(RESOURCE_TRAITS)
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


@given(cpu=AMOUNTS, memory=AMOUNTS)
def test_there_and_back_is_where_it_was(cpu: int | None, memory: int | None) -> None:
    resources = Resources(
        cpu_limit=Amount(Decimal(cpu) / 1000, "KubeSpawner.cpu_limit") if cpu else None,
        memory_guarantee=Amount(memory, "KubeSpawner.mem_guarantee") if memory else None,
    )
    assert configured_resources(Traits(**resource_traits(resources, Traits()))) == resources
