"""What a command does not use is not imported; what it uses is the real thing.  Each in a process of its own."""

import subprocess
import sys
from pathlib import Path

LDIF = Path(__file__).parents[1] / "unit" / "data" / "people.ldif"
CONFIG = """\
c = get_config()
c.JupyterHub.spawner_class = "ocfspawner.OCFSpawner"
c.KubeSpawner.image = "image:1"
c.KubeSpawner.tolerations = [{"key": "k", "operator": "Exists"}]
c.KubeSpawner.node_affinity_preferred = [{"weight": 1, "preference": {"matchExpressions": []}}]
"""
DEFER = "from ocfspawner.cli.deferred import defer; defer()\n"


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_explain_says_the_same_and_imports_neither_all_of_kubernetes_nor_alembic_nor_aiohttp(tmp_path: Path) -> None:
    config = tmp_path / "jupyterhub_config.py"
    config.write_text(CONFIG)
    arguments = ["explain", "gstaff", "--ldif", str(LDIF), "-f", str(config)]
    prefixes = ("alembic.runtime", "sqlalchemy.dialects.", "aiohttp.", "kubernetes_asyncio.")
    code = (
        f"from ocfspawner.cli.main import main; assert main({arguments!r}) == 0\n"
        f"import sys; print('imported', *(sum(name.startswith(p) for name in sys.modules) for p in {prefixes}))"
    )
    *said, imported = run(DEFER + code).splitlines()
    *said_otherwise, imported_otherwise = run(code).splitlines()
    assert said == said_otherwise
    *others, kubernetes = map(int, imported.split()[1:])
    assert others == [0, 0, 0]
    assert kubernetes < 100, "of 900"
    assert all(int(number) for number in imported_otherwise.split()[1:]), "which it would, otherwise"


def test_each_name_of_the_kubernetes_client_is_there() -> None:
    run(f"""{DEFER}
import sys
from kubernetes_asyncio import client
from kubernetes_asyncio.client import models
assert "kubernetes_asyncio.client.models.v1_deployment" not in sys.modules
from kubernetes_asyncio.client.models.v1_deployment import V1Deployment
assert client.V1Deployment is models.V1Deployment is V1Deployment
assert client.rest.ApiException is client.ApiException, "its modules are there, too"
assert client.__version__ and len(client.__all__) > 800
assert all(isinstance(getattr(client, name), type) for name in client.__all__)
assert not hasattr(client, "V1Nothing") and not hasattr(models, "__nothing__")
""")


def test_alembic_is_the_real_one_as_soon_as_it_is_used(tmp_path: Path) -> None:
    run(f"""{DEFER}
import sys
from jupyterhub import orm
from sqlalchemy import create_engine, text
assert "alembic.runtime" not in sys.modules
engine = create_engine("sqlite:///{tmp_path}/hub.sqlite")
orm.check_db_revision(engine)
with engine.connect() as connection:
    assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
import alembic.command
assert alembic.command.stamp.__module__ == "alembic.command" and alembic.__file__
assert orm.alembic.command.stamp is alembic.command.stamp
""")


def test_the_web_client_is_the_real_one_as_soon_as_it_is_used() -> None:
    run(f"""{DEFER}
import asyncio, sys
from jupyterhub import utils
from kubernetes_asyncio import client, watch
assert "aiohttp.client" not in sys.modules
try:
    asyncio.run(utils.fetch("http://127.0.0.1:1/"))
except utils.aiohttp.ClientConnectionError:
    pass
from jupyterhub.httpclient import fetch
import aiohttp
assert aiohttp.__file__ and utils.aiohttp.ClientSession is aiohttp.ClientSession
assert fetch.__module__ == "jupyterhub.httpclient"
from kubernetes_asyncio.watch.watch import Watch
assert watch.Watch is Watch
""")


def test_a_module_in_a_package_that_is_not_there_yet_is_imported_once() -> None:
    run(f"""{DEFER}
import alembic.runtime.migration
import alembic.command, sys
from alembic import runtime
assert runtime is alembic.runtime is sys.modules["alembic.runtime"]
assert runtime.migration is alembic.runtime.migration and runtime.__spec__.origin
assert runtime.migration.MigrationContext is alembic.runtime.environment.MigrationContext
""")


def test_what_is_imported_already_stays_as_it_is() -> None:
    run(f"import alembic.command\n{DEFER}{DEFER}import alembic; assert alembic.__file__")


def test_a_package_that_does_more_than_name_is_loaded_as_ever(tmp_path: Path) -> None:
    package = tmp_path / "busy"
    package.mkdir()
    (package / "__init__.py").write_text("from busy.part import value\nregistry = [value]\n")
    (package / "part.py").write_text("value = 1\n")
    run(f"""
import sys
from ocfspawner.cli import deferred
deferred._CATALOGUES = frozenset({{"busy"}})
deferred.defer()
sys.path.insert(0, {str(tmp_path)!r})
import busy
assert "busy.part" in sys.modules and busy.registry == [1]
""")
