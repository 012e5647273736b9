"""docs/directory.md tells of everything that there is."""

import re
from pathlib import Path

import pytest

from ocfspawner import errors, metrics
from ocfspawner.directory.config import LDAPDirectory

TEXT = (Path(__file__).parents[2] / "docs/directory.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in row.strip("|").split(" | ")] for row in TEXT.splitlines() if row.startswith("| `")]
NOTHING = ("none", "anonymous", "the system's", "as `group_style`", "the preset's")
"""What the page says of a default that is empty."""

REFUSALS = [
    errors.DirectoryUnreachable("x"),
    errors.DirectoryUntrusted("x"),
    errors.DirectoryFailed("x"),
    errors.NoSuchAccount("alice"),
    errors.LoginRefused("alice", "x"),
    errors.AccountDisabled("alice", "x"),
    errors.EntryMalformed("alice", "x"),
]


def documented_default(name: str) -> str:
    """What the page says is the default of a setting; a row may tell of several."""
    for cells in ROWS:
        names = re.findall(r"`(\w+)`", cells[0])
        if name in names:
            # "ou=People,…`, `ou=Group,dc=…": several defaults stand in the order of the names.
            values = cells[1].split(", ") if len(names) > 1 and cells[1].count(", ") == len(names) - 1 else [cells[1]]
            return values[names.index(name)] if len(values) > 1 else values[0]
    pytest.fail(f"docs/directory.md has no row for {name}")


@pytest.mark.parametrize("name", sorted(LDAPDirectory.class_traits(config=True)))
def test_each_setting_is_told_with_its_default(name: str) -> None:
    said = documented_default(name).replace("`", "")
    default = getattr(LDAPDirectory(), name)
    if default in ("", None):
        assert documented_default(name) in NOTHING
    elif isinstance(default, set | list | tuple):
        assert said == ", ".join(str(each) for each in sorted(default)) or (said in ("[]", "none") and not default)
    elif isinstance(default, float) or (isinstance(default, int) and not isinstance(default, bool)):
        assert float(said) == default
    elif "…" in said:
        begin, end = said.split("…")
        assert default.startswith(begin)
        assert default.endswith(end)
    else:
        assert said == str(default)


@pytest.mark.parametrize("name", sorted(LDAPDirectory.class_traits(config=True)))
def test_each_setting_has_a_help(name: str) -> None:
    said = LDAPDirectory.class_traits(config=True)[name].help or ""
    assert "default" in said.lower()
    sentences = re.findall(r"[.:;](?:\s|$)", said)
    assert len(sentences) >= 3, "what it is, its default, when to change it, what breaks"


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.reason)
def test_each_refusal_is_told_with_its_status_and_its_text(refusal: errors.Refusal) -> None:
    (cells,) = [cells for cells in ROWS if cells[0] == f"`{refusal.reason}`"]
    assert cells[1] == str(refusal.status)
    same = isinstance(refusal, errors.DirectoryError) and cells[2] == "The same."
    assert same or cells[2] == refusal.user_text


def test_no_refusal_of_the_directory_is_left_out() -> None:
    def below(kind: type[errors.Refusal]) -> set[str]:
        return {kind.reason}.union(
            *(below(each) for each in kind.__subclasses__() if each.__module__ == errors.__name__)
        )

    told = below(errors.DirectoryError) | below(errors.AccountError) - {errors.AccountError.reason}
    assert {refusal.reason for refusal in REFUSALS} == told


@pytest.mark.parametrize(
    "metric", [metrics.DIRECTORY_SECONDS, metrics.DIRECTORY_CACHE, metrics.SERVER_UP, metrics.LAST_KNOWN_GOOD_USES]
)
def test_each_metric_is_told(metric: object) -> None:
    (family,) = metric.describe()  # type: ignore[attr-defined]
    names = {family.name, f"{family.name}_total"}
    assert [cells for cells in ROWS if cells[0].strip("`") in names]
