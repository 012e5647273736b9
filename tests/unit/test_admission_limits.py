"""The admission component's limits are the account rules' own, and no home that they allow is refused there."""

import re
from pathlib import Path

import yaml

from ocfspawner.account import AccountRules

COMPONENT = Path(__file__).parents[2] / "deploy" / "components" / "admission"
LIMITS: dict[str, str] = yaml.safe_load((COMPONENT / "limits.yaml").read_text())["data"]


def numbers(key: str) -> frozenset[int]:
    return frozenset(map(int, LIMITS[key].split(" ")))


def test_uids_and_gids_are_the_account_rules_own() -> None:
    rules = AccountRules()
    assert (int(LIMITS["uid-floor"]), int(LIMITS["uid-ceiling"])) == (rules.uid_floor, rules.uid_ceiling)
    assert numbers("denied-uids") == rules.denied_uids
    assert numbers("denied-gids") == rules.denied_gids


def test_a_home_as_ocf_has_them_is_one_and_a_folder_of_homes_is_none() -> None:
    home = re.compile(f"^(?:{LIMITS['home']})$")
    assert home.match("g/gs/gstaff")
    assert not any(home.match(path) for path in ("", "g", "g/gs", "/", "g/gs/gstaff/notebooks"))
