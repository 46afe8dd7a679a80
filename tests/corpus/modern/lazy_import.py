"""Imports in handlers, from the standard library and from a neighbour."""


def request(flow):
    import hashlib

    from corpus_neighbour import shorten

    flow.request.headers["x-hash"] = shorten(hashlib.sha256(flow.request.url.encode()).hexdigest())
