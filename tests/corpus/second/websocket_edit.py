"""WebSockets were flows of their own, with str in text messages."""
import re


def websocket_message(flow):
    # get the latest message
    message = flow.messages[-1]

    # manipulate the message content
    message.content = re.sub(r"^Hello", "HAPPY", message.content) if isinstance(message.content, str) else b"bin"

    if "FOOBAR" in str(message.content):
        # kill the message and not send it to the other endpoint
        message.kill()


def websocket_end(flow):
    print(flow.handshake_flow.request.host, flow.close_code)
