"""Cookies: reading and writing Cookie and Set-Cookie headers, their dates, and which request a cookie belongs to.

The grammar is the one of user agents (RFC 6265 section 5) with one addition: a value in double quotes is read without
them and with its backslash escapes undone, as RFC 2109 wanted, and is quoted again on writing where it has to be.

Some tools join several Set-Cookie headers with commas although RFC 9110 5.3 forbids it: dates and values hold commas
too. A comma separates two cookies here only if a name and `=` follow, which is true of neither dates nor JSON.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Attributes = Iterable[tuple[str, str | None]]

_QUOTED = r'"[^"\\]*(?:\\.[^"\\]*)*"'
# Patterns as text: `re` compiles them when they are first needed, and most runs never do.
_PAIR = rf"(?s)([^=;]*)(?:(=)(?:({_QUOTED})[^;]*|([^;]*)))?(?:;|$)"
_NEXT_COOKIE = rf"(?s)={_QUOTED}|(,[ \t]*)(?=[!#-'*+.^_`|~0-9A-Za-z-]+=)"
_PLAIN_VALUE = r"[!#-+\--:<-\[\]-~]*"  # cookie-octets, RFC 6265 4.1.1
_DATE_TOKEN = r"[^\t -/;-@\[-`{-~]+"  # RFC 6265 5.1.1
_UNQUOTED_ATTRIBUTES = frozenset({"expires", "path"})
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_LAST_SECOND = 253402300799  # 9999-12-31T23:59:59Z, the last that a four-digit year can say


class SetCookie:
    """One cookie of a Set-Cookie header.

    `value` is None if there was no `=`. `attributes` are (name, value) pairs in order and as spelled, repeats
    included; valueless ones (HttpOnly) have None. `attribute` looks one up.
    """

    # Not a NamedTuple: making one from annotations costs a millisecond of start-up.
    __slots__ = ("attributes", "name", "value")

    def __init__(self, name: str, value: str | None, attributes: tuple[tuple[str, str | None], ...] = ()) -> None:
        self.name = name
        self.value = value
        self.attributes = attributes

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SetCookie):
            return NotImplemented
        return (self.name, self.value, self.attributes) == (other.name, other.value, other.attributes)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"SetCookie({self.name!r}, {self.value!r}, {self.attributes!r})"


# -- reading ----------------------------------------------------------------------------------------------------------


def parse_cookie_header(text: str) -> list[tuple[str, str]]:
    """The (name, value) pairs of a Cookie header in order; "" for a value without `=`. Never raises."""
    if '"' in text:
        return [(name.lstrip(), value or "") for name, value in _pairs(text)]
    # The fast path: without quotes, every ";" ends a pair.
    pairs = []
    for field in text.split(";"):
        name, equals, value = field.partition("=")
        name = name.lstrip()
        if name or equals:
            pairs.append((name, value))
    return pairs


def parse_set_cookie(text: str) -> list[SetCookie]:
    """The cookies of a Set-Cookie header, usually one. Blanks around names and values are dropped. Never raises."""
    cookies = []
    for part in _split_cookies(text):
        pairs = [(name.strip(), value if value is None else value.strip()) for name, value in _pairs(part)]
        if pairs:
            cookies.append(SetCookie(*pairs[0], attributes=tuple(pairs[1:])))
    return cookies


def attribute(attributes: Attributes, name: str) -> str | None:
    """The value of an attribute, None if it is absent or has no value; case-insensitive, the last one wins."""
    wanted = name.lower()
    found = None
    for key, value in attributes:
        if key.lower() == wanted:
            found = value
    return found


def _pairs(text: str) -> Iterator[tuple[str, str | None]]:
    """The pairs of a header, values unquoted; None for a value without `=`; nothing for empty fields."""
    for name, equals, quoted, plain in re.findall(_PAIR, text):
        if quoted:
            yield name, re.sub(r"(?s)\\(.)", r"\1", quoted[1:-1])
        elif equals:
            yield name, plain.removeprefix('"')
        elif name.strip():
            yield name, None


def _split_cookies(text: str) -> Iterator[str]:
    """Cut a Set-Cookie header where commas separate cookies."""
    begin = 0
    for match in re.finditer(_NEXT_COOKIE, text):
        if match[1]:
            yield text[begin : match.start()]
            begin = match.end()
    yield text[begin:]


# -- writing ----------------------------------------------------------------------------------------------------------


def format_cookie_header(pairs: Iterable[tuple[str, str | None]]) -> str:
    """A Cookie header; values that hold more than cookie-octets are quoted, None is written without `=`."""
    return "; ".join([_pair(name, value) for name, value in pairs])


def format_set_cookie(name: str, value: str | None, attributes: Attributes = ()) -> str:
    """A Set-Cookie header for one cookie. Dates and paths are never quoted: user agents would not unquote them."""
    fields = [_pair(name, value)]
    for key, text in attributes:
        unquoted = text is not None and key.lower() in _UNQUOTED_ATTRIBUTES
        fields.append(f"{key}={text}" if unquoted else _pair(key, text))
    return "; ".join(fields)


def _pair(name: str, value: str | None) -> str:
    if value is None:
        return name
    if not re.fullmatch(_PLAIN_VALUE, value):
        value = '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'
    return f"{name}={value}"


def refresh_set_cookie(text: str, delta: float) -> str:
    """The same Set-Cookie header with every Expires date moved by `delta` seconds; unreadable dates are dropped."""
    return ", ".join([_refreshed(part, delta) for part in _split_cookies(text)])


def _refreshed(cookie: str, delta: float) -> str:
    """Only the dates change: values keep their spelling."""
    fields: list[str] = []
    for match in re.finditer(_PAIR, cookie):
        if match[1].strip().lower() != "expires" or not fields:
            fields.append(match[0])
            continue
        moment = parse_date((match[3] or match[4] or "").strip('" '))
        if moment is not None:
            fields.append(f"{match[1]}={format_date(moment + delta)};")
    moved = "".join(fields)
    return moved if cookie.endswith(";") else moved.removesuffix(";")


# -- dates ------------------------------------------------------------------------------------------------------------


def parse_date(text: str) -> int | None:
    """The Unix time, in seconds, of a cookie date (RFC 6265 5.1.1), None if it is none; zones are taken for UTC."""
    found: dict[str, tuple[int, ...]] = {}
    for token in re.findall(_DATE_TOKEN, text[:200]):
        for kind, value in _date_parts(token):
            if kind not in found:
                found[kind] = value
                break
    if len(found) < 4:
        return None
    year = found["year"][0]
    year += 1900 if 70 <= year <= 99 else 2000 if year < 70 else 0
    return _unix_time((year, *found["month"], *found["day"]), found["time"])


def _date_parts(token: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    """What a token of a date can be, in the order in which RFC 6265 tries it."""
    clock = re.match(r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?![0-9])", token)
    if clock:
        yield "time", tuple(map(int, clock.groups()))
    number = re.match(r"([0-9]{1,4})(?![0-9])", token)
    if number and len(number[1]) <= 2:
        yield "day", (int(number[1]),)
    if token[:3].lower() in _MONTHS:
        yield "month", (_MONTHS.index(token[:3].lower()) + 1,)
    if number and len(number[1]) >= 2:
        yield "year", (int(number[1]),)


def _unix_time(date: tuple[int, ...], clock: tuple[int, ...]) -> int | None:
    from datetime import UTC, datetime

    (year, month, day), (hour, minute, second) = date, clock
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return int(moment.timestamp()) if year >= 1601 else None


def format_date(moment: float) -> str:
    """A date as HTTP writes it (RFC 9110 5.6.7); what is before 1970 or after 9999 becomes the nearest date within."""
    at = time.gmtime(min(max(moment, 0), _LAST_SECOND))
    month = _MONTHS[at.tm_mon - 1].title()
    clock = f"{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02}"
    return f"{_WEEKDAYS[at.tm_wday]}, {at.tm_mday:02} {month} {at.tm_year:04} {clock} GMT"


def expires_at(attributes: Attributes, now: float) -> float | None:
    """The Unix time at which a cookie that is set at `now` expires, None for one that lasts as long as the session.

    Max-Age wins over Expires; attributes that cannot be read do not count (RFC 6265 5.2.1, 5.2.2, 5.3).
    """
    pairs = list(attributes)
    age = attribute(pairs, "max-age")
    if age and re.fullmatch("-?[0-9]+", age):
        seconds = int(age[:15])
        return now + seconds if seconds > 0 else 0.0
    date = attribute(pairs, "expires")
    return parse_date(date) if date else None


def is_expired(attributes: Attributes, now: float) -> bool:
    """Whether a cookie with these attributes, set at `now` (Unix time), is over at once: servers delete cookies so."""
    end = expires_at(attributes, now)
    return end is not None and end <= now


def expires_iso8601(attributes: Attributes, now: float) -> str | None:
    """Expiry as HAR 1.2 wants it (`2037-08-24T00:00:00.000Z`) for a cookie set at `now`; None for session cookies."""
    end = expires_at(attributes, now)
    if end is None:
        return None
    end = min(max(end, 0), _LAST_SECOND)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(end)) + f".{int(end % 1 * 1000):03}Z"


# -- which request a cookie belongs to --------------------------------------------------------------------------------


def domain_match(host: str, domain: str) -> bool:
    """Whether a cookie with this Domain is sent to this host (RFC 6265 5.1.3); a leading dot in the domain is ignored.

    Cookies without Domain go to the very host that set them: there, compare the names instead.
    """
    host, domain = host.lower().rstrip("."), domain.lower().removeprefix(".").rstrip(".")
    if host == domain:
        return bool(host)
    is_address = ":" in host or host.replace(".", "").isdigit()
    return bool(domain) and not is_address and host.endswith("." + domain)


def path_match(path: str, cookie_path: str) -> bool:
    """Whether a cookie with this Path is sent with a request for this path (RFC 6265 5.1.4); a query is ignored."""
    path = re.split("[?#]", path, maxsplit=1)[0]
    if not path.startswith(cookie_path):
        return False
    return len(path) == len(cookie_path) or cookie_path.endswith("/") or path[len(cookie_path)] == "/"


def default_path(path: str) -> str:
    """The Path of a cookie that names none: the folder of the request's path (RFC 6265 5.1.4)."""
    path = re.split("[?#]", path, maxsplit=1)[0]
    return path.rpartition("/")[0] or "/" if path.startswith("/") else "/"
