"""Classes that exist only under older or foreign names, for the façades beside this folder.

A façade file may be imported under two names (as a script imports it, and as flowdump does), and would then define its
classes twice. So whatever is a class of its own lives here, where it has one name.
"""
