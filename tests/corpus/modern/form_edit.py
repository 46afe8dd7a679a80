"""Edits forms: urlencoded and multipart."""
from mitmproxy import http


def request(flow: http.HTTPFlow) -> None:
    if flow.request.urlencoded_form:
        flow.request.urlencoded_form["mitm"] = "yes & no"
        print(list(flow.request.urlencoded_form.items(multi=True)))
    elif flow.request.multipart_form:
        for name, value in flow.request.multipart_form.items():
            print(name, len(value))
