"""The documentation says what the code does."""

from pathlib import Path

import pytest

from ocfspawner import errors

DOCS = Path(__file__).parents[2] / "docs"


def reasons(kind: type[errors.Refusal]) -> set[str]:
    """The metric labels of *kind* and all below it."""
    return {kind.reason}.union(*(reasons(each) for each in kind.__subclasses__()))


@pytest.mark.parametrize("reason", sorted(reasons(errors.Refusal) - {errors.Refusal.reason}))
def test_every_refusal_is_explained(reason: str) -> None:
    text = "".join((DOCS / name).read_text() for name in ("directory.md", "refusals.md"))
    assert f"| `{reason}` |" in text
