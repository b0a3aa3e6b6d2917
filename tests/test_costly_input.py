"""Small files that claim much: refused by what they claim, before time or memory is spent on it.

Each test has a few seconds and little memory, where the claim taken at its word would cost minutes or gigabytes.
"""

from __future__ import annotations

import contextlib
import io
import os
import struct
import sys
import time
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.cli.main import main
from harness.datasets.audio.limits import MOST_CHANNELS, MOST_SECONDS, RATES, impossible_sound
from harness.datasets.audio.waveform import open_audio
from harness.datasets.checking.audio_start import audio_problem
from harness.datasets.checking.dataset import check_data
from harness.datasets.images.numbered import list_images
from harness.datasets.video_files.capture import open_capture
from harness.datasets.video_files.mp4 import read_mp4
from harness.errors import AbawError, DataError, SubmissionError
from harness.files.archives.read import open_members, read_members
from harness.files.checking.submission import validate
from harness.files.formats import FORMATS
from harness.files.repair import repair
from harness.files.template import read_template
from harness.importing.source import OF_A_ZIP, open_source
from harness.system.image_headers import claimed_size
from harness.system.images import MOST_PIXELS, decode_rgb, opencv
from harness.system.names import DEEPEST, bad_name
from harness.tasks import EXPR
from solutions.weights.pickled.tensors import read_tensors
from tests.support.avi_files import write_avi
from tests.support.data_trees import Tree
from tests.support.places import REPOSITORY

ROWS = b"Frame_Number,Label\n1,0\n2,1\n"
GOLDEN = REPOSITORY / "tests/harness/golden/films"


@contextlib.contextmanager
def cheap(seconds: float = 5.0, megabytes: int = 64) -> Iterator[None]:
    """Fail where the block takes longer, or makes room for more."""
    tracemalloc.start()
    start = time.process_time()  # whatever else this machine has to do
    try:
        yield
        took, most = time.process_time() - start, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert took < seconds
    assert most < megabytes << 20


def refusal(path: Path, call=read_members) -> str:
    with cheap(), pytest.raises(AbawError) as caught:
        list(call(path))
    return str(caught.value)


# ---- names with thousands of parts


def zipped(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, ROWS)
    return path


def test_deep_names_in_a_zip_are_refused_in_no_time(tmp_path):
    deep = "/".join(["a"] * 30_000)
    path = zipped(tmp_path / "deep.zip", *(f"{deep}/{k}.csv" for k in range(20)), "good.csv")
    said = refusal(path)
    assert "members that can't be accepted; found 20." in said
    assert "a path longer than 1,000 bytes" in said
    assert len(said) < 5000


def test_names_of_many_parts_are_refused_and_those_of_few_read(tmp_path):
    deepest, deeper = "/".join(["a"] * DEEPEST), "/".join(["b"] * (DEEPEST + 1))
    assert read_members(zipped(tmp_path / "right.zip", deepest)).names == (deepest,)
    assert "a path of more than 32 parts" in refusal(zipped(tmp_path / "wrong.zip", deeper))
    assert bad_name(f"{deepest}/") == ""
    assert bad_name(f"{deeper}/") == "a path of more than 32 parts"
    assert bad_name("a/" * 4 + "b" * 250) == ""


def test_many_deep_names_cost_what_their_bytes_cost(tmp_path):
    path = zipped(tmp_path / "many.zip", *(f"{k}/" + "a/" * 490 + "b.csv" for k in range(4000)))
    assert "found 4000" in refusal(path)


def test_deep_names_in_a_zip_of_runs_are_refused(tmp_path):
    deep = "/".join(["a"] * 20_000)
    path = zipped(tmp_path / "runs.zip", *(f"{deep}/{k}/run.json" for k in range(10)))

    def opened(path: Path) -> Iterator[object]:
        with open_source(path) as source:
            yield source

    assert "a path longer than 1,000 bytes" in refusal(path, opened)
    with pytest.raises(SubmissionError), open_members(path, OF_A_ZIP):
        pass


