"""Sessions: a live machine with its guest, and the commands that act on it.

Front ends differ in how a line reaches `Session.execute` and in nothing else. Devices
come in as a parameter, for plug-ins lie above this layer.
"""
