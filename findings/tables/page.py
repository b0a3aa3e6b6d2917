"""The page of the tables: Markdown from the measured answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from findings.tables.audio_files import CLICK
from findings.tables.audio_files import DESCRIPTIONS as AUDIO
from findings.tables.video_files import COLOURS, INDEX, SHOWN
from findings.tables.video_files import DESCRIPTIONS as VIDEO

NEAR = 4
"""Colours within this distance of 255 are right; so are clicks less than this many samples late."""
UPRIGHT = [64, 48]
ODD = [63, 47]
Values = Mapping[str, Any]

READING = """\
Every score of this field rests on "row k is frame k". Readers disagree about it on valid files, mostly without
a message. The tables below were measured: each frame of a file shows its own number, and each audio file has
one click at a known sample. Bold cells differ from what the file holds.

- Count frames by decoding. A header counts hidden frames, ticks and audio.
- Read frames in turn, from the first to the last. Ask for a frame by its index only of a reader whose row says
  that it is right: decord's indices after a cut, and torchcodec's approximate ones, depend on what was read
  before.
- Readers at ffmpeg's constant rate (imageio-ffmpeg, MoviePy) repeat frames where times are uneven.
- `abaw` reads in turn with OpenCV, turns rotated frames upright in every version of it, and counts the frames
  that come. Before OpenCV 4.13 colours are those of BT.601, whatever the file's tag says: the version stands
  beside cached features."""
NOT_HERE = """\
Not measured here: decoding on a GPU (torchcodec with CUDA), because these tables are made on a CPU; the times
of speech recognisers, because their models are a download (`findings/whisper-times-start-with-the-sound.sh`
measures their readers)."""
FILES = """\
Files of 64 x 48 at 25 frames per second, a key frame every 10, made by ffmpeg 7.0.2 on the spot. The last column has
the frames that the rules of the file show: an edit list hides the frames before a cut, a copy into mkv or ts
keeps all from the key frame on."""
HEADER = """\
The count that a reader gives without decoding: `CAP_PROP_FRAME_COUNT`, `stream.frames`, `len`, `n_frames`; of
imageio-ffmpeg rate times length. *none*: the reader says 0."""
IN_TURN = """\
Number of frames and the first one. *repeated*: frames that came again. *never*: frames of the file that did not
come. *fails at*: the first index that ends with an error although the count includes it. imageio's plug-in
refuses the ending `.ts`; the ffmpeg 7.0.2 of imageio-ffmpeg 0.6.0 ends with a fault on transport streams here."""
ALONE = f"""\
A new reader is asked for index {INDEX} before anything else; MoviePy for its time. Bold: another frame than the
file's index {INDEX}. PyAV has no indices."""
COLOUR = f"""\
Largest distance, of 255, from the RGB that was drawn; {NEAR} and less is rounding. The file without a tag was
made by the numbers of BT.709, as HD usually is: a large distance means that the reader takes BT.601 where the
file has no tag."""
CLICKS = f"""\
One second at 48 kHz with a click at sample {CLICK:,} (its peak may lie up to {NEAR - 1} later). All samples are
laid end to end: their number, and the place of the click."""
PRIMING = """\
AAC and mp3 begin with samples of the encoder's own. A reader takes them off where the container says how many
there are: mp4, mov, Matroska, a Xing header. (ffmpeg 7.0.2 does not for Matroska.) Transport streams, ADTS and
bare mp3 do not say it: everything in them lies 1,024 (AAC) or 1,105 (mp3) samples late, half a frame and more
at 25 frames per second."""
NETWORKS = """\
Small networks with random weights and the published convolutions at 16 kHz, in eval mode. A row is 320 samples
(20 ms), and the first needs 400: n samples have (n - 400) // 320 + 1 rows. Whisper pads to 30 s and cuts at
30 s, so that 31 s have as many rows as 1 s; warnings: """


