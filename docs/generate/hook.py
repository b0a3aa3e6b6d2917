"""Hook of MkDocs: add the generated pages and figures, expand the navigation, tidy docstrings.

Entries of the navigation that end in ``/*`` stand for every generated page of a folder. Pages of :data:`OPTIONAL` are
listed where they exist.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from mkdocs.config.defaults import MkDocsConfig  # noqa: E402
from mkdocs.structure.files import File, Files  # noqa: E402

from docs.generate import commands, figures, pages  # noqa: E402

OPTIONAL = frozenset({"performance.md", "alignment.md", "readers.md"})
_ROLE = re.compile(r":(?:class|func|meth|mod|data|attr):<code>")
_generated: dict[str, str] = {}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Generate the pages once and expand the navigation."""
    _generated.update({**pages(), **figures.figures()})
    config.nav = _expanded(config.nav or [], Path(config.docs_dir))
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages and figures."""
    for path, text in _generated.items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Link each command of the overview to its page."""
    if page.file.src_uri != "commands.md":
        return markdown
    names = sorted((name for name, _ in commands.tree()), key=len, reverse=True)
    return "\n".join(_linked(line, names) for line in markdown.splitlines())


def on_page_content(html: str, **_: Any) -> str:
    """Remove the roles of reStructuredText that docstrings hold."""
    return _ROLE.sub("<code>", html)


def _linked(line: str, names: list[str]) -> str:
    for name in names:
        if line.startswith(f"| `{name}") and line[len(name) + 3] in "` ":
            first, _, rest = line[2:].partition(" | ")
            anchor = f"#{name.replace(' ', '-')}" if name.count(" ") > 1 else ""
            return f"| [{first}]({commands.page_of(name)}{anchor}) | {rest}"
    return line


def _expanded(nav: list[Any], folder: Path) -> list[Any]:
    entries: list[Any] = []
    for entry in nav:
        title, target = next(iter(entry.items())) if isinstance(entry, dict) else (None, entry)
        if isinstance(target, list):
            entries.append({title: _expanded(target, folder)})
        elif target.endswith("/*"):
            start = target[:-1]
            listed = {page for page in nav if isinstance(page, str)}
            entries += [p for p in _generated if p.startswith(start) and p.endswith(".md") and p not in listed]
        elif target not in OPTIONAL or (folder / target).is_file():
            entries.append(entry)
    return entries
