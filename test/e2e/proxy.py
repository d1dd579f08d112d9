# SPDX-License-Identifier: Apache-2.0
"""An HTTP/1.1 proxy before the replicas of one side, which does harm on request.

One request to a connection of its own behind it, so that each goes to any
replica, and a dead one is passed over.
"""
import asyncio
import random
import threading

# What it can do to a request, besides passing it on.
BUSY = "busy"          # 503 with Retry-After, not passed on
GARBAGE = "garbage"    # 200 with a page of some other kind, not passed on
NONSENSE = "nonsense"  # 200 of the right kind that says nothing, not passed on
LATE = "late"          # passed on; the answer comes later
LOST = "lost"          # passed on; the answer does not come
CUT = "cut"            # the first half is passed on, then both connections end


class Proxy:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.ports = []
        self.harm = []    # for the next requests with a body, one each
        self.done = {}    # what was done, by kind
        self.port = None
        self.server = None
        self.loop = asyncio.new_event_loop()
        ready = threading.Event()
        threading.Thread(target=self._run, args=(ready,), daemon=True).start()
        ready.wait()

    def _run(self, ready):
        asyncio.set_event_loop(self.loop)
        self.server = self.loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 20))
        self.port = self.server.sockets[0].getsockname()[1]
        ready.set()
        self.loop.run_forever()

    def stop(self):
        asyncio.run_coroutine_threadsafe(self._end(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)

    async def _end(self):
        self.server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader, writer):
        try:
            while await self._exchange(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            pass
        finally:
            writer.close()

    async def _exchange(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        fields = [line.split(b":", 1) for line in head.split(b"\r\n")[1:-2]]
        headers = {name.lower(): value.strip() for name, value in fields}
        if headers.get(b"expect", b"").lower() == b"100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await reader.readexactly(int(headers.get(b"content-length", 0)))
        harm = self.harm.pop(0) if body and self.harm else None
        if harm:
            self.done[harm] = self.done.get(harm, 0) + 1
        if harm == BUSY:
            return await self._say(writer, 503, b"text/plain", b"busy", b"Retry-After: 1\r\n")
        if harm == GARBAGE:
            return await self._say(writer, 200, b"text/html", b"<p>Welcome!")
        if harm == NONSENSE:
            kind = b"application/ppm-dap;message=aggregation-job-resp"
            return await self._say(writer, 200, kind, b"\x00\x01nonsense")
        return await self._pass_on(head, fields, body, harm, writer)

    @staticmethod
    async def _say(writer, status, kind, body, more=b""):
        writer.write(b"HTTP/1.1 %d Said\r\nContent-Type: %s\r\nContent-Length: %d\r\n%s\r\n%s"
                     % (status, kind, len(body), more, body))
        await writer.drain()
        return True

    async def _connect(self):
        for port in self.random.sample(self.ports, len(self.ports)):
            try:
                return await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                continue
        raise OSError("nobody listens")

    async def _pass_on(self, head, fields, body, harm, writer):
        server_reader, server_writer = await self._connect()
        try:
            kept = [b": ".join((name, value.strip())) for name, value in fields
                    if name.lower() not in (b"connection", b"expect")]
            start = head.split(b"\r\n", 1)[0]
            server_writer.write(b"\r\n".join([start, *kept, b"Connection: close", b"", b""]))
            server_writer.write(body[:len(body) // 2] if harm == CUT else body)
            await server_writer.drain()
            if harm == CUT:
                return False
            answer = await server_reader.read(-1)
            if harm == LATE:
                await asyncio.sleep(self.random.uniform(0.5, 4))
            if harm == LOST or not answer:
                return False
            writer.write(answer.replace(b"Connection: close\r\n", b"", 1))
            await writer.drain()
            return True
        finally:
            server_writer.close()
