"""How long things took, and with whom."""


def response(flow):
    took = flow.response.timestamp_end - flow.request.timestamp_start
    peer = flow.server_conn.peername
    print(f"{flow.request.pretty_url} {took * 1000:.0f} ms", peer[0] if peer else None, flow.server_conn.address)
    print(flow.client_conn.sni, flow.client_conn.tls_established, flow.client_conn.tls_version, flow.server_conn.cipher)
