"""Who gets which resources."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocfspawner.errors import PolicyInvalid
from ocfspawner.policy import Amount, Policy, Resources, Rule, parse_policy

from .support import GSTAFF

TODAY = date(2026, 11, 23)
NOTHING = Resources()


def policy(text: str) -> Policy:
    return parse_policy(dedent(text), "resources.yaml")


def described(text: str, defaults: Resources = NOTHING) -> list[str]:
    return list(policy(text).resources_for(GSTAFF, TODAY, defaults).describe())


def test_a_later_rule_overrides_an_earlier_one_field_by_field_and_each_value_keeps_its_origin() -> None:
    assert described("""\
        rules:
          - name: everyone
            guarantee: {cpu: 100m, memory: 512Mi}
            limit: {cpu: 2, memory: 2Gi}
          - name: staff
            groups: [ocfstaff]
            limit: {memory: 8Gi}
            extra: {nvidia.com/gpu: 1}
          - name: others
            users: [guser]
            limit: {memory: 1Gi}
    """) == [
        "cpu guarantee 100m (resources.yaml:2 rule “everyone”)",
        "cpu limit 2 (resources.yaml:2 rule “everyone”)",
        "memory guarantee 512Mi (resources.yaml:2 rule “everyone”)",
        "memory limit 8Gi (resources.yaml:5 rule “staff”)",
        "nvidia.com/gpu 1 (resources.yaml:5 rule “staff”)",
    ]


@pytest.mark.parametrize(
    ("who", "meant"),
    [
        pytest.param("", True, id="everyone"),
        pytest.param("users: [gstaff]", True, id="a user"),
        pytest.param("users: [guser]", False, id="another user"),
        pytest.param("users: [GSTAFF]", False, id="a user in other case"),
        pytest.param("groups: [ocfstaff]", True, id="a group"),
        pytest.param("groups: [ocf]", True, id="the primary group"),
        pytest.param("groups: [ocfroot]", False, id="another group"),
        pytest.param("groups: [ocfroot, ocfstaff]", True, id="one of two groups"),
        pytest.param("{users: [gstaff], groups: [ocfroot]}", True, id="a user or a group"),
        pytest.param("{users: [guser], groups: [ocfroot]}", False, id="neither user nor group"),
        pytest.param("until: 2026-11-23", True, id="until today"),
        pytest.param("until: 2026-11-22", False, id="until yesterday"),
        pytest.param("{users: [gstaff], until: 2020-01-01}", False, id="a user whose time is over"),
    ],
)
def test_whom_a_rule_means(who: str, meant: bool) -> None:
    who = who.strip("{}")
    assert bool(described(f"rules: [{{name: r, limit: {{cpu: 1}}, {who}}}]")) is meant


def test_rules_go_over_the_configured_defaults() -> None:
    defaults = Resources(cpu_limit=Amount(Decimal(1), "default"), memory_limit=Amount(2**30, "default"))
    assert described("rules: [{name: r, limit: {cpu: 2}}]", defaults) == [
        "cpu limit 2 (resources.yaml:1 rule “r”)",
        "memory limit 1Gi (default)",
    ]


def test_a_guarantee_above_the_limit_of_another_rule_is_lowered_and_says_so() -> None:
    assert described("rules: [{name: big, guarantee: {memory: 8Gi}}, {name: small, limit: {memory: 1Gi}}]") == [
        "memory guarantee 1Gi (lowered to the limit of resources.yaml:1 rule “small”)",
        "memory limit 1Gi (resources.yaml:1 rule “small”)",
    ]


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "rules: []\n", "{}"])
def test_an_empty_policy_changes_nothing(text: str) -> None:
    assert described(text) == []


RULE = """\
rules:
  - name: everyone
    limit: {memory: 2Gi}
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("rules: [", ":1: not YAML", id="no YAML"),
        pytest.param(f"{RULE}\x00", ":1: not YAML", id="a control character"),
        pytest.param("- name: a", ":1: the file: ", id="a list at the top"),
        pytest.param("just text", ":1: the file: ", id="text at the top"),
        pytest.param(f"{RULE}rule: []", ":4: rule: unknown field 'rule'", id="an unknown field at the top"),
        pytest.param(f"{RULE}    user: [a]", ":4: rules.0.user: unknown field 'user'", id="an unknown field"),
        pytest.param(RULE.replace("memory", "mem"), ":3: rules.0.limit.mem: unknown", id="an unknown resource"),
        pytest.param(RULE.replace("2Gi", "2G"), ":3: rules.0.limit.memory: memory '2G'", id="a bad quantity"),
        pytest.param(RULE.replace("2Gi", "[2Gi]"), ":3: rules.0.limit.memory: expected a", id="a list for a quantity"),
        pytest.param(RULE.replace("2Gi", "yes"), ":3: rules.0.limit.memory: expected a", id="yes for a quantity"),
        pytest.param(RULE.replace("memory", "cpu"), ":3: rules.0.limit.cpu: cpu '2Gi'", id="cpu in bytes"),
        pytest.param(f"{RULE}    guarantee: {{memory: 3Gi}}", ":2: rules.0: the memory guarantee", id="too high"),
        pytest.param("rules:\n  - limit: {cpu: 1}", ":2: rules.0.name: ", id="no name"),
        pytest.param(RULE.replace("everyone", "''"), ":2: rules.0.name: ", id="an empty name"),
        pytest.param(f"{RULE}    users: []", ":4: rules.0.users: ", id="users that nobody is among"),
        pytest.param(f"{RULE}    users: gstaff", ":4: rules.0.users: ", id="a user instead of users"),
        pytest.param(f"{RULE}    groups: [1000]", ":4: rules.0.groups", id="a group by number"),
        pytest.param(f"{RULE}    until: tomorrow", ":4: rules.0.until: ", id="a day in words"),
        pytest.param(f"{RULE}    until: 2026-02-30", ":4: rules.0.until: ", id="a day that is in no calendar"),
        pytest.param(f"{RULE}    extra: {{nvidia.com/gpu: -1}}", ":4: rules.0.extra.nvidia.com/gpu: ", id="below 0"),
        pytest.param(f"{RULE}    extra: {{nvidia.com/gpu: 0.5}}", ":4: rules.0.extra", id="half a card"),
        pytest.param(f"{RULE}    limit: {{cpu: 1}}", ":4: not YAML: 'limit' is there twice", id="a field twice"),
        pytest.param(RULE.replace("2Gi", "!!int x"), ":1: not YAML", id="a tag that the value does not fit"),
    ],
)
def test_a_mistake_is_refused_with_file_line_and_field(text: str, said: str) -> None:
    with pytest.raises(PolicyInvalid) as refused:
        parse_policy(text, "resources.yaml")
    assert f"resources.yaml{said}" in refused.value.admin_text
    assert parse_policy(RULE, "resources.yaml").rules


