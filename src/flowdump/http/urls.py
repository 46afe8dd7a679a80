"""URLs, authorities, query strings and percent-encoding (RFC 3986), as pure functions.

A URL becomes four parts, `(scheme, host, port, path)`: scheme and path as bytes as they go on the wire, the host as
text. Hosts are kept the way people read them: without brackets, and with the Unicode form of internationalised names
(`xn--9ca.com` is `é.com`), as long as that form leads back to the same name. The path holds query and fragment too.

`urllib.parse` is not used: importing it costs several milliseconds, it takes URLs apart without judging them (a host
may hold a line end or another URL), and it cannot say what it dropped. Ordinary http(s) URLs take a fast path of one
regular expression; a test holds both paths together.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_LABELS = r"(?:[A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?"  # RFC 1123 2.1, and the underscore that people use
_ORDINARY_URL = re.compile(rf"(https?)://({_LABELS})(?::([0-9]{{1,5}}))?(/[!-~]*)?")
_ORDINARY_AUTHORITY = re.compile(rf"({_LABELS})(?::([0-9]{{1,5}}))?")
# Patterns of the slower paths are compiled when they are first needed (`re` keeps them): start-up is counted.
_URL = r"(?s)([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)(.*)"
_AUTHORITY = r"(?s)(\[[^\[\]]*\]|[^\[\]:]*)(?::(.*))?"
_SPLIT_AUTHORITY = r"(\[[^\[\]]*\]|[^\[\]:@]+)(?::([0-9]{1,5}))?"
_MAX_HOST = 254  # RFC 1035 2.3.4 allows 253 characters, and a name may end with a dot
_BLANKS = "".join(map(chr, range(33)))
_ESCAPES = re.compile("(?:%[0-9A-Fa-f]{2})+")
_NOT_VISIBLE = re.compile(rb"[^!-~]")


# -- whole URLs -------------------------------------------------------------------------------------------------------


def parse(url: str | bytes) -> tuple[bytes, str, int, bytes]:
    """Split an absolute URL into scheme (lower case), host, port and path (with query and fragment, "/" if empty).

    User and password are dropped, as are blanks around the URL. Blanks, controls and non-ASCII characters in the path
    are percent-encoded. Without a port the scheme's own is used, 80 for unknown schemes. Raises `ValueError` with the
    reason if there is no scheme or no host, or if host or port are not valid.
    """
    text = url.decode("utf-8", "surrogateescape") if isinstance(url, bytes) else url
    ordinary = _ORDINARY_URL.fullmatch(text)
    if ordinary:
        scheme, host, port, path = ordinary.groups()
        host = host.lower()
        if len(host) <= _MAX_HOST and "xn--" not in host:
            number = _port(port) if port else _DEFAULT_PORTS[scheme]
            return scheme.encode(), host, number, (path or "/").encode()
    return _parse_carefully(text)


def _parse_carefully(text: str) -> tuple[bytes, str, int, bytes]:
    match = re.fullmatch(_URL, text.strip(_BLANKS))
    if match is None:
        raise ValueError(f"no scheme and host in URL {_shown(text)}")
    scheme, authority, rest = match[1].lower(), match[2].rpartition("@")[2], match[3]
    split = re.fullmatch(_AUTHORITY, authority)
    if split is None:
        raise ValueError(f"invalid host in URL {_shown(text)}")
    if not split[1]:
        raise ValueError(f"no host in URL {_shown(text)}")
    host = _checked_host(split[1])
    port = _port(split[2]) if split[2] else _DEFAULT_PORTS.get(scheme, 80)
    path = rest if rest.startswith("/") else "/" + rest
    return scheme.encode(), host, port, _NOT_VISIBLE.sub(_escape, path.encode("utf-8", "surrogateescape"))


def unparse(scheme: str | bytes, host: str, port: int, path: str | bytes) -> str:
    """Put a URL together; the port is left out if it is the scheme's own, IPv6 addresses get brackets."""
    if isinstance(scheme, bytes):
        scheme = scheme.decode("utf-8", "surrogateescape")
    if isinstance(path, bytes):
        path = path.decode("utf-8", "surrogateescape")
    return f"{scheme}://{hostport(scheme, host, port)}{path}"


