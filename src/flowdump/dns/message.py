"""DNS flows: a query and its answer (RFC 1035), as plain values.

How messages become bytes and back is told in :mod:`flowdump.dns.wire`.
"""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, Self

from flowdump.dns import codes, rdata, svcb, wire
from flowdump.dns.codes import CLASSES, OP_CODES, RESPONSE_CODES, TYPES, class_name, type_name
from flowdump.dns.svcb import HTTPSRecord
from flowdump.dns.wire import MalformedMessage, pack_name
from flowdump.flow import Flow

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

__all__ = [
    "CLASSES",
    "OP_CODES",
    "RESPONSE_CODES",
    "TYPES",
    "DNSFlow",
    "DNSMessage",
    "HTTPSRecord",
    "MalformedMessage",
    "Question",
    "ResourceRecord",
    "class_name",
    "pack_name",
    "type_name",
]

_SECTIONS = ("questions", "answers", "authorities", "additionals")

#: The second number of the header (RFC 1035 section 4.1.1): what, how far it is shifted, how many values it has.
_FLAGS = (
    ("op_code", 11, 16),
    ("authoritative_answer", 10, 2),
    ("truncation", 9, 2),
    ("recursion_desired", 8, 2),
    ("recursion_available", 7, 2),
    ("reserved", 4, 8),
    ("response_code", 0, 16),
)


