"""`cnngraph completion`."""

from __future__ import annotations

from cnngraph.cli.command import argument, command
from cnngraph.cli.options import choice

SHELLS = ("bash", "zsh", "fish")


@command(
    ('eval "$(cnngraph completion bash)"', "for this shell; add it to ~/.bashrc for every shell"),
    ('eval "$(cnngraph completion zsh)"', "the same for zsh and ~/.zshrc"),
    ("cnngraph completion fish > ~/.config/fish/completions/cnngraph.fish", "for fish"),
)
@argument("shell", type=choice(*SHELLS), metavar="bash|zsh|fish", help="The shell.")
def completion(shell: str) -> None:
    """Print a shell completion script.

    It completes commands, options and their values, names of networks, recipes, experiments, runs and nodes, the
    params and keys of --set, and files.
    """
    from click.shell_completion import get_completion_class

    from cnngraph.cli.app import COMPLETE, NAME, app

    found = get_completion_class(shell)
    assert found
    print(found(app, {}, NAME, COMPLETE).source())
