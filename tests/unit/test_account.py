"""From directory entries to an account."""

import posixpath
from contextlib import suppress
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocfspawner.account import Account, AccountRules, Attributes, Entry, Group, parse_account
from ocfspawner.errors import EntryMalformed, NoSuchAccount, Refusal

from .support import GSTAFF, group, person

RULES = AccountRules()
GROUPS = (group("ocfstaff", 1002), group("ocf", 1000))


def parse(username: str = "gstaff", groups: tuple[Entry, ...] = GROUPS, **changes: Any) -> Account:
    return parse_account(username, person(**changes), groups, RULES)


def test_a_group_that_is_denied_by_its_name_is_left_out_with_its_gid() -> None:
    groups = (*GROUPS, group("wheel", 3001), group("staff", 3001), group("other", 3002))
    rules = AccountRules(denied_groups=frozenset({"wheel"}))
    assert parse("gstaff", groups).supplemental_gids == (1002, 3001, 3002)
    assert parse_account("gstaff", person(), groups, rules).supplemental_gids == (1002, 3002)


def test_a_primary_group_that_is_denied_by_its_name_is_refused() -> None:
    with pytest.raises(EntryMalformed, match="gidNumber 1000 is on the deny-list"):
        parse_account("gstaff", person(), GROUPS, AccountRules(denied_groups=frozenset({"ocf"})))


def test_an_account_is_what_the_directory_says() -> None:
    assert parse() == GSTAFF


@pytest.mark.parametrize(
    ("defect", "said"),
    [
        pytest.param({"uidNumber": 0}, "uidNumber 0 is outside", id="uid of root"),
        pytest.param({"uidNumber": 999}, "uidNumber 999 is outside 1000–2147483647", id="uid of a system user"),
        pytest.param({"uidNumber": 65534}, "is not a person's", id="uid of nobody"),
        pytest.param({"uidNumber": 2**31}, "2147483648 is outside", id="uid that Kubernetes refuses"),
        pytest.param({"uidNumber": 2**32 + 1000}, "is outside", id="uid that wraps round to a person's"),
        pytest.param({"uidNumber": 10**10}, "not a whole number", id="uid of eleven digits"),
        pytest.param({"uidNumber": -1}, "not a whole number", id="negative uid"),
        pytest.param({"uidNumber": "0x3e8"}, "not a whole number", id="hexadecimal uid"),
        pytest.param({"uidNumber": " 1000"}, "not a whole number", id="uid after a space"),
        pytest.param({"uidNumber": "1_000"}, "not a whole number", id="uid as only Python reads it"),
        pytest.param({"uidNumber": "١٠٠٠"}, "not a whole number", id="uid in other digits"),
        pytest.param({"uidNumber": ""}, "not a whole number", id="empty uid"),
        pytest.param({"uidNumber": None}, "uidNumber has 0 values", id="no uid"),
        pytest.param({"uidNumber": [1000, 1001]}, "uidNumber has 2 values", id="two uids"),
        pytest.param({"uidNumber": b"\xff"}, "uidNumber is not UTF-8", id="uid of bytes that are no text"),
        pytest.param({"gidNumber": 0}, "gidNumber 0 is on the deny-list", id="gid of root"),
        pytest.param({"gidNumber": 42}, "gidNumber 42 is on the deny-list", id="gid of shadow"),
        pytest.param({"gidNumber": 2**31}, "is above 2147483647", id="gid that Kubernetes refuses"),
        pytest.param({"gidNumber": None}, "gidNumber has 0 values", id="no gid"),
        pytest.param({"homeDirectory": None}, "homeDirectory has 0 values", id="no home"),
        pytest.param({"homeDirectory": ["/home/a", "/home/b"]}, "has 2 values", id="two homes"),
        pytest.param({"homeDirectory": ""}, "is not an absolute, normalised", id="empty home"),
        pytest.param({"homeDirectory": "home/gstaff"}, "is not an absolute, normalised", id="relative home"),
        pytest.param({"homeDirectory": "/home/../etc"}, "is not an absolute, normalised", id="home that leads out"),
        pytest.param({"homeDirectory": "/home/gstaff/"}, "is not an absolute, normalised", id="slash at the end"),
        pytest.param({"homeDirectory": "/home/{unescaped_username}"}, "plain characters", id="home as a template"),
        pytest.param({"homeDirectory": "/home/{}"}, "plain characters", id="home with braces"),
        pytest.param({"homeDirectory": "/home/a:b"}, "plain characters", id="home with a colon"),
        pytest.param({"homeDirectory": "/home/a\0"}, "plain characters", id="home with a NUL"),
        pytest.param({"homeDirectory": "/home/$(PATH)"}, "plain characters", id="home with a variable"),
        pytest.param({"homeDirectory": "/home/" + "a" * 1024}, "plain characters", id="home without end"),
        pytest.param({"homeDirectory": b"/home/\xe9"}, "homeDirectory is not UTF-8", id="home in Latin-1"),
        pytest.param({"homeDirectory": "/home"}, "is not below /home", id="home of everybody"),
        pytest.param({"homeDirectory": "/etc"}, "is not below /home", id="home over a system path"),
        pytest.param({"homeDirectory": "/homes/gstaff"}, "is not below /home", id="home beside the prefix"),
        pytest.param({"loginShell": ["/bin/sh", "/bin/zsh"]}, "loginShell has 2 values", id="two shells"),
        pytest.param({"uid": ["gstaff", "alias"]}, "2 user names in one entry", id="two user names"),
    ],
)
def test_a_malformed_entry_is_refused(defect: dict[str, Any], said: str) -> None:
    with pytest.raises(EntryMalformed) as refused:
        parse(**defect)
    assert said in refused.value.admin_text
    assert parse() == GSTAFF


