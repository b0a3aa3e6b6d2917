#!/bin/sh
# `ffmpeg -ss 1.5 -i film.mp4 -c copy part` cuts without encoding, at the key frame before: frame 25 of a film at 25 frames per
# second. As mp4, an edit list hides the 13 frames up to 1.5 s and readers begin with frame 38. The same command into an mkv
# has no edit list: readers begin with frame 25. Labels cut at 1.5 s fit one of the two files and are 13 frames off the other.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install --quiet "opencv-python-headless==4.11.0.86" "av==18.1.0" "imageio-ffmpeg==0.6.0"
"$python" - "$folder" <<'PY'
import subprocess
import sys

import av
import cv2
import imageio_ffmpeg
import numpy as np

folder, ffmpeg = sys.argv[1], imageio_ffmpeg.get_ffmpeg_exe()
pictures = np.zeros((100, 64, 320, 3), np.uint8)
for k in range(100):
    pictures[k] = np.repeat([200 if k >> bit & 1 else 40 for bit in range(8)], 40)[None, :, None]
source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "320x64", "-r", "25", "-i", "-"]
settings = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "25", "-sc_threshold", "0"]
subprocess.run([ffmpeg, "-loglevel", "error", *source, *settings, f"{folder}/film.mp4"], input=pictures.tobytes(), check=True)


def number(picture):
    """Read the number that eight bars show."""
    return sum(int(picture[:, 40 * bit + 10 : 40 * bit + 30].mean() > 120) << bit for bit in range(8))


print("OpenCV", cv2.__version__, "PyAV", av.__version__, "ffmpeg", imageio_ffmpeg.get_ffmpeg_version())
seen = {}
for name in ("part.mp4", "part.mkv"):
    path = f"{folder}/{name}"
    subprocess.run([ffmpeg, "-loglevel", "error", "-ss", "1.5", "-i", f"{folder}/film.mp4", "-c", "copy", path], check=True)
    capture, numbers = cv2.VideoCapture(path), []
    while (frame := capture.read())[0]:
        numbers.append(number(frame[1]))
    with av.open(path) as container:
        others = [number(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    seen[name] = (numbers[0], len(numbers), others[0], len(others))
    print(f"{name}: OpenCV {len(numbers)} frames from {numbers[0]} on, PyAV {len(others)} from {others[0]} on")
raise SystemExit(seen != {"part.mp4": (38, 62, 38, 62), "part.mkv": (25, 75, 25, 75)})
PY
