"""
    This is a script stub, with definitions for all events.
"""


def start(context, argv):
    """
        Called once on script startup, before any other events.
    """
    context.log("start")


def clientconnect(context, root_layer):
    context.log("clientconnect")


def serverconnect(context, server_conn):
    context.log("serverconnect")


def request(context, flow):
    context.log("request")


def responseheaders(context, flow):
    context.log("responseheaders")


def response(context, flow):
    context.log("response")


def error(context, flow):
    context.log("error")


def clientdisconnect(context, root_layer):
    context.log("clientdisconnect")


def done(context):
    context.log("done")