@pytest.mark.parametrize(
    ("username", "spelled"),
    [
        pytest.param("GSTAFF", "gstaff", id="other case in the name"),
        pytest.param("gstaff", "GStaff", id="other case in the entry"),
        pytest.param("gstaff ", "gstaff", id="a space behind"),
        pytest.param(" gstaff", "gstaff", id="a space before"),
        pytest.param("gstaff\u00a0", "gstaff", id="a no-break space"),
        pytest.param("gstaff\n", "gstaff", id="a line break"),
        pytest.param("ｇstaff", "gstaff", id="a fullwidth letter"),
        pytest.param("jose\u0301", "jos\u00e9", id="another Unicode form"),
        pytest.param("gstaff\ud800", "gstaff", id="a lone surrogate"),
        pytest.param("*", "gstaff", id="an asterisk"),
        pytest.param("", "gstaff", id="no name"),
        pytest.param("gstaff", None, id="an entry without a name"),
    ],
)
def test_only_the_same_bytes_are_the_same_name(username: str, spelled: str | None) -> None:
    with pytest.raises(NoSuchAccount):
        parse(username, uid=spelled)
    assert parse("gstaff", uid="gstaff").username == "gstaff"


@pytest.mark.parametrize("username", ["root", "nobody"])
def test_a_name_that_every_image_has_is_refused(username: str) -> None:
    with pytest.raises(EntryMalformed, match="system account"):
        parse(username, uid=username)
    assert parse("roots", uid="roots").username == "roots"


@pytest.mark.parametrize("username", ["a:b", "-a", ".a", "a b", "a/b", "a$", "é", "a" * 65, "a\n"])
def test_a_name_that_passwd_cannot_hold_is_refused(username: str) -> None:
    with pytest.raises(EntryMalformed, match=r"passwd\(5\)"):
        parse(username, uid=username)
    assert parse("a", uid="a").username == "a"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"loginShell": "/opt/share/utils/bin/sorried"}, "its shell is", id="by shell"),
        pytest.param({"groups": (group("sorry", 1000),)}, "it is in group sorry", id="by primary group"),
        pytest.param({"groups": (*GROUPS, group("sorry", 2390))}, "it is in group sorry", id="by another group"),
        pytest.param(
            {"groups": (group("sorry", 1000), group("ocf", 1000))}, "in group sorry", id="by one of two names of a gid"
        ),
        pytest.param(
            {"groups": (*GROUPS, group("sorry", 65534))}, "in group sorry", id="by a group that is not carried"
        ),
    ],
)
def test_a_disabled_account_is_parsed_and_marked(changes: dict[str, Any], said: str) -> None:
    assert said in parse(**changes).disabled
    assert not parse().disabled


def test_a_shell_is_not_needed() -> None:
    assert parse(loginShell=None).shell == ""


def test_the_primary_group_comes_first_then_the_others_by_gid() -> None:
    found = parse(groups=(group("z", 3), group("a", 2), group("ocf", 1000), group("m", 5000)))
    assert found.groups == (Group("ocf", 1000), Group("a", 2), Group("z", 3), Group("m", 5000))
    assert found.supplemental_gids == (2, 3, 5000)
    assert found.group_names == {"ocf", "a", "z", "m"}


def test_a_primary_group_without_an_entry_is_named_after_its_number() -> None:
    assert parse(groups=()).groups == (Group("1000", 1000),)


