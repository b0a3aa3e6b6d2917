"""The reference of errors: every class with its messages, every exit code, every problem that a check reports."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from docs.generate.markdown import cell, code, page, table, without_roles
from harness import errors
from harness.files.spelling import SPELLINGS

PATH = "reference/errors.md"
ROOT = Path(__file__).parents[2]
PACKAGES = ("harness", "solutions", "leaderboard")
EXIT_CODES = {
    0: "The command is done.",
    1: "Something is wrong with data or files, or a solution failed. The message says what, where, and what to do.",
    2: "The command line, a name or a setting is wrong. Nothing was done.",
    3: "The results store is busy or does not answer. The run is complete on disk; `abaw sync` records it.",
    130: "The command was stopped from the keyboard. Finished parts stay; the same command continues from there.",
}
_CODE = re.compile(r"[a-z]+(-[a-z]+)*")
_REPORTING = ("add", "Problem", "Found")
"""Functions and classes of ``harness/files`` that take the code of a problem, followed by its message."""


def classes() -> list[type[errors.AbawError]]:
    """Return every class of the tree, parents before children, in the order of the module."""
    members = [value for value in vars(errors).values() if inspect.isclass(value)]
    return [value for value in members if issubclass(value, errors.AbawError)]


def raised() -> dict[str, list[tuple[str, str]]]:
    """Return the messages of each class as the sources spell them, with the module that raises each."""
    names = {cls.__name__ for cls in classes()}
    messages: dict[str, list[tuple[str, str]]] = {name: [] for name in names}
    for path, tree in _sources(*PACKAGES):
        for node in ast.walk(tree):
            name = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
            if name in names and isinstance(node, ast.Call) and node.args:
                text = _message(node.args[0]) if name != "UnknownNameError" else ""
                if text and (text, path) not in messages[name]:
                    messages[name].append((text, path))
    return messages


def problem_codes() -> dict[str, list[str]]:
    """Return the messages of each kind of problem that a check of a file reports, by its code."""
    messages_of: dict[str, list[str]] = {code: [] for code in SPELLINGS}
    for _, tree in _sources("harness/files"):
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            texts = [arg.value if isinstance(arg, ast.Constant) else None for arg in node.args]
            codes = [k for k, text in enumerate(texts[:4]) if isinstance(text, str) and _CODE.fullmatch(text)]
            if name not in _REPORTING or not codes:
                continue
            messages = messages_of.setdefault(str(texts[codes[0]]), [])
            text = _message(node.args[codes[0] + 1]) if len(node.args) > codes[0] + 1 else ""
            if text and text not in messages:
                messages.append(text)
    return dict(sorted(messages_of.items()))


def pages() -> dict[str, str]:
    """Return the page of errors."""
    parts = [
        "A message says what is wrong, where, what was found, what was expected, and what to do. Words in ‹angle "
        "quotes› stand for what differs from case to case. With `--json` an error is one line of JSON on stderr, with "
        "its class as `kind`; in Python it is an exception.\n",
        "## Exit codes\n",
        table(
            ("code", "meaning"),
            ((f'<span id="exit-code-{number}"></span>`{number}`', text) for number, text in EXIT_CODES.items()),
        ),
        "## Classes\n",
    ]
    messages = raised()
    for cls in classes():
        parts.append(_class(cls, messages[cls.__name__]))
    parts += [
        "## Problems in files\n",
        "A check reports all problems of a file, with a code in brackets; the first five of each kind are shown and "
        "all are counted. Those with a cure are mended by [`abaw repair`](cli/repair.md).\n",
    ]
    for name, texts in problem_codes().items():
        parts.append(f"### `{name}` {{ #problem-{name} }}\n")
        if name in SPELLINGS:
            parts.append(f"`abaw repair`: {cell(SPELLINGS[name].mended)}.\n")
        parts.append("".join(f"- {cell(text)}\n" for text in texts) or "The message names the cause.\n")
    return {PATH: page("Errors", *parts)}


def _class(cls: type[errors.AbawError], messages: list[tuple[str, str]]) -> str:
    name, parent = cls.__name__, cls.__bases__[0].__name__
    base = f" Kind of [`{parent}`](#{parent})." if issubclass(cls.__bases__[0], errors.AbawError) else ""
    parts = [
        f"### `{name}` {{ #{name} }}\n",
        f"{without_roles(inspect.cleandoc(cls.__doc__ or '').split('Args:')[0].strip())}\n",
        f"Exit code [{cls.exit_code}](#exit-code-{cls.exit_code}).{base}\n",
    ]
    if messages:
        lines = "".join(f"    - {cell(text)} {code(path)}\n" for text, path in sorted(messages))
        number = f"{len(messages)} message{'s' * (len(messages) > 1)}"
        parts.append(f'??? note "{number}"\n\n{lines}')
    return "\n".join(parts)


def _sources(*folders: str) -> Iterator[tuple[str, ast.Module]]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def _message(node: ast.expr) -> str:
    """Return a literal text with each placeholder in angle quotes; empty for any other expression."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else f"‹{_placeholder(part)}›" for part in node.values
        )
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _message(node.left) + _message(node.right)
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "problem" and node.args:
        return _message(node.args[0])
    return ""


def _placeholder(part: ast.expr) -> str:
    """Return a name for what a placeholder of an f-string stands for."""
    names = [
        n.id if isinstance(n, ast.Name) else n.attr for n in ast.walk(part) if isinstance(n, ast.Name | ast.Attribute)
    ]
    return names[0].strip("_").replace("_", " ") if names else "…"
