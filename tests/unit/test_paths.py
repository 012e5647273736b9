"""Judging paths as text."""

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocfspawner.paths import is_below, is_plain, is_system_path

PARTS = st.text("ab.-_", min_size=1, max_size=4) | st.sampled_from([".", "..", "", "home"])
PATHS = st.builds(
    lambda start, parts: start + "/".join(parts), st.sampled_from(["", "/"]), st.lists(PARTS, max_size=6)
)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/home", id="one part"),
        pytest.param("/home/g/gs/gstaff", id="OCF's form"),
        pytest.param("/home/j.doe@x.org_1+2,3=4-5", id="every plain character"),
        pytest.param("/home/...", id="three dots are a name"),
    ],
)
def test_plain(path: str) -> None:
    assert is_plain(path)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("", id="empty"),
        pytest.param("/", id="the root"),
        pytest.param("home/a", id="relative"),
        pytest.param("~/a", id="a tilde"),
        pytest.param("/home/", id="a slash at the end"),
        pytest.param("//home", id="two slashes at the start"),
        pytest.param("/home//a", id="two slashes half-way"),
        pytest.param("/home/./a", id="a dot"),
        pytest.param("/home/../etc", id="up and elsewhere"),
        pytest.param("/home/a/..", id="up at the end"),
        pytest.param("/home/a b", id="a space"),
        pytest.param("/home/a:b", id="a colon, which mount paths forbid"),
        pytest.param("/home/{username}", id="a template"),
        pytest.param("/home/$(HOME)", id="a variable"),
        pytest.param("/home/a\n", id="a line break at the end"),
        pytest.param("/home/a\0", id="a NUL"),
        pytest.param("/home/é", id="not ASCII"),
        pytest.param("/home/a\\b", id="a backslash"),
    ],
)
def test_not_plain(path: str) -> None:
    assert not is_plain(path)


@given(PATHS)
def test_a_plain_path_means_what_it_says(path: str) -> None:
    if is_plain(path):
        assert posixpath.isabs(path)
        assert posixpath.normpath(path) == path


@pytest.mark.parametrize(
    ("path", "directory", "below"),
    [
        pytest.param("/home/a", "/home", True, id="a child"),
        pytest.param("/home/a/b", "/home", True, id="a grandchild"),
        pytest.param("/home", "/home", False, id="not itself"),
        pytest.param("/homes/a", "/home", False, id="not a name that starts alike"),
        pytest.param("/", "/home", False, id="not its parent"),
    ],
)
def test_below(path: str, directory: str, below: bool) -> None:
    assert is_below(path, directory) is below


@pytest.mark.parametrize(
    ("path", "system"),
    [
        pytest.param("/etc", True, id="a system path"),
        pytest.param("/var/lib/x", True, id="below a system path"),
        pytest.param("/home", False, id="homes"),
        pytest.param("/etcetera", False, id="a name that starts alike"),
    ],
)
def test_system_paths(path: str, system: bool) -> None:
    assert is_system_path(path) is system
