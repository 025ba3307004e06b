"""`cnngraph completion`."""

from __future__ import annotations

import click

from cnngraph.cli.command import argument, command

SHELLS = ("bash", "zsh", "fish")


@command(
    ('eval "$(cnngraph completion bash)"', "in this shell; in ~/.bashrc, in every one"),
    ('eval "$(cnngraph completion zsh)"', "the same in ~/.zshrc"),
    ("cnngraph completion fish > ~/.config/fish/completions/cnngraph.fish", "for fish"),
)
@argument("shell", type=click.Choice(SHELLS), metavar="bash|zsh|fish", help="The shell.")
def completion(shell: str) -> None:
    """Print the script that completes cnngraph's commands in a shell.

    It completes commands, options and their values, networks, recipes, experiments, run folders, the nodes of a
    network, the parameters that --set changes, and files.
    """
    from click.shell_completion import get_completion_class

    from cnngraph.cli.app import COMPLETE, NAME, app

    found = get_completion_class(shell)
    assert found
    print(found(app, {}, NAME, COMPLETE).source())
