"""The policy as people write it."""

import json
from importlib.resources import files
from textwrap import dedent

import pytest
import yaml

from ocfspawner.errors import PolicyInvalid
from ocfspawner.policy import Policy
from ocfspawner.policy_text import json_schema, parse_policy
from ocfspawner.resources import (
    CPU_GUARANTEE,
    CPU_LIMIT,
    MEMORY_LIMIT,
    SHARED_MEMORY,
    STORAGE_GUARANTEE,
    STORAGE_LIMIT,
    TOLERATIONS,
    Toleration,
)

SOURCE = "resources.yaml"


def parse(text: str) -> Policy:
    return parse_policy(dedent(text), SOURCE)


def test_every_field() -> None:
    policy = parse("""\
        rules:
          - name: everyone
            guarantee: {cpu: 100m, ephemeral-storage: 1Gi}
            limit: {cpu: 0.5, memory: 2Gi, ephemeral-storage: 2Gi}
          - name: gpu
            users: [alice]
            groups: [ocfstaff, "domain users"]
            servers: [gpu, ""]
            until: 2027-01-31
            extra: {nvidia.com/gpu: 1}
            shm: 1Gi
            node_selector: {kubernetes.io/arch: amd64}
            tolerations: [{key: nvidia.com/gpu, effect: NoSchedule}]
        ceiling:
          cpu: 4
          memory: 16Gi
          shm: 8Gi
          extra: {nvidia.com/gpu: 2}
    """)
    everyone, gpu = policy.rules
    assert everyone.origin == "resources.yaml:2 rule “everyone”"
    assert {name: str(value) for name, value in everyone.values.items()} == {
        CPU_GUARANTEE: "100m",
        STORAGE_GUARANTEE: "1Gi",
        CPU_LIMIT: "500m",
        MEMORY_LIMIT: "2Gi",
        STORAGE_LIMIT: "2Gi",
    }
    assert (gpu.users, gpu.servers) == (frozenset({"alice"}), frozenset({"gpu", ""}))
    assert str(gpu.until) == "2027-01-31"
    assert gpu.values == {
        "extra nvidia.com/gpu": 1,
        SHARED_MEMORY: 2**30,
        "node_selector kubernetes.io/arch": "amd64",
        TOLERATIONS: (Toleration("nvidia.com/gpu", "", "NoSchedule"),),
    }
    assert policy.ceiling == {CPU_LIMIT: 4, MEMORY_LIMIT: 2**34, SHARED_MEMORY: 2**33, "extra nvidia.com/gpu": 2}
    assert policy.ceiling_origin == "resources.yaml:14 ceiling"


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "rules: []\n", "{}"])
def test_an_empty_policy_changes_nothing(text: str) -> None:
    assert not parse(text).rules


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
        pytest.param("? {a: 1}\n: 2", ":1: not YAML: a field's name is text", id="a mapping for a name"),
        pytest.param("? [a]\n: 2", ":1: not YAML: a field's name is text", id="a list for a name"),
        pytest.param(f"{RULE}rule: []", ":4: rule: there is no such field", id="an unknown field at the top"),
        pytest.param(f"{RULE}    user: [a]", ":4: rules.0.user: there is no such field", id="an unknown field"),
        pytest.param(f"{RULE}    ephemeral_storage: 1", ":4: rules.0.eph", id="an underscore"),
        pytest.param(RULE.replace("memory", "mem"), ":3: rules.0.limit.mem: there is no", id="an unknown resource"),
        pytest.param(RULE.replace("2Gi", "2G"), ":3: rules.0.limit.memory: memory '2G'", id="a bad quantity"),
        pytest.param(RULE.replace("2Gi", "[2Gi]"), ":3: rules.0.limit.memory: expected a", id="a list for a quantity"),
        pytest.param(RULE.replace("2Gi", "yes"), ":3: rules.0.limit.memory: expected a", id="yes for a quantity"),
        pytest.param(RULE.replace("memory", "cpu"), ":3: rules.0.limit.cpu: cpu '2Gi'", id="cpu in bytes"),
        pytest.param(f"{RULE}    guarantee: {{memory: 3Gi}}", ":2: rules.0: the memory guarantee", id="too high"),
        pytest.param("rules:\n  - limit: {cpu: 1}", ":2: rules.0.name: ", id="no name"),
        pytest.param("rules:\n  - name: a", ":2: rules.0: the rule gives nothing", id="an empty rule"),
        pytest.param(RULE.replace("everyone", "''"), ":2: rules.0.name: ", id="an empty name"),
        pytest.param(f"{RULE}    users: []", ":4: rules.0.users: ", id="users that nobody is among"),
        pytest.param(f"{RULE}    users: gstaff", ":4: rules.0.users: ", id="a user instead of users"),
        pytest.param(f"{RULE}    users: [a b]", ":4: rules.0.users.0: ", id="a user that no account can be"),
        pytest.param(f"{RULE}    users: ['*']", ":4: rules.0.users.0: ", id="a pattern, which is no user"),
        pytest.param(f"{RULE}    groups: [1000]", ":4: rules.0.groups", id="a group by number"),
        pytest.param(f"{RULE}    groups: ['a:b']", ":4: rules.0.groups", id="a group that no account can be in"),
        pytest.param(f"{RULE}    servers: [GPU server]", ":4: rules.0.servers", id="a server that nobody can have"),
        pytest.param(f"{RULE}    until: tomorrow", ":4: rules.0.until: ", id="a day in words"),
        pytest.param(f"{RULE}    until: 2026-02-30", ":4: rules.0.until: ", id="a day that is in no calendar"),
        pytest.param(f"{RULE}    extra: {{nvidia.com/gpu: -1}}", ":4: rules.0.extra.nvidia.com/gpu: ", id="below 0"),
        pytest.param(f"{RULE}    extra: {{nvidia.com/gpu: 0.5}}", ":4: rules.0.extra", id="half a card"),
        pytest.param(f"{RULE}    extra: {{memory: 1}}", ":4: rules.0.extra", id="memory is no extra"),
        pytest.param(f"{RULE}    limit: {{cpu: 1}}", ":4: not YAML: 'limit' is there twice", id="a field twice"),
        pytest.param(RULE.replace("2Gi", "!!int x"), ":1: not YAML", id="a tag that the value does not fit"),
        pytest.param(f"{RULE}ceiling: {{cpus: 4}}", ":4: ceiling.cpus: there is no such field", id="in the ceiling"),
    ],
)
def test_a_mistake_is_refused_with_file_line_and_field(text: str, said: str) -> None:
    with pytest.raises(PolicyInvalid) as refused:
        parse_policy(text, SOURCE)
    assert f"resources.yaml{said}" in refused.value.admin_text
    assert parse_policy(RULE, SOURCE).rules


