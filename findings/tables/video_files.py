"""The video files of the tables: those that the tests of this project hold its own reader against, and some more."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.support.make_golden_films import AAC, H264, RATE, TONE, N, make
from tests.support.numbered_films import numbered

CUT = 0.62
"""Seconds; between the key frames 10 and 20, in frame 15."""
LATE = 0.48
COLOURS = ((220, 30, 30), (30, 200, 30), (40, 40, 220), (200, 150, 120))
"""RGB of the four quarters of the colour files: three saturated ones and skin."""
DESCRIPTIONS = {
    "b_frames.mp4": "H.264 with B-frames, 50 frames at 25 per second, a key frame every 10",
    "cut.mp4": f"the same, cut by `-ss {CUT} -c copy` into an mp4",
    "cut.mkv": "the same cut into an mkv",
    "cut.ts": "the same cut into a transport stream",
    "hevc_cut.mp4": "the same cut of H.265 with open groups of frames",
    "fragmented.mp4": "fragments of 10 frames",
    "variable_rate.mp4": "variable rate: 25 frames at 25 per second, 25 at 12.5",
    "edit_list.mp4": "an edit list of two parts: frames 0 to 14, then 23 to 49 (42 frames)",
    "rotated.mp4": "lying frames and a rotation, as phones write",
    "long_sound.mkv": "2 s of frames, 3 s of AAC",
    "late_sound.mp4": "AAC that begins at 0.48 s",
    "late_video.mp4": "audio from 0 s on, frames from 0.48 s on",
    "empty_chunks.avi": "the variable rate as MPEG-4 in an AVI, which marks ticks without a frame",
    "copied.avi": "H.264 copied into an AVI",
    "stream.ts": "a transport stream, copied",
    "odd_size.mp4": "MPEG-4 of 63 x 47",
    "one_frame.mp4": "one frame",
    "colours_tagged.mp4": "1280 x 720, BT.709, tagged so",
    "colours_untagged.mp4": "1280 x 720, BT.709, without a tag",
    "colours_full_range.mp4": "1280 x 720, BT.709, full range, tagged so",
}
INDEX = 30
"""The frame that is asked for alone."""
SHOWN = {name: tuple(range(N)) for name in DESCRIPTIONS if not name.startswith("colours")} | {
    "cut.mp4": tuple(range(16, N)),
    "hevc_cut.mp4": tuple(range(16, N)),
    "cut.mkv": tuple(range(10, N)),
    "cut.ts": tuple(range(10, N)),
    "edit_list.mp4": (*range(15), *range(23, N)),
    "one_frame.mp4": (0,),
}
"""The frames that a file shows: an edit list hides frames, a copy into mkv or ts keeps all from the key frame on."""


def make_videos(ffmpeg: str, folder: Path) -> None:
    """Write all files of `DESCRIPTIONS` into a folder."""

    def run(*arguments: object, frames: bytes = b"") -> None:
        command = [ffmpeg, "-loglevel", "error", "-nostdin", "-y", *map(str, arguments)]
        subprocess.run(command, input=frames, check=False)  # 7.0.2 ends with a fault after it has written a .ts

    make(ffmpeg, folder)
    plain = folder / "b_frames.mp4"
    for ending in ("mkv", "ts"):
        run("-ss", CUT, "-i", plain, "-c", "copy", folder / f"cut.{ending}")
    run("-i", plain, "-c", "copy", folder / "copied.avi")
    run("-itsoffset", LATE, "-i", plain, *TONE, *AAC, "-t", 3, folder / "late_video.mp4")
    source = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "64x48", "-r", RATE, "-i", "-")
    open_groups = ("-c:v", "libx265", "-x265-params", "log-level=none:keyint=10:min-keyint=10:scenecut=0:open-gop=1")
    whole = folder / "hevc.mp4"
    numbers = b"".join(numbered(k, (64, 48)).tobytes() for k in range(N))
    run(*source, *open_groups, "-pix_fmt", "yuv420p", whole, frames=numbers)
    run("-ss", CUT, "-i", whole, "-c", "copy", folder / "hevc_cut.mp4")
    whole.unlink()
    _make_colours(run, folder)
    missing = [name for name in DESCRIPTIONS if not (folder / name).is_file()]
    if missing:
        raise RuntimeError(f"ffmpeg did not write {', '.join(missing)}")


def _make_colours(run: Callable[..., None], folder: Path) -> None:
    image = np.empty((720, 1280, 3), np.uint8)
    for k, colour in enumerate(COLOURS):
        image[360 * (k // 2) :, 640 * (k % 2) :] = colour
    source = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "1280x720", "-r", RATE, "-i", "-")
    tags = ("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709")
    for name, scale, pixels in (("tagged", "tv", "yuv420p"), ("full_range", "pc", "yuvj420p")):
        convert = ("-vf", f"scale=out_color_matrix=bt709:out_range={scale}", "-pix_fmt", pixels, "-color_range", scale)
        run(*source, *convert, *tags, *H264, "-crf", 1, folder / f"colours_{name}.mp4", frames=image.tobytes() * 5)
    bare = folder / "bare.h264"  # an mp4 that is encoded at once takes its tags from the filter
    convert = ("-vf", "scale=out_color_matrix=bt709:out_range=tv", "-pix_fmt", "yuv420p", "-bf", 0)
    untagged = ("-x264-params", "colormatrix=undef:colorprim=undef:transfer=undef")
    run(*source, *H264, "-crf", 1, *convert, *untagged, bare, frames=image.tobytes() * 5)
    run("-r", RATE, "-i", bare, "-c", "copy", folder / "colours_untagged.mp4")
    bare.unlink()
