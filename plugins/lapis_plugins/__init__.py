"""Plug-ins: the hooks, the host that calls them, and the ones that come with Lapis.

A plug-in is a module or object named by an entry point of the group `lapis.plugins`.
"""
