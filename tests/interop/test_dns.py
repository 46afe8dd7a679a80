"""Other people's DNS clients and servers, and UDP clients, with flowdump between them."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from tests.support.flows import read_flows
from tests.support.process import Live
from tests.support.programs import tool

PATIENCE = 30

SCRIPT = """
from ipaddress import IPv4Address

from mitmproxy import dns
from mitmproxy.net.dns import response_codes


def dns_request(flow):
    name = flow.request.question.name
    if name == "spoof.example":
        flow.response = flow.request.succeed([dns.ResourceRecord.A(name, IPv4Address("203.0.113.9"))])
    elif name == "refused.example":
        flow.response = flow.request.fail(response_codes.REFUSED)


def dns_response(flow):
    for answer in flow.response.answers:
        if answer.type == dns.types.TXT:
            answer.text = answer.text.upper()
"""


def one_port() -> tuple[socket.socket, socket.socket]:
    """A listener for TCP and a socket for UDP at the same free port."""
    while True:
        tcp, udp = socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            udp.bind(tcp.getsockname())
        except OSError:  # somebody else has that one for UDP
            tcp.close()
            udp.close()
        else:
            return tcp, udp


class NameServer:
    """A name server of dnspython's messages, over UDP and TCP: what it is asked gets all that it has, cut for UDP."""

    RECORDS = (
        "a.example. 60 IN A 192.0.2.7",
        "alias.example. 60 IN CNAME a.example.",
        'text.example. 60 IN TXT "some words"',
        "mail.example. 60 IN MX 10 mx.mail.example.",
        "service.example. 60 IN SRV 1 2 443 a.example.",
        "web.example. 60 IN HTTPS 1 . alpn=h2 ech=AAT+DQAA",
        "zone.example. 60 IN SOA ns.zone.example. root.zone.example. 1 2 3 4 5",
    )

    def __init__(self) -> None:
        self.known = {}
        self.flags: list[int] = []
        for line in self.RECORDS:
            owner, ttl, class_, kind, data = line.split(" ", 4)
            self.known[owner, kind] = dns.rrset.from_text(owner, int(ttl), class_, kind, data)
        addresses = [f"192.0.2.{n}" for n in range(100)]
        self.known["many.example.", "A"] = dns.rrset.from_text_list("many.example.", 60, "IN", "A", addresses)
        self._tcp, self._udp = one_port()
        self.port = self._tcp.getsockname()[1]
        for work in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=work, daemon=True).start()

    def _answer(self, wire: bytes) -> dns.message.Message:
        asked = dns.message.from_wire(wire)
        self.flags.append(asked.ednsflags)
        answer = dns.message.make_response(asked, recursion_available=True)
        question = asked.question[0]
        found = self.known.get((question.name.to_text().lower(), dns.rdatatype.to_text(question.rdtype)))
        if found is None:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        else:
            answer.answer.append(found)
        return answer

    def _serve_udp(self) -> None:
        while True:
            try:
                wire, client = self._udp.recvfrom(65535)
            except OSError:
                return
            answer = self._answer(wire)
            try:
                self._udp.sendto(answer.to_wire(max_size=512), client)
            except dns.exception.TooBig:
                answer.flags |= dns.flags.TC
                answer.answer = []
                self._udp.sendto(answer.to_wire(), client)

    def _serve_tcp(self) -> None:
        while True:
            try:
                connection, _ = self._tcp.accept()
            except OSError:
                return
            threading.Thread(target=self._serve_connection, args=(connection,), daemon=True).start()

    def _serve_connection(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            while head := stream.read(2):
                wire = self._answer(stream.read(int.from_bytes(head, "big"))).to_wire(max_size=65535)
                connection.sendall(len(wire).to_bytes(2, "big") + wire)

    def close(self) -> None:
        for sock in (self._udp, self._tcp):
            sock.shutdown(socket.SHUT_RDWR) if sock is self._tcp else None
            sock.close()


@pytest.fixture(scope="module")
def server() -> Iterator[NameServer]:
    served = NameServer()
    yield served
    served.close()


@pytest.fixture(scope="module", params=["dns", "reverse"])
def live(request: Any, server: NameServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """flowdump with the script above in front of the name server."""
    folder: Path = tmp_path_factory.mktemp("dns")
    (folder / "script.py").write_text(SCRIPT)
    where = f"127.0.0.1:{server.port}"
    arguments = ["--mode", f"reverse:dns://{where}"]
    if request.param == "dns":
        arguments = ["--mode", "dns", "--set", f"dns_name_servers={where}"]
    with Live(*arguments, "-s", folder / "script.py", "-w", folder / "saved.flows") as proxy:
        dns.query.udp(dns.message.make_query("spoof.example", "A"), "127.0.0.1", port=proxy.port, timeout=PATIENCE)
        yield proxy
        assert proxy.end() == 0
        flows = read_flows(folder / "saved.flows")
        assert {flow.type for flow in flows} == {"dns"}
        assert "spoof.example" in {flow.request.questions[0].name for flow in flows}


def dig(live: Live, *arguments: str) -> str:
    command = [tool("dig"), "@127.0.0.1", "-p", str(live.port), "+tries=1", f"+time={PATIENCE}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE * 3, check=True)
    assert "Warning" not in done.stdout
    return done.stdout


@pytest.mark.parametrize("over", ["+notcp", "+tcp"])
@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("a.example A", "192.0.2.7\n"),
        ("A.Example A", "192.0.2.7\n"),
        ("text.example TXT", '"SOME WORDS"\n'),
        ("mail.example MX", "10 mx.mail.example.\n"),
        ("service.example SRV", "1 2 443 a.example.\n"),
        ("zone.example SOA", "ns.zone.example. root.zone.example. 1 2 3 4 5\n"),
        ("web.example HTTPS", '1 . alpn="h2"\n'),
        ("spoof.example A", "203.0.113.9\n"),
        ("no-such.example A", ""),
    ],
)
def test_dig(live: Live, question: str, answer: str, over: str) -> None:
    assert dig(live, over, "+short", *question.split()) == answer


def test_dig_sees_codes_and_options(live: Live, server: NameServer) -> None:
    assert "status: REFUSED" in dig(live, "refused.example")
    assert "status: NXDOMAIN" in dig(live, "no-such.example")
    seen = dig(live, "a.example", "+subnet=192.0.2.0/24", "+dnssec")
    assert "EDNS: version: 0" in seen
    assert server.flags[-1] & dns.flags.DO


def test_dig_asks_again_over_tcp_for_what_was_cut(live: Live) -> None:
    assert len(dig(live, "+short", "many.example").splitlines()) == 100
    assert "flags: qr tc" in dig(live, "+ignore", "many.example")


@pytest.mark.parametrize("over", ["udp", "tcp"])
def test_dnspython(live: Live, over: str) -> None:
    asked = dns.message.make_query("spoof.example", "A", use_edns=True, payload=1232)
    ask = dns.query.udp if over == "udp" else dns.query.tcp
    answer = ask(asked, "127.0.0.1", port=live.port, timeout=PATIENCE)
    assert asked.is_response(answer)
    assert answer.answer[0][0].to_text() == "203.0.113.9"
    answer, fell_back = dns.query.udp_with_fallback(
        dns.message.make_query("many.example", "A"), "127.0.0.1", port=live.port, timeout=PATIENCE
    )
    assert fell_back
    assert len(answer.answer[0]) == 100


def test_the_line_of_the_start_and_of_a_flow(live: Live) -> None:
    assert live.lines[0].startswith(("DNS server listening at 127.0.0.1:", "reverse proxy to dns://127.0.0.1:"))
    dig(live, "+short", "spoof.example", "A")
    live.wait_for(r"^\d\d:\d\d:\d\d 127\.0\.0\.1:\d+ DNS A spoof\.example NOERROR 203\.0\.113\.9 (\d+ms|\d+\.\ds)$")


def datagram_socket() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.settimeout(PATIENCE)
    return sock


def test_datagrams_through_a_process(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "def udp_message(flow):\n"
        "    message = flow.messages[-1]\n"
        "    message.content = message.content.replace(b'secret', b'******')\n"
        "    if message.content == b'<lost>':\n"
        "        message.drop()\n"
    )
    far, near = datagram_socket(), datagram_socket()
    with far, near:
        where = f"127.0.0.1:{far.getsockname()[1]}"
        with Live("--mode", f"reverse:udp://{where}", "-s", script, "-w", tmp_path / "saved.flows") as proxy:
            near.connect(("127.0.0.1", proxy.port))
            for sent in (b"the secret", b"lost", b"bye"):
                near.send(sent)
                data, source = far.recvfrom(65535)
                far.sendto(b"<" + data + b">", source)
            assert [near.recv(65535) for _ in range(2)] == [b"<the ******>", b"<bye>"]
            assert proxy.end() == 0
            proxy.wait_for(rf"^\d\d:\d\d:\d\d 127\.0\.0\.1:\d+ UDP {where} 6 messages 40b (\d+ms|\d+\.\ds)$")
    (flow,) = read_flows(tmp_path / "saved.flows")
    assert [message.content for message in flow.messages][:2] == [b"the ******", b"<the ******>"]