class _Part:
    """State dicts by field names."""

    def get_state(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]

    def set_state(self, state: dict[str, Any]) -> None:
        self.__dict__.update(self.from_state(state).__dict__)

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

    def to_json(self) -> dict[str, Any]:
        """Plain values, numbers by their names."""
        return {
            "name": self.name,
            "type": codes.listed(self.type, TYPES, "TYPE"),
            "class": codes.listed(self.class_, CLASSES, "CLASS"),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The opposite. Raises KeyError, ValueError."""
        return cls(data["name"], codes.type_number(data["type"]), codes.class_number(data["class"]))

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
        return str(self._data_json())

    def data_text(self) -> str:
        """The RDATA for people: addresses, names and texts in their usual form, hex for anything else."""
        return rdata.shown(self.type, self.data)

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
    def HTTPS(cls, name: str, record: HTTPSRecord, ttl: int = DEFAULT_TTL) -> ResourceRecord:
        return cls(name, 65, 1, ttl, svcb.pack(record))

    @classmethod
    def PTR(cls, inaddr: str, ptr: str, *, ttl: int = DEFAULT_TTL) -> ResourceRecord:
        return cls(inaddr, 12, 1, ttl, pack_name(ptr))

    @classmethod
    def TXT(cls, name: str, text: str, *, ttl: int = DEFAULT_TTL) -> ResourceRecord:
        return cls(name, 16, 1, ttl, rdata.pack_text(text))

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
        name, end = wire.read_name(self.data, 0, {})
        if end != len(self.data):
            raise MalformedMessage(f"{self.data!r} is not a domain name")
        return wire.name_text(name)

    @domain_name.setter
    def domain_name(self, name: str) -> None:
        self.data = pack_name(name)

    @property
    def text(self) -> str:
        """Of a TXT record: its strings (RFC 1035 section 3.3.14), joined."""
        return b"".join(rdata.strings(self.data)).decode("utf-8", "surrogateescape")

    @text.setter
    def text(self, text: str) -> None:
        self.data = rdata.pack_text(text)

    # -- HTTPS records (RFC 9460) --------------------------------------------------------------------------------

    @property
    def https_alpn(self) -> tuple[bytes, ...] | None:
        """The protocols that the service speaks, None where it does not say. Raises ValueError."""
        value = svcb.unpack(self.data).params.get(svcb.ALPN)
        return None if value is None else svcb.unpack_alpn(value)

    @https_alpn.setter
    def https_alpn(self, protocols: tuple[bytes, ...] | list[bytes] | None) -> None:
        self._set_param(svcb.ALPN, None if protocols is None else svcb.pack_alpn(protocols))

    @property
    def https_ech(self) -> str | None:
        """The keys for encrypted ClientHellos in base64, None where there are none. Raises ValueError."""
        value = svcb.unpack(self.data).params.get(svcb.ECH)
        return None if value is None else base64.b64encode(value).decode()

    @https_ech.setter
    def https_ech(self, keys: str | None) -> None:
        self._set_param(svcb.ECH, None if keys is None else base64.b64decode(keys, validate=True))

    def _set_param(self, number: int, value: bytes | None) -> None:
        record = svcb.unpack(self.data)
        record.params.pop(number, None)
        if value is not None:
            record.params[number] = value
        self.data = svcb.pack(record)

    # -- JSON ----------------------------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """Plain values; data that is not understood is hexadecimal."""
        return {
            "name": self.name,
            "type": codes.listed(self.type, TYPES, "TYPE"),
            "class": codes.listed(self.class_, CLASSES, "CLASS"),
            "ttl": self.ttl,
            "data": self._data_json(),
        }

    def _data_json(self) -> str | dict[str | int, Any]:
        try:
            match self.type:
                case 1:
                    return str(self.ipv4_address)
                case 28:
                    return str(self.ipv6_address)
                case 2 | 5 | 12:
                    return self.domain_name
                case 16:
                    return b"".join(rdata.strings(self.data)).decode("utf-8")
                case 65:
                    return svcb.unpack(self.data).to_json()
        except ValueError:
            return f"0x{self.data.hex()} (invalid {type_name(self.type)} data)"
        return f"0x{self.data.hex()}"

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The opposite of ``to_json``. Raises KeyError, ValueError."""
        record = cls(data["name"], codes.type_number(data["type"]), codes.class_number(data["class"]), data["ttl"], b"")
        given = data["data"]
        if isinstance(given, dict):
            record.data = svcb.pack(HTTPSRecord.from_json(given))
        elif isinstance(given, str) and given.startswith("0x"):
            record.data = bytes.fromhex(given[2:].partition(" (")[0])
        else:
            record._set_shown(given)
        return record

    def _set_shown(self, text: str) -> None:
        import ipaddress

        match self.type:
            case 1 | 28:
                self.data = ipaddress.ip_address(text).packed
            case 2 | 5 | 12:
                self.domain_name = text
            case 16:
                self.text = text
            case _:
                raise ValueError(f"{text!r} is no data of a {type_name(self.type)} record: 0x… is expected")


@dataclass
class DNSMessage(_Part):
    """A query or an answer (RFC 1035 section 4.1); ``timestamp`` in Unix seconds."""

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
    timestamp: float | None = None

    @property
    def question(self) -> Question | None:
        """The question, if there is exactly one, as there nearly always is."""
        return self.questions[0] if len(self.questions) == 1 else None

    def get_state(self) -> dict[str, Any]:
        state = super().get_state()
        for key in _SECTIONS:
            state[key] = [part.get_state() for part in state[key]]
        return state

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> DNSMessage:
        message = cls(**state)
        message.questions = [Question.from_state(q) for q in state["questions"]]
        for key in _SECTIONS[1:]:
            setattr(message, key, [ResourceRecord.from_state(rr) for rr in state[key]])
        return message

    @property
    def size(self) -> int:
        """How many bytes of record data the message has."""
        return sum(len(record.data) for record in (*self.answers, *self.authorities, *self.additionals))

    # -- bytes ---------------------------------------------------------------------------------------------------

    @classmethod
    def unpack(cls, buffer: bytes, timestamp: float | None = None) -> DNSMessage:
        """The message that ``buffer`` is. Raises MalformedMessage, a ValueError."""
        end, message = cls.unpack_from(buffer, 0, timestamp)
        if end != len(buffer):
            raise MalformedMessage(f"{len(buffer) - end} bytes after the end of the message")
        return message

    @classmethod
    def unpack_from(
        cls, buffer: bytes | bytearray, offset: int, timestamp: float | None = None
    ) -> tuple[int, DNSMessage]:
        """The message at ``offset``, with the offset after it in front. Raises MalformedMessage, a ValueError."""
        parts, length = wire.unpack(bytes(memoryview(buffer)[offset:]))
        message = cls.of_header(parts.id, parts.flags, timestamp)
        message.questions = [Question(*question) for question in parts.questions]
        message.answers = [ResourceRecord(*record) for record in parts.answers]
        message.authorities = [ResourceRecord(*record) for record in parts.authorities]
        message.additionals = [ResourceRecord(*record) for record in parts.additionals]
        return offset + length, message

    @classmethod
    def of_header(cls, id: int, flags: int, timestamp: float | None = None) -> DNSMessage:
        """A message with nothing but the two numbers that a header begins with."""
        facts: dict[str, Any] = {name: flags >> shift & (size - 1) for name, shift, size in _FLAGS}
        facts |= {name: bool(facts[name]) for name, _, size in _FLAGS if size == 2}
        return cls(id=id, query=not flags & 0x8000, timestamp=timestamp, **facts)

    @property
    def packed(self) -> bytes:
        """The message as bytes. Raises ValueError where a name or a number does not fit, or the whole does not."""
        flags = 0 if self.query else 0x8000
        for name, shift, size in _FLAGS:
            value = getattr(self, name)
            if not 0 <= value < size:
                raise ValueError(f"the {name} of a DNS message cannot be {value}")
            flags |= value << shift
        sections = [
            [wire.RecordParts(rr.name, rr.type, rr.class_, rr.ttl, rr.data) for rr in section]
            for section in (self.answers, self.authorities, self.additionals)
        ]
        questions = [wire.QuestionParts(q.name, q.type, q.class_) for q in self.questions]
        return wire.pack(wire.MessageParts(self.id, flags, questions, *sections))

    @property
    def content(self) -> bytes:
        """The same as ``packed``."""
        return self.packed

    # -- JSON ----------------------------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """Plain values, numbers by their names."""
        facts = {
            "id": self.id,
            "query": self.query,
            "op_code": codes.listed(self.op_code, OP_CODES, "OPCODE"),
            "authoritative_answer": self.authoritative_answer,
            "truncation": self.truncation,
            "recursion_desired": self.recursion_desired,
            "recursion_available": self.recursion_available,
            "response_code": codes.listed(self.response_code, RESPONSE_CODES, "RCODE"),
            "status_code": codes.HTTP_STATUS.get(self.response_code, 500),
            **{name: [part.to_json() for part in getattr(self, name)] for name in _SECTIONS},
            "size": self.size,
        }
        return facts if not self.timestamp else facts | {"timestamp": self.timestamp}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> DNSMessage:
        """The opposite of ``to_json``. Raises KeyError, ValueError."""
        flags = ("query", "authoritative_answer", "truncation", "recursion_desired", "recursion_available")
        return cls(
            id=data["id"],
            op_code=codes.op_code_number(data["op_code"]),
            reserved=0,
            response_code=codes.response_code_number(data["response_code"]),
            timestamp=data.get("timestamp"),
            **{flag: data[flag] for flag in flags},
            questions=[Question.from_json(part) for part in data["questions"]],
            answers=[ResourceRecord.from_json(part) for part in data["answers"]],
            authorities=[ResourceRecord.from_json(part) for part in data["authorities"]],
            additionals=[ResourceRecord.from_json(part) for part in data["additionals"]],
        )

    # -- answering -----------------------------------------------------------------------------------------------

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
        return "\r\n".join(str(part) for part in (*self.questions, *self.answers, *self.authorities, *self.additionals))


class DNSFlow(Flow):
    """A DNS query and, if there was one, its answer."""

    type = "dns"
    PARTS = ("request", "response")

    request: DNSMessage
    response: DNSMessage | None = None

    def _parts_state(self) -> dict[str, Any]:
        return {"request": self.request.get_state(), "response": self.response.get_state() if self.response else None}

    def _set_parts(self, state: dict[str, Any]) -> None:
        self.request = DNSMessage.from_state(state["request"])
        self.response = DNSMessage.from_state(state["response"]) if state["response"] else None

    def __repr__(self) -> str:
        return f"<DNSFlow\n  request = {self.request!r}\n  response = {self.response!r}>"
