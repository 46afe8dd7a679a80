"""Changes raw messages."""
import logging

from mitmproxy import tcp


def tcp_start(flow: tcp.TCPFlow):
    print("start", flow.server_conn.address, flow.type)


def tcp_message(flow: tcp.TCPFlow):
    message = flow.messages[-1]
    message.content = message.content.replace(b"foo", b"bar")
    logging.info(f"tcp_message[from_client={message.from_client}), content={message.content!r}]")
    print(message)


def tcp_end(flow):
    print("end", len(flow.messages))


def tcp_error(flow):
    print("error", flow.error.msg)


udp_start, udp_message, udp_end, udp_error = tcp_start, tcp_message, tcp_end, tcp_error
