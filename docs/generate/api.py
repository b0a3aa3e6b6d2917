"""The reference of the public interface: every name of ``abaw.__all__`` with its signature and docstring."""

from __future__ import annotations

import abaw
from docs.generate.markdown import page

PATH = "reference/api.md"
SECTIONS = {
    "Functions": ("write", "validate", "score", "compare", "compare_several", "runs", "broken_promises", "read_rgb"),
    "Results": ("Report", "Problem", "ScoreCard", "Comparison"),
    "Tasks and data": ("TASKS", "Task", "Dataset", "Video", "Settings"),
    "Plug-ins": ("Solution", "SolutionEntry", "SolutionList", "Provider", "Predictions", "VideoPrediction"),
    "Errors": (
        "AbawError", "UsageError", "UnknownNameError", "DataError", "SubmissionError", "SolutionError",
        "MissingDependencyError", "StorageError", "StoreError", "StoreBusyError",
    ),
}  # fmt: skip
REST = "More"


def sections() -> dict[str, tuple[str, ...]]:
    """Return the public names by section; names that no section lists stand under :data:`REST`."""
    listed = {name for names in SECTIONS.values() for name in names}
    public = set(abaw.__all__)
    grouped = {title: tuple(name for name in names if name in public) for title, names in SECTIONS.items()}
    return {**grouped, REST: tuple(sorted(public - listed))}


def pages() -> dict[str, str]:
    """Return the page of the public interface."""
    parts = [
        "The names of `import abaw`, and nothing else, are stable within a minor version of 0.x. Messages of errors "
        "may change; their classes stay. [Your own model](../your-own-model.md) has examples.\n",
    ]
    for title, names in sections().items():
        if names:
            parts.append(f"## {title}\n")
            parts += [_entry(name) for name in names]
    return {PATH: page("Python interface", *parts)}


def _entry(name: str) -> str:
    if name == "__version__":
        return (
            '### <span id="abaw.__version__"></span>`abaw.__version__`\n\n'
            + "Version of the installed package, a string.\n"
        )
    if name == "TASKS":
        names = ", ".join(f"`{task}`" for task in abaw.TASKS)
        return (
            '### <span id="abaw.TASKS"></span>`abaw.TASKS`\n\n'
            + f"Every [task](#abaw.Task) by its short name: {names}.\n"
        )
    return f"::: abaw.{name}\n"
