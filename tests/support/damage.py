"""Official files, right ones and ones that were damaged or disguised at random, of every format."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.support.strict_oracle import RULES, Rule

VIDEOS = ("14-30-1920x1080", "video2_left", "a b")
BAH = ("82683/Visite_1/82683_Question_1.mp4", "1/Visite 2/b.mp4")
_STRANGE = [
    "\0",
    "\x01",
    "\x0b",
    "\x0c",
    "\x1f",
    "\x7f",
    "\x85",
    "\u00a0",
    "\u2003",
    "\u200b",
    "\u2028",
    "\u3000",
    "\ufeff",
]


def right_file(name: str, dice: random.Random) -> list[str]:
    """Lines of a right file, its header included."""
    rule = RULES[name]
    lines = [rule.header] if rule.header else []
    names = _names(rule, dice)
    return lines + [f"{row},{_values(rule, dice)}" if row else _values(rule, dice) for row in names]


def _names(rule: Rule, dice: random.Random) -> list[str]:
    n = dice.randint(3, 24)
    if rule.name == "frame":
        return [f"{video}/{k:05d}.jpg" for video in VIDEOS[: dice.randint(1, 3)] for k in range(1, n + 1)]
    if rule.name == "frame0":
        return [f"{video}/frame-{k}.jpg" for video in BAH[: dice.randint(1, 2)] for k in range(n)]
    if rule.name == "number":
        return [str(k) for k in range(1, n + 1)]
    if rule.name == "clip":
        return [f"{k:05d}" for k in sorted(dice.sample(range(99_999), n))]
    if rule.name == "video":
        return [f"Videos/{person}/Visite_1/q{k}.mp4" for person in (82711, 90001) for k in range(n)]
    return [""] * n


def _values(rule: Rule, dice: random.Random) -> str:
    if rule.sums_to_one:
        p1 = dice.randint(0, 1000)
        return f"{(1000 - p1) / 1000:.3f},{p1 / 1000:.3f},{dice.randint(0, 1)}"
    return ",".join(
        str(dice.randint(int(low), int(high))) if whole else f"{dice.uniform(low, high):.{dice.choice([1, 3, 6, 12])}f}"
        for low, high, whole in rule.values
    )


def damaged(name: str, dice: random.Random) -> bytes:
    """The bytes of a file with one to three faults."""
    lines = right_file(name, dice)
    for _ in range(dice.randint(1, 3)):
        dice.choice(_LINE_FAULTS)(lines, RULES[name], dice)
        if not lines:
            lines = [""]
    data = "\n".join([*lines, ""]).encode("utf-8", "surrogatepass")
    return dice.choice(_BYTE_FAULTS)(data, dice) if dice.random() < 0.3 else data


Fault = Callable[[list[str], Rule, random.Random], None]


def _at(lines: list[str], dice: random.Random) -> int:
    return dice.randrange(len(lines))


def _fields(change: Callable[[list[str], Rule, random.Random], list[str]]) -> Fault:
    def fault(lines: list[str], rule: Rule, dice: random.Random) -> None:
        k = _at(lines, dice)
        lines[k] = ",".join(change(lines[k].split(","), rule, dice))

    return fault


def _everywhere(change: Callable[[str, Rule, random.Random], str]) -> Fault:
    def fault(lines: list[str], rule: Rule, dice: random.Random) -> None:
        state = dice.getstate()
        for k in range(1 if rule.header else 0, len(lines)):
            dice.setstate(state)
            lines[k] = change(lines[k], rule, dice)
        dice.random()

    return fault


def _here(change: Callable[[str, Rule, random.Random], str]) -> Fault:
    def fault(lines: list[str], rule: Rule, dice: random.Random) -> None:
        k = _at(lines, dice)
        lines[k] = change(lines[k], rule, dice)

    return fault


def _character(line: str, rule: Rule, dice: random.Random) -> str:
    k = dice.randint(0, len(line))
    new = dice.choice([*_STRANGE, *"0123456789,.-+eE/\\\"' \tjpgxé٣"])
    return dice.choice([line[:k] + new + line[k:], line[:k] + line[k + 1 :], line[:k] + new + line[k + 1 :]])


def _strange(line: str, rule: Rule, dice: random.Random) -> str:
    k = dice.choice([0, len(line), line.find(",") + 1, dice.randint(0, len(line))])
    return line[:k] + dice.choice(_STRANGE) + line[k:]


def _value(fields: list[str], rule: Rule, dice: random.Random) -> list[str]:
    k = dice.randrange(len(fields))
    fields[k] = dice.choice(
        [
            "nan",
            "inf",
            "",
            "-1",
            "-5",
            "9",
            "1.0",
            "0.5",
            "True",
            "false",
            "1e3",
            "1_0",
            "0x1",
            "½",
            "1,",
            "2.",
            "1e-3",
            "+1",
        ]
    )
    return fields


def _shuffle(lines: list[str], rule: Rule, dice: random.Random) -> None:
    first = 1 if rule.header else 0
    rest = lines[first:]
    dice.shuffle(rest)
    lines[first:] = rest


def _drop(lines: list[str], rule: Rule, dice: random.Random) -> None:
    del lines[_at(lines, dice)]


def _drop_many(lines: list[str], rule: Rule, dice: random.Random) -> None:
    k = _at(lines, dice)
    del lines[k : k + dice.randint(2, 8)]


def _again(lines: list[str], rule: Rule, dice: random.Random) -> None:
    lines.insert(_at(lines, dice), lines[_at(lines, dice)])


def _blank(lines: list[str], rule: Rule, dice: random.Random) -> None:
    lines.insert(_at(lines, dice) + dice.randint(0, 1), dice.choice(["", " ", "\t", ",", ",,,", "\u3000"]))


def _other_header(lines: list[str], rule: Rule, dice: random.Random) -> None:
    header = lines[0].split(",")
    change = dice.randrange(6)
    if change == 0:
        dice.shuffle(header)
    elif change == 1:
        header = [f'"{field}"' for field in header]
    elif change == 2:
        header = [field.upper() for field in header]
    elif change == 3:
        header.append("")
    elif change == 4:
        header = dice.choice(list(RULES.values())).header.split(",")
    lines[0] = ",".join(header) if change < 5 else f'"{lines[0]}"'


def _quote(line: str, rule: Rule, dice: random.Random) -> str:
    fields = line.split(",")
    if dice.random() < 0.3:
        return f'"{line}"'
    if dice.random() < 0.2 and len(fields) > 1:
        return ",".join([fields[0], f'"{",".join(fields[1:])}"'])
    return ",".join(f'"{field}"' for field in fields)


def _name(change: Callable[[str, random.Random], str]) -> Callable[[str, Rule, random.Random], str]:
    def respell(line: str, rule: Rule, dice: random.Random) -> str:
        name, comma, rest = line.partition(",")
        return change(name, dice) + comma + rest

    return respell


def _respell(name: str, dice: random.Random) -> str:
    return dice.choice(
        [
            f"cropped_aligned/{name}", f"/data/x/{name}", f"./{name}", f"D:\\x\\{name}", name.replace("/", "\\"),
            name.replace(".jpg", ".JPG"), name.replace(".jpg", ".png"), name.replace("/0000", "/"), f"{name}.0",
            name.replace("/", ".mp4/"), name.lstrip("0") or "0", name.replace("/", "//"), f"{name}.mp4", f"0{name}",
            f" {name}", f"{name} ",
            name.replace(".mp4", ".MP4"), name.replace("frame-", "frame-0"), name.replace("frame-", "frame_"),
        ]
    )  # fmt: skip


def _shifted(lines: list[str], rule: Rule, dice: random.Random) -> None:
    names = [line.partition(",")[0] for line in lines]
    rest = [line.partition(",")[2] for line in lines]
    first = 1 if rule.header else 0
    moved = rest[first:][1:] + rest[first:][:1]
    lines[first:] = [f"{a},{b}" for a, b in zip(names[first:], moved, strict=True)]


# fmt: off
_LINE_FAULTS: list[Fault] = [
    _here(_character), _here(_character), _here(_strange), _fields(_value), _fields(_value), _shuffle, _drop,
    _drop_many, _again, _blank, _other_header, _here(_quote), _everywhere(_quote), _here(_name(_respell)),
    _everywhere(_name(_respell)),
    _here(lambda line, rule, dice: line + "," * dice.randint(1, 9)),
    _everywhere(lambda line, rule, dice: line + "," * dice.randint(1, 9)),
    _here(lambda line, rule, dice: line.replace(",", dice.choice([", ", " ,", ";", "\t", ",,"]))),
    _everywhere(lambda line, rule, dice: line.replace(",", dice.choice([", ", " ,", ";", "\t"]))),
    _here(lambda line, rule, dice: line[: dice.randint(0, len(line))]),
    lambda lines, rule, dice: lines.insert(_at(lines, dice), rule.header or "image,label"),
    lambda lines, rule, dice: lines.append(lines.pop(0)),
    _shifted,
]  # fmt: skip


def _flip(data: bytes, dice: random.Random) -> bytes:
    k = dice.randrange(len(data))
    return data[:k] + bytes([data[k] ^ (1 << dice.randrange(8))]) + data[k + 1 :]


_BYTE_FAULTS: list[Callable[[bytes, random.Random], bytes]] = [
    _flip, _flip,
    lambda data, dice: data.replace(b"\n", b"\r\n"),
    lambda data, dice: data.replace(b"\n", b"\r"),
    lambda data, dice: data.replace(b"\n", b"\r\n", dice.randint(1, 4)),
    lambda data, dice: data.replace(b"\n", b"\r", 1),
    lambda data, dice: b"\xef\xbb\xbf" + data,
    lambda data, dice: data.decode("utf-8", "replace").encode("utf-16"),
    lambda data, dice: data[: dice.randrange(len(data))],
    lambda data, dice: data + b"\n" * dice.randint(1, 3),
    lambda data, dice: data.rstrip(b"\n"),
    lambda data, dice: data + bytes([dice.randrange(256)]),
    lambda data, dice: b"\n" + data,
]  # fmt: skip
