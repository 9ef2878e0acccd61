"""`lapis completion SHELL`: the script by which a shell completes our command lines."""

from __future__ import annotations

import click
from click.shell_completion import ShellComplete, get_completion_class

from lapis_tui import output
from lapis_tui.cli import completing, headless
from lapis_tui.cli import main as cli


@click.command()
@click.argument("shell", type=click.Choice(completing.SHELLS))
def completion(shell: str) -> int:
    """Print the script by which bash, zsh or fish completes what is typed.

    bash: eval "$(lapis completion bash)" in ~/.bashrc; zsh the same in ~/.zshrc, behind
    compinit; fish: lapis completion fish | source in ~/.config/fish/config.fish.
    """
    kind = get_completion_class(shell)
    assert kind is not None, shell
    made = kind(cli.lapis, {}, "lapis", completing.VARIABLE)
    # That of bash looks for a bash first, and what is printed may be for elsewhere.
    output.say(ShellComplete.source(made))
    return headless.OK
