"""Scripts: loading them with their arguments, calling their handlers, reporting their errors."""
