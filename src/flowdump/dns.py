"""DNS flows: a query and its answer (RFC 1035), as plain values."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, Self

from flowdump import urls
from flowdump.flow import Flow

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

#: Names of the record types people meet; others are shown as TYPE123 (RFC 3597).
TYPES = {
    1: "A",
    2: "NS",
    5: "CNAME",
    6: "SOA",
    12: "PTR",
    13: "HINFO",
    15: "MX",
    16: "TXT",
    17: "RP",
    18: "AFSDB",
    24: "SIG",
    25: "KEY",
    28: "AAAA",
    29: "LOC",
    33: "SRV",
    35: "NAPTR",
    36: "KX",
    37: "CERT",
    39: "DNAME",
    41: "OPT",
    42: "APL",
    43: "DS",
    44: "SSHFP",
    45: "IPSECKEY",
    46: "RRSIG",
    47: "NSEC",
    48: "DNSKEY",
    49: "DHCID",
    50: "NSEC3",
    51: "NSEC3PARAM",
    52: "TLSA",
    53: "SMIMEA",
    55: "HIP",
    59: "CDS",
    60: "CDNSKEY",
    61: "OPENPGPKEY",
    62: "CSYNC",
    63: "ZONEMD",
    64: "SVCB",
    65: "HTTPS",
    108: "EUI48",
    109: "EUI64",
    249: "TKEY",
    250: "TSIG",
    251: "IXFR",
    252: "AXFR",
    255: "ANY",
    256: "URI",
    257: "CAA",
    32768: "TA",
    32769: "DLV",
}
CLASSES = {1: "IN", 3: "CH", 4: "HS", 254: "NONE", 255: "ANY"}
OP_CODES = {0: "QUERY", 1: "IQUERY", 2: "STATUS", 4: "NOTIFY", 5: "UPDATE", 6: "DSO"}
RESPONSE_CODES = {
    0: "NOERROR",
    1: "FORMERR",
    2: "SERVFAIL",
    3: "NXDOMAIN",
    4: "NOTIMP",
    5: "REFUSED",
    6: "YXDOMAIN",
    7: "YXRRSET",
    8: "NXRRSET",
    9: "NOTAUTH",
    10: "NOTZONE",
    11: "DSOTYPENI",
}


def type_name(number: int) -> str:
    """``1`` -> ``"A"``."""
    return TYPES.get(number, f"TYPE{number}")


class _Part:
    """State dicts by field names."""

    def get_state(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        return cls(**state)

    def copy(self) -> Self:
        return self.from_state(self.get_state())


@dataclass
class Question(_Part):
    """What is asked for. ``name`` has no trailing dot; the root is ``""``."""

    name: str
    type: int
    class_: int

    def __str__(self) -> str:
        return self.name


@dataclass
class ResourceRecord(_Part):
    """An answer. ``data`` is the RDATA with name compression undone, ``ttl`` seconds."""

    DEFAULT_TTL: ClassVar[int] = 60

    name: str
    type: int
    class_: int
    ttl: int
    data: bytes

    def __str__(self) -> str:
        return f"{self.name} {type_name(self.type)} {self.data_text()}"

    def data_text(self) -> str:
        """The RDATA for people: addresses, names and texts in their usual form, hex for anything else."""
        try:
            return _RDATA.get(self.type, bytes.hex)(self.data)
        except (ValueError, IndexError):
            return self.data.hex()

    # -- making the usual ones -----------------------------------------------------------------------------------

    @classmethod
    def A(cls, name: str, ip: IPv4Address, *, ttl: int = DEFAULT_TTL) -> ResourceRecord:
        return cls(name, 1, 1, ttl, ip.packed)

    @classmethod
    def AAAA(cls, name: str, ip: IPv6Address, *, ttl: int = DEFAULT_TTL) -> ResourceRecord:
        return cls(name, 28, 1, ttl, ip.packed)

    @classmethod
    def CNAME(cls, alias: str, canonical: str, *, ttl: int = DEFAULT_TTL) -> ResourceRecord:
        return cls(alias, 5, 1, ttl, pack_name(canonical))

    @classmethod
    def PTR(cls, inaddr: str, ptr: str, *, ttl: int = DEFAULT_TTL) -> ResourceRecord:
        return cls(inaddr, 12, 1, ttl, pack_name(ptr))

    @classmethod
    def TXT(cls, name: str, text: str, *, ttl: int = DEFAULT_TTL) -> ResourceRecord:
        return cls(name, 16, 1, ttl, _pack_text(text))

    # -- the data, by type ---------------------------------------------------------------------------------------

    @property
    def ipv4_address(self) -> IPv4Address:
        """Of an A record. Raises ValueError when the data is no address."""
        from ipaddress import IPv4Address

        return IPv4Address(self.data)

    @ipv4_address.setter
    def ipv4_address(self, ip: IPv4Address) -> None:
        self.data = ip.packed

    @property
    def ipv6_address(self) -> IPv6Address:
        """Of an AAAA record. Raises ValueError when the data is no address."""
        from ipaddress import IPv6Address

        return IPv6Address(self.data)

    @ipv6_address.setter
    def ipv6_address(self, ip: IPv6Address) -> None:
        self.data = ip.packed

    @property
    def domain_name(self) -> str:
        """Of a CNAME, NS, PTR or DNAME record. Raises ValueError when the data is no name."""
        try:
            return _name(self.data)
        except IndexError:
            raise ValueError(f"{self.data!r} is not a domain name") from None

    @domain_name.setter
    def domain_name(self, name: str) -> None:
        self.data = pack_name(name)

    @property
    def text(self) -> str:
        """Of a TXT record: its strings (RFC 1035 section 3.3.14), joined."""
        return b"".join(_strings(self.data)).decode("utf-8", "surrogateescape")

    @text.setter
    def text(self, text: str) -> None:
        self.data = _pack_text(text)


def _address(data: bytes) -> str:
    import ipaddress

    return str(ipaddress.ip_address(data))


def _name(data: bytes) -> str:
    labels, i = [], 0
    while data[i]:
        labels.append(data[i + 1 : i + 1 + data[i]].decode("ascii", "backslashreplace"))
        i += 1 + data[i]
    return ".".join(labels)


def _shown_name(data: bytes) -> str:
    return _name(data) or "."


def pack_name(name: str) -> bytes:
    """The wire form of a domain name (RFC 1035 section 3.1), in IDNA form where it is not ASCII. Raises ValueError."""
    labels = urls.host_to_ascii(name).split(b".") if name.strip(".") else []
    if labels and not labels[-1]:
        labels.pop()
    if not all(0 < len(label) < 64 for label in labels):
        raise ValueError(f"{name!r} is not a domain name")
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def _strings(data: bytes) -> list[bytes]:
    strings, i = [], 0
    while i < len(data):
        strings.append(data[i + 1 : i + 1 + data[i]])
        i += 1 + data[i]
    return strings


def _pack_text(text: str) -> bytes:
    raw = text.encode("utf-8", "surrogateescape")
    pieces = [raw[i : i + 255] for i in range(0, len(raw), 255)] or [b""]
    return b"".join(bytes([len(piece)]) + piece for piece in pieces)


def _texts(data: bytes) -> str:
    return " ".join('"' + piece.decode("utf-8", "backslashreplace") + '"' for piece in _strings(data))


_RDATA = {
    1: _address,
    28: _address,
    2: _shown_name,
    5: _shown_name,
    12: _shown_name,
    39: _shown_name,
    15: lambda data: f"{int.from_bytes(data[:2], 'big')} {_shown_name(data[2:])}",
    16: _texts,
}


@dataclass
class DNSMessage(_Part):
    """A query or an answer (RFC 1035 section 4.1); ``timestamp`` in Unix seconds."""

    timestamp: float | None
    id: int
    query: bool
    op_code: int
    authoritative_answer: bool
    truncation: bool
    recursion_desired: bool
    recursion_available: bool
    reserved: int
    response_code: int
    questions: list[Question] = field(default_factory=list)
    answers: list[ResourceRecord] = field(default_factory=list)
    authorities: list[ResourceRecord] = field(default_factory=list)
    additionals: list[ResourceRecord] = field(default_factory=list)

    @property
    def question(self) -> Question | None:
        """The question, if there is exactly one, as there nearly always is."""
        return self.questions[0] if len(self.questions) == 1 else None

    def get_state(self) -> dict[str, Any]:
        state = super().get_state()
        for key in ("questions", "answers", "authorities", "additionals"):
            state[key] = [part.get_state() for part in state[key]]
        return state

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> DNSMessage:
        message = cls(**state)
        message.questions = [Question.from_state(q) for q in state["questions"]]
        for key in ("answers", "authorities", "additionals"):
            setattr(message, key, [ResourceRecord.from_state(rr) for rr in state[key]])
        return message

    @property
    def size(self) -> int:
        """How many bytes of record data the message has."""
        return sum(len(record.data) for record in (*self.answers, *self.authorities, *self.additionals))

    def succeed(self, answers: list[ResourceRecord]) -> DNSMessage:
        """An answer to this query."""
        return self._answer(0, answers)

    def fail(self, response_code: int) -> DNSMessage:
        """A refusal of this query with a response code such as 3 (NXDOMAIN). Raises ValueError for 0, which is none."""
        if response_code == 0:
            raise ValueError("response code 0 means success")
        return self._answer(response_code, [])

    def _answer(self, response_code: int, answers: list[ResourceRecord]) -> DNSMessage:
        return DNSMessage(
            timestamp=time.time(),
            id=self.id,
            query=False,
            op_code=self.op_code,
            authoritative_answer=False,
            truncation=False,
            recursion_desired=self.recursion_desired,
            recursion_available=response_code == 0,
            reserved=0,
            response_code=response_code,
            questions=[question.copy() for question in self.questions],
            answers=answers,
        )

    def __str__(self) -> str:
        return "\n".join(str(part) for part in (*self.questions, *self.answers, *self.authorities, *self.additionals))


class DNSFlow(Flow):
    """A DNS query and, if there was one, its answer."""

    type = "dns"
    PARTS = ("request", "response")

    request: DNSMessage
    response: DNSMessage | None = None

    def _parts_state(self) -> dict[str, Any]:
        return {
            "request": self.request.get_state(),
            "response": self.response.get_state() if self.response else None,
        }

    def _set_parts(self, state: dict[str, Any]) -> None:
        self.request = DNSMessage.from_state(state["request"])
        self.response = DNSMessage.from_state(state["response"]) if state["response"] else None

    def __repr__(self) -> str:
        return f"<DNSFlow\n  request = {self.request!r}\n  response = {self.response!r}>"