def deep_folder(top: Path, depth: int) -> Path:
    """Folders in each other, made one by one: their path may be longer than the system takes at once."""
    top.mkdir()
    here = os.open(".", os.O_RDONLY)
    os.chdir(top)
    try:
        for _ in range(depth):
            Path("d").mkdir()
            os.chdir("d")
        Path("predictions.csv").write_bytes(ROWS)
    finally:
        os.chdir(here)
        os.close(here)
    return top


@pytest.mark.parametrize("depth", [DEEPEST, 60])
def test_folders_in_folders_are_not_followed_for_ever(tmp_path, depth):
    said = refusal(deep_folder(tmp_path / "deep", depth))
    assert f"{'d/' * DEEPEST}': a path of more than 32 parts" in said
    with pytest.raises(DataError, match="no runs in it"), open_source(tmp_path / "deep"):
        pass


def test_folders_as_deep_as_a_name_may_be_are_read(tmp_path):
    names = read_members(deep_folder(tmp_path / "deep", DEEPEST - 1)).names
    assert names == ("d/" * (DEEPEST - 1) + "predictions.csv",)


def test_folder_of_countless_folders_is_refused(tmp_path):
    for k in range(5001):
        (tmp_path / "many" / str(k)).mkdir(parents=True)
    assert "too many files; expected at most 5,000" in refusal(tmp_path / "many")


def test_weights_of_countless_members_are_refused_unlisted(tmp_path):
    path = zipped(tmp_path / "weights.pt", "archive/data.pkl")
    path.write_bytes(path.read_bytes() + b"PK\1\2" * 100_001)
    assert "a zip file with more than 100,000 members" in refusal(path, read_tensors)


# ---- sound


def header(rate: int, channels: int = 1, bits: int = 16, data: bytes = bytes(64), *, extra: bytes = b"") -> bytes:
    block = channels * bits // 8
    form = struct.pack("<HHIIHH", 1, channels, rate, (rate * block) & 0xFFFFFFFF, block, bits)
    body = b"WAVE" + extra + b"fmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body) & 0xFFFFFFFF) + body


@pytest.mark.parametrize(
    ("rate", "channels", "bits", "found", "expected"),
    [
        (4_294_967_295, 1, 16, "1 channel, 4294967295 Hz", "1,000 to 768,000"),
        (768_100, 1, 16, "1 channel, 768100 Hz", "1,000 to 768,000"),
        (999, 1, 16, "1 channel, 999 Hz", "1,000 to 768,000"),
        (0, 1, 16, "1 channel, 0 Hz", "1,000 to 768,000"),
        (767_999, 1, 16, "1 channel, 767999 Hz", "a multiple of 100 above 192,000"),
        (16_000, 65, 8, "65 channels, 16000 Hz", "1 to 64"),
        (16_000, 65_535, 8, "65,535 channels, 16000 Hz", "1 to 64"),
    ],
)
def test_sound_whose_header_claims_too_much_is_refused(tmp_path, rate, channels, bits, found, expected):
    path = tmp_path / "a.wav"
    path.write_bytes(header(rate, channels, bits, bytes(1 << 17)))
    said = refusal(path, lambda p: open_audio(p).chunks(20))
    assert said.startswith(f"{path}: the header of the audio file makes no sense; found {found}")
    assert f"expected {expected}. Make it from the video: ffmpeg" in said


@pytest.mark.parametrize("rate", [1000, 8000, 22_050, 44_100, 44_101, 192_000, 384_000, 705_600, 768_000])
def test_sound_of_any_real_rate_is_read(tmp_path, rate):
    path = tmp_path / "a.wav"
    path.write_bytes(header(rate, data=bytes(2 * rate)))
    with cheap(megabytes=100):
        assert sum(map(len, open_audio(path).chunks(20))) == 16_000


def test_sound_longer_than_a_day_is_refused(tmp_path):
    path = tmp_path / "a.wav"
    samples = 1000 * MOST_SECONDS + 1
    path.write_bytes(header(1000, bits=8, data=b"")[:-4] + struct.pack("<I", samples))
    os.truncate(path, path.stat().st_size + samples)  # a hole, which takes no room
    assert "expected at most 86,400 s" in refusal(path, lambda p: open_audio(p).chunks(20))
    assert impossible_sound(1000, 1, samples - 1) is None


