"""What is done with recordings that are there: compared, cut, packed, told to others.

`player` does a branch again and hands out its events; `diff` compares two branches;
`compose` writes recordings anew, for `cut`, `pack` and `annotate`; `dump`, `perfetto`,
`asciicast`, `script` and `pytest_export` turn them into what other programs read. All
of it gives the same bytes for the same recording, and `output` alone writes files.
"""
