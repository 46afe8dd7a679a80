"""Transparent mode: a client in a network namespace of its own, whose connections the kernel redirects to the proxy.

Needs Linux, the right to make namespaces, and nft or iptables; skipped where one of these is missing.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.asynchronous import run
from tests.support.flows import ROOT
from tests.support.live import origin, running
from tests.support.peers import greet, serving
from tests.support.process import PATIENCE

from flowdump.engine.listen import original_destination
from flowdump.exceptions import OptionsError

PORT = 8080
ORIGIN4, ORIGIN6 = "198.18.99.9", "2001:db8:99::9"


def ip(*words: str, check: bool = True) -> None:
    subprocess.run(["ip", *words], check=check, capture_output=True, timeout=PATIENCE)


class Lab:
    """Two namespaces: the client's, and the one where the proxy and the origins are."""

    def __init__(self) -> None:
        tag = f"fd{os.getpid() % 100_000}"
        self.client, self.router = f"{tag}c", f"{tag}r"

    def build(self) -> None:
        for name in (self.client, self.router):
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("link", "add", "v0", "netns", self.client, "type", "veth", "peer", "name", "v1", "netns", self.router)
        for name, device, last in ((self.client, "v0", "2"), (self.router, "v1", "1")):
            ip("-n", name, "address", "add", f"198.18.7.{last}/24", "dev", device)
            ip("-n", name, "address", "add", f"2001:db8:7::{last}/64", "dev", device, "nodad")
            ip("-n", name, "link", "set", device, "up")
        ip("-n", self.client, "route", "add", "default", "via", "198.18.7.1")
        ip("-n", self.client, "-6", "route", "add", "default", "via", "2001:db8:7::1")
        ip("-n", self.router, "address", "add", f"{ORIGIN4}/32", "dev", "lo")
        ip("-n", self.router, "address", "add", f"{ORIGIN6}/128", "dev", "lo", "nodad")
        for family in ("ip", "ip6"):
            self._redirect(family)

    def _redirect(self, family: str) -> None:
        if shutil.which("nft"):
            rules = (
                f"add table {family} nat\n"
                f"add chain {family} nat pre {{ type nat hook prerouting priority -100; }}\n"
                f'add rule {family} nat pre iifname "v1" tcp dport != {PORT} redirect to :{PORT}\n'
            )
            self._inside(["nft", "-f", "-"], rules)
        else:
            tables = "iptables" if family == "ip" else "ip6tables"
            match = ["-i", "v1", "-p", "tcp", "!", "--dport", str(PORT)]
            action = ["-j", "REDIRECT", "--to-port", str(PORT)]
            self._inside([tables, "-t", "nat", "-A", "PREROUTING", *match, *action])

    def _inside(self, command: list[str], text: str = "") -> None:
        command = ["ip", "netns", "exec", self.router, *command]
        subprocess.run(command, input=text.encode(), check=True, capture_output=True, timeout=PATIENCE)

    def remove(self) -> None:
        for name in (self.client, self.router):
            ip("netns", "delete", name, check=False)

    def python(self, namespace: str, function: str, *arguments: Any) -> subprocess.Popen[str]:
        """A function of this module, run in a namespace."""
        code = f"from tests.engine.listen import test_transparent as t; t.{function}(*{arguments!r})"
        return subprocess.Popen(
            ["ip", "netns", "exec", namespace, sys.executable, "-c", code],
            cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    if sys.platform != "linux" or not shutil.which("ip") or not (shutil.which("nft") or shutil.which("iptables")):
        pytest.skip("transparent mode is tested on Linux with iproute2 and nft or iptables")
    made = Lab()
    try:
        made.build()
    except (OSError, subprocess.SubprocessError) as error:
        made.remove()
        reason = getattr(error, "stderr", None) or str(error).encode()
        pytest.skip(f"no network namespaces with redirection here: {reason.decode(errors='replace').strip()}")
    yield made
    made.remove()


# -- what runs inside -------------------------------------------------------------------------------------------------


def serve() -> None:
    """Origins and the proxy; says when it is ready, and tells of its flows when its input ends."""

    async def scenario() -> None:
        async with (
            serving(_hello, host=ORIGIN4, port=80),
            serving(_hello, host=ORIGIN6, port=80),
            serving(greet, host=ORIGIN4, port=25),
            running(mode=[f"transparent@0.0.0.0:{PORT}", f"transparent@[::]:{PORT}"], block_global=False) as proxy,
        ):
            print("ready", flush=True)
            await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
            told = [
                {
                    "type": flow.type,
                    "address": flow.server_conn.address,
                    "mode": str(flow.client_conn.proxy_mode),
                    "pretty": flow.request.pretty_url if flow.type == "http" else "",
                    "error": str(flow.error or ""),
                }
                for flow in proxy.flows
            ]
            print(json.dumps(told))

    run(scenario(), patience=180)


async def _hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello")
    await writer.drain()


def visit(host: str, port: int, sent: str) -> None:
    """Connect, say something, print what comes back."""
    received = b""
    try:  # a connection that is reset at once may be so before connecting is done
        with socket.create_connection((host, port), timeout=PATIENCE) as connection:
            connection.sendall(sent.encode())
            while data := connection.recv(4096):
                received += data
    except ConnectionResetError:
        received += b"<reset>"
    print(received.decode())


def test_redirected_connections(lab: Lab) -> None:
    proxy = lab.python(lab.router, "serve")
    assert proxy.stdout is not None
    try:
        if proxy.stdout.readline() != "ready\n":
            pytest.fail(proxy.communicate("", timeout=60)[1])
        get = "GET /x HTTP/1.1\r\nHost: named.example\r\nConnection: close\r\n\r\n"
        for host, port, sent, answer in (
            (ORIGIN4, 80, get, "hello"),
            (ORIGIN6, 80, get, "hello"),
            (ORIGIN4, 25, "me\r\n", "220 hello"),
            (ORIGIN4, 81, get, "502"),
            ("198.18.7.1", PORT, get, "<reset>"),
        ):
            out, complaint = lab.python(lab.client, "visit", host, port, sent).communicate(timeout=60)
            assert answer in out, complaint
        out, complaint = proxy.communicate("", timeout=60)
    finally:
        proxy.kill()
        proxy.communicate()
    flows = json.loads(out.splitlines()[-1])
    assert [(flow["type"], flow["address"]) for flow in flows] == [
        ("http", [ORIGIN4, 80]),
        ("http", [ORIGIN6, 80]),
        ("tcp", [ORIGIN4, 25]),
        ("http", [ORIGIN4, 81]),
    ]
    assert flows[0]["pretty"] == "http://named.example/x"
    assert flows[0]["mode"] == f"transparent@0.0.0.0:{PORT}"
    assert "refused" in flows[3]["error"]


# -- without privileges -----------------------------------------------------------------------------------------------


def test_addresses_of_the_kernel() -> None:
    raw4 = struct.pack("=H", socket.AF_INET) + struct.pack("!H4s", 443, bytes([1, 2, 3, 4])) + bytes(8)
    assert original_destination.parse4(raw4) == ("1.2.3.4", 443)
    raw6 = struct.pack("=H", socket.AF_INET6) + struct.pack("!HI16s", 80, 7, socket.inet_pton(socket.AF_INET6, "::2"))
    assert original_destination.parse6(raw6 + bytes(4)) == ("::2", 80)


def test_other_systems_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(OptionsError, match="transparent mode needs Linux"):
        original_destination.check_platform()


async def test_who_comes_directly_is_turned_away() -> None:
    async with origin() as server, running(mode=["transparent"]) as proxy:
        assert await proxy.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n") == b""
        assert server.received == b""
        assert proxy.flows == []
