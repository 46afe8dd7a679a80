"""``mitmproxy.net.http.status_codes``: status codes by name, derived from their phrases: ``NOT_FOUND`` is 404."""

from __future__ import annotations

import re

from flowdump.http.status_codes import RESPONSES

#: Names of mitmproxy that differ from the phrase.
_OTHER = {
    "SWITCHING": 101,
    "NON_AUTHORITATIVE_INFORMATION": 203,
    "MULTIPLE_CHOICE": 300,
    "NOT_ALLOWED": 405,
    "PROXY_AUTH_REQUIRED": 407,
    "REQUEST_URI_TOO_LONG": 414,
    "REQUESTED_RANGE_NOT_SATISFIABLE": 416,
    "IM_A_TEAPOT": 418,
    "NO_RESPONSE": 444,
    "CLIENT_CLOSED_REQUEST": 499,
    "GATEWAY_TIMEOUT": 504,
    "INSUFFICIENT_STORAGE_SPACE": 507,
}

NAMES = {re.sub(r"\W+", "_", phrase.replace("'", "")).upper(): code for code, phrase in RESPONSES.items()} | _OTHER
