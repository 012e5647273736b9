"""Fixtures of the unit tests: no service, no network, no kubeconfig."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("ocfspawner", derandomize=True, deadline=None, database=None, max_examples=200)
settings.load_profile("ocfspawner")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write tests/unit/data anew, and pass")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with the file of that name in ``data``."""

    def compare(name: str, text: str) -> None:
        path = Path(__file__).parent / "data" / name
        if request.config.getoption("update_golden"):
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8"), "differs; read it, then `pytest --update-golden`"

    return compare
