"""Loaders: from the bytes of an image to a plan of what goes where and who starts.

Pure functions; `image` says what a plan is, `detect` chooses the loader, and nothing
here touches a machine. Addresses that the loaders use themselves are in `tables`.
"""
