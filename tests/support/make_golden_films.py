"""Make the video files of ``tests/harness/golden/films``: valid ones, in the structures that readers miscount.

    python -m tests.support.make_golden_films FFMPEG FOLDER

``FFMPEG`` is a program of version 7.0.2, as in the wheel imageio-ffmpeg 0.6.0. Each frame says its number, from 0.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.support.edit_lists import RATE, with_edits
from tests.support.numbered_films import numbered

N, KEY_EVERY = 50, 10
SIZE = (64, 48)
SLOWER = f"settb=1/{RATE},setpts=if(lt(N\\,{N // 2})\\,N\\,2*N-{N // 2})"
"""The first half of the frames at 25 frames per second, the rest at half of that."""

KEEP_TIMES = ("-vf", SLOWER, "-fps_mode", "passthrough", "-enc_time_base", f"1/{RATE}")
H264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", KEY_EVERY, "-keyint_min", KEY_EVERY, "-sc_threshold", 0)
MPEG4 = ("-c:v", "mpeg4", "-g", KEY_EVERY)
TONE = ("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=16000")
AAC = ("-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "aac", "-b:a", "16k")


def make(ffmpeg: str, folder: Path) -> None:
    """Write all twelve."""

    def run(*arguments: object, frames: bytes = b"") -> None:
        command = [ffmpeg, "-loglevel", "error", "-y", *map(str, arguments)]
        subprocess.run(command, input=frames, check=False)  # 7.0.2 ends with a fault after it has written a .ts

    def drawn(n: int, size: tuple[int, int] = SIZE, *, turned: bool = False) -> tuple[tuple[object, ...], bytes]:
        images = [np.rot90(image) if turned else image for image in (numbered(k, size) for k in range(n))]
        width, height = images[0].shape[1], images[0].shape[0]
        source = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", RATE, "-i", "-")
        return source, b"".join(image.tobytes() for image in images)

    folder.mkdir(parents=True, exist_ok=True)
    source, frames = drawn(N)
    plain = folder / "b_frames.mp4"
    run(*source, *H264, "-bitexact", plain, frames=frames)
    run("-ss", 0.62, "-i", plain, "-c", "copy", "-bitexact", folder / "cut.mp4")
    run("-i", plain, "-c", "copy", "-movflags", "frag_keyframe", "-bitexact", folder / "fragmented.mp4")
    run("-i", plain, "-c", "copy", "-bitexact", folder / "stream.ts")
    run("-i", plain, *TONE, *AAC, "-t", 3, "-bitexact", folder / "long_sound.mkv")
    run("-i", plain, "-itsoffset", 0.48, *TONE, *AAC, "-t", 2, "-bitexact", folder / "late_sound.mp4")
    # by way of Matroska: 7.0.2 gives an mp4 that it writes at once an edit list that hides the last frame
    run(*source, *KEEP_TIMES, *H264, "-bitexact", folder / "slower.mkv", frames=frames)
    run("-i", folder / "slower.mkv", "-c", "copy", "-bitexact", folder / "variable_rate.mp4")
    (folder / "slower.mkv").unlink()
    run(*source, *KEEP_TIMES, *MPEG4, "-bitexact", folder / "empty_chunks.avi", frames=frames)
    run(*source, *H264, "-bf", 0, "-bitexact", folder / "edit_list.mp4", frames=frames)
    with_edits(folder / "edit_list.mp4", [(0, 15), (23, N - 23)])
    source, frames = drawn(N, turned=True)
    run(*source, *H264, "-bitexact", folder / "lying.mp4", frames=frames)
    run("-display_rotation:v:0", -90, "-i", folder / "lying.mp4", "-c", "copy", "-bitexact", folder / "rotated.mp4")
    (folder / "lying.mp4").unlink()
    source, frames = drawn(N, (63, 47))
    run(*source, *MPEG4, "-bitexact", folder / "odd_size.mp4", frames=frames)
    source, frames = drawn(1)
    run(*source, *H264, "-bitexact", folder / "one_frame.mp4", frames=frames)


if __name__ == "__main__":
    make(sys.argv[1], Path(sys.argv[2]))