def test_every_mistake_is_said_at_once() -> None:
    with pytest.raises(PolicyInvalid) as refused:
        policy("rules: [{name: a, limit: {cpu: x}}, {name: b, limits: {}}]")
    assert len(refused.value.admin_text.splitlines()) == 2


WHO: list[dict[str, Any]] = [
    {},
    {"users": {"gstaff"}},
    {"users": {"guser"}},
    {"groups": {"ocfstaff"}},
    {"groups": {"ocfroot"}},
    {"until": date(2020, 1, 1)},
]
WHAT: list[dict[str, Any]] = [
    {},
    {"guarantee": {"cpu": 2, "memory": "2Gi"}},
    {"limit": {"cpu": 1, "memory": "1Gi"}},
    {"limit": {"memory": "3Gi"}, "extra": {"a/b": 1}},
    {"guarantee": {"memory": "1Gi"}, "limit": {"memory": "4Gi"}, "extra": {"a/b": 0, "c/d": 2}},
]
RULES = [Rule(name="r", **who, **what) for who in WHO for what in WHAT]
POLICIES = st.lists(st.sampled_from(RULES), max_size=6).map(
    lambda rules: Policy(tuple((rule, f"rule {index}") for index, rule in enumerate(rules)))
)


def decide(some: Policy, defaults: Resources = NOTHING) -> Resources:
    return some.resources_for(GSTAFF, TODAY, defaults)


@given(POLICIES)
def test_a_guarantee_never_ends_above_its_limit(some: Policy) -> None:
    resources = decide(some)
    for guarantee, limit in (
        (resources.cpu_guarantee, resources.cpu_limit),
        (resources.memory_guarantee, resources.memory_limit),
    ):
        assert not (guarantee and limit) or guarantee.value <= limit.value


@given(POLICIES)
def test_applying_it_twice_is_applying_it_once(some: Policy) -> None:
    once = decide(some)
    assert values(decide(some, once)) == values(once)
    assert decide(Policy(some.rules + some.rules)) == once


@given(POLICIES)
def test_the_last_rule_that_says_anything_decides(some: Policy) -> None:
    meant = [rule for rule, _ in some.rules if rule.applies_to(GSTAFF, TODAY)]
    said = [rule.limit.memory for rule in meant if rule.limit.memory is not None]
    limit = decide(some).memory_limit
    assert (limit.value if limit else None) == (said[-1] if said else None)


@given(POLICIES)
def test_rules_for_others_change_nothing(some: Policy) -> None:
    mine = Policy(tuple((rule, origin) for rule, origin in some.rules if rule.applies_to(GSTAFF, TODAY)))
    assert decide(mine) == decide(some)


def values(resources: Resources) -> Resources:
    """*resources* without their origins."""

    def bare(amount: Amount | None) -> Amount | None:
        return replace(amount, origin="") if amount else None

    return Resources(
        cpu_guarantee=bare(resources.cpu_guarantee),
        cpu_limit=bare(resources.cpu_limit),
        memory_guarantee=bare(resources.memory_guarantee),
        memory_limit=bare(resources.memory_limit),
        extra={name: replace(amount, origin="") for name, amount in resources.extra.items()},
    )
