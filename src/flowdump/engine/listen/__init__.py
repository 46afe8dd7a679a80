"""Where clients arrive: listeners, one session per client connection, and where each connection wants to go."""
