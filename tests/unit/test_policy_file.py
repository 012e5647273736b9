"""The policy file, read again when it changes."""

import logging
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from ocfspawner.errors import PolicyInvalid
from ocfspawner.policy_file import load_policy

LOG = logging.getLogger("policy")
GOOD = "rules: [{name: first, limit: {cpu: 1}}]"
BETTER = "rules: [{name: second, limit: {cpu: 2}}]"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "resources.yaml"


def rule_in(path: Path) -> str:
    return load_policy(str(path), LOG).rules[0].name


def test_a_change_is_seen(path: Path) -> None:
    path.write_text(GOOD)
    assert rule_in(path) == "first"
    path.write_text(BETTER)
    assert rule_in(path) == "second"


def test_a_file_that_did_not_change_is_not_read_again(path: Path) -> None:
    path.write_text(GOOD)
    assert load_policy(str(path), LOG) is load_policy(str(path), LOG)


def test_a_config_map_that_is_swapped_whole_is_seen(path: Path) -> None:
    for number, text in enumerate((GOOD, BETTER)):
        data = path.parent / f"..data-{number}"
        data.write_text(text)
        link = path.parent / "new"
        link.symlink_to(data)
        link.replace(path)
        assert rule_in(path) == ("first", "second")[number]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        pytest.param(b"rules: [{name: x, limits: {}}]", "limits: there is no such field", id="an unknown field"),
        pytest.param(b"rules: [", "not YAML", id="no YAML"),
        pytest.param(b"rules: [{name: x, until: 2026-02-30}]", "rules.0.until", id="no day"),
        pytest.param(b"\xff\xfe\xff", "codec can't decode", id="no text"),
        pytest.param(None, "No such file", id="no file"),
    ],
)
def test_a_bad_change_keeps_the_policy_that_was_in_force(
    path: Path, bad: bytes | None, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_text(GOOD)
    assert rule_in(path) == "first"
    path.unlink() if bad is None else path.write_bytes(bad)
    assert rule_in(path) == "first"
    assert said in caplog.text
    path.write_text(BETTER)
    assert rule_in(path) == "second"


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(b"rules: [{name: x, limits: {}}]", id="an unknown field"),
        pytest.param(b"\xff", id="no text"),
        pytest.param(None, id="no file"),
    ],
)
def test_without_any_good_policy_there_is_a_refusal(path: Path, bad: bytes | None) -> None:
    if bad is not None:
        path.write_bytes(bad)
    for _ in range(2):
        with pytest.raises(PolicyInvalid, match=r"resources\.yaml"):
            rule_in(path)
    path.write_text(GOOD)
    assert rule_in(path) == "first"


def test_a_mistake_is_logged_once_for_each_version(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.write_text(GOOD)
    rule_in(path)
    path.write_text("rules: [{name: x, limits: {}}]")
    for _ in range(5):
        rule_in(path)
    assert len(caplog.records) == 1


def failures() -> float:
    return REGISTRY.get_sample_value("ocfspawner_policy_reload_failures_total") or 0


def test_each_bad_version_of_the_file_is_counted(path: Path) -> None:
    path.write_text(GOOD)
    rule_in(path)
    before = failures()
    for text in ("rules: [{name: x, limits: {}}]", "rules: ["):
        path.write_text(text)
        for _ in range(3):
            rule_in(path)
    assert failures() == before + 2
    path.write_text(BETTER)
    rule_in(path)
    assert failures() == before + 2


def test_two_files_are_two_policies(path: Path) -> None:
    other = path.with_name("other.yaml")
    path.write_text(GOOD)
    other.write_text(BETTER)
    assert (rule_in(path), rule_in(other)) == ("first", "second")
