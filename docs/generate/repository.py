"""Pages that are files of the repository: contributing, conduct, security, changelog, the folder of runs, findings."""

from __future__ import annotations

from pathlib import Path

from docs.generate.markdown import GENERATED

ROOT = Path(__file__).parents[2]
SOURCES = {
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
    "submissions.md": "submissions/README.md",
    "findings.md": "findings/README.md",
    "conduct.md": "CODE_OF_CONDUCT.md",
    "security.md": "SECURITY.md",
}


def pages() -> dict[str, str]:
    """Return these files, with links that fit the site."""
    texts = {path: (ROOT / source).read_text(encoding="utf-8") for path, source in SOURCES.items()}
    return {path: f"{_linked(text)}\n{GENERATED}\n" for path, text in texts.items()}


def _linked(text: str) -> str:
    """Return a text whose links to other files of the repository lead to their pages."""
    for path, source in SOURCES.items():
        text = text.replace(f"]({source})", f"]({path})")
    return text.replace("](docs/", "](")
