"""Fields of a whole text in their plainest spelling: commas between them, and no column that only counts the rows."""

from __future__ import annotations

import itertools

from harness.files.report import Report

_SEPARATORS = {";": "semicolons", "\t": "tabs"}
_HEAD = 4096  # characters that hold the first two lines
_UNNAMED = ("", "unnamed: 0", "index")  # pandas' headers of its index


def plain_fields(text: str, report: Report) -> str:
    """Return a text with commas between its fields and without pandas' index; report each change."""
    return _without_index(_with_commas(text, report), report)


def _with_commas(text: str, report: Report) -> str:
    first, second = (*(line.strip() for line in text[:_HEAD].split("\n") if line.strip()), "", "")[:2]
    for separator, name in _SEPARATORS.items():
        if not any(separator in line and "," not in line for line in (first, second)):
            continue
        lines = text.split("\n")
        at = next((k for k, line in enumerate(lines) if "," in line and separator in line.strip()), -1)
        if at < 0:
            row = next(k for k, line in enumerate(lines) if separator in line.strip())
            report.add(
                row + 1, lines[row].index(separator) + 1, "separator", f"fields are parted by {name}, not commas"
            )
            return text.replace(separator, ",")
        message = (
            f"{name} part the fields, and commas stand inside: decimal ones? Expected commas between fields, 0.5 in"
        )
        report.add(at + 1, lines[at].index(",") + 1, "decimal-comma", f"{message} them")
        return text
    return text


def _without_index(text: str, report: Report) -> str:
    header = text.partition("\n")[0]
    if "," not in header or header.partition(",")[0].strip('" ').casefold() not in _UNNAMED:
        return text
    lines = text.split("\n")
    numbers = [line.partition(",")[0].strip('" ') for line in lines[1:] if line.strip()]
    begins = numbers[0] if numbers else ""
    if begins not in ("0", "1"):
        return text
    if any(number != str(k) for number, k in zip(numbers, itertools.count(int(begins)), strict=False)):
        return text
    message = "the first column only counts the rows, as pandas writes its index; expected none (index=False)"
    report.add(1, 1, "index", message)
    return "\n".join(line.partition(",")[2] for line in lines)
