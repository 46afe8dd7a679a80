"""
This script reflects all content passing through the proxy.
"""


def response(flow):
    reflector = b"<style>body {transform: scaleX(-1);}</style></head>"
    flow.response.content = flow.response.content.replace(b"</head>", reflector)
