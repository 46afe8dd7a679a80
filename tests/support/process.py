"""The command line that runs as a proxy, in a process of its own, and origins in threads for it.

::

    def test_something() -> None:
        with running_origin() as origin, Live("-w", path) as proxy:
            assert proxy.get(origin, "/page").endswith(BODY)
            assert proxy.end() == 0

A flow may be written, shown and told to scripts a little after its answer: wait for it with ``proxy.wait_for`` (a
line of output), with ``wait_until`` of ``tests.support.cli``, or end the proxy, which records what is under way.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

from tests.support.flows import SLOW, environment
from tests.support.live import shared_confdir

from flowdump.engine.tls.authority import Authority

#: A wait that is longer than this hangs.
PATIENCE = 60

BODY = b"x" * 500


class Origin:
    """An HTTP server in threads. It answers at once, but for ``/held``: there it waits for ``release``."""

    def __init__(self) -> None:
        self.held = threading.Event()
        self.release = threading.Event()
        self.count = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection, connection.makefile("rb") as stream:
            while line := stream.readline():
                while stream.readline() not in (b"\r\n", b""):
                    continue
                self.count += 1
                if b"/held" in line:
                    self.held.set()
                    self.release.wait(PATIENCE)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY)

    def close(self) -> None:
        self.release.set()
        self._listener.shutdown(socket.SHUT_RDWR)  # closing alone would leave the thread waiting in accept()
        self._listener.close()


@contextlib.contextmanager
def running_origin() -> Iterator[Origin]:
    served = Origin()
    try:
        yield served
    finally:
        served.close()


class Live:
    """A running ``flowdump``: ``with Live("-w", path) as proxy:``. What it prints is in ``lines`` as it comes."""

    def __init__(self, *arguments: str | Path, port: int | None = 0, confdir: Path | None = None) -> None:
        Authority.open(str(shared_confdir()))
        folder = str(confdir or shared_confdir())
        command = [sys.executable, "-m", "flowdump", "--set", f"confdir={folder}"]
        command += ["--set", "listen_host=127.0.0.1"]
        if port is not None:
            command += ["-p", str(port)]
        self.process = subprocess.Popen(
            [*command, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment(),
        )
        self.lines: list[str] = []
        self.ended = False
        self._grew = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if SLOW.match(line):
                continue
            with self._grew:
                self.lines.append(line.rstrip("\n"))
                self._grew.notify_all()
        with self._grew:
            self.ended = True
            self._grew.notify_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def wait_for(self, pattern: str) -> re.Match[str]:
        """The first line in which the pattern is found."""
        search = re.compile(pattern).search

        def found() -> re.Match[str] | None:
            return next(filter(None, map(search, self.lines)), None)

        with self._grew:
            assert self._grew.wait_for(lambda: found() or self.ended, PATIENCE), self.lines
        match = found()
        assert match is not None, self.lines
        return match

    @property
    def port(self) -> int:
        return int(self.wait_for(r"listening at 127\.0\.0\.1:(\d+)")[1])

    def connect(self) -> Client:
        return Client(self.port)

    def get(self, origin: Origin, path: str = "/") -> bytes:
        """One request over a connection of its own: the whole reply."""
        with self.connect() as client:
            return client.get(origin, path)

    def end(self, number: int | None = signal.SIGTERM) -> int:
        """Send a signal, if any, and wait: the exit code."""
        if number is not None:
            self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        self._reader.join()
        return code

    @property
    def processor_time(self) -> float:
        """Seconds that it has computed so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def rss(self) -> int:
        """Resident memory in KiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])


class Client:
    """A kept connection to the proxy."""

    def __init__(self, port: int) -> None:
        self._connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self._stream = self._connection.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self._connection.close()

    def send(self, origin: Origin, path: str = "/") -> None:
        head = f"GET http://127.0.0.1:{origin.port}{path} HTTP/1.1\r\nHost: 127.0.0.1:{origin.port}\r\n\r\n"
        self._connection.sendall(head.encode())

    def receive(self) -> bytes:
        """The next reply, empty when the connection was closed instead."""
        head = b""
        with contextlib.suppress(ConnectionError):
            while not head.endswith(b"\r\n\r\n"):
                line = self._stream.readline()
                if not line:
                    return b""
                head += line
        length = re.search(rb"(?i)content-length: (\d+)", head)
        return head + (self._stream.read(int(length[1])) if length else b"")

    def get(self, origin: Origin, path: str = "/") -> bytes:
        self.send(origin, path)
        return self.receive()


def serve_once(answer: Callable[[socket.socket], None], context: ssl.SSLContext | None = None) -> int:
    """A server of one connection, which is given to ``answer`` after a request head: its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        if context is not None:
            connection = context.wrap_socket(connection, server_side=True)
        with listener, contextlib.suppress(OSError), connection:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += connection.recv(1)
            answer(connection)

    threading.Thread(target=serve, daemon=True).start()
    return int(listener.getsockname()[1])


def snapshot(path: Path) -> bytes:
    """What a file holds between two writes. Linux may show a reader the first pages of a write that goes on."""
    before, data = b"", path.read_bytes()
    while data != before:
        time.sleep(0.005)
        before, data = data, path.read_bytes()
    return data
