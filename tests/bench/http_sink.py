"""An SMS HTTP API of a few lines, in a thread: accepts, refuses, hangs or closes as the recipient's last digit says."""

import asyncio
import json
import threading


class HttpSink:
    """`seen` holds the JSON bodies.

    Digit 5: says 100 Continue first; 6: the end of the answer is the end of the connection; 7: 429; 8: answers and closes;
    9: never answers.
    """

    def __init__(self):
        self.seen = []
        self.headers = []
        self.connections = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self._ready.wait(10)

    def _run(self):
        asyncio.set_event_loop(self._loop)
        self._ended = asyncio.Event()
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self):
        server = await asyncio.start_server(self._client, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._ended.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0)

    async def _client(self, reader, writer):
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = int(
                    next(line for line in head.split("\r\n") if line.lower().startswith("content-length")).split(":")[1]
                )
                body = json.loads(await reader.readexactly(length))
                self.headers.append(head)
                self.seen.append(body)
                digit = body["to"][-1]
                if digit == "9":
                    continue
                status, more = ("429 Too Many Requests", "") if digit == "7" else ("202 Accepted", "")
                more = "Connection: close\r\n" if digit == "8" else more
                if digit == "5":
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                length = "" if digit == "6" else "Content-Length: 2\r\n"
                writer.write(f"HTTP/1.1 {status}\r\n{more}{length}\r\n{{}}".encode())
                if digit in "68":
                    break
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()

    def close(self):
        if self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(10)
