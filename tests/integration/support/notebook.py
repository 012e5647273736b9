"""A person's own server, as JupyterLab in the browser uses it: REST, a kernel, a terminal."""

import json
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
import websocket

SECONDS = 30
"""For one answer: a request, the output of a command."""

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07|\r")


class NotebookServer:
    """The server at /user/NAME/, used with a token of its owner."""

    def __init__(self, url: str, username: str, token: str, server: str = "") -> None:
        self.path = f"/user/{username}/{server}".rstrip("/")
        self._url = url + self.path
        self._authorization = {"Authorization": f"token {token}"}

    def call(self, method: str, path: str, **arguments: Any) -> requests.Response:
        return requests.request(method, self._url + path, headers=self._authorization, timeout=SECONDS, **arguments)

    def answer(self, method: str, path: str, **arguments: Any) -> Any:
        """What the server answers, which must be a success."""
        answer = self.call(method, path, **arguments)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def python(self, code: str) -> str:
        """What *code* prints as a cell of a new notebook, which lies at the top of what JupyterLab shows."""
        with self.kernel() as kernel:
            return kernel.run(code)

    @contextmanager
    def kernel(self) -> Iterator["Kernel"]:
        """The kernel of a new notebook, which lies at the top of what JupyterLab shows."""
        name = f"{uuid.uuid4().hex}.ipynb"
        notebook = {"path": name, "name": "", "type": "notebook", "kernel": {"name": "python3"}}
        session = self.answer("POST", "/api/sessions", json=notebook)
        try:
            yield Kernel(self, session["kernel"]["id"])
        finally:
            self.answer("DELETE", f"/api/sessions/{session['id']}")

    @contextmanager
    def terminal(self) -> Iterator["Terminal"]:
        name = self.answer("POST", "/api/terminals")["name"]
        try:
            with self.connected(f"/terminals/websocket/{name}") as connection:
                yield Terminal(connection)
        finally:
            self.answer("DELETE", f"/api/terminals/{name}")

    @contextmanager
    def connected(self, path: str) -> Iterator[websocket.WebSocket]:
        url = "ws" + (self._url + path).removeprefix("http")
        connection = websocket.create_connection(url, header=self._authorization, timeout=SECONDS)
        try:
            yield connection
        finally:
            connection.close()


class Kernel:
    """A kernel that runs; each cell over a connection of its own, as after a reload of the page."""

    def __init__(self, server: NotebookServer, name: str) -> None:
        self._server = server
        self._name = name

    def run(self, code: str) -> str:
        """What *code* prints as a cell."""
        with self._server.connected(f"/api/kernels/{self._name}/channels") as channels:
            return _execute(channels, code)


class Terminal:
    """A terminal with a shell."""

    def __init__(self, connection: websocket.WebSocket) -> None:
        self._connection = connection
        self.prompt = self._read_until(r"[$#] $")

    def run(self, command: str) -> str:
        """What *command* prints, without the line as typed and the next prompt."""
        mark = uuid.uuid4().hex
        # Split in the line as typed, so that only its output holds the mark in one piece.
        typed = f"{command}; printf '%s%s\\n' {mark[:8]} {mark[8:]}\r"
        self._connection.send(json.dumps(["stdin", typed]))
        output = self._read_until(rf"{mark}\n")
        return output.partition("\n")[2].partition(mark)[0].strip()

    def _read_until(self, pattern: str) -> str:
        shown = ""
        deadline = time.monotonic() + SECONDS
        while not re.search(pattern, shown):
            if time.monotonic() > deadline:
                pytest.fail(f"waited {SECONDS} s for {pattern!r} in a terminal that shows {shown!r}")
            kind, *content = json.loads(self._connection.recv())
            if kind == "stdout":
                shown += _ESCAPES.sub("", content[0])
        return shown


def _execute(channels: websocket.WebSocket, code: str) -> str:
    """Jupyter's messaging protocol, version 5, over a kernel's websocket."""
    request = uuid.uuid4().hex
    header = {"msg_id": request, "msg_type": "execute_request", "session": request, "username": "", "version": "5.3"}
    content = {"code": code, "silent": False, "allow_stdin": False}
    message = {"channel": "shell", "header": header, "parent_header": {}, "metadata": {}, "content": content}
    channels.send(json.dumps(message))
    printed = ""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        answer = json.loads(channels.recv())
        if answer["parent_header"].get("msg_id") != request:
            continue
        kind, content = answer["msg_type"], answer["content"]
        if kind == "stream":
            printed += content["text"]
        elif kind == "error":
            pytest.fail(f"{code!r} failed in the kernel: {content['ename']}: {content['evalue']}")
        elif kind == "status" and content["execution_state"] == "idle":
            return printed
    return pytest.fail(f"waited {SECONDS} s for the kernel to run {code!r}; so far it printed {printed!r}")
