"""What a refusal says, and to whom."""

import re
from typing import Any

import pytest

from ocfspawner import errors
from ocfspawner.errors import Refusal, shown

SECRET = "cn=admin,dc=OCF on ldap.example"

REFUSALS = [
    pytest.param(errors.DirectoryUnreachable(SECRET), "directory-unreachable", 503, id="directory unreachable"),
    pytest.param(errors.DirectoryUntrusted(SECRET), "directory-untrusted", 503, id="directory untrusted"),
    pytest.param(errors.DirectoryFailed(SECRET), "directory-failed", 503, id="directory failed"),
    pytest.param(errors.NoSuchAccount("bob", SECRET), "no-such-account", 403, id="no such account"),
    pytest.param(errors.LoginRefused("bob", SECRET), "login-refused", 403, id="log-in refused"),
    pytest.param(errors.AccountDisabled("bob", SECRET), "account-disabled", 403, id="account disabled"),
    pytest.param(errors.EntryMalformed("bob", SECRET), "entry-malformed", 403, id="entry malformed"),
    pytest.param(
        errors.LoginServiceUnreachable(SECRET), "login-service-unreachable", 503, id="log-in service unreachable"
    ),
    pytest.param(errors.LoginServiceFailed(SECRET), "login-service-failed", 500, id="log-in service failed"),
    pytest.param(errors.HomeMissing("bob", SECRET), "home-missing", 403, id="home missing"),
    pytest.param(errors.HomeNotOwned("bob", SECRET), "home-not-owned", 403, id="home of somebody else"),
    pytest.param(errors.HomeUnusable("bob", "/home/b", SECRET), "home-unusable", 403, id="home unusable"),
    pytest.param(errors.OptionsRefused(SECRET), "options-refused", 400, id="options refused"),
    pytest.param(errors.PolicyInvalid(SECRET), "policy-invalid", 500, id="policy invalid"),
    pytest.param(errors.PodRefused(SECRET), "pod-refused", 500, id="pod refused"),
]


@pytest.mark.parametrize(("refusal", "reason", "status"), REFUSALS)
def test_each_refusal_has_its_reason_and_its_status(refusal: Refusal, reason: str, status: int) -> None:
    assert (refusal.reason, refusal.status) == (reason, status)


@pytest.mark.parametrize(("refusal", "reason", "status"), REFUSALS)
def test_detail_is_for_the_log_and_never_for_the_user(refusal: Refusal, reason: str, status: int) -> None:
    assert SECRET in refusal.admin_text
    assert SECRET in str(refusal)
    assert SECRET not in refusal.user_text


def test_kinds_of_refusal_have_texts_of_their_own() -> None:
    kinds: list[Any] = [mark.values[0] for mark in REFUSALS]
    texts = {refusal.user_text for refusal in kinds if not isinstance(refusal, errors.DirectoryError)}
    outages = {refusal.user_text for refusal in kinds if isinstance(refusal, errors.DirectoryError)}
    assert len(outages) == 1, "the difference is the administrator's"
    assert len(texts) == len(kinds) - 3


def test_a_wrong_password_reads_like_a_wrong_name() -> None:
    texts = {errors.LoginRefused(name, "detail").user_text for name in ("gstaff", "nobody-of-this-name")}
    assert len(texts) == 1


def test_a_reason_fits_a_metrics_label() -> None:
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", kind.reason) for kind in _tree(Refusal))


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = re.findall(r"^ *[*x+-] (\w+)", errors.__doc__ or "", re.MULTILINE)
    assert drawn == [kind.__name__ for kind in _tree(Refusal)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("gstaff", "“gstaff”", id="a name is quoted"),
        pytest.param("gstaff ", "“gstaff ”", id="a space at the end can be seen"),
        pytest.param("a\nb", r"'a\nb'", id="a line break can't forge a line of the log"),
        pytest.param("a\x1b[2J", r"'a\x1b[2J'", id="an escape sequence is disarmed"),
        pytest.param("a\u202eb", r"'a\u202eb'", id="a bidi override is disarmed"),
        pytest.param("a\ud800", r"'a\ud800'", id="a lone surrogate can be encoded"),
        pytest.param("x" * 100, f"“{'x' * 64}…”", id="a long name is cut"),
        pytest.param("", "“”", id="an empty name is seen to be empty"),
    ],
)
def test_names_are_shown_so_that_people_see_what_they_are(name: str, text: str) -> None:
    assert shown(name) == text


def _tree(kind: type[Refusal]) -> list[type[Refusal]]:
    children = (child for child in kind.__subclasses__() if child.__module__ == Refusal.__module__)
    return [kind, *(below for child in children for below in _tree(child))]