def test_sound_of_many_channels_is_averaged_part_by_part(tmp_path):
    path, seconds = tmp_path / "a.wav", 3
    path.write_bytes(header(48_000, MOST_CHANNELS, 16, b"")[:-4] + struct.pack("<I", 48_000 * 128 * seconds))
    os.truncate(path, path.stat().st_size + 48_000 * 128 * seconds)
    with cheap(megabytes=40):
        assert sum(map(len, open_audio(path).chunks(20))) == 16_000 * seconds


@pytest.mark.parametrize(
    "extra", [b"fmt " + struct.pack("<I", 0xFFFFFFF0), (b"abcd" + struct.pack("<I", 0)) * 200_000], ids=["long", "many"]
)
def test_chunks_of_a_sound_file_are_not_followed_for_ever(tmp_path, extra):
    path = tmp_path / "a.wav"
    path.write_bytes(header(16_000, extra=extra))
    os.truncate(path, 1 << 32)
    assert "holds no audio; found no data chunk" in refusal(path, lambda p: open_audio(p).chunks(20))


def test_data_check_names_sound_whose_header_makes_no_sense(tmp_path):
    tree, folder = Tree(tmp_path / "data"), tmp_path / "data/audios"
    for split, video in (("train", "a"), ("train", "b"), ("val", "c")):
        tree.labels(split, video, [0, 1, 2])
        tree.crops(video, (1, 2, 3))
    folder.mkdir()
    (folder / "a.wav").write_bytes(header(2_000_000_000))
    (folder / "b.wav").write_bytes(header(4_000_000_000))
    (folder / "c.wav").write_bytes(header(16_000, data=bytes(32_000)))
    problems = [text for text in check_data(tree.root).problems if ".wav" in text]
    assert len(problems) == 2
    low, high = RATES
    assert problems[0].startswith(f"{folder / 'a.wav'}: this audio file can't be read, or holds no audio")
    assert ": the header of the audio file makes no sense; found 1 channel, 2000000000 Hz" in problems[0]
    assert problems[1].startswith(f"{folder / 'b.wav'}: this audio file can't be read, or holds no audio")
    assert f"expected {low:,} to {high:,}. Make it from the video" in problems[0]


def test_duration_of_an_absurd_rate_is_only_a_number(tmp_path):
    (tmp_path / "a.wav").write_bytes(header(2**31))
    assert "found 0.00 s of audio" in audio_problem(tmp_path / "a.wav", GOLDEN / "late_sound.mp4")


# ---- images and films


def encoded(form: str, size: tuple[int, int] = (8, 6), **options: object) -> bytearray:
    stream = io.BytesIO()
    Image.fromarray(np.full((size[1], size[0], 3), 90, np.uint8)).save(stream, form, **options)
    return bytearray(stream.getvalue())


def enlarged(form: str, width: int, height: int, **options: object) -> bytes:
    """An image file whose header claims another size."""
    data = encoded(form, **options)
    if form == "JPEG":
        at = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
        data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    elif form == "PNG":
        data[16:24] = struct.pack(">II", width, height)
        import zlib

        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    elif form == "BMP":
        data[18:26] = struct.pack("<ii", width, height)
    elif options.get("lossless"):
        data[21:25] = struct.pack("<I", (width - 1) | (height - 1) << 14)
    else:
        data[26:30] = struct.pack("<HH", width, height)
    return bytes(data)


FORMS = [
    ("JPEG", {}, 65_500, 65_500),
    ("JPEG", {"progressive": True}, 65_500, 65_500),
    ("PNG", {}, 1_000_000, 900_000),
    ("BMP", {}, 1_000_000, -900_000),
    ("WEBP", {}, 16_383, 16_383),
    ("WEBP", {"lossless": True}, 16_384, 16_384),
]


