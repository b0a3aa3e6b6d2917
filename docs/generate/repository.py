"""Pages that are files of the repository: how to contribute, the changelog, the folder of runs, the findings."""

from __future__ import annotations

from pathlib import Path

from docs.generate.markdown import GENERATED

ROOT = Path(__file__).parents[2]
SOURCES = {
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
    "submissions.md": "submissions/README.md",
    "findings.md": "findings/README.md",
}


def pages() -> dict[str, str]:
    """Return these files, with links that fit the site."""
    texts = {path: (ROOT / source).read_text(encoding="utf-8") for path, source in SOURCES.items()}
    return {path: f"{text.replace('](docs/', '](')}\n{GENERATED}\n" for path, text in texts.items()}
