"""Raw bodies, codings, copies and states."""


def response(flow):
    raw = flow.response.raw_content
    print(len(raw or b""), len(flow.response.get_content(strict=False) or b""))
    if flow.response.headers.get("content-encoding") == "gzip":
        flow.response.decode(strict=False)
        flow.response.encode("deflate")
    copied = flow.response.copy()
    copied.status_code = 999
    print(flow.response.status_code, copied == flow.response, flow.response.is_http11, flow.response.is_http2)
    state = flow.get_state()
    print(sorted(state), state["version"])
