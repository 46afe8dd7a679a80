"""DNS as a proxy: queries, their transports, the resolver."""