def default_port(scheme: str | bytes) -> int | None:
    """The port of http, https, ws or wss; None for other schemes."""
    return _DEFAULT_PORTS.get(scheme.decode("latin-1") if isinstance(scheme, bytes) else scheme)


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 100 else text[:100] + "...")


# -- authorities ------------------------------------------------------------------------------------------------------


def hostport(scheme: str | bytes, host: str, port: int) -> str:
    """`host:port`, or only the host if the port is the scheme's own; IPv6 addresses get brackets."""
    if ":" in host and host[0] != "[":
        host = f"[{host}]"
    return host if default_port(scheme) == port else f"{host}:{port}"


def parse_authority(authority: str | bytes, check: bool) -> tuple[str, int | None]:
    """Split `host[:port]` as it stands in Host, :authority or CONNECT into host (without brackets) and port or None.

    With `check`, anything but a valid host name or IP address and port is a `ValueError`. Without it, text that does
    not have this form comes back whole as the host. The spelling of the host is kept (case, `xn--`).
    """
    if isinstance(authority, bytes):
        authority = authority.decode("utf-8", "strict" if check else "surrogateescape")
    ordinary = _ORDINARY_AUTHORITY.fullmatch(authority)
    if ordinary and len(ordinary[1]) <= _MAX_HOST and "xn--" not in authority:
        host, port = ordinary[1], ordinary[2]
    else:
        split = re.fullmatch(_SPLIT_AUTHORITY, authority)
        if split is None:
            return _refused(authority, check)
        host, port = split[1], split[2]
        if check:
            _checked_host(host)
        host = host[1:-1] if host[0] == "[" else host
    if port is None:
        return host, None
    number = int(port)
    return (host, number) if number <= 65535 else _refused(authority, check)


def _refused(authority: str, check: bool) -> tuple[str, None]:
    if check:
        raise ValueError(f"invalid authority {_shown(authority)}")
    return authority, None


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65535):
        raise ValueError(f"invalid port {_shown(text)}")
    return int(text)


def _checked_host(text: str) -> str:
    """A host from a URL in the form in which the model keeps it. Raises `ValueError` if it is none."""
    if text[:1] == "[":
        return _ipv6(text[1:-1])
    # The check is on what a resolver will see: full-width signs, for one, only become "/" or "@" in that form.
    name = _ascii_name(text) if len(text) <= _MAX_HOST else ""
    if not re.fullmatch(_LABELS, name) or len(name) > _MAX_HOST:
        raise ValueError(f"invalid host {_shown(text)}")
    return host_to_unicode(name.lower().encode())


def _ascii_name(text: str) -> str:
    """The IDNA form of a name, "" if it has none."""
    try:
        return text if text.isascii() else text.encode("idna").decode("ascii")
    except ValueError:
        return ""


@lru_cache(maxsize=64)
def _ipv6(text: str) -> str:
    """The address between brackets (RFC 3986 3.2.2), its zone too; `%25` before a zone (RFC 6874) becomes `%`."""
    from ipaddress import IPv6Address

    address, percent, zone = text.replace("%25", "%", 1).partition("%")
    try:
        IPv6Address(address)
    except ValueError:
        raise ValueError(f"invalid IPv6 address {_shown(text)}") from None
    if percent and not re.fullmatch(r"[A-Za-z0-9._~-]+", zone):
        raise ValueError(f"invalid zone in IPv6 address {_shown(text)}")
    return address.lower() + percent + zone


def host_to_unicode(host: str | bytes) -> str:
    """The text of a host; bytes in IDNA form become Unicode, unless that would not lead back to them. Never raises."""
    if isinstance(host, str):
        return host
    text = host.decode("utf-8", "surrogateescape")
    if b"xn--" not in host.lower() or not text.isascii() or len(text) > _MAX_HOST:
        return text
    return _idna_to_unicode(text)


@lru_cache(maxsize=128)
def _idna_to_unicode(text: str) -> str:
    try:
        name = text.encode().decode("idna")
        return name if name.encode("idna") == text.encode().lower() else text
    except ValueError:
        return text


