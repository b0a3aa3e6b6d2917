#!/bin/sh
# A film of 100 frames is copied into an AVI (`-c copy`, no new encoding). The header of the AVI then says 200 frames, because
# H.264's time base is half a frame. OpenCV's and PyAV's counts follow the header though 100 frames come out; MoviePy
# believes it and hands out 200 (with a warning for each), the last picture 101 times. VP8 is worse: imageio-ffmpeg shows
# nearly every frame twice.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install --quiet "opencv-python-headless==4.11.0.86" "av==18.1.0" "moviepy==2.2.1" "imageio==2.38.1" "imageio-ffmpeg==0.6.0" "decord==0.6.0"
"$python" -W ignore - "$folder" <<'PY'
import subprocess
import sys
from importlib.metadata import version

import av
import cv2
import decord
import imageio.v3
import imageio_ffmpeg
import numpy as np
from moviepy import VideoFileClip

folder, ffmpeg = sys.argv[1], imageio_ffmpeg.get_ffmpeg_exe()


def number(picture):
    """Read the number that eight bars show."""
    return sum(int(np.asarray(picture)[:, 40 * bit + 10 : 40 * bit + 30].mean() > 120) << bit for bit in range(8))


def film(name, *codec):
    """Encode 100 numbered frames, then copy them into an AVI."""
    command = [ffmpeg, "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "320x64", "-r", "25", "-i", "-", *codec]
    pictures = np.zeros((100, 64, 320, 3), np.uint8)
    for k in range(100):
        pictures[k] = np.repeat([200 if k >> bit & 1 else 40 for bit in range(8)], 40)[None, :, None]
    subprocess.run([*command, f"{folder}/{name}"], input=pictures.tobytes(), check=True)
    subprocess.run([ffmpeg, "-loglevel", "error", "-i", f"{folder}/{name}", "-c", "copy", f"{folder}/{name}.avi"], check=True)
    return f"{folder}/{name}.avi"


for package in ("opencv-python-headless", "av", "moviepy", "imageio-ffmpeg", "decord"):
    print(package, version(package), end="; ")
print()
seen = {}
for name, path in {"H.264": film("a.mp4", "-c:v", "libx264", "-pix_fmt", "yuv420p"), "VP8": film("b.webm", "-c:v", "libvpx", "-b:v", "1M")}.items():
    capture = cv2.VideoCapture(path)
    header, read = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), 0
    while capture.read()[0]:
        read += 1
    with av.open(path) as container:
        stream = container.streams.video[0].frames
    clip = VideoFileClip(path)
    shown = [number(picture) for picture in clip.iter_frames()]
    clip.close()
    doubled = [number(picture) for picture in imageio.v3.imiter(path, plugin="FFMPEG")]
    seen[name] = (header, read, stream, len(shown), len(doubled), len(decord.VideoReader(path)))
    print(f"{name} in AVI: OpenCV counts {header} and reads {read}; PyAV's stream.frames {stream}; MoviePy gives {len(shown)}, "
          f"frame 99 is there {shown.count(99)} times; imageio-ffmpeg {len(doubled)}; decord {seen[name][5]}")
raise SystemExit(seen != {"H.264": (200, 100, 200, 200, 100, 100), "VP8": (200, 100, 200, 200, 199, 100)})
PY
