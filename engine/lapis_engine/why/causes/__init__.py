"""Causes: why a vCPU stands, from what happened to it, and only then from its state.

`tracks` follows the INITs, SIPIs and NMIs of the history to their end, `missed` says
why one did not come to a vCPU, `fates` puts that into words. `spins` and `starts` look
at what it executes, `cause` chooses what is told first.
"""
