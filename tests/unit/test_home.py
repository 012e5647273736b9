"""Where a home lies and where it appears."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocfspawner.errors import ConfigurationError, HomeUnusable
from ocfspawner.home import ClaimHomes, Home, HomeVolume, NFSHomes
from ocfspawner.paths import is_below

from .support import account

HOME = "/home/g/gs/gstaff"


def test_a_claim_holds_all_homes_and_each_is_mounted_by_its_path_in_it() -> None:
    assert ClaimHomes(claim="homes", root="/home").home_of(account(), "~") == Home(
        path=HOME,
        notebook_dir=HOME,
        source={"persistentVolumeClaim": {"claimName": "homes"}},
        sub_path="g/gs/gstaff",
    )


def test_a_claim_can_stand_for_a_directory_further_down() -> None:
    assert ClaimHomes(root="/home/g/gs").home_of(account(), "~").sub_path == "gstaff"


def test_an_nfs_volume_is_the_home_itself() -> None:
    assert NFSHomes().home_of(account(), "~") == Home(
        path=HOME,
        notebook_dir=HOME,
        source={"nfs": {"server": "homes.ocf.berkeley.edu", "path": HOME}},
    )


def test_an_exported_path_can_have_a_prefix() -> None:
    home = NFSHomes(server="10.0.0.1", prefix="/opt/homes").home_of(account(), "~")
    assert home.source == {"nfs": {"server": "10.0.0.1", "path": f"/opt/homes{HOME}"}}
    assert home.path == HOME


@pytest.mark.parametrize("root", ["/srv", "/home/g/gs/gstaff", "/hom"])
def test_a_home_that_is_not_in_the_volume_is_refused(root: str) -> None:
    with pytest.raises(HomeUnusable, match="is not below"):
        ClaimHomes(root=root).home_of(account(), "~")
    assert ClaimHomes().home_of(account(), "~").path == HOME


@pytest.mark.parametrize("homes", [pytest.param(ClaimHomes(), id="claim"), pytest.param(NFSHomes(), id="nfs")])
@pytest.mark.parametrize(
    ("configured", "notebook_dir"),
    [
        pytest.param("", HOME, id="nothing is the home"),
        pytest.param("~", HOME, id="a tilde is the home"),
        pytest.param("~/", HOME, id="with a slash it still is"),
        pytest.param("~/notebooks", f"{HOME}/notebooks", id="the original README's"),
        pytest.param("~/a//b/./c/", f"{HOME}/a/b/c", id="it is normalised"),
        pytest.param("~/a/../b", f"{HOME}/b", id="up is fine as long as it stays inside"),
        pytest.param("~/..notes", f"{HOME}/..notes", id="two dots can start a name"),
        pytest.param(f"{HOME}/deep/down", f"{HOME}/deep/down", id="an absolute path inside"),
        pytest.param("~//etc", f"{HOME}/etc", id="a second slash leads nowhere else"),
    ],
)
def test_a_notebook_directory_in_the_home(homes: HomeVolume, configured: str, notebook_dir: str) -> None:
    assert homes.home_of(account(), configured).notebook_dir == notebook_dir


@pytest.mark.parametrize("homes", [pytest.param(ClaimHomes(), id="claim"), pytest.param(NFSHomes(), id="nfs")])
@pytest.mark.parametrize(
    "configured",
    [
        pytest.param("/", id="the root"),
        pytest.param("/home", id="everybody's homes"),
        pytest.param("/home/g/gs/gstaffette", id="a neighbour whose name starts alike"),
        pytest.param("~/..", id="up"),
        pytest.param("~/a/../../guser", id="up and down again"),
        pytest.param("~guser", id="somebody else's tilde"),
        pytest.param("notebooks", id="relative"),
        pytest.param(" ~", id="a space before the tilde"),
        pytest.param("//home/g/gs/gstaff", id="two slashes at the start"),
    ],
)
def test_a_notebook_directory_outside_is_the_administrators_mistake(homes: HomeVolume, configured: str) -> None:
    with pytest.raises(ConfigurationError, match="notebook_dir"):
        homes.home_of(account(), configured)
    assert homes.home_of(account(), "~").notebook_dir == HOME


@given(st.lists(st.sampled_from(["~", "..", ".", "", "a", "home", "g", "gs", "gstaff"])).map("/".join))
def test_wherever_it_is_it_is_inside(configured: str) -> None:
    try:
        notebook_dir = ClaimHomes().home_of(account(), configured).notebook_dir
    except ConfigurationError:
        return
    assert notebook_dir == HOME or is_below(notebook_dir, HOME)
    assert ".." not in notebook_dir.split("/")


@pytest.mark.parametrize("claim", ["", "Homes", "homes/", "-homes", "homes-", "a b", "x" * 254])
def test_a_claim_needs_a_name_that_kubernetes_takes(claim: str) -> None:
    with pytest.raises(ValueError, match="claim"):
        ClaimHomes(claim=claim)
    assert ClaimHomes(claim="homes-2.a").claim == "homes-2.a"


@pytest.mark.parametrize("server", ["", "ho mes", "homes/", "{username}", "-homes"])
def test_an_nfs_server_needs_a_host_name_or_an_address(server: str) -> None:
    with pytest.raises(ValueError, match="server"):
        NFSHomes(server=server)
    assert NFSHomes(server="fd00::1").server == "fd00::1"


@pytest.mark.parametrize("path", ["/", "home", "/home/", "/home/../x", "/home/{username}"])
def test_a_place_of_homes_is_an_absolute_path(path: str) -> None:
    with pytest.raises(ValueError, match="root"):
        ClaimHomes(root=path)
    with pytest.raises(ValueError, match="prefix"):
        NFSHomes(prefix=path)
    assert ClaimHomes(root="/srv/home").root == NFSHomes(prefix="/srv/home").prefix
