"""TLS on both sides: the codec, ClientHello, interception, certificates and the reasons of failed handshakes."""
