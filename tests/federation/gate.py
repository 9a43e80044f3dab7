"""A gate between two nodes: every byte passes through it, late, never, or changed, as a test wants.

It sits before the port on which a node takes partners (Kafka's or gRPC's), so what goes on inside a node is not touched.
"""

import asyncio
import random
import threading

CHUNK_BYTES = 64 << 10


class Gate:
    """Listens on `port` of this machine and passes on to `target`. `close` ends it. Thread-safe."""

    def __init__(self, port, target, seed=1):
        host, target_port = target.rsplit(":", 1)
        self.port, self._target = port, (host, int(target_port))
        self.delay_seconds = 0.0
        # How many bytes a second pass in each direction of a connection; 0 for as many as there are.
        self.slow_bytes = 0
        self.bytes_passed, self.connections, self.corrupted = 0, 0, 0
        self._corrupt, self._random = 0, random.Random(seed)
        self._stop_at, self.stopped_in_the_middle = 0, False
        self._writers = set()
        self._loop = asyncio.new_event_loop()
        self._open, self._answering = asyncio.Event(), asyncio.Event()
        self._open.set()
        self._answering.set()
        self._refusing = False
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), name=f"gate {port}", daemon=True)
        self._thread.start()
        if not ready.wait(10):
            raise AssertionError(f"the gate at port {port} did not open")

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    # ---- what a test does -----------------------------------------------------------------------------------------

    def stop(self):
        """Connections stay, and nothing passes: a network that swallows."""
        self._loop.call_soon_threadsafe(self._open.clear)

    def stop_in_the_middle(self, least_bytes):
        """Of the next so many bytes that come at once, half pass; the rest and all that follows stay here."""
        self.stopped_in_the_middle, self._stop_at = False, least_bytes

    def stop_answers(self):
        """What is sent arrives, what is answered does not: a connection that is half open."""
        self._loop.call_soon_threadsafe(self._answering.clear)

    def go_on(self):
        """All passes again, as quickly as it comes, and who comes is let in."""
        self._refusing, self._stop_at, self.delay_seconds, self.slow_bytes, self._corrupt = False, 0, 0, 0, 0
        self._loop.call_soon_threadsafe(self._open.set)
        self._loop.call_soon_threadsafe(self._answering.set)

    def cut(self):
        """All connections end at once, in the middle of whatever they carry; new ones are let in."""
        def abort():
            for writer in list(self._writers):
                writer.transport.abort()
        self._loop.call_soon_threadsafe(abort)

    def shut(self):
        """Connections end and new ones are refused: the other side is gone."""
        self._refusing = True
        self.cut()

    def corrupt(self, chunks):
        """Changes one bit in each of the next chunks, in whichever direction they go."""
        self._corrupt = chunks

    def close(self):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    # ---- how it passes on -------------------------------------------------------------------------------------------

    def _run(self, ready):
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._take, "127.0.0.1", self.port))
        ready.set()
        self._loop.run_forever()
        server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _take(self, reader, writer):
        if self._refusing:
            writer.transport.abort()
            return
        try:
            there_reader, there_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self.connections += 1
        both = (writer, there_writer)
        self._writers.update(both)
        try:
            await asyncio.gather(self._pass(reader, there_writer), self._pass(there_reader, writer, self._answering))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._writers.difference_update(both)
            for one in both:
                one.transport.abort()

    async def _pass(self, reader, writer, gate=None):
        while chunk := await reader.read(CHUNK_BYTES):
            await self._open.wait()
            if gate is not None:
                await gate.wait()
            if self.slow_bytes:
                await asyncio.sleep(len(chunk) / self.slow_bytes)
            if self.delay_seconds:
                await asyncio.sleep(self.delay_seconds)
            if self._corrupt:
                self._corrupt -= 1
                self.corrupted += 1
                changed = bytearray(chunk)
                changed[self._random.randrange(len(changed))] ^= 1 << self._random.randrange(8)
                chunk = bytes(changed)
            if 0 < self._stop_at <= len(chunk):
                self._stop_at = 0
                writer.write(chunk[:len(chunk) // 2])
                await writer.drain()
                chunk = chunk[len(chunk) // 2:]
                self._open.clear()
                self.stopped_in_the_middle = True
                await self._open.wait()
            self.bytes_passed += len(chunk)
            writer.write(chunk)
            await writer.drain()
        writer.write_eof()