def host_to_ascii(host: str | bytes) -> bytes:
    """The bytes of a host as they go on the wire, in IDNA form if it is not ASCII.

    A host that has no IDNA form comes back as UTF-8, surrogate escapes as the bytes they stand for. Raises
    `ValueError` for surrogates that stand for no byte.
    """
    if isinstance(host, bytes):
        return host
    if host.isascii():
        return host.encode()
    try:
        return host[: _MAX_HOST + 1].encode("idna")
    except ValueError:
        # Not a name that DNS could hold; a recorded message may have had it all the same.
        return host.encode("utf-8", "surrogateescape")


def authority_to_unicode(authority: bytes) -> str:
    """The text of `host[:port]` bytes, an IDNA host in Unicode. Never raises."""
    host, colon, port = authority.rpartition(b":")
    if not colon or not port.isdigit():
        return host_to_unicode(authority)
    return f"{host_to_unicode(host)}:{port.decode()}"


def authority_to_ascii(authority: str | bytes) -> bytes:
    """The bytes of `host[:port]` text, the host as `host_to_ascii` gives it."""
    if isinstance(authority, bytes):
        return authority
    host, colon, port = authority.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()):
        return host_to_ascii(authority)
    return host_to_ascii(host) + b":" + port.encode()


# -- percent-encoding -------------------------------------------------------------------------------------------------


def _escape(match: re.Match[bytes]) -> bytes:
    return b"%%%02X" % ord(match[0])


@lru_cache(maxsize=16)
def _unsafe(safe: str) -> re.Pattern[bytes]:
    return re.compile(b"[^A-Za-z0-9_.~" + re.escape(safe).encode() + b"-]")


def quote(text: str, safe: str = "/") -> str:
    """Percent-encode all but letters, digits, `_.-~` and the ASCII characters in `safe` (RFC 3986 2.1 to 2.3).

    Non-ASCII text becomes UTF-8 first, surrogate escapes the bytes they stand for. Raises `ValueError` for surrogates
    that stand for no byte.
    """
    return _unsafe(safe).sub(_escape, text.encode("utf-8", "surrogateescape")).decode("ascii")


def unquote(text: str) -> str:
    """Undo percent-encoding. Bytes that are not UTF-8 become surrogate escapes; `+` and broken escapes stay."""
    return _ESCAPES.sub(_unescape, text) if "%" in text else text


def _unescape(match: re.Match[str]) -> str:
    return bytes.fromhex(match[0].replace("%", "")).decode("utf-8", "surrogateescape")


# -- queries and paths ------------------------------------------------------------------------------------------------


def decode_query(query: str) -> list[tuple[str, str]]:
    """The pairs of a query string or urlencoded form, in order, blank values and repeats kept.

    `&` separates, `;` does not (WHATWG URL 5.1); a name without `=` has the value "". Never raises.
    """
    pairs = []
    for field in query.replace("+", " ").split("&"):
        if field:
            name, _, value = field.partition("=")
            pairs.append((unquote(name), unquote(value)))
    return pairs


def encode_query(pairs: Iterable[tuple[str, str]], similar_to: str | None = None) -> str:
    """Write pairs as a query string or urlencoded form; blanks become `+`.

    Empty values are written as `name=`, or as `name` if the string that this one replaces (`similar_to`) has a name
    without `=`. Raises `ValueError` for surrogates that stand for no byte.
    """
    bare = bool(similar_to) and any("=" not in field for field in (similar_to or "").split("&"))
    fields = []
    for name, value in pairs:
        key = quote(name, safe=" ")
        fields.append(key if bare and key and not value else f"{key}={quote(value, safe=' ')}")
    return "&".join(fields).replace(" ", "+")


def path_components(path: str) -> tuple[str, ...]:
    """The non-empty segments of a path, percent-decoded: `/a/b%2Fc?d` -> `("a", "b/c")`. Never raises."""
    return tuple(unquote(segment) for segment in split_path(path)[0].split("/") if segment)


def replace_path_components(path: str, components: Iterable[str]) -> str:
    """The same path, query and fragment with other segments; `/` inside a segment is percent-encoded."""
    return "/" + "/".join(quote(segment, safe="") for segment in components) + split_path(path)[1]


def split_path(path: str) -> tuple[str, str]:
    """Cut a path in two: in front of its query or fragment, whichever comes first."""
    end = min((at for at in (path.find("?"), path.find("#")) if at >= 0), default=len(path))
    return path[:end], path[end:]
