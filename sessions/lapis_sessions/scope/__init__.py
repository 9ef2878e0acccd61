"""What expressions can speak of: registers, APICs, devices, memory, symbols, history.

Nothing that is evaluated changes the machine or touches a device.
"""
