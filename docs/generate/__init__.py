"""Pages of the documentation site that are generated from the code.

``pages()`` needs only what the console command needs; ``figures.figures()`` also needs altair and vl-convert.
``docs/generate/hook.py`` hands both to MkDocs.
"""

from __future__ import annotations

from docs.generate import api, benchmarks, commands, errors, examples, formats, repository, solutions


def pages() -> dict[str, str]:
    """Return every generated page as Markdown, by its path inside ``docs/``."""
    return {
        **commands.pages(),
        **api.pages(),
        **errors.pages(),
        **formats.pages(),
        **solutions.pages(),
        **examples.pages(),
        **repository.pages(),
        **benchmarks.pages(),
    }
