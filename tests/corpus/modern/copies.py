"""Copies and undoes."""


def response(flow):
    flow.backup()
    flow.request.path = "/changed"
    print(flow.modified())
    flow.revert()
    other = flow.copy()
    print(other.id == flow.id, other.request.path == flow.request.path, other.live, flow.killable)
    seen = {flow: 1}
    print(seen[flow], other in seen)
