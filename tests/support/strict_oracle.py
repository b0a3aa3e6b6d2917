"""What official files may say, written down again from the rule book, without any code of the project.

``strict`` reads a file that follows its format to the letter. ``meant`` reads the same with the spellings whose meaning
is certain and that the project accepts with a warning. Both give rows as ``{(video, frame): values}`` or ``None``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

Rows = dict[tuple[str, int], tuple[float, ...]]
_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d{1,9}", re.ASCII)
_VIDEO = re.compile(r"\.(mp4|avi|mov|mkv|webm)$", re.I)


@dataclass(frozen=True)
class Rule:
    """A format: its header, how rows are named, and the range of each value, with ``True`` for whole ones."""

    header: str
    name: str
    values: tuple[tuple[float, float, bool], ...]
    other_headers: tuple[str, ...] = ()
    sums_to_one: bool = False


_EXPR = "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other"
_AU = "AU1,AU2,AU4,AU6,AU7,AU10,AU12,AU15,AU23,AU24,AU25,AU26"
_CE = (
    "Fearfully_Surprised,Happily_Surprised,Sadly_Surprised,Disgustedly_Surprised,Angrily_Surprised,Sadly_Fearful,"
    "Sadly_Angry"
)
_VALUE, _BIT, _SHARE = (-1, 1, False), (0, 1, True), (0, 1, False)
RULES = {
    "EXPR": Rule(f"image_location,{_EXPR}", "frame", ((0, 7, True),)),
    "VA": Rule("image_location,valence,arousal", "frame", (_VALUE,) * 2),
    "AU": Rule(f"image_location,{_AU}", "frame", (_BIT,) * 12),
    "CE": Rule(f"image_location,{_CE}", "frame", ((0, 6, True),)),
    "MTL": Rule("image,valence,arousal,expression,aus", "frame", (_VALUE, _VALUE, (0, 7, True), *(_BIT,) * 12)),
    "EXPR-videos": Rule(_EXPR, "", ((0, 7, True),)),
    "VA-videos": Rule("valence,arousal", "", (_VALUE,) * 2),
    "AU-videos": Rule(_AU, "", (_BIT,) * 12),
    "VD": Rule("Frame_Number,Label", "number", (_BIT,), ("Frame_Num,Label",)),
    "EMI": Rule("Filename,Admiration,Amusement,Determination,Empathic Pain,Excitement,Joy", "clip", (_SHARE,) * 6),
    "AH-frames": Rule("", "frame0", (_BIT,)),
    "AH-labels": Rule("", "video", (_BIT,)),
    "AH-trials": Rule("", "video", (_SHARE, _SHARE, _BIT), sums_to_one=True),
}


def strict(data: bytes, rule: Rule) -> Rows | None:
    """Rows of a file that follows its format to the letter."""
    try:
        lines = data.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        return None
    if lines and lines[-1] == "":
        lines.pop()
    if rule.header and (not lines or lines.pop(0) not in (rule.header, *rule.other_headers)):
        return None
    return _rows(lines, rule)


def meant(data: bytes, rule: Rule) -> Rows | None:
    """Rows of a file in which only spellings are other ones, all of whose meanings are certain."""
    try:
        lines = data.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        return None
    if rule.header:
        if not lines or lines.pop(0) not in (rule.header, *rule.other_headers):
            return None
    elif not lines:
        return None
    plain = []
    for k, line in enumerate(lines):
        if any(not (c.isprintable() or c == "\t") for c in line):
            return None
        if not line.strip(" \t"):
            if rule.name or (k == len(lines) - 1 and line == ""):
                continue
            return None
        fields = [field.strip(" \t") for field in line.split(",")]
        if rule.name and _is_header(line, rule):
            continue
        name = fields[0]
        if rule.name:
            respelled = _name(name, rule)
            if respelled is None:
                return None
            fields[0] = respelled
        first = 1 if rule.name else 0
        for j, (low, high, whole) in enumerate(rule.values, start=first):
            if j < len(fields) and whole and (low, high) == (0, 1) and fields[j].lower() in ("true", "false"):
                fields[j] = "1" if fields[j].lower() == "true" else "0"
        plain.append(",".join(fields))
    return _rows(plain, rule)


def _is_header(line: str, rule: Rule) -> bool:
    bare = "".join(line.replace('"', "").split()).rstrip(",").lower()
    return bool(rule.header) and bare == "".join(rule.header.split()).lower()


def _name(name: str, rule: Rule) -> str | None:
    text = name.replace("\\", "/")
    if rule.name == "frame":
        match = re.fullmatch(r"([^/\"]+)/(\d{1,9})\.(jpg|jpeg|png)", text, re.I | re.A)
        if match is None or _VIDEO.search(match[1].strip(" \t")):
            return None
        return f"{match[1].strip(' 	')}/{int(match[2]):05d}.jpg"
    if rule.name == "frame0":
        match = re.fullmatch(r"([^\"]+\.mp4)/frame-(\d{1,9})\.(jpg|jpeg|png)", text, re.I | re.A)
        if match is None or match[1].count("/") > 2 or match[1].startswith("/"):
            return None
        return f"{match[1].strip(' 	')}/frame-{int(match[2])}.jpg"
    if rule.name == "number":
        match = re.fullmatch(r"(\d{1,9})", text, re.A)
        return str(int(match[1])) if match else None
    if rule.name == "clip":
        match = re.fullmatch(r"(\d{1,5})(\.0*)?", text, re.A)
        return match[1].zfill(5) if match else None
    match = re.fullmatch(r"([^\"]+)\.mp4", text, re.I)
    if match is None or "/Videos/" in text or text.startswith("/"):
        return None
    return f"{match[1]}.mp4"


_NAMES = {
    "frame": re.compile(r"(?P<of>[^/\"\\]+)/(?P<frame>\d{5}|[1-9]\d{5,8})\.jpg", re.A),
    "frame0": re.compile(r"(?P<of>[^\"\\]+\.mp4)/frame-(?P<frame>0|[1-9]\d{0,8})\.jpg", re.A),
    "number": re.compile(r"(?P<frame>0|[1-9]\d{0,8})", re.A),
    "clip": re.compile(r"(?P<of>\d{5})", re.A),
    "video": re.compile(r"(?P<of>[^\"\\]+\.mp4)"),
}


def _rows(lines: list[str], rule: Rule) -> Rows | None:
    rows: Rows = {}
    for k, line in enumerate(lines, start=1):
        if not line.isprintable() or line != line.strip():
            return None
        fields = line.split(",")
        key = ("", k)
        if rule.name:
            match = _NAMES[rule.name].fullmatch(fields.pop(0))
            if match is None:
                return None
            parts = match.groupdict()
            key = (parts.get("of") or "", int(parts.get("frame") or 0))
            if key[0] != key[0].strip() or (rule.name == "frame" and _VIDEO.search(key[0])):
                return None
            if rule.name in ("frame", "number") and key[1] < 1:
                return None
        if key in rows or len(fields) != len(rule.values):
            return None
        values = []
        for field, (low, high, whole) in zip(fields, rule.values, strict=True):
            if not (_WHOLE if whole else _DECIMAL).fullmatch(field) or not low <= float(field) <= high:
                return None
            values.append(float(field))
        if rule.sums_to_one and values[0] + values[1] != 1.0:
            return None
        rows[key] = tuple(values)
    return rows or None