@pytest.mark.parametrize(("form", "options", "width", "height"), FORMS)
def test_size_of_an_image_is_read_from_its_header(form, options, width, height):
    plain = np.frombuffer(bytes(encoded(form, (31, 17), **options)), np.uint8)
    assert claimed_size(plain) == (31, 17)
    assert decode_rgb(plain, Path("a")).shape == (17, 31, 3)
    assert claimed_size(np.frombuffer(enlarged(form, width, height, **options), np.uint8)) == (width, abs(height))


@pytest.mark.parametrize(("form", "options", "width", "height"), FORMS)
def test_tiny_image_that_claims_huge_dimensions_is_refused(tmp_path, form, options, width, height):
    for k in (1, 2, 3):
        (tmp_path / f"{k:05d}.jpg").write_bytes(encoded("JPEG"))
    data = enlarged(form, width, height, **options)
    (tmp_path / "00002.jpg").write_bytes(data)
    with (
        cheap(),
        list_images(tmp_path).reader() as reader,
        pytest.raises(Exception, match="claims too many pixels") as caught,
    ):
        reader.read([0, 1, 2])
    (message,) = caught.value.messages
    assert message == (
        f"{tmp_path / '00002.jpg'}: the image's header claims too many pixels; found {width:,} × "
        f"{abs(height):,} pixels in {len(data)} bytes, expected at most {MOST_PIXELS:,} pixels. Extract it again from "
        "the video, or delete it: its frame then counts as one without a crop."
    )


def test_jpeg_with_garbage_is_measured_as_libjpeg_does():
    data = enlarged("JPEG", 65_500, 65_500)
    at = data.index(b"\xff\xdb")
    for between in (b"garbage", b"\xff\xff\xff", b"\xff\x00", b"\xff\xd0", b"\xff\xe5\x00\x04\xff\xc0", b"ab\xff"):
        assert claimed_size(np.frombuffer(data[:at] + between + data[at:], np.uint8)) == (65_500, 65_500)


def test_cut_and_damaged_headers_of_images_are_no_sizes(repetitions):
    dice = np.random.default_rng(0)
    for form, options, _, _ in FORMS:
        data = bytes(encoded(form, **options))
        for n in range(0, len(data), repetitions(7, 1)):
            claimed_size(np.frombuffer(data[:n], np.uint8))
        for _ in range(repetitions(20, 2000)):
            spoilt = bytearray(data)
            spoilt[dice.integers(len(data))] = dice.integers(256)
            raw = np.frombuffer(bytes(spoilt), np.uint8)
            try:
                image = decode_rgb(raw, Path("a"))
            except DataError:
                continue
            assert claimed_size(raw) == image.shape[1::-1], form


def test_other_forms_of_images_are_bounded_by_opencv(tmp_path):
    assert claimed_size(np.frombuffer(b"P5 60000 60000 255\n" + bytes(100), np.uint8)) is None
    assert os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] == str(MOST_PIXELS)
    with cheap(), pytest.raises(DataError, match="not a readable image"):
        decode_rgb(np.frombuffer(b"P5 60000 60000 255\n" + bytes(100), np.uint8), tmp_path / "a")


def test_film_that_claims_huge_frames_is_refused(tmp_path):
    path = write_avi(tmp_path / "a.avi", [1, 2, 3], claimed=(9000, 8000))
    path.write_bytes(path.read_bytes().replace(struct.pack(">HH", 48, 64), struct.pack(">HH", 8000, 9000)))
    with cheap(), pytest.raises(DataError) as caught:
        open_capture(path)
    assert str(caught.value).startswith(
        f"{path}: the video file's header claims too many pixels per frame; found 9,000 × 8,000 pixels, "
        f"expected at most {MOST_PIXELS:,} pixels. "
    )
    open_capture(write_avi(tmp_path / "b.avi", [1, 2, 3])).release()


def box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), name) + content


