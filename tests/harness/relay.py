"""A link that can break: between peers and one broker over loopback tcp, in a thread of its own.

    relay = Relay(port)                 # of a broker at tcp://127.0.0.1:port
    run("embedder", "--connect", relay.url)
    relay.hold(relay.TO_BROKER)         # nothing arrives any more, but nothing is closed, and no bytes are lost
    relay.heal()                        # what was held arrives now, as over TCP

`on_message(towards, frames)` sees every message of an unencrypted link (ZMTP 3) and returns the list of
messages that take its place: [] loses it, [frames, frames] doubles it."""

import asyncio
import threading

from live import free_pair

GREETING = 64
MORE, LONG, COMMAND = 1, 2, 4


class Relay:
    TO_BROKER, TO_PEER = "to broker", "to peer"

    def __init__(self, port, on_message=None):
        self.target, self.on_message = port, on_message
        self.port = free_pair()
        self.url = f"tcp://127.0.0.1:{self.port}"
        self.workers_url = f"tcp://127.0.0.1:{self.port + 1}"
        self.loop = asyncio.new_event_loop()
        self.gates = {}
        started = threading.Event()
        self.thread = threading.Thread(target=self.run, args=(started,), daemon=True)
        self.thread.start()
        started.wait()

    def run(self, started):
        asyncio.set_event_loop(self.loop)
        self.gates = {way: asyncio.Event() for way in (self.TO_BROKER, self.TO_PEER)}
        for gate in self.gates.values():
            gate.set()
        for offset in (0, 1):  # clients come to a broker's port, workers to the next one
            self.loop.run_until_complete(asyncio.start_server(
                lambda reader, writer, port=self.target + offset: self.serve(reader, writer, port),
                "127.0.0.1", self.port + offset))
        self.loop.call_soon(started.set)
        self.loop.run_forever()
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))

    def hold(self, *ways):
        for way in ways or self.gates:
            self.loop.call_soon_threadsafe(self.gates[way].clear)

    def heal(self):
        for gate in self.gates.values():
            self.loop.call_soon_threadsafe(gate.set)

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()

    async def serve(self, reader, writer, port):
        try:
            await self.join(reader, writer, port)
        except asyncio.CancelledError:
            pass  # the relay is closed

    async def join(self, reader, writer, port):
        for gate in self.gates.values():  # a handshake needs both ways
            await gate.wait()
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self.carry(reader, far_writer, self.TO_BROKER),
                             self.carry(far_reader, writer, self.TO_PEER))

    async def carry(self, reader, writer, way):
        messages = Messages() if self.on_message else None
        try:
            while True:
                data = await reader.read(65536)
                await self.gates[way].wait()  # an end, too, is told only over a link that works
                if not data:
                    break
                writer.write(messages.through(data, lambda frames: self.on_message(way, frames))
                             if messages else data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()


class Messages:
    """A ZMTP 3 stream of one direction, cut into messages."""

    def __init__(self):
        self.pending, self.frames, self.greeting = b"", [], GREETING

    def through(self, data, replace):
        # The greeting goes on at once: each side waits for pieces of the other's.
        out = data[:self.greeting]
        self.greeting -= len(out)
        self.pending += data[len(out):]
        while (frame := self.take()) is not None:
            flags, body = frame
            if flags & COMMAND:
                out += self.pack(flags, body)
                continue
            self.frames.append(body)
            if not flags & MORE:
                for message in replace(self.frames):
                    last = len(message) - 1
                    out += b"".join(self.pack(MORE if i < last else 0, one) for i, one in enumerate(message))
                self.frames = []
        return out

    def take(self):
        if len(self.pending) < 2:
            return None
        flags = self.pending[0]
        head = 9 if flags & LONG else 2
        if len(self.pending) < head:
            return None
        size = int.from_bytes(self.pending[1:head], "big")
        if len(self.pending) < head + size:
            return None
        body, self.pending = self.pending[head:head + size], self.pending[head + size:]
        return flags, body

    @staticmethod
    def pack(flags, body):
        flags &= ~LONG
        if len(body) > 255:
            return bytes([flags | LONG]) + len(body).to_bytes(8, "big") + body
        return bytes([flags, len(body)]) + body
