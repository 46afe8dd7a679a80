"""Classes that exist only under older or foreign names, for the façades beside this folder.

A façade file may be imported under two names (as a script imports it, and as flowdump does), and would then define its
classes twice. So each class of the façade's own lives here, under one name.
"""
