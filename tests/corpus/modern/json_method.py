"""Reads JSON by the method, of requests and responses."""
import json


def response(flow):
    for message in (flow.request, flow.response):
        try:
            value = message.json()
        except (ValueError, TypeError) as e:
            print(type(e).__name__)
        else:
            print(json.dumps(value, sort_keys=True))
