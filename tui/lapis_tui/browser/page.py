"""The page: a terminal over all of it, and what to do when its session has ended."""

from __future__ import annotations

from html import escape
from typing import Final

FONT_SIZE: Final = 15
"""Pixels; 80 columns are some 720 wide."""

STYLE: Final = """
html, body { margin: 0; height: 100%; background: #101418; overflow: hidden; }
#terminal { width: 100vw; height: 100vh; }
#end { display: none; position: fixed; inset: auto 0 0 0; margin: 0; padding: 0.5em 1em;
  background: #2a323a; color: #e8edf2; font: 15px sans-serif; }
#end a { color: #9cd0ff; }
body.-closed #end { display: block; }
"""
"""The style sheet; `-closed` is what `textual.js` calls the end of the websocket."""

SCRIPT: Final = """
"use strict";
const focus = () => document.querySelector(".xterm-helper-textarea")?.focus();
addEventListener("load", focus);
addEventListener("focus", focus);
"""
"""Keys go to the terminal from the start, and not only once it was clicked on."""

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src data: 'self'; connect-src {socket}; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""What the page may load; xterm.js writes styles of its own."""

DOCUMENT: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/xterm.css">
<link rel="stylesheet" href="/page.css">
<script src="/textual.js"></script>
<script src="/page.js"></script>
</head>
<body>
<div id="terminal" class="textual-terminal" data-font-size="{font}"
 data-session-websocket-url="{socket}"></div>
<p id="end">The session has ended. <a href="/">Begin another</a></p>
</body>
</html>
"""


def socket(host: str) -> str:
    """Return the address of the websocket, for a page that `host` was asked for."""
    return f"ws://{host}/ws"


def html(title: str, host: str) -> str:
    """Return the page for whoever asked for `host`."""
    return DOCUMENT.format(
        title=escape(title), font=FONT_SIZE, socket=escape(socket(host))
    )


def policy(host: str) -> str:
    """Return its Content-Security-Policy."""
    return POLICY.format(socket=socket(host))
