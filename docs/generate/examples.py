"""Pages of the examples: scripts as they are, the notebook as text and code."""

from __future__ import annotations

import ast
import json
from pathlib import Path

from docs.generate.markdown import fenced, page

ROOT = Path(__file__).parents[2] / "examples"
FOLDER = "examples"


def pages() -> dict[str, str]:
    """Return one page per script and notebook of ``examples/``."""
    texts = {}
    for path in sorted(ROOT.glob("**/*.py")):
        name = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", "-").replace("_", "-")
        texts[f"{FOLDER}/{name}.md"] = _script(path)
    for path in sorted(ROOT.glob("*.ipynb")):
        texts[f"{FOLDER}/{path.stem.replace('_', '-')}.md"] = _notebook(path)
    return texts


def _script(path: Path) -> str:
    source = path.read_text(encoding="utf-8")
    first, _, rest = (ast.get_docstring(ast.parse(source)) or path.stem).partition("\n")
    parts = [rest.strip() + "\n", f"`examples/{path.relative_to(ROOT).as_posix()}`:\n", fenced(source, "python")]
    return page(first.rstrip("."), *parts)


def _notebook(path: Path) -> str:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    first = "".join(cells[0]["source"])
    title, _, rest = first.removeprefix("# ").partition("\n")
    parts = [rest.strip() + "\n", f"The notebook is `examples/{path.name}`.\n"]
    for entry in cells[1:]:
        text = "".join(entry["source"])
        parts.append(fenced(text, "python") if entry["cell_type"] == "code" else text + "\n")
    return page(title, *parts)