def movie(*, stts: list[tuple[int, int]], ctts: list[tuple[int, int]] = (), edits: int = 1) -> bytes:
    def full(name: bytes, rows: list[tuple[int, int]]) -> bytes:
        return box(name, struct.pack(">II", 0, len(rows)) + b"".join(struct.pack(">Ii", *row) for row in rows))

    head = struct.pack(">5I", 0, 0, 0, 1000, 1000)
    table = full(b"stts", stts) + (full(b"ctts", ctts) if ctts else b"")
    media = box(b"mdhd", head) + box(b"hdlr", bytes(8) + b"vide") + box(b"minf", box(b"stbl", table))
    listed = struct.pack(">II", 0, edits) + struct.pack(">Iii", 1000, 0, 0x10000) * edits
    track = box(b"trak", box(b"edts", box(b"elst", listed)) + box(b"mdia", media))
    return box(b"ftyp", b"isom") + box(b"moov", box(b"mvhd", head) + track)


def test_film_index_that_claims_endless_frames_is_refused(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(movie(stts=[(1000, 1)]))
    assert read_mp4(path).first("vide").samples == 1000
    for content in (
        movie(stts=[(2**31 - 1, 1)] * 100),
        movie(stts=[(1000, 1)], ctts=[(2**31 - 1, 1)] * 100),
        movie(stts=[(9_000_000, 1)], edits=20_000),
        box(b"free", b"") * 200_000 + movie(stts=[(1000, 1)]),
    ):
        path.write_bytes(content)
        with cheap():
            assert read_mp4(path) is None


# ---- numbers of frames


def official(path: Path, *rows: str) -> Path:
    path.write_text("\n".join([FORMATS["EXPR"].header, *rows, ""]))
    return path


def test_frame_that_no_video_has_is_named_and_not_counted_up_to(tmp_path):
    path = official(tmp_path / "a.txt", "a/00001.jpg,1", "a/999999999.jpg,2")
    with cheap():
        report = validate(path)
    assert [str(found) for found in report.errors] == [
        f"{path}:3:1: error [location] found frame 999,999,999, expected at most 10,000,000: no video is as long"
    ]
    with cheap(), pytest.raises(SubmissionError, match="not a row of a template"):
        read_template(path, EXPR)
    numbered = tmp_path / "v.csv"
    numbered.write_text("Frame_Number,Label\n1,0\n999999999,1\n")
    assert [found.code for found in validate(numbered).errors] == ["location"]


def test_repair_does_not_list_all_frames_before_a_far_one(tmp_path):
    rows = [f"v{k}/{n}.jpg,1" for k in range(200) for n in ("00001", "9999999")]
    path = official(tmp_path / "a.txt", *rows)
    with cheap(), pytest.raises(SubmissionError, match="9999997 of 9999999 frames of v0 have no row"):
        repair(path, tmp_path / "out.txt", task="EXPR")


def test_crops_numbered_beyond_any_video_are_refused(tmp_path):
    for name in ("00001.jpg", "999999999.jpg"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(DataError, match="a crop's number is too large for a video; found 999999999"):
        list_images(tmp_path)


# ---- the commands


def test_validate_and_import_refuse_deep_names_at_once(tmp_path, monkeypatch, capsys):
    path = zipped(tmp_path / "deep.zip", *("/".join(["a"] * 30_000) + f"/{k}" for k in range(20)))
    for command in ("validate", "import", "pack"):
        more = ["--to", "out.zip"] if command == "pack" else []
        monkeypatch.setattr(sys, "argv", ["abaw", command, str(path), *more])
        with cheap(), pytest.raises(SystemExit) as end:
            main()
        assert "Traceback" not in capsys.readouterr().err
        assert end.value.code in ((0, 1) if command == "pack" else (1,))  # which packs one file, whatever is in it


def test_opencv_is_the_only_decoder_of_image_files():
    """A decoder elsewhere would have no bound."""
    words = ("cv2.imread(", ".imread(", "cv2.imdecode(", "Image.open(", "VideoCapture(")
    found = {
        f"{path.relative_to(REPOSITORY)}: {word}"
        for package in ("harness", "solutions", "leaderboard")
        for path in (REPOSITORY / package).rglob("*.py")
        for word in words
        if word in path.read_text(encoding="utf-8")
    }
    assert found == {
        "harness/system/images.py: cv2.imdecode(",
        "harness/datasets/video_files/capture.py: VideoCapture(",
    }
    assert opencv().getNumThreads() == 1
