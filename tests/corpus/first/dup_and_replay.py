def request(context, flow):
    f = context.duplicate_flow(flow)
    f.request.path = "/changed"
    context.log("%s %s" % (flow.request.path, f.request.path))
