"""Looks for credentials in requests."""
import base64
import re

INTERESTING = re.compile(r"passw(or)?d|token|secret", re.IGNORECASE)


def request(flow):
    auth = flow.request.headers.get("authorization", "")
    if auth.lower().startswith("basic "):
        print("basic", base64.b64decode(auth[6:]).decode())
    body = flow.request.get_text(strict=False) or ""
    for match in INTERESTING.finditer(flow.request.path + "\n" + body):
        print("found", match[0], "in", flow.request.host)
