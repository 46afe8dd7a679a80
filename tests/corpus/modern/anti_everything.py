"""What requests can do themselves."""


def request(flow):
    flow.request.anticache()
    flow.request.anticomp()
    print(flow.request.first_line_format, flow.request.host_header, flow.request.authority)
    flow.request.host_header = "shown.example"
    print(flow.request.pretty_url)
