"""A TCP proxy whose behaviour can be changed while it runs: it stalls, delays, drips, cuts, drops and refuses.

It runs in a thread of its own, so that it does not share the event loop with what it is there to test.
"""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Coroutine, Iterable
from types import TracebackType
from typing import Self


class Proxy:
    """Forwards connections to ``127.0.0.1:target``; with no target, it accepts and never answers.

    The attributes may be set at any time, and hold for open connections too.
    """

    stalled = False
    """Forward nothing, in neither direction."""

    delay = 0.0
    """Seconds before each piece of an answer."""

    drip = 0.0
    """Seconds between the single bytes of an answer; 0 forwards it whole."""

    cut: int | None = None
    """Bytes of answers, in all, after which a connection is closed."""

    refusing = False
    """Close new connections at once."""

    def __init__(self, target: int | None) -> None:
        self.target = target
        self.accepted = 0
        """Connections that were ever accepted."""
        self.received = 0
        """Bytes that clients ever sent."""
        self.port = 0
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy")

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def open(self) -> int:
        """Connections that clients have open."""
        return len(self._open)

    def drop(self) -> None:
        """Close every open connection, as a server or a firewall does with idle ones."""
        asyncio.run_coroutine_threadsafe(self._drop(), self._loop).result()

    # -- in the proxy's thread ---------------------------------------------------------------

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        self._server.close()
        await self._drop()
        await self._server.wait_closed()

    async def _drop(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self.accepted += 1
        self._tasks.add(task)
        self._open.add(writer)
        try:
            if not self.refusing:
                await self._serve(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            self._open.discard(writer)
            await _close(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.target is None:
            async for _ in self._questions(reader):
                pass
            return
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self.target)
        try:
            await _first(self._ask(reader, to_server), self._answer(from_server, writer))
        finally:
            await _close(to_server)

    async def _questions(self, reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
        while data := await reader.read(65536):
            self.received += len(data)
            yield data

    async def _ask(self, reader: asyncio.StreamReader, to_server: asyncio.StreamWriter) -> None:
        async for data in self._questions(reader):
            await self._pass()
            to_server.write(data)
            await to_server.drain()

    async def _answer(self, from_server: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sent = 0
        while data := await from_server.read(65536):
            if self.cut is not None:
                data = data[: max(self.cut - sent, 0)]
            sent += len(data)
            for piece in self._pieces(data):
                await self._pass()
                await asyncio.sleep(self.drip or self.delay)
                writer.write(piece)
                await writer.drain()
            if self.cut is not None and sent >= self.cut:
                return

    def _pieces(self, data: bytes) -> Iterable[bytes]:
        return (data[at : at + 1] for at in range(len(data))) if self.drip else (data,)

    async def _pass(self) -> None:
        while self.stalled:  # noqa: ASYNC110 - it is set from another thread
            await asyncio.sleep(0.01)


async def _first(*coroutines: Coroutine[object, object, None]) -> None:
    """Until one of them ends; the others are cancelled."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError, asyncio.CancelledError):
        await writer.wait_closed()
