"""``stickycookie``:

cookies that an origin sets are added to later requests, as a browser would (RFC 6265 sections 5.3 and 5.4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowdump import cookies, ctx

if TYPE_CHECKING:
    from flowdump.http import HTTPFlow

#: Domain (with a leading dot when subdomains are meant), port, path.
Scope = tuple[str, int, str]


class StickyCookie:
    """Takes part while the option ``stickycookie``, a filter of the requests that get cookies, is set."""

    option = "stickycookie"

    def __init__(self) -> None:
        self.jar: dict[Scope, dict[str, str | None]] = {}

    def response(self, flow: HTTPFlow) -> None:
        assert flow.response is not None
        now = flow.response.timestamp_start
        for header in flow.response.headers.get_all("set-cookie"):
            for cookie in cookies.parse_set_cookie(header):
                scope = _scope(flow, cookie)
                if scope is None:
                    continue
                if cookies.is_expired(cookie.attributes, now):
                    self.jar.get(scope, {}).pop(cookie.name, None)
                else:
                    self.jar.setdefault(scope, {})[cookie.name] = cookie.value

    def request(self, flow: HTTPFlow) -> None:
        matches = ctx.options.filter("stickycookie")
        if matches is None or not matches(flow):
            return
        remembered: dict[str, str | None] = {}
        for (domain, port, path), values in self.jar.items():
            if (
                port == flow.request.port
                and _covers(domain, flow.request.host)
                and cookies.path_match(flow.request.path, path)
            ):
                remembered.update(values)
        if remembered:
            sent = dict(flow.request.cookies.items(multi=True))
            flow.request.headers["cookie"] = cookies.format_cookie_header((sent | remembered).items())
            flow.metadata["stickycookie"] = True


def _scope(flow: HTTPFlow, cookie: cookies.SetCookie) -> Scope | None:
    """Where a cookie is valid; None when the host must not set it."""
    host = flow.request.host.lower()
    domain = (cookies.attribute(cookie.attributes, "domain") or "").lstrip(".").lower()
    path = cookies.attribute(cookie.attributes, "path") or ""
    if not path.startswith("/"):
        path = cookies.default_path(flow.request.path)
    if not domain:
        return host, flow.request.port, path
    return (f".{domain}", flow.request.port, path) if cookies.domain_match(host, domain) else None


def _covers(domain: str, host: str) -> bool:
    if domain.startswith("."):
        return cookies.domain_match(host.lower(), domain[1:])
    return host.lower() == domain
