"""Take secrets out of HTTP flows before they are shared.

    flowdump -r saved -s scripts/redact.py -w shareable
    flowdump -r saved -s "scripts/redact.py --header x-tenant --field iban --marker XXX" -w shareable

What is replaced by REDACTED (or ``--marker``), in requests and responses alike:

* the values of headers such as Authorization, Proxy-Authorization and X-Api-Key (``--header`` adds one);
* the values of all cookies in Cookie and Set-Cookie; names and attributes stay;
* the values of query parameters, URL-encoded form fields and JSON fields such as password, access_token and api_key
  (``--field`` adds one), wherever they are nested. Case, ``-`` and ``_`` do not matter: accessToken is access_token;
* the same in the URLs of Referer, Location and the like, and the user and password in them;
* JSON in WebSocket messages, and the credentials for the proxy.

Everything else stays as it is, byte for byte. Not looked at: multipart, XML, HTML and other bodies, URLs within a
parameter's value that are percent-encoded, and what passed as TCP, UDP or DNS.
"""

import argparse
import json
import re
from collections.abc import Iterator
from urllib.parse import unquote

from flowdump import http

HEADERS = """
    authorization proxy-authorization x-api-key api-key apikey x-auth-token x-access-token x-session-token
    x-csrf-token x-xsrf-token x-amz-security-token x-goog-api-key x-vault-token x-forwarded-access-token private-token
"""

FIELDS = """
    password passwd pwd passphrase secret client_secret token access_token refresh_token id_token auth_token api_token
    session_token csrf_token xsrf_token security_token api_key private_key auth authorization credential credentials
    bearer jwt session session_id sid sig signature x_amz_signature x_amz_credential x_amz_security_token otp
"""

#: Headers whose value is a URL, or ends with one.
URL_HEADERS = {"referer", "location", "content-location", "refresh", ":path"}

USERINFO = re.compile(r"(?<=://)[^/?#\s]+(?=@)")
PARAMETER = re.compile(r"(?:^|(?<=[?&#;]))([^=?&#;]*)=")
COOKIE = re.compile(r"\s*(?:[^;=]*=)?([^;]*)")
COOKIE_ATTRIBUTE = re.compile(
    r"\s*(?:(?:path|domain|expires|max-age|samesite|priority|version)\s*=[^=]*|secure\s*|httponly\s*|partitioned\s*)",
    re.IGNORECASE,
)
JSON_KEY = re.compile(r'"([^"\\]*(?:\\(?:.|\Z)[^"\\]*)*)(?:"(\s*:\s*)?|\Z)', re.DOTALL)
JSON_HARMLESS = re.compile(r'(?:null|true|false|"")(?![^\s,}\]])')
JSON = json.JSONDecoder()

#: From where to where a secret goes in a text.
Span = tuple[int, int]