def test_every_mistake_is_said_at_once() -> None:
    with pytest.raises(PolicyInvalid) as refused:
        parse("rules: [{name: a, limit: {cpu: x}}, {name: b, limits: {}}]")
    assert len(refused.value.admin_text.splitlines()) == 2


def test_no_message_speaks_of_patterns() -> None:
    """They are for machines."""
    with pytest.raises(PolicyInvalid) as refused:
        parse("rules: [{name: a, users: [a b], groups: ['a:b'], servers: ['a b'], limit: {cpu: 1}}]")
    assert "pattern" not in refused.value.admin_text


def test_the_schema_that_is_shipped_is_the_one_that_is_used() -> None:
    """Written by ``ocfspawner policy schema > ocfspawner/resources.schema.json``."""
    shipped = files("ocfspawner").joinpath("resources.schema.json").read_text(encoding="utf-8")
    assert json.loads(shipped) == json_schema()


def test_the_schema_knows_the_names_that_are_written() -> None:
    schema = json_schema()
    rule = schema["$defs"][schema["properties"]["rules"]["items"]["$ref"].rpartition("/")[2]]
    assert not rule["additionalProperties"]
    assert {"name", "users", "groups", "servers", "until", "guarantee", "limit", "extra", "shm"} <= set(
        rule["properties"]
    )
    amounts = schema["$defs"][rule["properties"]["limit"]["$ref"].rpartition("/")[2]]
    assert set(amounts["properties"]) == {"cpu", "memory", "ephemeral-storage"}
    assert yaml.safe_load(json.dumps(schema)) == schema
