"""The scenario gallery: recordings that come with a text, questions and assertions.

A scenario is a TOML file here. It tells what there is to see, and for each recording
how it is made: a machine, and points, each of them the commands that lead to it, what
there is to be said and asked about it, and what must hold there. The recordings lie
beside it as SCENARIO-RECORDING.lapis and are made from it by `recipe`; after a change
of the engine, of a guest or of a TOML file `python tests/sessions/build_gallery.py`
makes them all anew, byte for byte the same when nothing has changed.

`catalog` reads the TOML files, `walk` leads from point to point, `check` replays a
scenario and sees whether everything holds.
"""
