"""`lapis console`: a prompt for a session, on a terminal, a dumb one, or a pipe.

`shell` does lines and knows of no terminal; a `face` shows what comes of them: `plain`
line by line, `editor` with completion, history and colours (prompt-toolkit).
"""
