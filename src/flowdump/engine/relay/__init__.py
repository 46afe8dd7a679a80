"""Protocols that are relayed as they are: raw TCP and UDP."""
