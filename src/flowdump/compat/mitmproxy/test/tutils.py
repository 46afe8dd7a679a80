"""``mitmproxy.test.tutils``: messages for tests."""

from flowdump.test.tutils import tdnsreq, tdnsresp, treq, tresp

__all__ = ["tdnsreq", "tdnsresp", "treq", "tresp"]
