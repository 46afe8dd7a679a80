"""``mitmproxy.addons.export``: requests and flows as commands and as bytes."""

from flowdump.addons.export import Export, curl_command, httpie_command, raw, raw_request, raw_response

formats = {
    "curl": curl_command,
    "httpie": httpie_command,
    "raw": raw,
    "raw_request": raw_request,
    "raw_response": raw_response,
}

__all__ = ["Export", "curl_command", "formats", "httpie_command", "raw", "raw_request", "raw_response"]
