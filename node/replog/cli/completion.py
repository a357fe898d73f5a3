"""`replog completion`: a script for the shell, so that Tab completes commands and options.

Decides: nothing; click writes the script. Must not know: the commands.
Read next: commands.py.
"""

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Write the completion script for SHELL.

    For bash: replog completion bash >> ~/.bashrc
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.ClickException(f"this build of click completes nothing in {shell}")
    root = click.get_current_context().find_root()
    script = kind(root.command, {}, "replog", "_REPLOG_COMPLETE")
    click.echo(script.source())
