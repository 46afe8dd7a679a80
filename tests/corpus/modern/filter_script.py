"""Filters by expression."""
from mitmproxy import ctx
from mitmproxy import flowfilter
from mitmproxy import http


class Filter:
    filter: flowfilter.TFilter

    def configure(self, updated):
        if "flowfilter" in updated:
            self.filter = flowfilter.parse(ctx.options.flowfilter)

    def load(self, loader):
        loader.add_option("flowfilter", str, "~c 200 & ! ~u png", "Check that flow matches filter.")

    def response(self, flow: http.HTTPFlow) -> None:
        if flowfilter.match(self.filter, flow):
            print("Flow matches filter:", flow.request.pretty_url)
            flow.marked = ":heart:"
        print(bool(flowfilter.match("~m POST", flow)))


addons = [Filter()]
