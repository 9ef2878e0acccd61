"""The debugger on a page: a server on the loopback, and a process for each visitor.

`textual-serve` brings the terminal of the page (xterm.js, `textual.js`), and nothing
else of it is used. Its server asks nobody who he is, listens to every host that names
it, fetches a font from the web, starts the program by a shell, waits for one that hangs
as long as that hangs, and reads messages of megabytes. Who is let in here is said in
`door`, what a page may say in `messages`, how a process begins and ends in `visitor`;
`driver` is the end of it within that process.
"""

from typing import Final

DRIVER: Final = "lapis_tui.browser.driver:Page"
"""What Textual is told to draw by, in the process of a visitor."""
