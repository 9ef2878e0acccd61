"""What the lints found as SARIF 2.1.0, which code scanning in CI shows.

The standard is "Static Analysis Results Interchange Format (SARIF) Version 2.1.0" of
OASIS; section numbers here are its. `document` is the log, `rules` the lints, `places`
where a finding is.
"""
