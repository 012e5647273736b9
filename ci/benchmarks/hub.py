"""A JupyterHub that asks a directory, as a process of its own, and people who log in to it.

Its proxy forwards nothing: the Hub's own port is asked.  Nothing is spawned.
"""

import asyncio
import re
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp

from tests.directory.slapd import free_port

_SETTINGS = """
import asyncio
from time import perf_counter

from jupyterhub.proxy import Proxy
from tornado import web


class Stall(web.RequestHandler):
    watching, longest = None, 0.0

    def get(self):
        Stall.watching = Stall.watching or asyncio.ensure_future(self.watch())
        self.finish(str(Stall.longest))
        Stall.longest = 0.0

    async def watch(self):
        while True:
            before = perf_counter()
            await asyncio.sleep(0.002)
            Stall.longest = max(Stall.longest, perf_counter() - before - 0.002)


class NoProxy(Proxy):
    async def add_route(self, routespec, target, data):
        routes[routespec] = {{"routespec": routespec, "target": target, "data": data}}

    async def delete_route(self, routespec):
        routes.pop(routespec, None)

    async def get_all_routes(self):
        return routes


routes = {{}}
c.JupyterHub.extra_handlers = [("/stall", Stall)]
c.JupyterHub.proxy_class = NoProxy
c.Proxy.should_start = False
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.bind_url = "http://127.0.0.1:{unused}"
c.JupyterHub.db_url = "sqlite:///{folder}/hub.sqlite"
c.JupyterHub.cookie_secret_file = "{folder}/cookie_secret"
c.JupyterHub.log_level = "ERROR"
c.JupyterHub.spawner_class = "ocfspawner.OCFSpawner"
c.JupyterHub.authenticator_class = "ocfspawner.DirectoryAuthenticator"
c.Authenticator.allow_all = True
c.LDAPDirectory.urls = ["{url}"]
c.LDAPDirectory.send_passwords_over_the_network_in_clear_text = {clear_text}
c.LDAPDirectory.ca_file = "{ca_file}"
c.LDAPDirectory.deadline = {deadline}
c.LDAPDirectory.connect_timeout = 30
c.LDAPDirectory.receive_timeout = 30
"""
"""As an administrator writes them; no other timeout than the deadline ends a look-up."""

_ASK = """
import http.client, statistics, sys, time
page, taken = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1])), []
until = time.monotonic() + float(sys.argv[2])
while time.monotonic() < until:
    begin = time.perf_counter()
    page.request("GET", "/hub/health")
    answer = page.getresponse()
    answer.read()
    assert answer.status == 200, answer.status
    taken.append(time.perf_counter() - begin)
    time.sleep(0.002)
print(statistics.median(taken))
"""

_READY_WITHIN = 180.0


class Hub:
    """Starts when it is entered."""

    def __init__(self, folder: Path, url: str, ca_file: Path, deadline: float, clear_text: bool) -> None:
        folder.mkdir()
        self._port = free_port()
        self._url = f"http://127.0.0.1:{self._port}/hub"
        self._log = folder / "log"
        self._settings = folder / "jupyterhub_config.py"
        self._settings.write_text(
            _SETTINGS.format(
                port=self._port,
                unused=free_port(),
                folder=folder,
                url=url,
                ca_file=ca_file,
                deadline=deadline,
                clear_text=clear_text,
            )
        )

    async def __aenter__(self) -> Self:
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "jupyterhub", f"--config={self._settings}", stdout=log, stderr=log
            )
        until = time.monotonic() + _READY_WITHIN
        while not await self._is_ready():
            if self._process.returncode is not None or time.monotonic() > until:
                raise RuntimeError(f"the Hub did not start:\n{self._log.read_text()[-4000:]}")
            await asyncio.sleep(0.1)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.returncode is None:
            self._process.terminate()
        await self._process.wait()

    async def health_page(self, seconds: float) -> float:
        """The median of the seconds that another process waits for the page, asking for *seconds*."""
        arguments = ("-c", _ASK, str(self._port), str(seconds))
        process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=subprocess.PIPE)
        answer, _ = await process.communicate()
        return float(answer)

    async def stall(self) -> float:
        """The longest time that the Hub's loop was late since it was asked last."""
        async with aiohttp.ClientSession() as session, session.get(f"{self._url}/stall") as answer:
            return float(await answer.text())

    async def log_in(self, people: int) -> list[int]:
        """The HTTP statuses that *people* read who log in at the same time, each with a name of their own."""
        connector = aiohttp.TCPConnector(limit=people)
        async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
            async with session.get(f"{self._url}/login") as answer:
                token = re.search(r'name="_xsrf" value="([^"]+)"', await answer.text())
            if not token:
                raise RuntimeError("the log-in page has no form")

            async def one(number: int) -> int:
                answers = {"username": f"user{number}", "password": "secret", "_xsrf": token[1]}
                async with session.post(f"{self._url}/login", data=answers) as answer:
                    return answer.status

            return await asyncio.gather(*map(one, range(people)))

    async def _is_ready(self) -> bool:
        try:
            async with aiohttp.ClientSession() as session, session.get(f"{self._url}/health") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False
