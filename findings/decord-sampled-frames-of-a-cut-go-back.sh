#!/bin/sh
# A video is cut without encoding (`ffmpeg -ss 0.62 -c copy`), as most cut their clips: an edit list hides the frames before
# the cut. decord counts the hidden frames, and its indices mean two things. Read in turn, index k is frame 16 + k. Sampled,
# as by `get_batch(range(0, 40, 5))`, the first two indices follow that, and from the next key frame on index k is frame
# 10 + k: time goes back from frame 21 to 20. OpenCV's seeks in the same file are right. No error and no message.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install --quiet "decord==0.6.0" "opencv-python-headless==4.13.0.92" "imageio-ffmpeg==0.6.0" "numpy==2.2.6"
"$python" -W ignore - "$folder" 2>/dev/null <<'PY'
import subprocess
import sys

import cv2
import decord
import imageio_ffmpeg
import numpy as np

folder, ffmpeg = sys.argv[1], imageio_ffmpeg.get_ffmpeg_exe()


def number(image):
    """Read the number that eight bars show."""
    return sum(int(np.asarray(image)[:, 40 * bit + 10 : 40 * bit + 30].mean() > 120) << bit for bit in range(8))


images = np.zeros((50, 64, 320, 3), np.uint8)
for k in range(50):
    images[k] = np.repeat([200 if k >> bit & 1 else 40 for bit in range(8)], 40)[None, :, None]
source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "320x64", "-r", "25", "-i", "-"]
codec = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "10", "-keyint_min", "10", "-sc_threshold", "0"]
subprocess.run([ffmpeg, "-loglevel", "error", *source, *codec, f"{folder}/whole.mp4"], input=images.tobytes(), check=True)
cut = ["-ss", "0.62", "-i", f"{folder}/whole.mp4", "-c", "copy", f"{folder}/cut.mp4"]
subprocess.run([ffmpeg, "-loglevel", "error", *cut], check=True)
places = list(range(0, 31, 5))
video = decord.VideoReader(f"{folder}/cut.mp4")
in_turn = [number(video[k].asnumpy()) for k in range(31)]
sampled = [number(image) for image in decord.VideoReader(f"{folder}/cut.mp4").get_batch(places).asnumpy()]
capture, sought = cv2.VideoCapture(f"{folder}/cut.mp4"), []
for k in places:
    capture.set(cv2.CAP_PROP_POS_FRAMES, k)
    sought.append(number(capture.read()[1]))
print("decord", decord.__version__, "OpenCV", cv2.__version__, "ffmpeg", imageio_ffmpeg.get_ffmpeg_version())
print("indices               ", places)
print("decord, read in turn  ", [in_turn[k] for k in places])
print("decord, get_batch     ", sampled)
print("OpenCV, by its seeks  ", sought)
right = [16 + k for k in places]
raise SystemExit(not ([in_turn[k] for k in places] == right == sought and sampled == [16, 21, 20, 25, 30, 35, 40]))
PY
