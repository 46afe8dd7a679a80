"""Changes codes, reasons, versions, times."""


def response(flow):
    if flow.response.status_code == 404:
        flow.response.status_code = 200
        flow.response.reason = "Found after all"
        flow.response.text = "here"
    if 300 <= flow.response.status_code < 400:
        flow.response.headers["location"] = "https://elsewhere.example/"
    flow.response.http_version = "HTTP/1.0"
    flow.response.timestamp_end = flow.response.timestamp_start
