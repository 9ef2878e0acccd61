"""The deterministic machine: vCPUs, local APICs, devices and the request boundary.

Nothing here reads the host's clock, randomness, files or environment, and nothing
here knows of a front end: same configuration and same outside acts, same history.
"""
