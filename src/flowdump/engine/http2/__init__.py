"""HTTP/2 (RFC 9113) over the h2 library: connections, streams, fields, the pool of connections to origins."""