class Redactor:
    def __init__(self, headers: list[str], fields: list[str], marker: str) -> None:
        self.headers = {name.lower() for name in headers}
        # Bodies and headers are looked at as Latin-1, in which UTF-8 looks like the second form.
        self.fields = {plain(form) for name in fields for form in (name, name.encode().decode("latin-1"))}
        self.marker = marker

    # -- events ------------------------------------------------------------------------------------------------------

    def request(self, flow: http.HTTPFlow) -> None:
        if "proxyauth" in flow.metadata:
            flow.metadata["proxyauth"] = [self.marker, self.marker]
        flow.request.path = self.url(flow.request.path)
        self.redact(flow.request)
        forget_original(flow)

    def response(self, flow: http.HTTPFlow) -> None:
        if flow.response is not None:
            self.redact(flow.response)
        forget_original(flow)

    def websocket_message(self, flow: http.HTTPFlow) -> None:
        if flow.websocket is not None:
            message = flow.websocket.messages[-1]
            message.content = self.body("", message.content)

    def websocket_end(self, flow: http.HTTPFlow) -> None:
        forget_original(flow)

    # -- messages ----------------------------------------------------------------------------------------------------

    def redact(self, message: http.Message) -> None:
        for headers in (message.headers, message.trailers):
            if headers is not None:
                headers.fields = tuple((name, self.header(name, value)) for name, value in headers.fields)
        content = message.get_content(strict=False)
        redacted = self.body(message.headers.get("content-type", ""), content or b"")
        if redacted != (content or b""):
            if content is message.raw_content:
                # It has no content coding, whatever the header says.
                message.decode(strict=False)
            message.content = redacted

    def header(self, name: bytes, value: bytes) -> bytes:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        if key in ("cookie", "set-cookie"):
            text = self.replaced(text, cookie_values(text, key == "set-cookie"))
        elif key in self.headers:
            text = self.marker
        elif key in URL_HEADERS:
            text = self.url(text)
        return text.encode("latin-1")

    def url(self, text: str) -> str:
        text = USERINFO.sub(self.marker, text)
        return self.replaced(text, self.parameters(text, "&#"))

    def body(self, content_type: str, content: bytes) -> bytes:
        text = content.decode("latin-1")  # keeps every byte, and what is looked for is ASCII
        if "x-www-form-urlencoded" in content_type.lower():
            text = self.replaced(text, self.parameters(text, "&"))
        elif "json" in content_type.lower() or text.lstrip().startswith(("{", "[")):
            text = self.replaced(text, self.json_values(text), '"')
        return text.encode("latin-1")

    # -- where the secrets are ---------------------------------------------------------------------------------------

    def is_secret(self, name: str) -> bool:
        """Whether a field is one of those: ``password``, but also ``user[password]``."""
        return any(plain(part) in self.fields for part in re.split(r"[\[\]]", unquote(name)))

    def parameters(self, text: str, ends: str) -> Iterator[Span]:
        done = 0
        for found in PARAMETER.finditer(text):
            if found.start() >= done and self.is_secret(found[1]):
                found_ends = [at for at in (text.find(end, found.end()) for end in ends) if at >= 0]
                done = min(found_ends, default=len(text))
                yield found.end(), done

    def json_values(self, text: str) -> Iterator[Span]:
        done = 0
        for found in JSON_KEY.finditer(text):
            start = found.end()
            is_key = found[2] is not None and start >= done
            if is_key and self.is_secret(unescaped(found[1])) and not JSON_HARMLESS.match(text, start):
                done = json_end(text, start)
                yield start, done

    def replaced(self, text: str, spans: Iterator[Span], quote: str = "") -> str:
        parts, done = [], 0
        for start, end in spans:
            if start < end:
                parts += [text[done:start], quote + self.marker + quote]
                done = end
        return "".join(parts) + text[done:]


def cookie_values(text: str, with_attributes: bool) -> Iterator[Span]:
    for found in COOKIE.finditer(text):
        is_attribute = with_attributes and found.start() > 0 and COOKIE_ATTRIBUTE.fullmatch(found[0])
        if not is_attribute:
            yield found.span(1)


def json_end(text: str, start: int) -> int:
    """Where the JSON value ends that begins at ``start``; what is no JSON counts as one value up to the end."""
    try:
        return JSON.raw_decode(text, start)[1]
    except (ValueError, RecursionError):
        return len(text)


def unescaped(key: str) -> str:
    try:
        return str(json.loads(f'"{key}"', strict=False)) if "\\" in key else key
    except ValueError:
        return key


def plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


def forget_original(flow: http.HTTPFlow) -> None:
    """A flow that was edited keeps its original in the file, to undo the edit: secrets and all."""
    if flow.modified():
        flow.backup(force=True)


def start() -> Redactor:
    parser = argparse.ArgumentParser(description="Take secrets out of HTTP flows.")
    parser.add_argument("--header", action="append", default=[], metavar="NAME", help="redact this header too")
    parser.add_argument("--field", action="append", default=[], metavar="NAME", help="redact this parameter or field")
    parser.add_argument("--marker", default="REDACTED", help="what to put in place of a secret")
    args = parser.parse_args()
    if not re.fullmatch(r"[\w.-]*", args.marker, re.ASCII):
        parser.error("--marker takes letters, digits, '.', '_' and '-', which need no quoting anywhere")
    return Redactor(HEADERS.split() + args.header, FIELDS.split() + args.field, args.marker)