def test_groups_on_the_deny_list_are_left_out() -> None:
    assert parse(groups=(*GROUPS, group("sudo", 27), group("docker", 65534))) == GSTAFF


def test_two_names_of_one_gid_are_one_gid_and_two_names() -> None:
    found = parse(groups=(*GROUPS, group("staff", 1002), group("all", 1000)))
    assert found.group_names == {"ocf", "all", "ocfstaff", "staff"}
    assert found.supplemental_gids == (1002,)


def test_the_order_of_the_answer_does_not_matter() -> None:
    entries = (*GROUPS, group("staff", 1002), group("all", 1000))
    assert len({parse(groups=order) for order in permutations(entries)}) == 1


@pytest.mark.parametrize(
    "defect",
    [
        pytest.param(group("a:b", 5), id="a colon in the name"),
        pytest.param(group("a,b", 5), id="a comma in the name"),
        pytest.param(group("a\nroot:x:0:gstaff", 5), id="a line break in the name"),
        pytest.param(group(" a", 5), id="a space before the name"),
        pytest.param(group("", 5), id="no name"),
        pytest.param(group(["a", "b"], 5), id="two names"),
        pytest.param(group(None, 5), id="no cn"),
        pytest.param(group(b"\xff", 5), id="a name that is no text"),
        pytest.param(group("a", None), id="no gid"),
        pytest.param(group("a", -1), id="a negative gid"),
        pytest.param(group("a", 2**31), id="a gid that Kubernetes refuses"),
    ],
)
def test_a_malformed_group_is_refused_rather_than_left_out(defect: Entry) -> None:
    with pytest.raises(EntryMalformed, match="group"):
        parse(groups=(*GROUPS, defect))
    assert parse() == GSTAFF


def test_attributes_can_have_other_names() -> None:
    rules = AccountRules(attributes=Attributes(username="sAMAccountName", home="unixHomeDirectory"))
    someone = person(uid=None, homeDirectory=None, sAMAccountName="gstaff", unixHomeDirectory=GSTAFF.home)
    assert parse_account("gstaff", someone, GROUPS, rules) == GSTAFF


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"uid_floor": 0}, id="a floor that admits root"),
        pytest.param({"uid_floor": 2000, "uid_ceiling": 1999}, id="a floor above the ceiling"),
        pytest.param({"uid_ceiling": 2**31}, id="a ceiling that Kubernetes refuses"),
        pytest.param({"home_prefixes": ("/",)}, id="homes anywhere"),
        pytest.param({"home_prefixes": ("/home/",)}, id="a prefix with a slash at the end"),
        pytest.param({"home_prefixes": ("/home", "/var/home")}, id="a prefix below a system path"),
    ],
)
def test_rules_that_protect_nothing_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"uid range|home prefix"):
        AccountRules(**changes)


NAMES = st.text(max_size=20) | st.sampled_from(["gstaff", "GSTAFF", "gstaff ", "gst\u00e4ff"])
VALUES = st.text(max_size=12) | st.binary(max_size=12) | st.integers() | st.none() | st.just([1, 2])
HOMES = st.text("/.abg{}:", max_size=12).map("/home".__add__) | VALUES


@given(wanted=NAMES, spelled=NAMES)
def test_no_name_whatsoever_yields_an_account_of_another_name(wanted: str, spelled: str) -> None:
    with suppress(Refusal):
        assert parse(wanted, uid=spelled.encode(errors="surrogatepass")).username == wanted == spelled


@given(uid=VALUES, gid=VALUES, home=HOMES, shell=VALUES, member=VALUES, number=VALUES)
def test_whatever_is_accepted_can_be_trusted(**given: Any) -> None:
    changes = {"uidNumber": given["uid"], "gidNumber": given["gid"], "loginShell": given["shell"]}
    groups = (group("ocf", 1000), group(given["member"], given["number"]))
    for change in [{name: value} for name, value in changes.items()] + [{"homeDirectory": given["home"]}]:
        with suppress(Refusal):
            trustworthy(parse(**change))
    with suppress(Refusal):
        trustworthy(parse(groups=groups))


def trustworthy(someone: Account) -> None:
    assert 1000 <= someone.uid < 2**31
    assert not {someone.gid, *someone.supplemental_gids} & RULES.denied_gids
    assert all(0 < each.gid < 2**31 for each in someone.groups)
    assert someone.home.startswith("/home/")
    assert posixpath.normpath(someone.home) == someone.home
    assert not set(someone.home) & set("{}:$\0\n ")