def page(tables: Values) -> str:
    """Return the page."""
    date = tables["date"]
    contents = [(f"`{name}`", text, _shown(name)) for name, text in VIDEO.items()]
    pins = [(f"`{name}`", ", ".join(f"`{pin}`" for pin in pinned)) for name, pinned in tables["pins"].items()]
    parts = [
        "# Readers of video, audio and transcripts, measured",
        f"Measured on {date}, Python {tables['python']}, {tables['system']}, on the CPU. Written by\n"
        f"`python -m findings.tables --date {date}`; `readers.json` beside this page has all numbers.",
        READING,
        NOT_HERE,
        *(f"Not run: {name}, because {reason}." for name, reason in sorted(_reasons(tables).items())),
        "## Video",
        FILES,
        _table(("file", "content", "frames that it shows"), contents),
        *_video(tables["video"]),
        "## Audio",
        CLICKS,
        _audio(tables["audio"]),
        PRIMING,
        "### Resampled to 16 kHz: number of samples",
        _grid("samples", tables["resampled"]),
        *_speech(tables),
        *_transcripts(tables),
        "## Versions",
        _table(("environment", "packages"), pins),
    ]
    return "\n\n".join(parts) + "\n"


def _reasons(tables: Values) -> dict[str, str]:
    return {**tables["not_run"], **tables["failed"]}


def _shown(name: str) -> str:
    return f"{len(SHOWN[name])} from {SHOWN[name][0]}" if name in SHOWN else "5, all the same"


def _video(readers: Values) -> Iterable[str]:
    files = [name for name in VIDEO if name in SHOWN]
    longer = [name for name in files if len(SHOWN[name]) > INDEX]
    colours = [name for name in VIDEO if name.startswith("colours")]
    yield from ("### Frames by header", HEADER, _by_reader(files, readers, _header))
    yield from ("### Frames read in turn", IN_TURN, _by_reader(files, readers, _in_turn))
    yield from (f"### Frame {INDEX} asked for alone", ALONE, _by_reader(longer, readers, _alone))
    yield from (
        "### Size and orientation",
        "`rotated.mp4` shows 64 x 48 once it is upright. *squeezed*: the upright image in the size of the lying one.",
    )
    yield _by_reader(["rotated.mp4", "odd_size.mp4"], readers, _size)
    yield from ("### Colours", COLOUR, _by_reader(colours, readers, _colours))


def _header(name: str, values: Values) -> str:
    header = values["header"]
    return _marked("none" if header == 0 else f"{header}", header != len(SHOWN[name]))


def _in_turn(name: str, values: Values) -> str:
    if not values["numbers"]:
        return f"**not read**: {_kind(values['failed'])}"
    words = [f"{values['count']} from {values['first']}"]
    words += [f"{values[key]} {key}" for key in ("repeated", "never") if values[key]]
    words += [f"fails at {values['fails_from']}"] if values["fails_from"] is not None else []
    return _marked(", ".join(words), not values["right"])


def _alone(name: str, values: Values) -> str:
    frame = values.get("alone")
    if frame is None:
        return "**too short**" if values["numbers"] else "**not read**"
    if frame == "no index":
        return "—"
    return f"**{_kind(frame)}**" if isinstance(frame, str) else _marked(f"{frame}", frame != SHOWN[name][INDEX])


def _size(name: str, values: Values) -> str:
    size = values["size"]
    words = f"{size[0]} x {size[1]}"
    if name != "rotated.mp4":
        return _marked(words, size != ODD)
    state = "lying" if values["lying"] else "upright" if size == UPRIGHT else "upright, squeezed"
    return _marked(f"{words}, {state}", state != "upright")


def _colours(_: str, values: Values) -> str:
    patches = zip(values["colours"], COLOURS, strict=True)
    distance = max(abs(a - b) for patch, colour in patches for a, b in zip(patch, colour, strict=True))
    return _marked(f"{distance}", distance > NEAR)


