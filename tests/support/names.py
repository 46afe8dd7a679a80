"""A scripted name server, and a client of one, in one event loop with the test."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import IPv4Address
from typing import Any

from flowdump.dns import DNSMessage, Question, ResourceRecord

#: From a query to the bytes of every datagram that answers it.
Script = Callable[[DNSMessage], list[bytes]]

#: A, AAAA, TXT, HTTPS.
A, AAAA, TXT, HTTPS = 1, 28, 16, 65


def query(name: str = "a.example", kind: int = A, id: int = 4660, **facts: Any) -> DNSMessage:
    """A query as a stub resolver sends it."""
    return DNSMessage(id, True, 0, False, False, True, False, 0, 0, [Question(name, kind, 1)], **facts)


def edns(size: int) -> ResourceRecord:
    """The record that says how large an answer over UDP may be."""
    return ResourceRecord("", 41, size, 0, b"")


def record(name: str = "a.example", address: str = "192.0.2.7") -> ResourceRecord:
    return ResourceRecord.A(name, IPv4Address(address))


def answering(*addresses: str) -> Script:
    """Every question gets these addresses."""

    def script(asked: DNSMessage) -> list[bytes]:
        assert asked.question is not None
        return [asked.succeed([record(asked.question.name, address) for address in addresses]).packed]

    return script


class NameServer(asyncio.DatagramProtocol):
    """What was asked, over which transport."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: list[DNSMessage] = []
        self.wires: list[bytes] = []
        self.connections = 0
        self.port = 0
        self.sources: list[Any] = []
        self._transport: Any = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def _answers(self, wire: bytes) -> list[bytes]:
        message = DNSMessage.unpack(wire)
        self.wires.append(wire)
        self.asked.append(message)
        return self.script(message)

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, address: Any) -> None:
        self.sources.append(address)
        for answer in self._answers(data):
            self._transport.sendto(answer, address)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            while head := await reader.read(2):
                wire = await reader.readexactly(int.from_bytes(head, "big"))
                for answer in self._answers(wire):
                    writer.write(len(answer).to_bytes(2, "big") + answer)
        finally:
            writer.close()

    def hang_up(self) -> None:
        for writer in self._writers:
            writer.close()


@asynccontextmanager
async def name_server(script: Script) -> AsyncIterator[NameServer]:
    """A name server on one free port of 127.0.0.1, for UDP and TCP."""
    loop = asyncio.get_running_loop()
    server = NameServer(script)
    while not server.port:
        listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        try:
            transport, _ = await loop.create_datagram_endpoint(lambda: server, local_addr=("127.0.0.1", port))
        except OSError:  # somebody else has that one for UDP
            listener.close()
        else:
            server.port = port
    try:
        yield server
    finally:
        transport.close()
        listener.close()
        server.hang_up()
        await asyncio.sleep(0)


class Talker:
    """A UDP client with a port of its own."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self._sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.setblocking(False)
        self._sock.connect((host, port))
        self.address = self._sock.getsockname()

    def send(self, data: bytes) -> None:
        self._sock.send(data)

    async def receive(self) -> bytes:
        return await asyncio.get_running_loop().sock_recv(self._sock, 65535)

    async def ask(self, message: DNSMessage) -> DNSMessage:
        self.send(message.packed)
        return DNSMessage.unpack(await self.receive())

    def __enter__(self) -> Talker:
        return self

    def __exit__(self, *error: object) -> None:
        self._sock.close()


async def ask(port: int, message: DNSMessage) -> DNSMessage:
    """The answer of whoever listens for UDP at a port of 127.0.0.1."""
    with Talker(port) as talker:
        return await talker.ask(message)


async def ask_over_tcp(port: int, *messages: DNSMessage) -> list[DNSMessage]:
    """The answers to queries sent one after the other on one connection, as they come."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for message in messages:
            wire = message.packed
            writer.write(len(wire).to_bytes(2, "big") + wire)
        answers = []
        for _ in messages:
            size = int.from_bytes(await reader.readexactly(2), "big")
            answers.append(DNSMessage.unpack(await reader.readexactly(size)))
        return answers
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)
