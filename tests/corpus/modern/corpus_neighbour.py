"""A module beside a script; not a script of its own."""


def shorten(text):
    return text[:8]
