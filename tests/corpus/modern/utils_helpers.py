"""Helpers that people borrow."""
from mitmproxy.coretypes import multidict
from mitmproxy.net.http import cookies, status_codes, url
from mitmproxy.net.http.http1.assemble import assemble_request, assemble_response_head
from mitmproxy.utils import human, strutils


def response(flow):
    print(human.pretty_size(len(flow.response.raw_content or b"")), human.pretty_duration(0.25))
    print(human.format_address(flow.client_conn.peername), status_codes.RESPONSES.get(flow.response.status_code))
    print(strutils.bytes_to_escaped_str((flow.response.raw_content or b"")[:20]))
    print(url.parse(flow.request.url), cookies.parse_cookie_header(flow.request.headers.get("cookie", "")))
    if flow.request.raw_content is not None:
        print(assemble_request(flow.request))
    print(assemble_response_head(flow.response))
    print(multidict.MultiDict([("a", "1"), ("a", "2")]).get_all("a"), status_codes.NOT_FOUND)
