"""Who gets which resources: rules in their order, and the ceiling."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocfspawner.policy import Policy, Rule
from ocfspawner.quantity import Bytes, Cores
from ocfspawner.resources import (
    BOUNDS,
    CPU_GUARANTEE,
    CPU_LIMIT,
    EXTRA,
    MEMORY_GUARANTEE,
    MEMORY_LIMIT,
    NODE_LABEL,
    SHARED_MEMORY,
    Decided,
    Number,
    Resources,
    Value,
)

from .support import GSTAFF

TODAY = date(2026, 11, 23)
NOTHING = Resources()
GPU = f"{EXTRA}nvidia.com/gpu"


def rule(name: str = "r", values: Mapping[str, Value] | None = None, **whom: object) -> Rule:
    return Rule(name, f"rule {name}", values or {CPU_LIMIT: Cores(1)}, **whom)  # type: ignore[arg-type]


def decide(*rules: Rule, server: str = "", defaults: Resources = NOTHING) -> Resources:
    return Policy(rules).resources_for(GSTAFF, server, TODAY, defaults)


def values(some: Resources) -> Mapping[str, Value]:
    return {name: decided.value for name, decided in some.decided.items()}


def test_a_later_rule_overrides_an_earlier_one_value_by_value_and_each_keeps_its_history() -> None:
    found = decide(
        rule("everyone", {CPU_LIMIT: Cores(2), MEMORY_LIMIT: Bytes(2**31)}),
        rule("staff", {MEMORY_LIMIT: Bytes(2**33), GPU: 1}, groups=frozenset({"ocfstaff"})),
        rule("others", {MEMORY_LIMIT: Bytes(1)}, users=frozenset({"guser"})),
    )
    assert list(found.describe()) == [
        "cpu limit 2: rule everyone",
        "extra nvidia.com/gpu 1: rule staff",
        "memory limit 8Gi: rule staff",
    ]
    assert [one.origin for one in found.decided[MEMORY_LIMIT].history()] == ["rule staff", "rule everyone"]


USERS, OTHERS = frozenset({"gstaff"}), frozenset({"guser"})


@pytest.mark.parametrize(
    ("some", "server", "meant"),
    [
        pytest.param(rule(), "", True, id="everyone"),
        pytest.param(rule(users=USERS), "", True, id="a user"),
        pytest.param(rule(users=OTHERS), "", False, id="another user"),
        pytest.param(rule(users=frozenset({"GSTAFF"})), "", False, id="a user in other case"),
        pytest.param(rule(groups=frozenset({"ocfstaff"})), "", True, id="a group"),
        pytest.param(rule(groups=frozenset({"ocf"})), "", True, id="the primary group"),
        pytest.param(rule(groups=frozenset({"ocfroot"})), "", False, id="another group"),
        pytest.param(rule(groups=frozenset({"ocfroot", "ocfstaff"})), "", True, id="one of two groups"),
        pytest.param(rule(users=USERS, groups=frozenset({"ocfroot"})), "", True, id="a user or a group"),
        pytest.param(rule(users=OTHERS, groups=frozenset({"ocfroot"})), "", False, id="neither"),
        pytest.param(rule(until=TODAY), "", True, id="until today"),
        pytest.param(rule(until=date(2026, 11, 22)), "", False, id="until yesterday"),
        pytest.param(rule(servers=frozenset({"gpu"})), "gpu", True, id="a named server"),
        pytest.param(rule(servers=frozenset({"gpu"})), "", False, id="not the default server"),
        pytest.param(rule(servers=frozenset({""})), "", True, id="the default server"),
        pytest.param(rule(servers=frozenset({""})), "gpu", False, id="no named server"),
        pytest.param(rule(users=USERS, servers=frozenset({"x"})), "gpu", False, id="a user's other server"),
    ],
)
def test_whom_a_rule_means(some: Rule, server: str, meant: bool) -> None:
    assert some.means(GSTAFF, server, TODAY) is meant


def test_rules_go_over_the_configured_defaults() -> None:
    defaults = Resources({CPU_LIMIT: Decided(Cores(1), "default"), MEMORY_LIMIT: Decided(Bytes(2**30), "default")})
    assert list(decide(rule("r", {CPU_LIMIT: Cores(2)}), defaults=defaults).describe()) == [
        "cpu limit 2: rule r",
        "memory limit 1Gi: default",
    ]


def test_a_guarantee_above_the_limit_of_another_rule_is_lowered_and_says_so() -> None:
    both = decide(rule("big", {MEMORY_GUARANTEE: Bytes(2**33)}), rule("small", {MEMORY_LIMIT: Bytes(2**30)}))
    lowered = Policy().limited(both).decided[MEMORY_GUARANTEE]
    assert str(lowered) == "1Gi: lowered to the limit of rule small"
    assert str(lowered.overrode) == "8Gi: rule big"


def test_the_ceiling_is_the_limit_where_there_is_none_and_gives_nobody_a_card() -> None:
    policy = Policy((), {MEMORY_LIMIT: Bytes(2**30), GPU: 2, SHARED_MEMORY: Bytes(2**20)}, "ceiling")
    assert values(policy.limited(NOTHING)) == {MEMORY_LIMIT: 2**30}
    asked = Resources({GPU: Decided(5, "profile"), SHARED_MEMORY: Decided(Bytes(2**30), "profile")})
    assert values(policy.limited(asked)) == {MEMORY_LIMIT: 2**30, GPU: 2, SHARED_MEMORY: 2**20}


# -- properties ------------------------------------------------------------------------------

WHOM: list[dict[str, object]] = [
    {},
    {"users": USERS},
    {"users": OTHERS},
    {"groups": frozenset({"ocfstaff"})},
    {"groups": frozenset({"ocfroot"})},
    {"servers": frozenset({"gpu"})},
    {"until": date(2020, 1, 1)},
]
CORES = st.integers(1, 8).map(Cores)
BYTES = st.integers(1, 8).map(Bytes)
VALUES: st.SearchStrategy[Mapping[str, Value]] = st.fixed_dictionaries(
    {},
    optional={
        CPU_GUARANTEE: CORES,
        CPU_LIMIT: CORES,
        MEMORY_GUARANTEE: BYTES,
        MEMORY_LIMIT: BYTES,
        SHARED_MEMORY: BYTES,
        GPU: st.integers(0, 8),
        f"{NODE_LABEL}disk": st.sampled_from(["ssd", "tape"]),
    },
)
RULES = st.lists(st.tuples(VALUES, st.sampled_from(WHOM)), max_size=6).map(
    lambda given: tuple(rule(str(index), values, **whom) for index, (values, whom) in enumerate(given) if values)
)
CEILINGS: st.SearchStrategy[Mapping[str, Number]] = st.fixed_dictionaries(
    {}, optional={CPU_LIMIT: CORES, MEMORY_LIMIT: BYTES, SHARED_MEMORY: BYTES, GPU: st.integers(0, 8)}
)
PROFILES = VALUES
SERVERS = st.sampled_from(["", "gpu"])


@given(RULES, SERVERS)
def test_order_is_the_whole_semantics(rules: tuple[Rule, ...], server: str) -> None:
    """Each value is that of the last rule that means the account and says it."""
    meant = [one for one in rules if one.means(GSTAFF, server, TODAY)]
    expected: dict[str, Value] = {}
    for one in meant:
        expected |= one.values
    assert values(decide(*rules, server=server)) == expected
    assert decide(*meant, server=server) == decide(*rules, server=server), "rules for others change nothing"


@given(RULES, SERVERS)
def test_applying_it_twice_is_applying_it_once(rules: tuple[Rule, ...], server: str) -> None:
    once = decide(*rules, server=server)
    assert values(decide(*rules, server=server, defaults=once)) == values(once)
    assert values(decide(*rules, *rules, server=server)) == values(once)


@given(RULES, PROFILES, CEILINGS, SERVERS)
def test_nothing_exceeds_the_ceiling_and_no_guarantee_its_limit(
    rules: tuple[Rule, ...], profile: Mapping[str, Value], ceiling: Mapping[str, Number], server: str
) -> None:
    policy = Policy(rules, ceiling)
    given = policy.resources_for(GSTAFF, server, TODAY, NOTHING)
    found = policy.limited(given.override(profile, "profile"))
    for name, most in ceiling.items():
        number = found.number(name)
        assert number is None or number <= most
    for guarantee, limit in BOUNDS:
        least, most_of_it = found.number(guarantee), found.number(limit)
        assert least is None or most_of_it is None or least <= most_of_it
        if limit in ceiling:
            assert most_of_it is not None, "what has a ceiling has a limit"
    assert policy.limited(found) == found, "limiting twice is limiting once"


@given(RULES, PROFILES)
def test_without_a_ceiling_a_profile_has_the_last_word_but_for_guarantees(
    rules: tuple[Rule, ...], profile: Mapping[str, Value]
) -> None:
    found = Policy(rules).limited(decide(*rules).override(profile, "profile"))
    guarantees = {guarantee for guarantee, _ in BOUNDS}
    for name, value in profile.items():
        if name not in guarantees:
            assert found.decided[name].value == value


@given(RULES, st.integers(0, 5))
def test_every_history_ends_with_the_first_word(rules: tuple[Rule, ...], before: int) -> None:
    defaults = Resources({CPU_LIMIT: Decided(Cores(Decimal(before + 1)), "default")})
    history = list(decide(*rules, defaults=defaults).decided[CPU_LIMIT].history())
    said = [one.origin for one in rules if CPU_LIMIT in one.values and one.means(GSTAFF, "", TODAY)]
    assert [one.origin for one in history] == [*reversed(said), "default"]
