"""``mitmproxy.addons.export``: the formats of an export by name."""

from flowdump.addons.export import curl_command, httpie_command, raw, raw_request, raw_response

formats = {
    "curl": curl_command,
    "httpie": httpie_command,
    "raw": raw,
    "raw_request": raw_request,
    "raw_response": raw_response,
}