def _by_reader(files: Iterable[str], readers: Values, cell: Callable[[str, Values], str]) -> str:
    def text(name: str, values: Values) -> str:
        return f"**not read**: {_kind(values['error'])}" if "error" in values else cell(name, values)

    rows = [(f"`{name}`", *(text(name, answer["files"][name]) for answer in readers.values())) for name in files]
    return _table(("file", *readers), rows)


def _audio(readers: Values) -> str:
    def text(values: Values) -> str:
        if "error" in values:
            return "not read"
        late = values["click"] - CLICK
        return _marked(f"{values['samples']:,}; {values['click']:,}", not 0 <= late < NEAR)

    rows = [(title, *(text(answer["files"][name]) for answer in readers.values())) for name, title in AUDIO.items()]
    return _table(("file", *readers), rows)


def _speech(tables: Values) -> Iterable[str]:
    if tables["networks"]:
        rows = dict(tables["networks"]["rows"])
        warned = sum(rows.pop("warnings of Whisper's extractor").values())
        seconds = list(next(iter(rows.values())))
        shown = {
            name: {s: "an error" if isinstance(n, str) else n for s, n in row.items()} for name, row in rows.items()
        }
        for rate in (25, 30):
            shown[f"frames at {rate} per second"] = {s: round(float(s) * rate, 2) for s in seconds}
        yield f"### Rows of speech networks (transformers {tables['networks']['versions']['transformers']})"
        yield f"{NETWORKS}{warned or 'none'}."
        yield _grid("seconds", shown)
    if tables["opensmile"]:
        levels = tables["opensmile"]["levels"].items()
        yield f"### Rows of opensmile {tables['opensmile']['versions']['opensmile']}"
        yield "Noise at 16 kHz: rows, and the times of the first and the last row in seconds."
        yield _grid("seconds", {name: {s: _level(values) for s, values in row.items()} for name, row in levels})


def _transcripts(tables: Values) -> Iterable[str]:
    if tables["whisper"] or tables["transcripts"]:
        yield "## Transcripts"
    if tables["whisper"]:
        written = [(form, f"`{line}`".replace("\t", "⇥")) for form, line in tables["whisper"]["written"].items()]
        yield f"openai-whisper {tables['whisper']['versions']['openai-whisper']} writes a segment from 1 to 2 s so:"
        yield _table(("format", "line with the times"), written)
    if tables["transcripts"]:
        readers = tables["transcripts"]["versions"]
        starts = tables["transcripts"]["starts"].items()
        yield "Seconds at which the two lines of a file start, by reader. They start at 1 (or 1.25) and 3 s."
        rows = [(title, *(_starts(title, row[name]) for name in readers)) for title, row in starts]
        yield _table(("file", *(f"{name} {number}" for name, number in readers.items())), rows)


def _level(values: Any) -> str:
    if isinstance(values, str):
        return _kind(values)
    nan = f", {values['nan']} of them NaN" if values["nan"] else ""
    (a, b), (c, d) = values["first"], values["last"]
    return f"{values['rows']}{nan}; {a:g}–{b:g}" + (f" … {c:g}–{d:g}" if values["rows"] > 1 else "")


def _starts(title: str, answer: Any) -> str:
    if isinstance(answer, str):
        return f"error: {_kind(answer)}"
    seconds = ", ".join(f"{second:g}" for second in answer)
    expected = {"1.25, 3"} if "01,25" in title else {"1, 3", "3, 1"}
    return _marked(seconds or "no lines", seconds not in expected)


def _kind(error: str) -> str:
    return error.partition(":")[0]


def _grid(corner: str, answers: Mapping[str, Values]) -> str:
    columns = list(next(iter(answers.values())))
    rows = [(name, *("error" if row[c] is None else f"{row[c]}" for c in columns)) for name, row in answers.items()]
    return _table((corner, *columns), rows)


def _marked(text: str, wrong: bool) -> str:
    return f"**{text}**" if wrong else text


def _table(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    titles = list(head)
    lines = [titles, ["---"] * len(titles), *([str(cell).replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
