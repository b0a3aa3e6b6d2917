"""Completion in the shell: ``abaw completion``, and the names that Tab offers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from harness.errors import AbawError, UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

SHELLS = ("bash", "zsh", "fish")
_MOST = 200


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script for completion with Tab.

    Commands, options, solutions, runs, weights and encoders are completed. For bash and zsh put this line into
    ~/.bashrc or ~/.zshrc: eval "$(abaw completion bash)". For fish write the script to
    ~/.config/fish/completions/abaw.fish.

    \b
    Example: abaw completion bash
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise UsageError(f"no completion for {shell}")
    click.echo(kind(ctx.find_root().command, {}, "abaw", "_ABAW_COMPLETE").source())


def solutions(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return solutions whose names begin so, with what each is."""
    from harness.plugins.registry import solution_entries

    return _items(((entry.name, entry.summary) for entry in solution_entries().values()), incomplete)


def encoders(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return encoders whose names begin so, with what each is."""
    from harness.plugins.registry import providers

    return _items((pair for provider in providers() for pair in provider.encoders().items()), incomplete)


def runs(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return runs below the folder of the runs by id and short id; the store is not opened."""
    from harness.settings import load_settings
    from harness.store.folders import run_folders
    from harness.store.run_names import short_id

    try:
        folders = run_folders(load_settings(out=ctx.params.get("out")).out)
    except (AbawError, OSError):
        return []
    names = ((folder.name, folder.parent.name) for folder in folders)
    short = ((short_id(folder.name), folder.name) for folder in folders if short_id(folder.name) != folder.name)
    return _items([*short, *names], incomplete)


def _items(pairs: Iterable[tuple[str, str]], incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    fitting = [CompletionItem(name, help=text) for name, text in pairs if name.startswith(incomplete)]
    return fitting[:_MOST]
