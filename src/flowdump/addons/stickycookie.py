"""``stickycookie``: cookies that an origin sets are added to later requests, as a browser would.

RFC 6265 sections 5.3 and 5.4, with a port in addition to domain and path: other ports are other services. Time is that
of the flows, so that cookies of saved traffic are as old as they were then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowdump import ctx
from flowdump.http import cookies

if TYPE_CHECKING:
    from flowdump.http.flow import HTTPFlow, Request

#: Domain (with a leading dot when subdomains are meant), port, path.
Scope = tuple[str, int, str]

#: Value, and the Unix time of its end; None for a cookie that lasts as long as the run.
Kept = tuple[str | None, float | None]


class StickyCookie:
    """Takes part while the option ``stickycookie``, a filter of the requests that get cookies, is set."""

    option = "stickycookie"

    def __init__(self) -> None:
        self.jar: dict[Scope, dict[str, Kept]] = {}

    def response(self, flow: HTTPFlow) -> None:
        if not ctx.options.stickycookie or flow.response is None:
            return
        now = flow.response.timestamp_start
        for header in flow.response.headers.get_all("set-cookie"):
            for cookie in cookies.parse_set_cookie(header):
                scope = _scope(flow.request, cookie)
                if scope is None:
                    continue
                if cookies.is_expired(cookie.attributes, now):
                    self.jar.get(scope, {}).pop(cookie.name, None)
                else:
                    end = cookies.expires_at(cookie.attributes, now)
                    self.jar.setdefault(scope, {})[cookie.name] = (cookie.value, end)

    def request(self, flow: HTTPFlow) -> None:
        matches = ctx.options.filter("stickycookie")
        if matches is None or not self.jar or not matches(flow):
            return
        remembered = self._remembered(flow.request)
        if remembered:
            sent = [pair for pair in flow.request.cookies.items(multi=True) if pair[0] not in remembered]
            flow.request.headers["cookie"] = cookies.format_cookie_header([*sent, *remembered.items()])
            flow.metadata["stickycookie"] = True

    def _remembered(self, request: Request) -> dict[str, str | None]:
        """Name and value of what belongs to a request; of one name, the cookie with the longest path."""
        now = request.timestamp_start
        remembered: dict[str, str | None] = {}
        for (domain, port, path), values in sorted(self.jar.items(), key=lambda item: len(item[0][2])):
            if port == request.port and _covers(domain, request.host) and cookies.path_match(request.path, path):
                remembered.update({name: value for name, (value, end) in values.items() if end is None or end > now})
        return remembered


def _scope(request: Request, cookie: cookies.SetCookie) -> Scope | None:
    """Where a cookie is valid; None when the host must not set it."""
    host = request.host.lower()
    domain = (cookies.attribute(cookie.attributes, "domain") or "").lstrip(".").lower()
    path = cookies.attribute(cookie.attributes, "path") or ""
    if not path.startswith("/"):
        path = cookies.default_path(request.path)
    if not domain:
        return host, request.port, path
    if not cookies.domain_match(host, domain) or ("." not in domain and domain != host):  # for all of .com, say
        return None
    return f".{domain}", request.port, path


def _covers(domain: str, host: str) -> bool:
    if domain.startswith("."):
        return cookies.domain_match(host, domain[1:])
    return host.lower() == domain
