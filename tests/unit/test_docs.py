"""The documentation says what the code does."""

from pathlib import Path

import pytest

from ocfspawner import errors

DOCS = Path(__file__).parents[2] / "docs"


LABELS = {kind.reason for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.Refusal)}


@pytest.mark.parametrize("reason", sorted(LABELS - {errors.Refusal.reason}))
def test_every_refusal_is_explained(reason: str) -> None:
    text = "".join((DOCS / name).read_text() for name in ("directory.md", "refusals.md"))
    assert f"| `{reason}` |" in text
