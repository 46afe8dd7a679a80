"""Classes and functions of the façade that differ from flowdump's own; ``compat/names.py`` lists their modules."""
